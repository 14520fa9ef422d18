#include "pool.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hanlin {
namespace {

constexpr auto kSpin = std::chrono::microseconds(100);
constexpr int kPausesBetweenLooks = 32;

inline void pause() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

}  // namespace

void Signal::advance() {
    value_.fetch_add(1);
    if (sleepers_.load() > 0) {
        std::lock_guard<std::mutex> lock(mutex_);
        woken_.notify_all();
    }
}

void Signal::wait_past(uint32_t old) {
    const auto start = std::chrono::steady_clock::now();
    do {
        for (int i = 0; i < kPausesBetweenLooks; ++i) {
            if (value_.load() != old) return;
            pause();
        }
    } while (std::chrono::steady_clock::now() - start < kSpin);
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    woken_.wait(lock, [&] { return value_.load() != old; });
    sleepers_.fetch_sub(1);
}

Pool::Pool(int threads) : threads_(threads) {
    try {
        for (int number = 1; number < threads; ++number)
            others_.emplace_back([this, number] { work(number); });
    } catch (...) {  // too many threads for the system
        quit_ = true;
        begun_.advance();
        for (std::thread& other : others_) other.join();
        throw;
    }
}

Pool::~Pool() {
    quit_ = true;
    begun_.advance();
    for (std::thread& other : others_) other.join();
}

void Pool::run(const std::function<void(int)>& job) {
    job_ = &job;
    begun_.advance();
    job(0);
    barrier();
}

void Pool::barrier() {
    if (threads_ == 1) return;
    const uint32_t before = met_.now();
    if (arrived_.fetch_add(1) + 1 == threads_) {
        arrived_.store(0);
        met_.advance();
    } else {
        met_.wait_past(before);
    }
}

void Pool::work(int number) {
    for (uint32_t turn = 0;; ++turn) {
        begun_.wait_past(turn);
        if (quit_) return;
        (*job_)(number);
        barrier();
    }
}

}  // namespace hanlin
