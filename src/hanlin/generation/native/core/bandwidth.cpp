#include "bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "matrix.h"
#include "pool.h"

namespace hanlin {
namespace {

constexpr size_t kPiece = size_t(1) << 20;  // numbers of 8 bytes

// Eight sums side by side, so that no addition waits for the one before.
uint64_t read_all(const uint64_t* data, size_t count) {
    uint64_t sums[8] = {};
    for (size_t i = 0; i + 8 <= count; i += 8) {
        __builtin_prefetch(data + i + 256);
        for (size_t lane = 0; lane < 8; ++lane) sums[lane] ^= data[i + lane];
    }
    uint64_t total = 0;
    for (uint64_t sum : sums) total ^= sum;
    return total;
}

}  // namespace

double read_bandwidth(size_t megabytes, int threads, int rounds) {
    if (megabytes == 0 || megabytes > 1 << 16 || threads < 1 || threads > 256 || rounds < 1)
        throw std::invalid_argument("sizes for a measurement of memory");
    const size_t count = megabytes * 1000000 / sizeof(uint64_t) / 8 * 8;
    const Buffer memory(count * sizeof(uint64_t));
    // Pages that were never written are all the same page of zeros, which the cache holds.
    std::memset(memory.data(), 1, count * sizeof(uint64_t));
    const uint64_t* data = memory.as<uint64_t>();
    std::vector<uint64_t> found(static_cast<size_t>(threads) * 8);
    Pool pool(threads);
    std::vector<double> rates;
    const size_t part = count / size_t(threads);
    for (int round = 0; round < rounds; ++round)
        for (size_t first = 0; first + kPiece <= part; first += kPiece) {
            const auto start = std::chrono::steady_clock::now();
            pool.run([&](int number) {
                const size_t place = size_t(number) * part + first;
                found[size_t(number) * 8] ^= read_all(data + place, kPiece);
            });
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
            rates.push_back(double(kPiece) * sizeof(uint64_t) * threads / took.count());
        }
    volatile uint64_t kept = found[0];  // or the reading would be left out
    (void)kept;
    if (rates.empty()) throw std::invalid_argument("too little memory for so many threads");
    const auto high = rates.begin() + ptrdiff_t(rates.size() * 95 / 100);
    std::nth_element(rates.begin(), high, rates.end());
    return *high;
}

}  // namespace hanlin
