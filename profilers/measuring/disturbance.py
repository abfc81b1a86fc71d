"""This module judges by the sensors around a block what disturbed it."""

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
_MIN_CLOCKS = 4  # with fewer clocks the usual one is unknown
_RECENT = 12  # blocks that tell whether the machine is ever quiet


class Referee:
    """The judge of the blocks of one session. It remembers the session's usual clocks.

    Args:
        protocol: The settings of the session, with the limits of disturbances.

    Attributes:
        protocol: The same settings.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self._clocks_mhz: dict[str, list[float]] = {"cpu": [], "gpu": []}
        self._were_disturbed: deque[bool] = deque(maxlen=_RECENT)

    @property
    def is_worth_repeating(self) -> bool:
        """Return whether another attempt may be less disturbed: most of the last were quiet."""
        is_known = len(self._were_disturbed) == _RECENT
        return not is_known or sum(self._were_disturbed) <= _RECENT / 2

    def judge(self, block: Block) -> Block:
        """Return the block with its disturbances, some of the names in `DISTURBANCES`."""
        signs = {
            CONTENDED: self._is_contended(block),
            THROTTLED: block.was_throttled,
            SLOW_CLOCK: any(
                [self._is_slow("cpu", block.cpu_mhz), self._is_slow("gpu", block.gpu_mhz)]
            ),
            THREADS: _has_more_threads(block),
        }
        names = tuple(name for name, is_so in signs.items() if is_so)
        self._were_disturbed.append(bool(names))
        return replace(block, disturbances=names)

    def _is_contended(self, block: Block) -> bool:
        limit = self.protocol.contention_limit
        # On a machine of many cores some task of another program waits nearly always.
        pressure = 0.0 if block.tells_waiting else block.pressure
        return block.contention > limit or max(pressure, block.others) > limit - 1

    def _is_slow(self, processor: str, mhz: float | None) -> bool:
        """Return whether a clock is below the limit, compared with the session's earlier ones.

        The clock is remembered for later blocks.
        """
        usual = self._clocks_mhz[processor]
        if mhz is None:
            return False
        is_known = len(usual) >= _MIN_CLOCKS
        is_slow = is_known and mhz < self.protocol.clock_limit * median(usual)
        usual.append(mhz)
        return is_slow


def _has_more_threads(block: Block) -> bool:
    """Return whether more threads worked than asked for. The driver of a GPU has its own ones."""
    return not block.on_gpu and (block.busy_threads or 0) > block.threads
