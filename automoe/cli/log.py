"""``automoe log show``, ``check`` and ``merge``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automoe.cli.console import print_fields, print_json, say
from automoe.cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilers import Problem

Log = Annotated[Path, typer.Argument(help="A latency log, CSV.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    log = typer.Typer(help="What a latency log holds, and whether it may be fitted.")
    log.command("show")(show)
    log.command("check")(check)
    log.command("merge")(merge)
    app.add_typer(log, name="log")


def show(log: Log, as_json: AsJson = False) -> None:
    """What a log holds."""
    from profilers import summarise  # scipy takes a moment to import

    summary = asdict(summarise(log))
    print_json(summary) if as_json else print_fields(summary)


def check(
    log: Annotated[Path, typer.Argument(help="A CSV of latencies, ours or measured by others.")],
    target: Annotated[
        list[str] | None,
        typer.Option("--target", help="Latency column; several are summed. Default: found by name"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Impossible rows, drift, mixed conditions and units; exit 4: do not fit it as it is."""
    from profilers import audit_log  # scipy takes a moment to import

    found = audit_log(log, targets=target or ())
    problems = found.problems
    if not _forbid_a_fit(problems):
        from predictors import fit_problems  # scikit-learn takes seconds to import

        problems += fit_problems(log, found.targets)
    say(f"{log}: {found.rows} rows, latency: {' + '.join(found.targets)}")
    if as_json:
        print_json([asdict(problem) for problem in problems])
    elif problems:
        for problem in problems:
            print(f"{problem.severity} [{problem.check}] {problem.message}")
            print(f"    {problem.remedy}")
    else:
        print(f"{log}: nothing to object to")
    if _forbid_a_fit(problems):
        raise typer.Exit(ExitCode.QUALITY)


def merge(
    logs: Annotated[list[Path], typer.Argument(help="Logs of the same conditions.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The new log.")],
) -> None:
    """Several logs in one, with their raw samples."""
    from profilers import merge as merge_logs  # scipy takes a moment to import

    n_rows = merge_logs(logs, out)
    print(f"{out}: {n_rows} rows")


def _forbid_a_fit(problems: "Sequence[Problem]") -> bool:
    return any(problem.severity == "problem" for problem in problems)
