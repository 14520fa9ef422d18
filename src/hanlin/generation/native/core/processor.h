// What the processor has and the operating system lets a program use.
#pragma once

namespace hanlin {

struct Processor {
    // x86-64
    bool avx2;    // with FMA and F16C
    bool avx512;  // F, BW, VL and DQ, beside the above
    bool vnni;    // products of bytes and 16-bit numbers summed in 32 bits, in 512-bit registers
    // 64-bit Arm, all of which have NEON
    bool dotprod;  // products of bytes summed in 32 bits
};

// Compiled for any machine; asks the processor each time.
Processor this_processor();

}  // namespace hanlin
