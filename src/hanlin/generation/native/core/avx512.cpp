// The products for x86 with AVX-512 as every such processor has it; this file alone is compiled so.
#include "kernels.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__AVX512DQ__)
#include "avx512.h"

namespace hanlin {
namespace {

struct Dot {
    // 16-bit numbers, two a lane.
    static __m512i pairs(__m512i sum, __m512i weights, __m512i x) {
        return _mm512_add_epi32(sum, _mm512_madd_epi16(weights, x));
    }
    // Bytes, four a lane; codes of 4 bits keep the sums of 16 bits far from their end.
    static __m512i quads(__m512i sum, __m512i codes, __m512i x) {
        const __m512i halves = _mm512_maddubs_epi16(codes, x);
        return _mm512_add_epi32(sum, _mm512_madd_epi16(halves, _mm512_set1_epi16(1)));
    }
};

constexpr Kernels kKernels = make_kernels<Avx512<Dot>>("avx512");

}  // namespace

const Kernels* const avx512_kernels = &kKernels;

}  // namespace hanlin

#else

namespace hanlin {

const Kernels* const avx512_kernels = nullptr;

}  // namespace hanlin

#endif
