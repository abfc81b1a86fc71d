"""This module writes the tables of the report and what their cells hold."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from paper_claim.bootstrap import Estimate
from paper_claim.findings import NOT_YET, Latency

from devices.rounding import rounded_up


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines]


def code(piece: str) -> str:
    """Return a piece of the vocabulary as code; SentencePiece writes a space as this sign."""
    return f"`{piece.replace('`', chr(39)).strip() or '▁'}`"


def milliseconds(latency: Latency | None) -> str:
    """Return a latency with its interval."""
    if latency is None:
        return NOT_YET
    return Estimate(latency.ms, latency.low_ms, latency.high_ms).shown(2)


def estimate(value: Estimate | None, *, places: int = 1, signed: bool = False) -> str:
    """Return a value with its interval."""
    if value is None:
        return NOT_YET
    return value.shown(places, signed=signed)


def changes_of(changes: Mapping[str, object]) -> str:
    """Return the settings that are changed."""
    return ", ".join(f"{name} {value}" for name, value in changes.items()) or "none"


def chrf(tests: Sequence[Mapping[str, Any]]) -> str:
    """Return the mean chrF, and the mean half-width of a single training's interval."""
    if not tests:
        return NOT_YET
    halves = [test["chrf_half_width"] for test in tests]
    shown = f" ± {rounded_up(mean(halves), places=1)}" if None not in halves else ""
    return f"{mean(test['chrf'] for test in tests):.1f}{shown}"
