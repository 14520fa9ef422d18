#include "choosing.h"

#include <stdexcept>
#include <string>

#include "processor.h"

namespace hanlin {

std::vector<InstructionSet> instruction_sets() {
    [[maybe_unused]] const Processor machine = this_processor();
    return {
#if defined(__x86_64__)
        {"avx512vnni", avx512vnni_kernels, machine.vnni},
        {"avx512", avx512_kernels, machine.avx512},
        {"avx2", avx2_kernels, machine.avx2},
#elif defined(__aarch64__)
        {"neondot", neondot_kernels, machine.dotprod},
        {"neon", neon_kernels, true},
#endif
        {"portable", portable_kernels, true},
    };
}

const Kernels& choose_kernels(const char* name) {
    const std::string wanted = name;
    std::string there;
    for (const InstructionSet& set : instruction_sets()) {
        if (set.kernels == nullptr || !set.on_machine) continue;
        if (wanted == "auto" || wanted == set.name) return *set.kernels;
        there += there.empty() ? set.name : std::string(", ") + set.name;
    }
    throw std::invalid_argument("this machine or this build has no instruction set " + wanted +
                                ", only " + there);
}

}  // namespace hanlin
