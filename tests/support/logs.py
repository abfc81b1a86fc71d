"""Logs written for the tests of their checks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.measurements import made_up

from profilers import Problem
from profilers.log.rows import format_line


def at(minute: int) -> str:
    return f"2026-01-02T03:{minute:02}:00.000+00:00"


def write_log(path: Path, *changes: dict[str, Any]) -> Path:
    """A log with one row for each dict of changes, whether or not LatencyLog would take them.

    Row number n is in line n + 2, and has a latency of its own.
    """
    rows = [
        made_up(
            **{
                "point_id": f"p{number}",
                "measured_at": at(number),
                "latency_ms": 10 + number / 1000,
                **fields,
            }
        ).row()
        for number, fields in enumerate(changes)
    ]
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    path.write_bytes(b"".join(map(format_line, lines)))
    return path


def write_foreign(path: Path, header: str, *lines: str) -> Path:
    """A CSV as others write it."""
    path.write_text("\n".join((header, *lines)))
    return path


def named(problems: Sequence[Problem]) -> dict[str, Problem]:
    return {problem.check: problem for problem in problems}
