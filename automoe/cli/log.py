"""``automoe log show``, ``check`` and ``merge``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from automoe.cli.console import print_fields, print_json, print_table
from automoe.cli.exits import ExitCode

Log = Annotated[Path, typer.Argument(help="A latency log, CSV.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]

_CONDITIONS = ("workload",)


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


def check(log: Log, as_json: AsJson = False) -> None:
    """Drift, mixed conditions, missing units; exit 4 when it must not be fitted as it is."""
    from profilers import check as find_problems  # scipy takes a moment to import

    problems = find_problems(log, condition_columns=_CONDITIONS)
    if as_json:
        print_json([asdict(problem) for problem in problems])
    elif problems:
        print_table(
            ("check", "severity", "finding", "remedy"),
            [(p.check, p.severity, p.message, p.remedy) for p in problems],
        )
    else:
        print(f"{log}: nothing to object to")
    if any(problem.severity == "problem" for problem in problems):
        raise typer.Exit(ExitCode.QUALITY)


def merge(
    logs: Annotated[list[Path], typer.Argument(help="Logs of the same conditions.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The new log.")],
) -> None:
    """Several logs in one, with their raw samples."""
    from profilers import merge as merge_logs  # scipy takes a moment to import

    n_rows = merge_logs(logs, out, condition_columns=_CONDITIONS)
    print(f"{out}: {n_rows} rows")
