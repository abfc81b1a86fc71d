"""The ``automoe`` program: its commands, and the exit code of whatever ends them."""

import os
import sys
from collections.abc import Sequence

import typer

from automoe import __version__
from automoe.cli import (
    architectures,
    comparing,
    devices,
    exporting,
    linting,
    log,
    pipeline,
    predicting,
    profiling,
    ranking,
    searching,
    training,
    translating,
)
from automoe.cli.exits import ExitCode, report

app = typer.Typer(
    name="automoe",
    help="Hardware-aware search for sparse Transformers: profile, predict, search.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (
    devices,
    architectures,
    exporting,
    linting,
    profiling,
    log,
    comparing,
    predicting,
    training,
    searching,
    ranking,
    translating,
    pipeline,
):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"automoe {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Hardware-aware search for sparse Transformers: profile, predict, search."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit codes are those of ``automoe.cli.exits``."""
    # Read when torch starts its threads: spinning ones starve each other on a shared machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = int(app(args=given, standalone_mode=False) or 0)
    except (Exception, KeyboardInterrupt) as error:
        return report(error, given)
    # typer turns Ctrl-C into this code without a word about what to do next.
    return report(KeyboardInterrupt(), given) if code == ExitCode.INTERRUPTED else code
