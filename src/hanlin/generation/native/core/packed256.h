// Eight numbers as the cache keeps them, in registers of 256 bits: what all x86 kernels share.
#pragma once

#include <immintrin.h>

#include "generic.h"

namespace hanlin {
namespace {

struct Packed256 {
    static void to_halves(const float* from, uint8_t* to) {
        const __m256 most = _mm256_set1_ps(65504.0f), least = _mm256_set1_ps(-65504.0f);
        // Where one is not a number these return the second.
        const __m256 x = _mm256_max_ps(least, _mm256_min_ps(most, _mm256_loadu_ps(from)));
        const __m128i halves = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), halves);
    }
    static void from_halves(const uint8_t* from, Eight& out) {
        out = Eight(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
    }
    static void from_bytes(const uint8_t* from, Eight& out) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
        out = Eight(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)));
    }
};

}  // namespace
}  // namespace hanlin
