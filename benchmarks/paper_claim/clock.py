"""This module counts the seconds of a task and ends it in time."""

import sys
import time
from pathlib import Path

from devices.files import append_line, read_lines

_SAY_EVERY_S = 60.0
_NOTE_EVERY_S = 5.0


class TimeIsUp(Exception):  # noqa: N818 - this is not an error
    """The time of this call is up. What was done is kept, and the same command goes on."""


class Clock:
    """A progress report that stops its task when the time is up.

    Args:
        name: The name of the task, for the user.
        until: The time at which the task has to end, in seconds since 1970.
        spent: The file that keeps the seconds of earlier calls.
        every: The number of pieces of work between two states on disk. The task ends right after
            one, because the work since the last state is lost.
    """

    def __init__(self, name: str, until: float, spent: Path, *, every: int = 1) -> None:
        self._name = name
        self._until = until
        self._spent = spent
        self.every = every
        self._wall, self._cpu = time.monotonic(), time.process_time()
        self._said = self._wall

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Take note of a finished piece of work.

        Raises:
            TimeIsUp: The time is up, and the state before this piece is on disk.
        """
        if time.monotonic() - self._said >= _SAY_EVERY_S:
            self._said = time.monotonic()
            print(f"{self._name}: {done}/{total} {note}", file=sys.stderr, flush=True)
        is_kept = (done - 1) % self.every == 0
        if is_kept and time.monotonic() - self._wall >= _NOTE_EVERY_S:
            self.note()
        if is_kept and done < total and time.time() >= self._until:
            self.note()
            raise TimeIsUp(f"{self._name} goes on at {done - 1} of {total}.")

    def require(self, minutes: float) -> None:
        """Check that there is time for work that cannot be interrupted.

        Raises:
            TimeIsUp: There are fewer minutes left.
        """
        if time.time() + 60 * minutes > self._until:
            raise TimeIsUp(f"{self._name} needs {minutes:g} minutes at one go.")

    def note(self) -> None:
        """Write the seconds since the last note."""
        wall, cpu = time.monotonic(), time.process_time()
        append_line(self._spent, [wall - self._wall, cpu - self._cpu])
        self._wall, self._cpu = wall, cpu

    def seconds(self) -> dict[str, float]:
        """Return the seconds of all calls together, on the wall's clock and of the processor."""
        self.note()
        wall_s, cpu_s = (sum(each) for each in zip(*read_lines(self._spent), strict=True))
        return {"wall_s": wall_s, "cpu_s": cpu_s}
