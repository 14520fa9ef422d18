// The products for x86 with AVX2, FMA and F16C; this file alone is compiled for them.
#include "kernels.h"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include <immintrin.h>

#include "generic.h"
#include "packed256.h"

namespace hanlin {
namespace {

// How far ahead of the stream memory is asked for; nearer and the data comes late.
constexpr size_t kAhead = 2048;

inline void ahead(const void* line) {
    _mm_prefetch(static_cast<const char*>(line) + kAhead, _MM_HINT_T0);
}
inline __m256i pair(const int16_t* at) {
    int32_t bits;
    memcpy(&bits, at, 4);
    return _mm256_set1_epi32(bits);
}
inline __m256i quad(const int8_t* at) {
    int32_t bits;
    memcpy(&bits, at, 4);
    return _mm256_set1_epi32(bits);
}
inline __m256i load(const uint8_t* at) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(at));
}

struct Avx2 : Packed256 {
    static constexpr int most_tokens = 6, most_tokens_int4 = 2;
    // As many rows of activations as leave registers for two chains of sums each.  Every number of
    // rows sums in the same two chains, so that a row's sums do not depend on what comes with it.
    static constexpr int most_tokens_fp32 = 3, most_tokens_bf16 = 6;

    // The even columns are one chain, the odd ones the other.
    template <int N>
    static void fp32(const uint8_t* panel, const float* x, int stride, int columns, float* out) {
        const float* w = reinterpret_cast<const float*>(panel);
        __m256 sums[2][N][2];
        for (auto& chain : sums)
            for (auto& row : chain) row[0] = row[1] = _mm256_setzero_ps();
        for (int k = 0; k < columns; k += 2)
#pragma GCC unroll 2
            for (int c = 0; c < 2; ++c, w += kPanelRows) {
                ahead(w);
                const __m256 low = _mm256_load_ps(w), high = _mm256_load_ps(w + 8);
#pragma GCC unroll 3
                for (int t = 0; t < N; ++t) {
                    const __m256 value = _mm256_broadcast_ss(x + t * stride + k + c);
                    sums[c][t][0] = _mm256_fmadd_ps(low, value, sums[c][t][0]);
                    sums[c][t][1] = _mm256_fmadd_ps(high, value, sums[c][t][1]);
                }
            }
        store(sums, out);
    }

    // A lane holds two columns of a row; as fp32 each is its 16 bits above 16 zeros.  One row of
    // activations takes both halves of a line at once, more take one half of all lines first.
    template <int N>
    static void bf16(const uint8_t* panel, const float* x, int stride, int columns, float* out) {
        constexpr int halves = N == 1 ? 2 : 1;
        const __m256i upper = _mm256_set1_epi32(int32_t(0xffff0000));
        for (int from = 0; from < 2; from += halves) {
            const uint8_t* w = panel + 32 * from;
            __m256 sums[2][N][halves];
            for (auto& chain : sums)
                for (auto& row : chain)
                    for (auto& half : row) half = _mm256_setzero_ps();
            for (int k = 0; k < columns; k += 2, w += kLine) {
                if (from == 0) ahead(w);
#pragma GCC unroll 2
                for (int half = 0; half < halves; ++half) {
                    const __m256i both = load(w + 32 * half);
                    const __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
                    const __m256 second = _mm256_castsi256_ps(_mm256_and_si256(both, upper));
#pragma GCC unroll 6
                    for (int t = 0; t < N; ++t) {
                        const float* at = x + t * stride + k;
                        __m256 &even = sums[0][t][half], &odd = sums[1][t][half];
                        even = _mm256_fmadd_ps(first, _mm256_broadcast_ss(at), even);
                        odd = _mm256_fmadd_ps(second, _mm256_broadcast_ss(at + 1), odd);
                    }
                }
            }
            store(sums, out + 8 * from);
        }
    }

    // Four bytes of a row as two pairs of 16-bit numbers, columns 0 and 2, then 1 and 3.
    template <int N>
    static void int8(const uint8_t* w, const int16_t* x, int stride, int columns, int32_t* out) {
        const __m256i lower = _mm256_set1_epi16(0xff);
        __m256i sums[N][2];
        for (auto& row : sums) row[0] = row[1] = _mm256_setzero_si256();
        for (int k = 0; k < columns; k += 4, w += kLine) {
            ahead(w);
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                const __m256i bytes = load(w + 32 * half);
                const __m256i first = _mm256_and_si256(bytes, lower);
                const __m256i second = _mm256_srli_epi16(bytes, 8);
#pragma GCC unroll 6
                for (int t = 0; t < N; ++t) {
                    const int16_t* at = x + t * stride + k;
                    const __m256i both = _mm256_add_epi32(_mm256_madd_epi16(first, pair(at)),
                                                          _mm256_madd_epi16(second, pair(at + 2)));
                    sums[t][half] = _mm256_add_epi32(sums[t][half], both);
                }
            }
        }
        for (int t = 0; t < N; ++t)
            for (int half = 0; half < 2; ++half)
                _mm256_store_si256(reinterpret_cast<__m256i*>(out + t * kPanelRows + 8 * half),
                                   sums[t][half]);
    }

    // Products of 4-bit codes and 8-bit activations are summed in 16 bits over 8 lines at most:
    // 2 x 15 x 127 x 8 = 30,480 fits.
    template <int N>
    static void int4(const uint8_t* w, const Panels& m, const Activations& x, int first,
                     float* out) {
        __m256 sums[N][2];
        for (auto& row : sums) row[0] = row[1] = _mm256_setzero_ps();
        for (int g = 0; g < m.columns / m.group; ++g) {
            const uint8_t* head = w;
            ahead(w);
            w += kLine;
            __m256i parts[N][2];
            for (auto& row : parts) row[0] = row[1] = _mm256_setzero_si256();
            for (int start = 0; start < m.group; start += kInt4Columns) {
                const int end = start + kInt4Columns < m.group ? start + kInt4Columns : m.group;
                w = int4_lines<N>(w, x, first, g * m.group + start, g * m.group + end, parts);
            }
            for (int half = 0; half < 2; ++half) {
                const auto* codes = reinterpret_cast<const __m128i*>(head + 16 * half);
                const __m256 scale = _mm256_cvtph_ps(_mm_load_si128(codes));
                const __m256 zero = _mm256_cvtph_ps(_mm_load_si128(codes + 2));
                for (int t = 0; t < N; ++t) {
                    const size_t at = size_t(first + t) * x.groups + g;
                    const __m256 shift = _mm256_broadcast_ss(x.narrow_sums + at);
                    const __m256 part =
                        _mm256_fnmadd_ps(zero, shift, _mm256_cvtepi32_ps(parts[t][half]));
                    const __m256 size = _mm256_broadcast_ss(x.narrow_scales + at);
                    sums[t][half] =
                        _mm256_fmadd_ps(scale, _mm256_mul_ps(part, size), sums[t][half]);
                }
            }
        }
        for (int t = 0; t < N; ++t)
            for (int half = 0; half < 2; ++half)
                _mm256_store_ps(out + t * kPanelRows + 8 * half, sums[t][half]);
    }

private:
    static constexpr int kInt4Columns = 64;

    template <int N, int halves>
    static void store(const __m256 (&sums)[2][N][halves], float* out) {
        for (int t = 0; t < N; ++t)
            for (int half = 0; half < halves; ++half)
                _mm256_store_ps(out + t * kPanelRows + 8 * half,
                                _mm256_add_ps(sums[0][t][half], sums[1][t][half]));
    }

    template <int N>
    static const uint8_t* int4_lines(const uint8_t* w, const Activations& x, int first, int column,
                                     int end, __m256i (&parts)[N][2]) {
        const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
        __m256i low[N][2], high[N][2];
        for (int t = 0; t < N; ++t)
            low[t][0] = low[t][1] = high[t][0] = high[t][1] = _mm256_setzero_si256();
        for (int k = column; k < end; k += 8, w += kLine) {
            ahead(w);
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                const __m256i bytes = load(w + 32 * half);
                const __m256i front = _mm256_and_si256(bytes, nibble);
                const __m256i back = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble);
#pragma GCC unroll 2
                for (int t = 0; t < N; ++t) {
                    const int8_t* at = x.narrow + size_t(first + t) * x.stride + k;
                    low[t][half] =
                        _mm256_add_epi16(low[t][half], _mm256_maddubs_epi16(front, quad(at)));
                    high[t][half] =
                        _mm256_add_epi16(high[t][half], _mm256_maddubs_epi16(back, quad(at + 4)));
                }
            }
        }
        for (int t = 0; t < N; ++t)
            for (int half = 0; half < 2; ++half) {
                const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(low[t][half], ones),
                                                     _mm256_madd_epi16(high[t][half], ones));
                parts[t][half] = _mm256_add_epi32(parts[t][half], sum);
            }
        return w;
    }
};

constexpr Kernels kKernels = make_kernels<Avx2>("avx2");

}  // namespace

const Kernels* const avx2_kernels = &kKernels;

}  // namespace hanlin

#else

namespace hanlin {

const Kernels* const avx2_kernels = nullptr;

}  // namespace hanlin

#endif
