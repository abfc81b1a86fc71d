"""Print data on stdout, and progress on stderr."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from automoe.progress import OnProgress

_PLAIN_SECONDS = 10.0  # between two lines when stderr is not a terminal


def print_json(content: object) -> None:
    """Print one JSON document on stdout; a NaN raises ValueError."""
    print(json.dumps(content, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table for the user."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(soft_wrap=True).print(table)


def print_fields(content: Mapping[str, Any]) -> None:
    """Print one line ``name  value`` for each field."""
    width = max(len(name) for name in content)
    for name, value in content.items():
        print(f"{name:<{width}}  {value}")


def say(message: str) -> None:
    """Print one line on stderr."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress_bar(title: str) -> Iterator[OnProgress]:
    """Show a bar with the time left, or a line every few seconds when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield _plain_lines(title)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None, note="")

        def advance(done: int, total: int, note: str = "") -> None:
            progress.update(task, completed=done, total=total, note=note)

        yield advance


def _plain_lines(title: str) -> OnProgress:
    start = last = time.monotonic()
    first_done: int | None = None

    def advance(done: int, total: int, note: str = "") -> None:
        nonlocal last, first_done
        now = time.monotonic()
        first_done = done if first_done is None else first_done
        if done < total and now - last < _PLAIN_SECONDS:
            return
        last = now
        fresh = done - first_done
        left = f"{(now - start) / fresh * (total - done):.0f} s left" if fresh else "starting"
        say(f"{title}: {done} of {total}, {left}{'; ' if note else ''}{note}")

    return advance
