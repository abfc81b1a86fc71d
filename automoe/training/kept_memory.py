"""This module lets a process keep the memory that it freed."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # numbers of malloc.h
_MEGABYTE = 2**20
# What glibc arrives at by itself in a program that uses large blocks, see mallopt(3).
_AFTERWARDS = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 * _MEGABYTE, _TRIM_THRESHOLD: 64 * _MEGABYTE}


@contextmanager
def memory_is_kept() -> Iterator[None]:
    """Keep freed memory within the block, for the next allocations of the same process.

    An update frees what the next one allocates again. The C library of Linux gives it back to the
    kernel in between, which has to clear every page: a tenth of an update on a processor. Other C
    libraries than glibc are left alone. After the block, what is free is given back.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        for name, value in _AFTERWARDS.items():
            library.mallopt(name, value)
        library.malloc_trim(ctypes.c_size_t(0))
