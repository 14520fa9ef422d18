// Which kernels run: one entry an instruction set that the sources know for this kind of processor.
#pragma once

#include <vector>

#include "kernels.h"

namespace hanlin {

struct InstructionSet {
    const char* name;
    const Kernels* kernels;  // null: the compiler of this build could not write it
    bool on_machine;
};

// The fastest first, "portable" last.
std::vector<InstructionSet> instruction_sets();

// "auto" takes the fastest that is built and that the machine has; throws std::invalid_argument for
// what is not there.
const Kernels& choose_kernels(const char* name);

}  // namespace hanlin
