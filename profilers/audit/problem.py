"""What a check of a log finds, and how it names the lines it is about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

_SHOWN_RANGES = 5

Severity = Literal["warning", "problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a log that a fit would suffer from.

    Attributes:
        check: Short name of the check.
        severity: "warning" (know it) or "problem" (do not fit the log as it is).
        message: What was found, with its value and its lines.
        remedy: What to do about it.
        rows: Line numbers in the file, from 1 for the header; empty when it is about all rows.
    """

    check: str
    severity: Severity
    message: str
    remedy: str
    rows: tuple[int, ...] = ()

    @classmethod
    def at(
        cls, lines: Iterable[int], check: str, severity: Severity, *, message: str, remedy: str
    ) -> "Problem":
        """A problem of these lines, which are added to the message."""
        rows = tuple(sorted(set(lines)))
        return cls(check, severity, f"{message}: {describe_lines(rows)}", remedy, rows)


def describe_lines(rows: Sequence[int], shown: int = _SHOWN_RANGES) -> str:
    """Sorted line numbers as ranges, the first few of them: `lines 2-4, 9 (4 in all)`."""
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
