// 16-bit numbers as fp32, and back.  In an unnamed namespace, so that each file has a copy of its own.
#pragma once

#include <cstdint>
#include <cstring>

namespace hanlin {
namespace {

inline float from_bf16(uint16_t half) {
    const uint32_t bits = uint32_t(half) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

inline float from_fp16(uint16_t half) {
    const uint32_t sign = uint32_t(half & 0x8000) << 16, rest = half & 0x7fff;
    uint32_t bits;
    if (rest >= 0x7c00) {
        bits = sign | 0x7f800000 | (rest & 0x3ff) << 13;
    } else if (rest >= 0x400) {
        bits = sign | (rest + 0x1c000) << 13;
    } else {
        const float small = float(rest) * 5.9604644775390625e-8f;  // 2^-24
        memcpy(&bits, &small, 4);
        bits |= sign;
    }
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// The nearest of the finite ones, of two as near the even one; not a number stays so.
inline uint16_t to_fp16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    const uint16_t sign = uint16_t(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return uint16_t(sign | 0x7e00);
    if (bits >= 0x477fe000) return uint16_t(sign | 0x7bff);  // 65,504
    if (bits < 0x38800000) {                                 // 2^-14: steps of 2^-24 from here on
        float size;
        memcpy(&size, &bits, 4);
        size += 0.5f;  // whose last bit is 2^-24
        memcpy(&bits, &size, 4);
        return uint16_t(sign | (bits - 0x3f000000));
    }
    return uint16_t(sign | (bits - 0x38000000 + 0xfff + (bits >> 13 & 1)) >> 13);
}

}  // namespace
}  // namespace hanlin
