// The products for x86 with AVX-512 and VNNI, which sums four products of bytes, or two of 16-bit
// numbers, into 32 bits at once; this file alone is compiled for it.
#include "kernels.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__AVX512DQ__) && defined(__AVX512VNNI__)
#include "avx512.h"

namespace hanlin {
namespace {

struct Dot {
    static __m512i pairs(__m512i sum, __m512i weights, __m512i x) {
        return _mm512_dpwssd_epi32(sum, weights, x);
    }
    static __m512i quads(__m512i sum, __m512i codes, __m512i x) {
        return _mm512_dpbusd_epi32(sum, codes, x);
    }
};

constexpr Kernels kKernels = make_kernels<Avx512<Dot>>("avx512vnni");

}  // namespace

const Kernels* const avx512vnni_kernels = &kKernels;

}  // namespace hanlin

#else

namespace hanlin {

const Kernels* const avx512vnni_kernels = nullptr;

}  // namespace hanlin

#endif
