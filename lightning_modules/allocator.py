"""Memory that a training step gives back is kept for the next one."""

import ctypes
import platform

# Parameters of glibc's mallopt(3), from malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Tell the C library not to return large blocks to the system; call it before the work starts.

    glibc maps every block over 32 MB afresh and unmaps it when it is freed, so each step on a CPU touches gigabytes of
    new pages, a quarter of its time (docs/performance.md). Kept, the pages are there after the first steps. The price
    is memory: free blocks do not always fit the next request, and the process holds all of them until it ends. Other C
    libraries keep their own ways.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
