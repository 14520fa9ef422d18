// How fast this machine reads memory, for the roofline that decoding is measured against.
#pragma once

#include <cstddef>

namespace hanlin {

// The median over `rounds` of bytes a second, read by `threads` threads, each its own part.
double read_bandwidth(size_t megabytes, int threads, int rounds);

}  // namespace hanlin
