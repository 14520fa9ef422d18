// Keys and values: how they are kept, and attention to them, eight numbers at a time.  An instruction
// set says how eight are rounded and turned back (`Plain` in `generic.h` does it in loops).
#pragma once

#include <cstring>

#include "kernels.h"
#include "sums.h"

namespace hanlin {
namespace {

constexpr size_t kBytesAhead = 4096;  // how far ahead of keys and values memory is asked for

// Eight numbers side by side, in what registers the instruction set has; anywhere in memory.
typedef float Eight __attribute__((vector_size(32), aligned(4), may_alias));

inline const Eight& eight(const float* at) { return *reinterpret_cast<const Eight*>(at); }

// Write one row of the cache.
template <class Isa>
void keep(const float* x, Cache how, int width, const Kept& row) {
    if (how == Cache::fp32) {
        memcpy(row.rows, x, size_t(width) * sizeof(float));
    } else if (how == Cache::half) {
        for (int d = 0; d < width; d += 8) Isa::to_halves(x + d, row.rows + 2 * d);
    } else {
        const float least = 1.17549435e-38f;  // the smallest normal number, for a row of zeros
        const float even = largest<true>(x, width) / 127.0f;
        const float scale = even > least ? even : least;
        int8_t* codes = reinterpret_cast<int8_t*>(row.rows);
        for (int d = 0; d < width; ++d) codes[d] = int8_t(code_of(x[d] / scale, 127));
        *row.scales = scale;
    }
}

// Eight numbers of a row; what is kept in 8 bits is still to be multiplied by the row's scale.
template <class Isa, Cache how>
inline void take_back(const uint8_t* row, int d, Eight& out) {
    if constexpr (how == Cache::fp32) {
        out = eight(reinterpret_cast<const float*>(row) + d);
    } else if constexpr (how == Cache::half) {
        Isa::from_halves(row + 2 * d, out);
    } else {
        Isa::from_bytes(row + d, out);
    }
}

// Ask for the lines that lie ahead of a row, or of a part of it.
inline void rows_ahead(const uint8_t* row, size_t bytes) {
    for (size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(row + at + kBytesAhead);
}

// products[s] = sum_d query[d] keys[s, d] for N keys, whose sums do not wait for each other.
template <class Isa, Cache how, int N>
inline void multiply_keys(const float* query, const uint8_t* keys, int width, float* products) {
    const size_t row_bytes = size_t(width) * bytes_of_number(how);
    rows_ahead(keys, N * row_bytes);
    Eight l[N] = {}, number;
    for (int d = 0; d < width; d += 8)
#pragma GCC unroll 4
        for (int s = 0; s < N; ++s) {
            take_back<Isa, how>(keys + size_t(s) * row_bytes, d, number);
            l[s] += eight(query + d) * number;
        }
#pragma GCC unroll 4
    for (int s = 0; s < N; ++s)
        products[s] = ((l[s][0] + l[s][4]) + (l[s][2] + l[s][6])) +
                      ((l[s][1] + l[s][5]) + (l[s][3] + l[s][7]));
}

// out[d] = sum_s weights[s] values[s, d] for the 8 N numbers from d = `first` on, which stay in
// registers all the way.
template <class Isa, Cache how, int N>
inline void mix_values(const float* weights, const Kept& values, int count, int width, int first,
                       float* out) {
    const size_t row_bytes = size_t(width) * bytes_of_number(how);
    const uint8_t* row = values.rows;
    Eight sums[N] = {}, number;
    for (int s = 0; s < count; ++s, row += row_bytes) {
        rows_ahead(row + size_t(first) * bytes_of_number(how), 8 * N * bytes_of_number(how));
        const float weight = how == Cache::int8 ? weights[s] * values.scales[s] : weights[s];
#pragma GCC unroll 8
        for (int part = 0; part < N; ++part) {
            take_back<Isa, how>(row, first + 8 * part, number);
            sums[part] += weight * number;
        }
    }
    memcpy(out + first, sums, sizeof sums);
}

template <class Isa, Cache how>
void attend_rows(const float* query, const Kept& keys, const Kept& values, int count, int width,
                 float scale, float* scores, float* out) {
    const size_t row_bytes = size_t(width) * bytes_of_number(how);
    int done = 0;
    for (; done + 4 <= count; done += 4)
        multiply_keys<Isa, how, 4>(query, keys.rows + size_t(done) * row_bytes, width,
                                   scores + done);
    for (; done < count; ++done)
        multiply_keys<Isa, how, 1>(query, keys.rows + size_t(done) * row_bytes, width,
                                   scores + done);
    for (int s = 0; s < count; ++s)
        scores[s] *= how == Cache::int8 ? scale * keys.scales[s] : scale;
    const float most = largest<false>(scores, count);
    for (int s = 0; s < count; ++s) scores[s] = exponential(scores[s] - most);
    const float share = 1.0f / sum(scores, count);
    for (int s = 0; s < count; ++s) scores[s] *= share;
    int d = 0;
    for (; d + 64 <= width; d += 64) mix_values<Isa, how, 8>(scores, values, count, width, d, out);
    for (; d + 32 <= width; d += 32) mix_values<Isa, how, 4>(scores, values, count, width, d, out);
    for (; d < width; d += 8) mix_values<Isa, how, 1>(scores, values, count, width, d, out);
}

template <class Isa>
void attend(const float* query, Cache how, const Kept& keys, const Kept& values, int count,
            int width, float scale, float* scores, float* out) {
    if (how == Cache::fp32)
        attend_rows<Isa, Cache::fp32>(query, keys, values, count, width, scale, scores, out);
    else if (how == Cache::half)
        attend_rows<Isa, Cache::half>(query, keys, values, count, width, scale, scores, out);
    else
        attend_rows<Isa, Cache::int8>(query, keys, values, count, width, scale, scores, out);
}

}  // namespace
}  // namespace hanlin
