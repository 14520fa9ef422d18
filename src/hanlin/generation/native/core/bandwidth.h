// How fast this machine reads memory, for the roofline that decoding is measured against.
#pragma once

#include <cstddef>

namespace hanlin {

// Bytes a second that `threads` threads read together, each its own part of `megabytes`, which no
// cache should hold.  The memory is read in pieces of a few milliseconds, and of their speeds the
// one that 95 of 100 do not pass is taken, so that a thread that had to wait for its core does not
// make the bound look low.
double read_bandwidth(size_t megabytes, int threads, int rounds);

}  // namespace hanlin
