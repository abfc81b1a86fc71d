"""``automoe run`` and ``automoe report``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from automoe.cli.console import print_json, progress_bar
from automoe.cli.exits import ExitCode


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("report")(report)


def run(
    config: Annotated[Path, typer.Argument(help="YAML file, see examples/quickstart.yaml.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result.")] = False,
) -> None:
    """Every stage, from profiling to the report; run it again to continue."""
    from automoe.pipeline import RunConfig  # torch takes seconds to import
    from automoe.pipeline import run as run_stages

    summary = run_stages(RunConfig.load(config), stage=progress_bar)
    result = summary.result
    if as_json:
        print_json(result)
    else:
        for line in _verdict(result):
            print(line)
        print(f"{summary.result_path}\n{summary.report_path}")
    if not result["certified"]:
        raise typer.Exit(ExitCode.QUALITY)


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of 'automoe run'.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The page.")],
) -> None:
    """Draw the page of a finished run again."""
    from automoe.pipeline import draw_report  # torch takes seconds to import

    draw_report(folder, out)
    print(out)


def _verdict(result: dict[str, Any]) -> list[str]:
    found, dense = result, result["baseline"]
    return [
        f"{'Certified' if result['certified'] else 'Not certified'}: {result['reason']}",
        f"found {found['architecture_id']}: {_measured(found)}, BLEU {found['bleu']:.1f}, "
        f"{found['params'] / 1e6:.2f} M parameters",
        f"largest dense {dense['architecture_id']}: {_measured(dense)}, BLEU {dense['bleu']:.1f}, "
        f"{dense['params'] / 1e6:.2f} M parameters",
    ]


def _measured(entry: dict[str, Any]) -> str:
    measured = entry["latency_ms"]["measured"]
    return "not measured" if measured is None else f"{measured:.4g} ms"
