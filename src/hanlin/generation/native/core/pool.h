// Persistent threads that run one job together and meet at barriers inside it.
//
// A waiting thread spins for a moment, because the next piece of work is usually microseconds away,
// and then parks, so that whatever runs beside it has the core.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hanlin {

// A number that only grows; threads wait until it has left a value behind.
class Signal {
public:
    uint32_t now() const { return value_.load(); }
    void advance();
    void wait_past(uint32_t old);

private:
    // Sequentially consistent on both sides: either the waiter sees the new value or the one who
    // advances sees the sleeper.
    std::atomic<uint32_t> value_{0};
    std::atomic<int> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable woken_;
};

class Pool {
public:
    explicit Pool(int threads);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    int threads() const { return threads_; }
    // Run job(number) for each number below `threads`, 0 on the calling thread; a job must not
    // throw, and one runs at a time.
    void run(const std::function<void(int)>& job);
    // Wait inside a job until all threads have come here.
    void barrier();

private:
    void work(int number);

    const int threads_;
    const std::function<void(int)>* job_ = nullptr;
    std::atomic<bool> quit_{false};
    std::atomic<int> arrived_{0};
    Signal begun_, met_;
    std::vector<std::thread> others_;
};

}  // namespace hanlin
