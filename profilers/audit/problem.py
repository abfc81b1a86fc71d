"""This module holds a problem of a log, and describes the lines that have it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

_SHOWN_RANGES = 5

Severity = Literal["warning", "problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a log from which a fit would suffer.

    Attributes:
        check: The short name of the check.
        severity: "problem" when the log must not be fitted as it is, otherwise "warning".
        message: The description of the problem, with its values and lines.
        remedy: What the user can do about it.
        rows: The line numbers in the file, where the header is line 1. It is empty when the
            problem is about all rows.
    """

    check: str
    severity: Severity
    message: str
    remedy: str
    rows: tuple[int, ...] = ()

    @classmethod
    def at(
        cls, lines: Iterable[int], check: str, severity: Severity, *, message: str, remedy: str
    ) -> "list[Problem]":
        """Return one problem of these lines, which are added to the message; none without lines."""
        rows = tuple(sorted(set(lines)))
        text = f"{message}: {describe_lines(rows)}"
        return [cls(check, severity, text, remedy, rows)] if rows else []


def describe_lines(rows: Sequence[int], shown: int = _SHOWN_RANGES) -> str:
    """Return sorted line numbers as a few ranges: `lines 2-4, 9 (4 in all)`."""
    ranges: list[list[int]] = []
    for row in rows:
        if ranges and row == ranges[-1][1] + 1:
            ranges[-1][1] = row
        else:
            ranges.append([row, row])
    texts = [f"{first}" if first == last else f"{first}-{last}" for first, last in ranges]
    more = ", ..." if len(texts) > shown else ""
    count = f" ({len(rows)} in all)" if len(texts) > 1 else ""
    return f"line{'s' if len(rows) > 1 else ''} {', '.join(texts[:shown])}{more}{count}"
