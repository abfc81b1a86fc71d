import ctypes
import platform
import resource
from pathlib import Path

import pytest
import torch

from automoe.training.kept_memory import memory_is_kept

SIZE = 20_000_000  # of numbers: 80 MB, which the C library always gives back when they are freed
PAGES = 4 * SIZE // resource.getpagesize()


def pages_cleared() -> int:
    """The pages that this process got from the kernel while it used the memory four times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(SIZE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_memory_is_used_again_within_the_block_only() -> None:
    with memory_is_kept():
        pages_cleared()
        assert pages_cleared() < 0.1 * PAGES
    assert pages_cleared() > 0.5 * PAGES  # some of it may be free by chance


def test_the_memory_is_given_back_at_the_end() -> None:
    def resident_pages() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    with memory_is_kept():
        torch.ones(SIZE)
        within = resident_pages()
    assert resident_pages() < within - 0.5 * PAGES


@pytest.mark.parametrize("library", ["", "musl"], ids=["Windows or macOS", "musl"])
def test_other_c_libraries_are_left_alone(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str | None) -> None:
        raise TypeError("'NoneType' is no name of a library")  # as on Windows

    monkeypatch.setattr(platform, "libc_ver", lambda: (library, ""))
    monkeypatch.setattr(ctypes, "CDLL", missing)
    with memory_is_kept():
        assert float(torch.ones(3).sum()) == 3
