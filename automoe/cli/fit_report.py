"""Print the report of a fit."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automoe.cli.console import print_table
from devices.rounding import percent_down

if TYPE_CHECKING:
    from predictors import FitReport

_MOST_NAMES = 12
_WIDTH = 100  # characters, where there is no terminal
_LEGEND = (
    "MAPE: mean error on unseen rows; within 5 %: rows that err by less; Spearman, Kendall: how "
    "well the order of the rows is predicted, 1 is best"
)


def print_report(report: "FitReport", out: Path, changes: Mapping[str, float]) -> None:
    """Print what a fit found out.

    Args:
        report: The report.
        out: The file of the predictor.
        changes: What changes of an architecture cost in milliseconds, by their description.
    """
    kind = f", recognised as {report.physics}" if report.physics else ""
    failed = f" ({report.n_excluded} failed and left out)" if report.n_excluded else ""
    print(f"{out}: {report.winner}, {report.n_rows} rows{failed}{kind}")
    for line in _role_lines(report.roles):
        print(_wrapped(line))
    if report.n_groups:
        print(_wrapped(_groups(report)))
    _print_scores(report)
    if report.choice:
        print(report.choice)
    for coverage in report.coverage:
        unseen = "rows of unseen groups" if report.n_groups else "rows"
        share = percent_down(coverage.share)
        print(f"bound at {coverage.confidence:g}: held on {share} of {unseen}")
    if report.noise_floor is not None:
        print(f"half-width of the rows' 95 % intervals, median: {report.noise_floor:.1%}")
    if report.quality:
        print("quality: " + ", ".join(f"{n} {letter}" for letter, n in report.quality.items()))
    print(report.outlook)
    for change, milliseconds in changes.items():
        print(f"{change}: {milliseconds:+.3g} ms")


def names_in_short(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    n_more = len(names) - _MOST_NAMES
    more = f" and {n_more} more" if n_more > 0 else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def left_out_lines(reasons: Mapping[str, str]) -> list[str]:
    """Return one line that says which columns are no features and why; none without them."""
    names_by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names_by_reason.setdefault(reason, []).append(name)
    listed = "; ".join(f"{', '.join(names)} ({why})" for why, names in names_by_reason.items())
    keep = "To keep one, name all features with --feature."
    return [f"left out of the features: {listed}. {keep}"] if reasons else []


def _role_lines(roles: Mapping[str, str]) -> list[str]:
    names_by_role: dict[str, list[str]] = {}
    for column, role in roles.items():
        names_by_role.setdefault(role, []).append(column)
    ignored_last = sorted(names_by_role.items(), key=lambda each: each[0] == "ignored")
    return [f"{role}: {names_in_short(names)}" for role, names in ignored_last]


def _groups(report: "FitReport") -> str:
    """Return what makes the groups, and what they are for."""
    making = [column for column, role in report.roles.items() if role.endswith("group")]
    alike = names_in_short(making) if making else "all features"
    return f"{report.n_groups} groups: rows alike in {alike}; each is fitted or tested as a whole"


def _print_scores(report: "FitReport") -> None:
    columns = ("model", "MAPE", "within 5 %", "within 10 %", "Spearman", "Kendall")
    print_table(
        columns,
        [
            (
                m.name,
                *(f"{share:.1%}" for share in (m.mape, m.within_5, m.within_10)),
                *(f"{value:.3f}" for value in (m.spearman, m.kendall)),
            )
            for m in report.models
        ],
    )
    print(_wrapped(_LEGEND))


def _wrapped(line: str) -> str:
    """Return a line in lines of a terminal, where names are not broken."""
    width = shutil.get_terminal_size((_WIDTH, 0)).columns
    return textwrap.fill(
        line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
