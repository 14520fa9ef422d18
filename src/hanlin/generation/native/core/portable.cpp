// The kernels for any machine: plain loops, which the compiler turns into what it may assume.
#include "generic.h"

namespace hanlin {

const Kernels& portable_kernels() {
    static const Kernels kernels = make_kernels<Plain>("portable");
    return kernels;
}

}  // namespace hanlin
