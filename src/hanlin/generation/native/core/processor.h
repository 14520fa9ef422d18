// What the processor has and the operating system lets a program use.
#pragma once

namespace hanlin {

struct Processor {
    bool avx2;       // with FMA and F16C
    bool avx512;     // F, BW, VL and DQ, beside the above
    bool vnni;       // products of bytes and 16-bit numbers summed in 32 bits, in 512-bit registers
};

// Compiled for any machine; asks the processor each time.
Processor this_processor();

}  // namespace hanlin
