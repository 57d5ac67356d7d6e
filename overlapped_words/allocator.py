"""Keep freed memory in the process instead of returning it to the system."""

import ctypes
import platform

# Parameters of glibc's mallopt(3), from malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Configure glibc to reuse large blocks; call it before the first large allocation. No-op with other C libraries.

    glibc allocates every block over 32 MB with a new mmap and unmaps it when it is freed. Each training step on a CPU
    then touches gigabytes of new pages, a quarter of its time (docs/performance.md). The cost is memory: a free block
    does not always fit the next request, and the process holds all of them until it ends.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
