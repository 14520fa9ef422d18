// The products for x86 with AVX-512 (F, BW, VL, DQ): a line of a panel is one register.  `Dot` says
// how products of whole numbers are summed, which newer processors have an instruction for.
//
// The activations keep their fp32 at bf16 weights: `vdpbf16ps` would round them to 8 bits.
#pragma once

#include <immintrin.h>

#include "generic.h"
#include "packed256.h"

namespace hanlin {
namespace {

// How far ahead of the stream memory is asked for.
constexpr size_t kAhead = 2048;

inline void ahead(const void* line) {
    _mm_prefetch(static_cast<const char*>(line) + kAhead, _MM_HINT_T0);
}
inline __m512i load(const uint8_t* at) { return _mm512_load_si512(at); }
// Four bytes, or two numbers of 16 bits, in every lane.
inline __m512i broadcast(const void* at) {
    int32_t bits;
    memcpy(&bits, at, 4);
    return _mm512_set1_epi32(bits);
}
// A product that the compiler does not fuse with the sum it goes into, so that it is rounded as
// the portable one is.
inline __m512 rounded_product(__m512 a, __m512 b) {
    return _mm512_mul_round_ps(a, b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

template <class Dot>
struct Avx512 : Packed256 {
    // Two chains of sums for each of 8 rows of activations take half of the 32 registers.  Every
    // number of rows sums in the same chains, so that a row's sums do not depend on what comes
    // with it.
    static constexpr int most_tokens = 8, most_tokens_int4 = 8;
    static constexpr int most_tokens_fp32 = 8, most_tokens_bf16 = 8;

    // The even columns are one chain, the odd ones the other.
    template <int N>
    static void fp32(const uint8_t* panel, const float* x, int stride, int columns, float* out) {
        const float* w = reinterpret_cast<const float*>(panel);
        __m512 sums[2][N];
        clear(sums);
        for (int k = 0; k < columns; k += 2)
#pragma GCC unroll 2
            for (int c = 0; c < 2; ++c, w += kPanelRows) {
                ahead(w);
                const __m512 column = _mm512_load_ps(w);
#pragma GCC unroll 8
                for (int t = 0; t < N; ++t)
                    sums[c][t] = _mm512_fmadd_ps(column, _mm512_set1_ps(x[t * stride + k + c]),
                                                 sums[c][t]);
            }
        store(sums, out);
    }

    // A lane holds two columns of a row; as fp32 each is its 16 bits above 16 zeros.
    template <int N>
    static void bf16(const uint8_t* w, const float* x, int stride, int columns, float* out) {
        const __m512i upper = _mm512_set1_epi32(int32_t(0xffff0000));
        __m512 sums[2][N];
        clear(sums);
        for (int k = 0; k < columns; k += 2, w += kLine) {
            ahead(w);
            const __m512i both = load(w);
            const __m512 first = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
            const __m512 second = _mm512_castsi512_ps(_mm512_and_si512(both, upper));
#pragma GCC unroll 8
            for (int t = 0; t < N; ++t) {
                const float* at = x + t * stride + k;
                sums[0][t] = _mm512_fmadd_ps(first, _mm512_set1_ps(at[0]), sums[0][t]);
                sums[1][t] = _mm512_fmadd_ps(second, _mm512_set1_ps(at[1]), sums[1][t]);
            }
        }
        store(sums, out);
    }

    // Four bytes of a row as two pairs of 16-bit numbers, columns 0 and 2, then 1 and 3.
    template <int N>
    static void int8(const uint8_t* w, const int16_t* x, int stride, int columns, int32_t* out) {
        const __m512i lower = _mm512_set1_epi16(0xff);
        __m512i sums[2][N];
        clear(sums);
        for (int k = 0; k < columns; k += 4, w += kLine) {
            ahead(w);
            const __m512i bytes = load(w);
            const __m512i first = _mm512_and_si512(bytes, lower);
            const __m512i second = _mm512_srli_epi16(bytes, 8);
#pragma GCC unroll 8
            for (int t = 0; t < N; ++t) {
                const int16_t* at = x + t * stride + k;
                sums[0][t] = Dot::pairs(sums[0][t], first, broadcast(at));
                sums[1][t] = Dot::pairs(sums[1][t], second, broadcast(at + 2));
            }
        }
        for (int t = 0; t < N; ++t)
            _mm512_store_si512(out + t * kPanelRows, _mm512_add_epi32(sums[0][t], sums[1][t]));
    }

    // Whole numbers within a group, then fp32 in the order and the roundings of the portable sums.
    template <int N>
    static void int4(const uint8_t* w, const Panels& m, const Activations& x, int first,
                     float* out) {
        __m512 sums[N];
        for (__m512& sum : sums) sum = _mm512_setzero_ps();
        for (int g = 0; g < m.columns / m.group; ++g) {
            const auto* head = reinterpret_cast<const __m256i*>(w);
            ahead(w);
            w += kLine;
            __m512i parts[N];
            w = int4_group<N>(w, m.group, x, first, g * m.group, parts);
            const __m512 scale = _mm512_cvtph_ps(_mm256_load_si256(head));
            const __m512 zero = _mm512_cvtph_ps(_mm256_load_si256(head + 1));
            for (int t = 0; t < N; ++t) {
                const size_t at = size_t(first + t) * x.groups + g;
                const __m512 shift = rounded_product(zero, _mm512_set1_ps(x.narrow_sums[at]));
                const __m512 part = _mm512_sub_ps(_mm512_cvtepi32_ps(parts[t]), shift);
                const __m512 sized = _mm512_mul_ps(part, _mm512_set1_ps(x.narrow_scales[at]));
                sums[t] = _mm512_add_ps(sums[t], rounded_product(scale, sized));
            }
        }
        for (int t = 0; t < N; ++t) _mm512_store_ps(out + t * kPanelRows, sums[t]);
    }

private:
    template <int N>
    static void clear(__m512 (&sums)[2][N]) {
        for (auto& chain : sums)
            for (__m512& sum : chain) sum = _mm512_setzero_ps();
    }

    template <int N>
    static void clear(__m512i (&sums)[2][N]) {
        for (auto& chain : sums)
            for (__m512i& sum : chain) sum = _mm512_setzero_si512();
    }

    template <int N>
    static void store(const __m512 (&sums)[2][N], float* out) {
        for (int t = 0; t < N; ++t)
            _mm512_store_ps(out + t * kPanelRows, _mm512_add_ps(sums[0][t], sums[1][t]));
    }

    // The low halves of the bytes are one chain, the high ones the other.
    template <int N>
    static const uint8_t* int4_group(const uint8_t* w, int group, const Activations& x, int first,
                                     int column, __m512i (&parts)[N]) {
        const __m512i nibble = _mm512_set1_epi8(15);
        __m512i sums[2][N];
        clear(sums);
        for (int k = column; k < column + group; k += 8, w += kLine) {
            ahead(w);
            const __m512i bytes = load(w);
            const __m512i front = _mm512_and_si512(bytes, nibble);
            const __m512i back = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble);
#pragma GCC unroll 8
            for (int t = 0; t < N; ++t) {
                const int8_t* at = x.narrow + size_t(first + t) * x.stride + k;
                sums[0][t] = Dot::quads(sums[0][t], front, broadcast(at));
                sums[1][t] = Dot::quads(sums[1][t], back, broadcast(at + 4));
            }
        }
        for (int t = 0; t < N; ++t) parts[t] = _mm512_add_epi32(sums[0][t], sums[1][t]);
        return w;
    }
};

}  // namespace
}  // namespace hanlin
