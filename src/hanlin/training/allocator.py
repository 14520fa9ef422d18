"""Keep the step's big buffers: tell glibc's malloc not to give them back to the kernel.

By default glibc serves a large request with mmap and returns it with munmap when it is freed, so
that every step asks the kernel for the same gigabytes anew and faults them in page by page. With
mmap off, trimming off and a large top pad, the pages of one step serve the next (mallopt(3)). The
resident memory then stays at its peak, which a training process needs anyway.
"""

from __future__ import annotations

import ctypes
import platform

__all__ = ["keep_buffers"]

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER = 2**31 - 1
_TOP_PAD = 256 * 2**20


def keep_buffers() -> str:
    """Set the allocator of this process for training, and return what was done as a phrase.

    It holds for the whole process and cannot be undone, so it belongs to the start of a process
    that trains. Calling it again changes nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return f"allocator left as it is (no glibc on {platform.system()})"
    libc = ctypes.CDLL(None)
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _TOP_PAD))
    if all(libc.mallopt(name, value) for name, value in settings):
        return "buffers kept between steps (mallopt)"
    return "allocator left as it is (mallopt refused)"


if __name__ == "__main__":
    print(keep_buffers())
