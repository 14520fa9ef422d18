// The products for 64-bit Arm with dot products, which sum four products of bytes into 32 bits at
// once; this file alone is compiled for them.
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include "neon.h"

namespace hanlin {
namespace {

struct Dot {
    void add(int8x16_t codes, int8x16_t x) { sums = vdotq_s32(sums, codes, x); }
    int32x4_t total() const { return sums; }

    int32x4_t sums = vdupq_n_s32(0);
};

constexpr Kernels kKernels = make_kernels<Neon<Dot>>("neondot");

}  // namespace

const Kernels* const neondot_kernels = &kKernels;

}  // namespace hanlin

#else

namespace hanlin {

const Kernels* const neondot_kernels = nullptr;

}  // namespace hanlin

#endif
