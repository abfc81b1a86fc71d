"""Carry out ``automoe compare``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from automoe.cli.console import print_json, print_table
from automoe.cli.exits import ExitCode
from automoe.cli.options import JsonOptions, argument
from automoe.cli.outputs import require_file
from automoe.settings.share import share_of
from devices.rounding import rounded, rounded_down, rounded_up

if TYPE_CHECKING:
    from profilers import Comparison

_SHOWN_POINTS = 5


class CompareOptions(JsonOptions):
    """The limits of the comparison.

    Attributes:
        margin: Largest difference that counts as the same.
        fail_on: Exit 4 when B is surely slower or faster by more: slower:5% or faster:5%.
        force: Compare logs of different workloads as well.
    """

    margin: str = "2%"
    fail_on: tuple[str, ...] = ()
    force: bool = False


def compare(
    a: Annotated[Path, argument("The reference, a latency log.")],
    b: Annotated[Path, argument("The latency log that is judged.")],
    /,
    *,
    options: CompareOptions = CompareOptions(),
) -> ExitCode:
    """Say whether log B is faster than log A on their common points, slower or the same."""
    limits = [_limit(text) for text in options.fail_on]
    share = _share(options.margin, "--margin", "2%")
    for log in (a, b):
        require_file(log)
    from profilers import compare as compare_logs  # scipy takes a moment to import
    from profilers import read_any_log
    from profilers.log.comparison import NEEDED

    logs = [read_any_log(log, held=NEEDED) for log in (a, b)]
    comparison = compare_logs(*logs, margin=share, force=options.force)
    if options.as_json:
        print_json({"a": str(a), "b": str(b), **asdict(comparison)})
    else:
        _print(comparison, a, b)
    is_exceeded = any(
        comparison.is_slower_by(share) if direction == "slower" else comparison.is_faster_by(share)
        for direction, share in limits
    )
    return ExitCode.QUALITY if is_exceeded else ExitCode.OK


def _print(both: "Comparison", a: Path, b: Path) -> None:
    n = len(both.points)
    print(
        f"{both.verdict}: {b} takes {both.ratio:.4f} times as long as {a} "
        f"(95 % interval {rounded_down(both.low, places=4)} to {rounded_up(both.high, places=4)}, "
        f"{n} point{'s' if n > 1 else ''}, "
        f"margin {both.margin:.3g})"
    )
    if both.sentinel_ratio is not None:
        print(
            f"the machine was {both.sentinel_ratio:.4f} times as slow; the interval allows for it"
        )
    for note in both.notes:
        print(f"note: {note}")
    worst = both.points[:_SHOWN_POINTS]
    print(f"the {len(worst)} points that differ most:" if n > len(worst) else "by point:")
    print_table(
        ("point", "A ms", "B ms", "ratio", "low", "high"),
        [
            (
                *(p.point_id, rounded(p.a_ms), rounded(p.b_ms)),
                f"{p.ratio:.4f}",
                *(rounded_down(p.low, places=4), rounded_up(p.high, places=4)),
            )
            for p in worst
        ],
    )


def _limit(text: str) -> tuple[str, float]:
    direction, _, share = text.partition(":")
    if direction not in ("slower", "faster"):
        raise ValueError(f"'--fail-on' must read like slower:5% or faster:5%. Got '{text}'.")
    return direction, _share(share, "--fail-on", f"{direction}:5%", whole=text)


def _share(text: str, option: str, example: str, whole: str | None = None) -> float:
    """Return 0.05 for `5%` or `0.05`."""
    share = share_of(text)
    if not 0 <= share < 1:  # nan too
        raise ValueError(
            f"'{option}' must read like {example}, from 0 to below 100 %. Got '{whole or text}'."
        )
    return share
