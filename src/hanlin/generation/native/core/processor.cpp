// On x86-64 by cpuid and XCR0: a processor may have registers that the system does not save between threads,
// and a program that used them would be stopped, or worse.
#include "processor.h"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>

namespace hanlin {
namespace {

constexpr uint32_t kVectors = 0x06;     // XCR0: xmm and the upper halves of ymm
constexpr uint32_t kWideVectors = 0xe6;  // and masks, the upper halves of zmm, zmm 16 to 31

bool has(uint32_t word, int bit) { return word >> bit & 1; }

uint32_t saved_by_the_system() {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

}  // namespace

Processor this_processor() {
    uint32_t a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27)) return {};  // 27: xgetbv may be used
    const bool fma = has(c, 12), avx = has(c, 28), f16c = has(c, 29);
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {};
    const uint32_t saved = saved_by_the_system();
    Processor found{};
    found.avx2 = avx && fma && f16c && has(b, 5) && (saved & kVectors) == kVectors;
    const bool parts = has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31);  // F, DQ, BW, VL
    found.avx512 = found.avx2 && parts && (saved & kWideVectors) == kWideVectors;
    found.vnni = found.avx512 && has(c, 11);
    return found;
}

}  // namespace hanlin

#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

namespace hanlin {

Processor this_processor() {
    Processor found{};
    found.dotprod = getauxval(AT_HWCAP) >> 20 & 1;  // HWCAP_ASIMDDP
    return found;
}

}  // namespace hanlin

#else

namespace hanlin {

Processor this_processor() { return {}; }

}  // namespace hanlin

#endif
