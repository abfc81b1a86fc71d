"""Carry out ``automoe run`` and ``automoe report``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from automoe.cli.console import print_json, print_table, progress_bar, say
from automoe.cli.exits import ExitCode
from automoe.cli.options import FILE, OUTPUT, JsonOptions, argument
from automoe.cli.outputs import require_file, require_folder, require_output
from automoe.cli.run_summary import summary_of
from automoe.progress import duration
from automoe.run_files import REPORT, RESULT
from devices.yaml_json import read_yaml

if TYPE_CHECKING:
    from automoe.pipeline import RunConfig, StagePlan


_NO_RUN = "'{path}' holds no finished run. 'automoe run' makes and finishes one."


class RunOptions(JsonOptions):
    """The options of ``run``.

    Attributes:
        dry_run: Show what is left to do and how long it takes, and run nothing.
    """

    dry_run: bool = False


class ReportOptions(JsonOptions):
    """The output of the command.

    Attributes:
        out: File of the page, HTML; default: report.html in the folder, and with --compare none.
        compare: Folders of two runs, to show side by side.
    """

    out: Annotated[Path | None, Parameter(name=("-o", "--out")), FILE, OUTPUT] = None
    compare: Annotated[tuple[Path, Path] | None, Parameter(metavar="FOLDER FOLDER")] = None


def run(
    config: Annotated[Path, argument("YAML file, see examples/quickstart.yaml.")],
    /,
    *,
    options: RunOptions = RunOptions(),
) -> ExitCode:
    """Run every stage, from profiling to the report; the same command resumes."""
    require_file(config, "'{path}' does not exist. See examples/quickstart.yaml.")
    content = read_yaml(config)  # once, because a pipe is empty then; no YAML is refused at once
    from automoe.pipeline import RunConfig  # torch takes seconds to import
    from automoe.pipeline import run as run_stages

    loaded = RunConfig.of(content, config)
    if options.dry_run:
        _show_plan(loaded, as_json=options.as_json)
        return ExitCode.OK
    summary = run_stages(loaded, stage=progress_bar, say=say)
    if options.as_json:
        print_json(summary.result)
    else:
        print("\n".join(summary_of(summary, loaded, config)))
    return ExitCode.OK if summary.result["certified"] else ExitCode.QUALITY


def report(
    folder: Annotated[Path | None, argument("Folder of 'automoe run'.")] = None,
    /,
    *,
    options: ReportOptions = ReportOptions(),
) -> None:
    """Draw the page of a finished run again, or compare two runs."""
    out = options.out
    if (folder is None) == (options.compare is None):
        given = "neither" if folder is None else f"both, '{folder}' and --compare"
        raise ValueError(
            f"Give either the folder of a run or --compare with two folders. Got {given}."
        )
    for each in (folder, *(options.compare or ())):
        require_folder(each, _NO_RUN, holding=RESULT)
        if out is not None and each is not None:
            _require_page(out, each)
    if out is not None:
        require_output(out)
    if options.compare is not None:
        _compare(*options.compare, options)
    elif folder is not None:
        from automoe.pipeline import draw_report  # torch takes seconds to import

        written = out or folder / REPORT
        draw_report(folder, written)
        if options.as_json:
            print_json({"out": str(written)})
        else:
            print(written)


def _require_page(out: Path, run: Path) -> None:
    """Check that an output in the folder of a run is a page, and replaces no result of the run."""
    if out.resolve().is_relative_to(run.resolve()) and out.suffix != ".html":
        raise ValueError(
            f"'{out}' must end in .html, because '{run}' holds the files of the run. "
            "Choose another output."
        )


def _compare(first: Path, second: Path, options: ReportOptions) -> None:
    """Print two runs side by side, and write their page if a file is named."""
    from automoe.pipeline import report_contents  # torch takes seconds to import
    from automoe.report import compared_runs, compared_values, names_of, render_comparison

    runs = report_contents(first), report_contents(second)
    rows, warning = compared_runs(*runs)
    if warning:
        say(f"warning: {warning}")
    if options.out is not None:
        options.out.write_text(render_comparison(*runs), encoding="utf-8")
        say(f"page: {options.out}")
    if options.as_json:
        print_json(compared_values(*runs))
    else:
        print_table(("", *names_of(*runs), "first / second"), rows)


def _show_plan(config: "RunConfig", *, as_json: bool) -> None:
    """Print the finished and the remaining work, with its time."""
    from automoe.pipeline import plan_run  # torch takes seconds to import

    with progress_bar("Plan") as on_progress:
        plan = plan_run(config, on_progress=on_progress, say=say)
    if as_json:
        stages = [asdict(stage) for stage in plan.stages]
        content = {"stages": stages, "total_s": plan.total_s, "missing": plan.missing}
        print_json({"name": config.name, "folder": str(config.folder), **content})
        return
    for stage in plan.stages:
        print(
            f"{stage.stage:<18} {_duration(stage.estimate_s):>10}  {_state(stage)}; {stage.basis}"
        )
    print(f"{'total':<18} {_duration(plan.total_s):>10}  of what is estimated")
    for line in plan.missing:
        print(f"missing: {line}")


def _state(stage: "StagePlan") -> str:
    if stage.is_done or not stage.done:
        return "finished" if stage.is_done else "to do"
    return f"{stage.done} of {stage.total} done"


def _duration(seconds: float | None) -> str:
    return "?" if seconds is None else duration(seconds)
