// The products for 64-bit Arm: a line of a panel is four registers of four rows.  `Dot` says how
// products of bytes are summed, which newer processors have an instruction for.
#pragma once

#include <arm_neon.h>

#include "generic.h"

namespace hanlin {
namespace {

constexpr int kQuarters = 4;
// How far ahead of the stream memory is asked for.
constexpr size_t kAhead = 2048;

inline void ahead(const void* line) {
    __builtin_prefetch(static_cast<const char*>(line) + kAhead);
}
// Four bytes, or two numbers of 16 bits, in every lane.
inline uint32x4_t broadcast(const void* at) {
    uint32_t bits;
    memcpy(&bits, at, 4);
    return vdupq_n_u32(bits);
}
// Four halves as fp32; read as integers, since not every compiler has a type for them.
inline float32x4_t four_halves(const uint8_t* at) {
    uint16x4_t halves;
    memcpy(&halves, at, 8);
    return vcvt_f32_f16(vreinterpret_f16_u16(halves));
}

template <class Dot>
struct Neon {
    // Two chains of sums for each of 3 rows of activations take 24 of the 32 registers.  Every
    // number of rows sums in the same chains, so that a row's sums do not depend on what comes
    // with it.
    static constexpr int most_tokens = 3, most_tokens_int4 = 2;
    static constexpr int most_tokens_fp32 = 3, most_tokens_bf16 = 3;

    static void to_halves(const float* from, uint8_t* to) {
        const float32x4_t most = vdupq_n_f32(65504.0f), least = vdupq_n_f32(-65504.0f);
        for (int i = 0; i < 8; i += 4) {
            const float32x4_t x = vmaxq_f32(least, vminq_f32(most, vld1q_f32(from + i)));
            const uint16x4_t halves = vreinterpret_u16_f16(vcvt_f16_f32(x));
            memcpy(to + 2 * i, &halves, 8);
        }
    }
    static void from_halves(const uint8_t* from, Eight& out) {
        put(four_halves(from), four_halves(from + 8), out);
    }
    static void from_bytes(const uint8_t* from, Eight& out) {
        const int16x8_t wide = vmovl_s8(vld1_s8(reinterpret_cast<const int8_t*>(from)));
        put(vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))),
            vcvtq_f32_s32(vmovl_s16(vget_high_s16(wide))), out);
    }

    // The even columns are one chain, the odd ones the other.
    template <int N>
    static void fp32(const uint8_t* panel, const float* x, int stride, int columns, float* out) {
        const float* w = reinterpret_cast<const float*>(panel);
        float32x4_t sums[2][N][kQuarters];
        clear(sums);
        for (int k = 0; k < columns; k += 2)
#pragma GCC unroll 2
            for (int c = 0; c < 2; ++c, w += kPanelRows) {
                ahead(w);
#pragma GCC unroll 4
                for (int q = 0; q < kQuarters; ++q) {
                    const float32x4_t column = vld1q_f32(w + 4 * q);
#pragma GCC unroll 3
                    for (int t = 0; t < N; ++t)
                        sums[c][t][q] = vfmaq_n_f32(sums[c][t][q], column, x[t * stride + k + c]);
                }
            }
        store(sums, out);
    }

    // A lane holds two columns of a row; as fp32 each is its 16 bits above 16 zeros.
    template <int N>
    static void bf16(const uint8_t* w, const float* x, int stride, int columns, float* out) {
        const uint32x4_t upper = vdupq_n_u32(0xffff0000);
        float32x4_t sums[2][N][kQuarters];
        clear(sums);
        for (int k = 0; k < columns; k += 2, w += kLine) {
            ahead(w);
#pragma GCC unroll 4
            for (int q = 0; q < kQuarters; ++q) {
                const uint32x4_t both = vreinterpretq_u32_u8(vld1q_u8(w + 16 * q));
                const float32x4_t first = vreinterpretq_f32_u32(vshlq_n_u32(both, 16));
                const float32x4_t second = vreinterpretq_f32_u32(vandq_u32(both, upper));
#pragma GCC unroll 3
                for (int t = 0; t < N; ++t) {
                    const float* at = x + t * stride + k;
                    sums[0][t][q] = vfmaq_n_f32(sums[0][t][q], first, at[0]);
                    sums[1][t][q] = vfmaq_n_f32(sums[1][t][q], second, at[1]);
                }
            }
        }
        store(sums, out);
    }

    // Four bytes of a row as two pairs of 16-bit numbers, columns 0 and 2, then 1 and 3.  The two
    // of a pair keep sums of their own until the end.
    template <int N>
    static void int8(const uint8_t* w, const int16_t* x, int stride, int columns, int32_t* out) {
        const uint16x8_t lower = vdupq_n_u16(0xff);
        int32x4_t sums[N][kQuarters][2];
        for (auto& row : sums)
            for (auto& quarter : row) quarter[0] = quarter[1] = vdupq_n_s32(0);
        for (int k = 0; k < columns; k += 4, w += kLine) {
            ahead(w);
#pragma GCC unroll 4
            for (int q = 0; q < kQuarters; ++q) {
                const uint16x8_t bytes = vreinterpretq_u16_u8(vld1q_u8(w + 16 * q));
                const int16x8_t first = vreinterpretq_s16_u16(vandq_u16(bytes, lower));
                const int16x8_t second = vreinterpretq_s16_u16(vshrq_n_u16(bytes, 8));
#pragma GCC unroll 3
                for (int t = 0; t < N; ++t) {
                    const int16_t* at = x + t * stride + k;
                    add_pairs(sums[t][q], first, vreinterpretq_s16_u32(broadcast(at)));
                    add_pairs(sums[t][q], second, vreinterpretq_s16_u32(broadcast(at + 2)));
                }
            }
        }
        for (int t = 0; t < N; ++t)
            for (int q = 0; q < kQuarters; ++q)
                vst1q_s32(out + t * kPanelRows + 4 * q, vpaddq_s32(sums[t][q][0], sums[t][q][1]));
    }

    template <int N>
    static void int4(const uint8_t* w, const Panels& m, const Activations& x, int first,
                     float* out) {
        float32x4_t sums[N][kQuarters];
        for (auto& row : sums)
            for (float32x4_t& sum : row) sum = vdupq_n_f32(0);
        for (int g = 0; g < m.columns / m.group; ++g) {
            const uint8_t* head = w;
            ahead(w);
            w += kLine;
            int32x4_t parts[N][kQuarters];
            for (auto& row : parts)
                for (int32x4_t& part : row) part = vdupq_n_s32(0);
            for (int start = 0; start < m.group; start += kInt4Columns) {
                const int end = start + kInt4Columns < m.group ? start + kInt4Columns : m.group;
                w = int4_lines<N>(w, x, first, g * m.group + start, g * m.group + end, parts);
            }
            for (int q = 0; q < kQuarters; ++q) {
                const float32x4_t scale = four_halves(head + 8 * q);
                const float32x4_t zero = four_halves(head + 2 * kPanelRows + 8 * q);
                for (int t = 0; t < N; ++t) {
                    const size_t at = size_t(first + t) * x.groups + g;
                    const float32x4_t whole = vcvtq_f32_s32(parts[t][q]);
                    const float32x4_t part = vfmsq_n_f32(whole, zero, x.narrow_sums[at]);
                    const float32x4_t sized = vmulq_n_f32(part, x.narrow_scales[at]);
                    sums[t][q] = vfmaq_f32(sums[t][q], scale, sized);
                }
            }
        }
        for (int t = 0; t < N; ++t)
            for (int q = 0; q < kQuarters; ++q)
                vst1q_f32(out + t * kPanelRows + 4 * q, sums[t][q]);
    }

private:
    // As many columns as sums of 16 bits hold: 2 x 15 x 127 x 8 = 30,480.
    static constexpr int kInt4Columns = 64;

    static void put(float32x4_t low, float32x4_t high, Eight& out) {
        memcpy(&out, &low, sizeof low);
        memcpy(reinterpret_cast<char*>(&out) + sizeof low, &high, sizeof high);
    }

    template <int N>
    static void clear(float32x4_t (&sums)[2][N][kQuarters]) {
        for (auto& chain : sums)
            for (auto& row : chain)
                for (float32x4_t& sum : row) sum = vdupq_n_f32(0);
    }

    template <int N>
    static void store(const float32x4_t (&sums)[2][N][kQuarters], float* out) {
        for (int t = 0; t < N; ++t)
            for (int q = 0; q < kQuarters; ++q)
                vst1q_f32(out + t * kPanelRows + 4 * q, vaddq_f32(sums[0][t][q], sums[1][t][q]));
    }

    static void add_pairs(int32x4_t (&sums)[2], int16x8_t weights, int16x8_t x) {
        sums[0] = vmlal_s16(sums[0], vget_low_s16(weights), vget_low_s16(x));
        sums[1] = vmlal_high_s16(sums[1], weights, x);
    }

    template <int N>
    static const uint8_t* int4_lines(const uint8_t* w, const Activations& x, int first, int column,
                                     int end, int32x4_t (&parts)[N][kQuarters]) {
        const uint8x16_t nibble = vdupq_n_u8(15);
        Dot sums[N][kQuarters];
        for (int k = column; k < end; k += 8, w += kLine) {
            ahead(w);
#pragma GCC unroll 4
            for (int q = 0; q < kQuarters; ++q) {
                const uint8x16_t bytes = vld1q_u8(w + 16 * q);
                const int8x16_t front = vreinterpretq_s8_u8(vandq_u8(bytes, nibble));
                const int8x16_t back = vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4));
#pragma GCC unroll 2
                for (int t = 0; t < N; ++t) {
                    const int8_t* at = x.narrow + size_t(first + t) * x.stride + k;
                    sums[t][q].add(front, vreinterpretq_s8_u32(broadcast(at)));
                    sums[t][q].add(back, vreinterpretq_s8_u32(broadcast(at + 4)));
                }
            }
        }
        for (int t = 0; t < N; ++t)
            for (int q = 0; q < kQuarters; ++q)
                parts[t][q] = vaddq_s32(parts[t][q], sums[t][q].total());
        return w;
    }
};

}  // namespace
}  // namespace hanlin
