// The products for 64-bit Arm as every such processor has them.
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#include "neon.h"

namespace hanlin {
namespace {

// Sums of four bytes a lane, as four pairs of 16 bits until they are asked for.
struct Dot {
    void add(int8x16_t codes, int8x16_t x) {
        low = vmlal_s8(low, vget_low_s8(codes), vget_low_s8(x));
        high = vmlal_high_s8(high, codes, x);
    }
    int32x4_t total() const { return vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)); }

    int16x8_t low = vdupq_n_s16(0), high = vdupq_n_s16(0);
};

constexpr Kernels kKernels = make_kernels<Neon<Dot>>("neon");

}  // namespace

const Kernels* const neon_kernels = &kKernels;

}  // namespace hanlin

#else

namespace hanlin {

const Kernels* const neon_kernels = nullptr;

}  // namespace hanlin

#endif
