// All kernels in plain loops, and the loops around the four products that an instruction set may
// replace.  Each source file that includes this compiles it with its own flags into its own
// unnamed namespace, so that no code for one instruction set is ever linked into another.
//
// Only built-in functions are used here: an inline function of the standard library would be shared
// by all files and might be kept in a form that the machine cannot run.
#pragma once

#include <cstring>

#include "attention.h"
#include "kernels.h"
#include "numbers.h"
#include "sums.h"

namespace hanlin {
namespace {

constexpr int kColumnsAtOnce = 256;  // 16 KiB of a panel in fp32

void rms_norm(const float* x, const float* gain, float eps, int width, float* y) {
    const float scale = 1.0f / __builtin_sqrtf(sum_squares(x, width, 0.0f) / float(width) + eps);
    for (int k = 0; k < width; ++k) y[k] = x[k] * scale * gain[k];
}

void layer_norm(const float* x, const float* gain, const float* bias, float eps, int width,
                float* y) {
    const float mean = sum(x, width) / float(width);
    const float variance = sum_squares(x, width, mean) / float(width);
    const float scale = 1.0f / __builtin_sqrtf(variance + eps);
    for (int k = 0; k < width; ++k) y[k] = (x[k] - mean) * scale * gain[k] + bias[k];
}

// 0.5 x (1 + tanh(u)) = x / (1 + e^(-2u)) with u = sqrt(2 / pi) (x + 0.044715 x^3)
void gelu(float* x, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        const float value = x[i];
        const float u = 1.5957691216057308f * (value + 0.044715f * value * value * value);
        x[i] = value / (1.0f + exponential(-u));
    }
}

void swiglu(const float* gate, float* up, size_t count) {
    for (size_t i = 0; i < count; ++i)
        up[i] *= gate[i] / (1.0f + exponential(-gate[i]));
}

void quantise_wide(const Activations& x, int t, int columns) {
    const float* plain = x.plain + size_t(t) * x.stride;
    int16_t* wide = x.wide + size_t(t) * x.stride;
    const float most = largest<true>(plain, columns);
    const int32_t limit = wide_limit(columns);
    const float scale = most / float(limit);
    const float inverse = most > 0.0f ? 1.0f / scale : 0.0f;
    int32_t total = 0;
    for (int k = 0; k < columns; ++k) total += code_of(plain[k] * inverse, limit);
    for (int k = 0; k < columns; k += 4) {
        wide[k] = int16_t(code_of(plain[k] * inverse, limit));
        wide[k + 1] = int16_t(code_of(plain[k + 2] * inverse, limit));
        wide[k + 2] = int16_t(code_of(plain[k + 1] * inverse, limit));
        wide[k + 3] = int16_t(code_of(plain[k + 3] * inverse, limit));
    }
    x.wide_scales[t] = scale;
    x.wide_sums[t] = total;
}

void quantise_narrow(const Activations& x, int t, int columns, int group) {
    for (int g = 0; g < columns / group; ++g) {
        const float* plain = x.plain + size_t(t) * x.stride + size_t(g) * group;
        int8_t* narrow = x.narrow + size_t(t) * x.stride + size_t(g) * group;
        const float most = largest<true>(plain, group);
        const float scale = most / 127.0f;
        const float inverse = most > 0.0f ? 1.0f / scale : 0.0f;
        int32_t total = 0;
        for (int k = 0; k < group; ++k) {
            const int32_t code = code_of(plain[k] * inverse, 127);
            narrow[k] = int8_t(code);
            total += code;
        }
        x.narrow_scales[size_t(t) * x.groups + g] = scale;
        x.narrow_sums[size_t(t) * x.groups + g] = float(total);
    }
}

void quantise(const Panels& w, const Activations& x, int tokens) {
    for (int t = 0; t < tokens; ++t) {
        if (w.format == Format::int8) quantise_wide(x, t, w.columns);
        if (w.format == Format::int4) quantise_narrow(x, t, w.columns, w.group);
    }
}

// The products of one panel with N rows of activations, in plain loops, and numbers of the cache
// turned back: what an instruction set replaces.  `out` is (N, 16).
struct Plain {
    static constexpr int most_tokens = 4, most_tokens_int4 = 4;
    static constexpr int most_tokens_fp32 = 4, most_tokens_bf16 = 4;

    static void to_halves(const float* from, uint8_t* to) {
        for (int i = 0; i < 8; ++i) {
            const uint16_t half = to_fp16(from[i]);
            memcpy(to + 2 * i, &half, 2);
        }
    }

    // The bits of a half, moved to where fp32 has them, say the number times 2^-112.
    static void from_halves(const uint8_t* from, Eight& out) {
        for (int i = 0; i < 8; ++i) {
            uint16_t half;
            memcpy(&half, from + 2 * i, 2);
            const uint32_t bits = uint32_t(half & 0x8000) << 16 | uint32_t(half & 0x7fff) << 13;
            float small;
            memcpy(&small, &bits, 4);
            out[i] = small * 5.192296858534828e33f;  // 2^112
        }
    }

    static void from_bytes(const uint8_t* from, Eight& out) {
        for (int i = 0; i < 8; ++i) out[i] = float(int8_t(from[i]));
    }

    template <int N>
    static void fp32(const uint8_t* panel, const float* x, int stride, int columns, float* out) {
        const float* w = reinterpret_cast<const float*>(panel);
        float sums[N][kPanelRows] = {};
        for (int k = 0; k < columns; ++k, w += kPanelRows)
            for (int t = 0; t < N; ++t)
                for (int r = 0; r < kPanelRows; ++r) sums[t][r] += w[r] * x[t * stride + k];
        memcpy(out, sums, sizeof sums);
    }

    template <int N>
    static void bf16(const uint8_t* panel, const float* x, int stride, int columns, float* out) {
        const uint16_t* w = reinterpret_cast<const uint16_t*>(panel);
        float sums[N][kPanelRows] = {};
        for (int k = 0; k < columns; k += 2, w += 2 * kPanelRows)
            for (int t = 0; t < N; ++t)
                for (int r = 0; r < kPanelRows; ++r)
                    sums[t][r] += from_bf16(w[2 * r]) * x[t * stride + k] +
                                  from_bf16(w[2 * r + 1]) * x[t * stride + k + 1];
        memcpy(out, sums, sizeof sums);
    }

    template <int N>
    static void int8(const uint8_t* w, const int16_t* x, int stride, int columns, int32_t* out) {
        int32_t sums[N][kPanelRows] = {};
        for (int k = 0; k < columns; k += 4, w += kLine)
            for (int t = 0; t < N; ++t) {
                const int16_t* q = x + t * stride + k;
                for (int r = 0; r < kPanelRows; ++r)
                    sums[t][r] += w[4 * r] * q[0] + w[4 * r + 2] * q[1] + w[4 * r + 1] * q[2] +
                                  w[4 * r + 3] * q[3];
            }
        memcpy(out, sums, sizeof sums);
    }

    template <int N>
    static void int4(const uint8_t* w, const Panels& m, const Activations& x, int first,
                     float* out) {
        float sums[N][kPanelRows] = {};
        for (int g = 0; g < m.columns / m.group; ++g) {
            const uint8_t* head = w;
            int32_t parts[N][kPanelRows] = {};
            w += kLine;
            for (int k = 0; k < m.group; k += 8, w += kLine)
                for (int t = 0; t < N; ++t) {
                    const int8_t* q = x.narrow + size_t(first + t) * x.stride + g * m.group + k;
                    for (int r = 0; r < kPanelRows; ++r)
                        for (int i = 0; i < 4; ++i)
                            parts[t][r] += (w[4 * r + i] & 15) * q[i] + (w[4 * r + i] >> 4) * q[i + 4];
                }
            for (int t = 0; t < N; ++t) {
                const size_t at = size_t(first + t) * x.groups + g;
                for (int r = 0; r < kPanelRows; ++r) {
                    uint16_t scale, zero;
                    memcpy(&scale, head + 2 * r, 2);
                    memcpy(&zero, head + 2 * (kPanelRows + r), 2);
                    const float part = float(parts[t][r]) - from_fp16(zero) * x.narrow_sums[at];
                    sums[t][r] += from_fp16(scale) * (part * x.narrow_scales[at]);
                }
            }
        }
        memcpy(out, sums, sizeof sums);
    }
};

// Columns [column, column + columns) of a panel times N rows of activations from `first` on; what
// columns before these gave is added to.
template <class Isa, int N>
void multiply_block(const Panels& m, const Activations& x, int first, int column, int columns,
                    const uint8_t* panel, size_t row, float* y, size_t y_stride) {
    alignas(64) float out[N * kPanelRows];
    const size_t start = size_t(first) * x.stride + column;
    if (m.format == Format::fp32) {
        Isa::template fp32<N>(panel + column * kLine, x.plain + start, x.stride, columns, out);
    } else if (m.format == Format::bf16) {
        Isa::template bf16<N>(panel + column / 2 * kLine, x.plain + start, x.stride, columns, out);
    } else if (m.format == Format::int8) {
        alignas(64) int32_t whole[N * kPanelRows];
        Isa::template int8<N>(panel, x.wide + start, x.stride, columns, whole);
        for (int t = 0; t < N; ++t) {
            // Codes are stored with 128 added, which adds 128 times the sum of the activations.
            const int32_t excess = 128 * x.wide_sums[first + t];
            for (int r = 0; r < kPanelRows; ++r)
                out[t * kPanelRows + r] = float(whole[t * kPanelRows + r] - excess) *
                                          x.wide_scales[first + t] * m.scales[row + r];
        }
    } else {
        Isa::template int4<N>(panel, m, x, first, out);
    }
    for (int t = 0; t < N; ++t) {
        float* to = y + size_t(first + t) * y_stride + row;
        const float* from = out + t * kPanelRows;
        for (int r = 0; r < kPanelRows; ++r) to[r] = column == 0 ? from[r] : to[r] + from[r];
    }
}

template <class Isa>
void multiply(const Panels& m, const Activations& x, int tokens, size_t first, size_t last,
              float* y, size_t y_stride) {
    const bool plain = m.format == Format::fp32 || m.format == Format::bf16;
    const int most = m.format == Format::fp32   ? Isa::most_tokens_fp32
                     : m.format == Format::bf16 ? Isa::most_tokens_bf16
                     : m.format == Format::int4 ? Isa::most_tokens_int4
                                                : Isa::most_tokens;
    // With many tokens a part of a panel stays in the first cache until all have met it.  A few
    // take the same parts, so that the sums of a token do not depend on how many come with it.
    const int step = plain ? kColumnsAtOnce : m.columns;
    for (size_t panel = first; panel < last; ++panel) {
        const uint8_t* data = m.data + panel * m.panel_bytes;
        const size_t row = panel * kPanelRows;
        for (int k = 0; k < m.columns; k += step) {
            const int count = k + step < m.columns ? step : m.columns - k;
            int t = 0;
            if constexpr (Isa::most_tokens >= 8)
                for (; most >= 8 && t + 8 <= tokens; t += 8)
                    multiply_block<Isa, 8>(m, x, t, k, count, data, row, y, y_stride);
            for (; most >= 6 && t + 6 <= tokens; t += 6)
                multiply_block<Isa, 6>(m, x, t, k, count, data, row, y, y_stride);
            for (; most >= 4 && t + 4 <= tokens; t += 4)
                multiply_block<Isa, 4>(m, x, t, k, count, data, row, y, y_stride);
            for (; most >= 3 && t + 3 <= tokens; t += 3)
                multiply_block<Isa, 3>(m, x, t, k, count, data, row, y, y_stride);
            for (; t + 2 <= tokens; t += 2)
                multiply_block<Isa, 2>(m, x, t, k, count, data, row, y, y_stride);
            if (t < tokens) multiply_block<Isa, 1>(m, x, t, k, count, data, row, y, y_stride);
        }
    }
}

template <class Isa>
constexpr Kernels make_kernels(const char* name) {
    return {name, multiply<Isa>, quantise, rms_norm, layer_norm, gelu, swiglu, keep<Isa>, attend<Isa>};
}

}  // namespace
}  // namespace hanlin
