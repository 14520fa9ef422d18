// What an instruction set has to provide: products of packed matrices with a few rows of
// activations, and the small operations between them.  One table of functions an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hanlin {

// Rows that lie side by side in a panel; a line of 64 bytes holds 1 (fp32), 2 (bf16), 4 (int8) or
// 8 (int4) columns of them.
constexpr int kPanelRows = 16;
constexpr size_t kLine = 64;

// Rows of activations are padded with zeros to a multiple of this, the largest group of int4.
constexpr int kStrideMultiple = 128;

enum class Format { fp32, bf16, int8, int4 };

// A packed matrix (rows, columns) as the kernels see it.  A panel is `panel_bytes` long:
//   fp32  line k: column k
//   bf16  line j: columns 2j and 2j + 1, the two of a row in one 32-bit lane
//   int8  line j: columns 4j to 4j + 3, the four of a row in one 32-bit lane, stored as code + 128
//   int4  each group: one line of 16 scales and 16 zeros (float16), then lines of 8 columns; the
//         low halves of a row's four bytes are columns 8j to 8j + 3, the high ones 8j + 4 to 8j + 7
// Columns are padded with zero weights to a multiple of 8, at int4 of the group.
struct Panels {
    Format format;
    int columns;
    int group;
    size_t panel_bytes;
    const uint8_t* data;
    const float* scales;  // int8: one a row
};

// Rows of activations in the form that a format multiplies.
//   fp32, bf16: `plain`
//   int8: `wide`, 16-bit integers; each four columns lie in the order 0 2 1 3
//   int4: `narrow`, 8-bit integers with a scale and a sum a group
struct Activations {
    const float* plain;
    int16_t* wide;
    float* wide_scales;  // one a row
    int32_t* wide_sums;
    int8_t* narrow;
    float* narrow_scales;  // (row, group)
    float* narrow_sums;
    int stride;   // numbers between rows of plain, wide and narrow
    int groups;   // numbers between rows of narrow_scales and narrow_sums
};

// How keys and values are kept.  A row is the keys, or the values, of one head at one place.
//   fp32  as they are computed
//   half  rounded to float16; what is beyond its largest number, 65,504, is kept as that
//   int8  a scale a row, s = max|x| / 127, and round(x / s)
// What is computed with them is fp32, to the last bits as if rows were turned back first.
enum class Cache { fp32, half, int8 };

constexpr size_t bytes_of_number(Cache how) {
    return how == Cache::fp32 ? 4 : how == Cache::half ? 2 : 1;
}

// Rows one after another.
struct Kept {
    uint8_t* rows;
    float* scales;  // int8: one a row
};

struct Kernels {
    const char* name;
    // y[t * y_stride + r] = sum_k w[r, k] x[t, k] for the rows r of panels [first, last).
    void (*multiply)(const Panels&, const Activations&, int tokens, size_t first, size_t last,
                     float* y, size_t y_stride);
    // Fill the integers of `x` that the matrix wants from `x.plain`.
    void (*quantise)(const Panels&, const Activations& x, int tokens);
    void (*rms_norm)(const float* x, const float* gain, float eps, int width, float* y);
    void (*layer_norm)(const float* x, const float* gain, const float* bias, float eps, int width,
                       float* y);
    void (*gelu)(float* x, size_t count);                         // tanh form, in place
    void (*swiglu)(const float* gate, float* up, size_t count);   // up *= silu(gate)
    // Write one row of the cache; width is padded to a multiple of 8 with zeros, here and below.
    void (*keep)(const float* x, Cache how, int width, const Kept& row);
    // Attend from one query to `count` keys; `scores` has room for count numbers.
    void (*attend)(const float* query, Cache how, const Kept& keys, const Kept& values, int count,
                   int width, float scale, float* scores, float* out);
};

// The largest integer of a wide activation: sums of 255 times it over all columns fit in 32 bits.
// Static, so that no file runs a copy that was compiled for another instruction set.
static inline int wide_limit(int columns) {
    const int64_t limit = int64_t(2147483647) / (int64_t(255) * columns);
    return limit > 32767 ? 32767 : int(limit);
}

// The table of each file, null for other processors and where the compiler could not write it.
// Constants, so that to look at
// one runs no code of its file; `choosing.h` says which may be called.
extern const Kernels* const portable_kernels;
extern const Kernels* const avx2_kernels;
extern const Kernels* const avx512_kernels;
extern const Kernels* const avx512vnni_kernels;
extern const Kernels* const neon_kernels;
extern const Kernels* const neondot_kernels;

}  // namespace hanlin
