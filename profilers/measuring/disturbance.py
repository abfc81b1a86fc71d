"""What disturbed a block, judged by the sensors around it."""

from collections import deque
from dataclasses import replace
from statistics import median

from profilers.measuring.blocks import Block
from profilers.measuring.protocol import Protocol

CONTENDED = "contended"
THROTTLED = "throttled"
SLOW_CLOCK = "slow_clock"
THREADS = "threads"
DISTURBANCES = (CONTENDED, THROTTLED, SLOW_CLOCK, THREADS)
_MIN_CLOCKS = 4  # before it is known what is usual
_RECENT = 12  # blocks that tell whether the machine is ever quiet


class Referee:
    """Judges the blocks of one session, and remembers the clocks that are usual in it.

    Args:
        protocol: The limits.

    Attributes:
        protocol: The same.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self._clocks_mhz: dict[str, list[float]] = {"cpu": [], "gpu": []}
        self._were_disturbed: deque[bool] = deque(maxlen=_RECENT)

    @property
    def is_worth_repeating(self) -> bool:
        """Whether a disturbed block may come out better: most of the last ones were quiet."""
        is_known = len(self._were_disturbed) == _RECENT
        return not is_known or sum(self._were_disturbed) <= _RECENT / 2

    def judge(self, block: Block) -> Block:
        """The block with what disturbed it: none, one or several of the names above."""
        signs = {
            CONTENDED: self._is_contended(block),
            THROTTLED: block.was_throttled,
            SLOW_CLOCK: any(
                [self._is_slow("cpu", block.cpu_mhz), self._is_slow("gpu", block.gpu_mhz)]
            ),
            THREADS: block.busy_threads is not None and block.busy_threads > block.threads,
        }
        names = tuple(name for name, is_so in signs.items() if is_so)
        self._were_disturbed.append(bool(names))
        return replace(block, disturbances=names)

    def _is_contended(self, block: Block) -> bool:
        limit = self.protocol.contention_limit
        return block.contention > limit or max(block.pressure, block.others) > limit - 1

    def _is_slow(self, processor: str, mhz: float | None) -> bool:
        """Compared with the earlier clocks, which it joins."""
        usual = self._clocks_mhz[processor]
        if mhz is None:
            return False
        is_known = len(usual) >= _MIN_CLOCKS
        is_slow = is_known and mhz < self.protocol.clock_limit * median(usual)
        usual.append(mhz)
        return is_slow
