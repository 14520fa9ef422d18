// The kernels for any machine: plain loops, which the compiler turns into what it may assume.
#include "generic.h"

namespace hanlin {
namespace {

constexpr Kernels kKernels = make_kernels<Plain>("portable");

}  // namespace

const Kernels* const portable_kernels = &kKernels;

}  // namespace hanlin
