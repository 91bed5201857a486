"""Memory that a process keeps from one step to the next, on Linux."""

import ctypes
import os
import sys

# mallopt's numbers (malloc.h): blocks of any size from the heap, which never shrinks,
# and one heap for all threads.
MMAP_MAX, TRIM_THRESHOLD, ARENA_MAX = -4, -1, -8
SETTINGS = {MMAP_MAX: 0, TRIM_THRESHOLD: -1, ARENA_MAX: 1}


def keep_memory() -> None:
    """Lets this process keep what a step gave back, unless the user set a MALLOC_...

    XLA asks for a step's memory anew on a CPU, and Linux clears it page by page.
    """
    if sys.platform != "linux" or any(n.startswith("MALLOC_") for n in os.environ):
        return
    # Other C libraries than GNU's have no such function.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for name, value in SETTINGS.items():
            mallopt(name, value)
