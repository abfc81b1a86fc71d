"""This module tells a person in words how far a profiling session is."""

import time

from automoe.progress import OnProgress, duration
from devices.rounding import percent_up
from profilers import Progress

# The words for each event, with the number of the block and the most blocks.
_WORDS = {
    "block": "block {0} of {1}",
    "retry": "block {0} of {1} was disturbed and is repeated",
    "restart": "block {0} of {1} starts in a new worker",
    "done": "finished after block {0} of {1}",
    "failed": "could not be measured",
}
# Why a point was finished although its interval is wider than wanted, see `Measurement`.
_REASONS = {
    "decided": "clear of the budget",
    "rounds": "no more blocks are allowed",
    "time": "its time is used up",
}


class ToldProgress:
    """A function that reports a profiler's events in words.

    Args:
        on_progress: The function that is called with the words.
        n_skipped: The number of points that were measured before. They count as done.
    """

    def __init__(self, on_progress: OnProgress, n_skipped: int) -> None:
        self._on_progress = on_progress
        self._n_skipped = n_skipped
        self._first_at = 0.0
        self._n_blocks = 0

    def __call__(self, event: Progress) -> None:
        """Report an event."""
        if event.event == "block":
            self._first_at = self._first_at or time.monotonic()
            self._n_blocks += 1
        note = "".join((_words(event), self._expected(event)))
        self._on_progress(self._n_skipped + event.done, self._n_skipped + event.total, note)

    def _expected(self, event: Progress) -> str:
        """Return how long the session takes, as long as no point is finished that tells it.

        The first block does not count, because graphs are written before it.
        """
        if event.done or self._n_blocks < 2:
            return ""
        each_s = (time.monotonic() - self._first_at) / (self._n_blocks - 1)
        most = duration(each_s * event.total * event.rounds)
        least = duration(each_s * event.total * event.min_rounds)
        return f"; about {most if least == most else f'{least} to {most}'} in all"


def _words(event: Progress) -> str:
    note = f"{event.point_id}: {_WORDS[event.event].format(event.round, event.rounds)}"
    if event.median_ms is not None:
        note += f", {event.median_ms:.3g} ms"
    if event.half_width is not None:
        note += f", interval ±{percent_up(event.half_width)} of wanted ±{percent_up(event.target)}"
    if reason := _REASONS.get(event.stop_reason):
        note += f" ({reason})"
    return note
