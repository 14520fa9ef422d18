// Sums, exponentials and roundings in plain loops, which every kernel is made of.  In an unnamed
// namespace, so that each file has a copy of its own, compiled with its own flags.
#pragma once

#include <cstdint>
#include <cstring>

namespace hanlin {
namespace {

constexpr int kLanes = 16;

// Nearest integer, halves to even, of |x| < 2^22; adding 1.5 * 2^23 leaves it in the low bits.
inline int32_t nearest(float x) {
    const float shifted = x + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    return bits - 0x4b400000;
}

// The code of x, within the limit even where x is not a number.
inline int32_t code_of(float x, int32_t limit) {
    const int32_t code = nearest(x);
    const int32_t low = code < -limit ? -limit : code;
    return low > limit ? limit : low;
}

// e^x to about 1e-7: e^x = 2^n e^r with |r| <= ln(2) / 2, e^r by its Taylor polynomial.
inline float exponential(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const int32_t n = nearest(x * 1.44269504088896341f);
    float r = x - float(n) * 0.693359375f;
    r = r + float(n) * 2.12194440054690583e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const uint32_t bits = uint32_t(n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}

inline float sum_lanes(const float* lanes) {
    float half[kLanes / 2];
    for (int i = 0; i < kLanes / 2; ++i) half[i] = lanes[i] + lanes[i + kLanes / 2];
    float total = 0;
    for (int i = 0; i < kLanes / 2; ++i) total += half[i];
    return total;
}

inline float sum_squares(const float* x, int width, float mean) {
    float lanes[kLanes] = {};
    int k = 0;
    for (; k + kLanes <= width; k += kLanes)
        for (int i = 0; i < kLanes; ++i) lanes[i] += (x[k + i] - mean) * (x[k + i] - mean);
    float rest = 0;
    for (; k < width; ++k) rest += (x[k] - mean) * (x[k] - mean);
    return sum_lanes(lanes) + rest;
}

inline float sum(const float* x, int width) {
    float lanes[kLanes] = {};
    int k = 0;
    for (; k + kLanes <= width; k += kLanes)
        for (int i = 0; i < kLanes; ++i) lanes[i] += x[k + i];
    float rest = 0;
    for (; k < width; ++k) rest += x[k];
    return sum_lanes(lanes) + rest;
}

// Largest of numbers, or of their sizes; a number that is none is passed over.
template <bool absolute>
inline float largest(const float* x, int count) {
    float lanes[kLanes];
    for (int i = 0; i < kLanes; ++i) lanes[i] = absolute ? 0.0f : -3.0e38f;
    int k = 0;
    for (; k + kLanes <= count; k += kLanes)
        for (int i = 0; i < kLanes; ++i) {
            const float value = absolute ? __builtin_fabsf(x[k + i]) : x[k + i];
            lanes[i] = value > lanes[i] ? value : lanes[i];
        }
    for (; k < count; ++k) {
        const float value = absolute ? __builtin_fabsf(x[k]) : x[k];
        lanes[0] = value > lanes[0] ? value : lanes[0];
    }
    float most = lanes[0];
    for (int i = 1; i < kLanes; ++i) most = lanes[i] > most ? lanes[i] : most;
    return most;
}

}  // namespace
}  // namespace hanlin
