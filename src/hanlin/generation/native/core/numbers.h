// 16-bit numbers as fp32.  In an unnamed namespace, so that each file has a copy of its own.
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

}  // namespace
}  // namespace hanlin
