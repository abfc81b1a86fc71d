"""Print data on stdout, and progress on stderr."""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from automoe.progress import OnProgress, duration
from devices.shown import in_words

_WIDE = 1000  # characters
_PLAIN_SECONDS = 10.0  # between two lines when stderr is not a terminal
_PACE_SECONDS = 60.0  # the pace of the last minute tells the time that is left
_START_SECONDS = 1.0  # what is done by then was known before


def print_json(content: object) -> None:
    """Print one JSON document on stdout; a NaN raises ValueError."""
    print(json.dumps(content, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table for the user; its lines are only as wide as a terminal where there is one."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    width = None if sys.stdout.isatty() else _WIDE
    Console(soft_wrap=True, width=width).print(table)


def print_fields(content: Mapping[str, Any]) -> None:
    """Print one line ``name  value`` for each field, see `in_words`."""
    width = max(len(name) for name in content)
    for name, value in content.items():
        print(f"{name:<{width}}  {in_words(value)}")


def say(message: str) -> None:
    """Print one line on stderr."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress_bar(title: str, *, is_brief: bool = False, about: str = "") -> Iterator[OnProgress]:
    """Show a bar with the time left, or a line every few seconds when stderr is not a terminal.

    Args:
        title: What is done.
        is_brief: Whether it mostly takes seconds: then nothing is left to read when it is finished.
        about: What is begun, and roughly how long it takes; this is said where there is no bar.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        if about:
            say(f"{title}: {about}")
        yield _plain_lines(title, is_brief=is_brief)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _Count(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, speed_estimate_period=_PACE_SECONDS, transient=is_brief
    ) as progress:
        task = progress.add_task(title, total=None, note="")

        def advance(done: int, total: int, note: str = "") -> None:
            progress.update(task, completed=done, total=total, note=note)

        yield advance
        if progress.tasks[task].total is None:  # there was nothing left to do
            progress.update(task, completed=1, total=1, note="finished before")


class _Count(MofNCompleteColumn):
    """The pieces that are finished, and all of them when their number is known."""

    def render(self, task: Task) -> Text:
        """Return the count, or nothing before the first piece."""
        return Text("") if task.total is None else super().render(task)


def _plain_lines(title: str, *, is_brief: bool) -> OnProgress:
    start = last = time.monotonic()
    marks: deque[tuple[float, int]] = deque()  # times and what was done by then

    def advance(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if not marks or now - start < _START_SECONDS:
            marks.clear()
            marks.append((now, done))
        if (done < total or is_brief) and now - last < _PLAIN_SECONDS:
            return
        last = now
        left = _time_left(marks, now, done, total)
        marks.append((now, done))
        say(f"{title}: {done} of {total}{left}{'; ' if note else ''}{note}")

    return advance


def _time_left(marks: deque[tuple[float, int]], now: float, done: int, total: int) -> str:
    """Return the time that is left at the pace since the first mark; empty when it is unknown.

    Args:
        marks: Earlier times, and what was done by then. Those that are too old are removed.
        now: The time now.
        done: What is done now.
        total: All that there is to do.
    """
    while len(marks) > 1 and marks[1][0] <= now - _PACE_SECONDS:
        marks.popleft()
    since, done_then = marks[0]
    if done >= total:
        return ", finished"
    if done == done_then:
        return ""
    return f", {duration((now - since) / (done - done_then) * (total - done))} left"
