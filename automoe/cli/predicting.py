"""Carry out ``automoe fit`` and ``automoe predict``."""

import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from automoe.cli.completing import COLUMN
from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.exits import ExitCode
from automoe.cli.fit_report import left_out_lines, names_in_short, print_report
from automoe.cli.options import (
    FILE,
    FOLDER,
    GROUPS,
    OUTPUT,
    SHARE,
    JsonOptions,
    Natural,
    Out,
    argument,
    command_line,
    grouped,
)
from automoe.cli.outputs import require_file, require_output, require_writable
from automoe.settings.share import Confidence, parse_share
from devices.rounding import counted, rounded, rounded_down, rounded_up
from devices.yaml_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from automoe.architecture.architecture import Architecture
    from automoe.architecture.translation_workload import TranslationWorkload
    from predictors import Predictor

Unit = Literal["us", "ms", "s"]
_ARCHITECTURES = {".json", ".jsonl", ".yml", ".yaml"}
_COLUMNS = Parameter(group=GROUPS["Columns of the log"])
_OUTSIDE = "outside"
_NO_PREDICTOR = "'{path}' does not exist. 'automoe fit' makes a predictor."
_FEWEST_LINES = {False: 21, True: 9}  # a header and the rows of a fit, without a base and with one
_QUICK_LINES = 2500  # docs/accuracy.yaml has the times of 300 and of 2000 rows
_START = 64 * 1024  # bytes of a file in which the first architecture begins


@grouped("Other options")
class FitOptions(JsonOptions):
    """The columns of the log, and the goal of the fit.

    Attributes:
        out: File of the predictor.
        target: Column of the latency; several are added.
        unit: Unit of the latency where no column name tells it.
        feature: Column to predict from; default: feature_*, or all that is known beforehand.
        group: Column of groups; rows of one group are never split between fitting and testing.
        base: Predictor of another device to start from; 8 rows are then enough for a prediction,
            and 19 for a bound at confidence 0.95.
        goal: Mean error to reach, such as 3% or 0.03; exit 4 when it is missed.
        plots: Folder for diagrams of the fit, as PNG.
        html: File of a page with the report and its diagrams, HTML.
        seed: Seed of the fit; the same seed gives the same fit.
    """

    out: Out
    target: Annotated[list[str] | None, _COLUMNS, COLUMN] = None
    unit: Annotated[Unit | None, _COLUMNS] = None
    feature: Annotated[list[str] | None, _COLUMNS, COLUMN] = None
    group: Annotated[list[str] | None, _COLUMNS, COLUMN] = None
    base: Annotated[Path | None, FILE] = None
    goal: Annotated[str | None, SHARE] = None
    plots: Annotated[Path | None, FOLDER, OUTPUT] = None
    html: Annotated[Path | None, FILE, OUTPUT] = None
    seed: Natural = 0


class PredictOptions(JsonOptions):
    """The output and the confidence of the bounds.

    Attributes:
        out: CSV file; default: standard output.
        confidence: Confidence of each bound by itself.
    """

    out: Annotated[Path | None, Parameter(name=("-o", "--out")), FILE, OUTPUT] = None
    confidence: Confidence = 0.95


def fit(
    log: Annotated[Path, argument("Any CSV log with a latency.")],
    /,
    *,
    options: FitOptions,
) -> ExitCode:
    """Fit a predictor: models compete by cross-validation, and the best one gets bounds."""
    out, plots, html = options.out, options.plots, options.html
    wanted = None if options.goal is None else parse_share(options.goal, "--goal")
    if html is not None and html.resolve() == out.resolve():
        raise ValueError(f"'--out' and '--html' must be two files. Got '{out}' for both.")
    require_file(log)
    require_file(options.base, _NO_PREDICTOR)
    read = [log, *([options.base] if options.base else [])]
    for written in (out, *([html] if html else [])):
        require_output(written, *read)
    if plots is not None:
        require_writable(plots / "parity.png", *read)
    from automoe.latency.effects import architecture_effects
    from predictors import Predictor, fit_log  # scikit-learn takes seconds to import

    with progress_bar("Fit", is_brief=True, about=_outlook(log, options.base)) as on_progress:
        predictor = fit_log(
            log,
            targets=options.target,
            features=options.feature,
            groups=options.group,
            base=None if options.base is None else Predictor.load(options.base),
            seed=options.seed,
            unit=options.unit,
            on_progress=on_progress,
        )
    predictor.save(out)
    report, changes = predictor.report, architecture_effects(predictor, log)
    for line in (*report.conversions, *left_out_lines(report.left_out)):
        say(line)
    for warning in report.warnings:
        say(f"warning: {warning}")
    if (shortage := predictor.shortage()) is not None:
        say(f"warning: {shortage}")
    if plots is not None:
        from predictors.figures import save_figures  # matplotlib takes a moment to import

        save_figures(predictor, plots)
    if html is not None:
        from automoe.report import render_fit  # torch takes seconds to import

        command = command_line("fit", log, options)
        html.write_text(render_fit(predictor, log=log.name, command=command), encoding="utf-8")
        say(f"page: {html}")
    verdict = None if wanted is None else report.verdict(wanted)
    if options.as_json:
        detail = {"outlook": report.outlook, "verdict": verdict, "architecture_effects": changes}
        print_json({**asdict(report), **asdict(report.best), **detail, "predictor": str(out)})
    else:
        print_report(report, out, changes)
        if verdict is not None:
            print(verdict)
        say(_next_step(predictor, out, of_architectures=bool(changes)))
    is_missed = wanted is not None and report.best.mape > wanted
    return ExitCode.QUALITY if is_missed else ExitCode.OK


def _next_step(predictor: "Predictor", out: Path, *, of_architectures: bool) -> str:
    """Return the command that uses the predictor."""
    command = f"Next: automoe predict {shlex.quote(str(out))}"
    if of_architectures:
        return f"{command} ARCHITECTURES.jsonl, as 'automoe sample' writes them."
    schema = predictor.schema
    names = dict.fromkeys([*(x.name for x in schema.features), *sorted(schema.read_by_physics)])
    return f"{command} ROWS.csv, a table with the columns {names_in_short(list(names))}."


def _outlook(log: Path, base: Path | None = None) -> str:
    """Return how large a log is, and roughly how long its fit takes; empty when that is unknown."""
    if not log.is_file():  # what comes through a pipe can be read only once
        return ""
    with log.open("rb") as file:
        n_lines = sum(1 for _ in file)
    if n_lines < _FEWEST_LINES[base is not None]:  # it will be refused
        return ""
    duration = "5 to 20 s" if n_lines <= _QUICK_LINES else "20 s to some minutes"
    return (
        f"'{log}' has {n_lines} lines. This takes {duration}, and longer while other programs run."
    )


def predict(
    predictor: Annotated[Path, argument("File of 'automoe fit'.")],
    table: Annotated[
        Path,
        argument("Architectures, or a CSV with the columns of the log."),
        Parameter(name="INPUT"),
    ],
    /,
    *,
    options: PredictOptions = PredictOptions(),
) -> None:
    """Predict milliseconds with bounds, for architectures or for the rows of a CSV."""
    out = options.out
    require_file(predictor, _NO_PREDICTOR)
    require_file(table)
    if out is not None:
        require_output(out, predictor, table)
    import pandas as pd

    from automoe.architecture.architecture_files import read_architectures
    from automoe.latency.model import LatencyModel
    from predictors import Predictor, read_table  # scikit-learn takes seconds to import

    model: Predictor
    if _holds_architectures(table):
        latency, architectures = LatencyModel.open(predictor), read_architectures(table)
        model, rows = latency.predictor, latency.table(architectures)
        costs = [_costs(a, latency.workload) for a in architectures]
        shown = pd.DataFrame(costs, dtype=object)  # whole numbers stay whole beside others
    else:
        model, rows = Predictor.load(predictor), read_table(table)
        shown = _as_written(table)
    for remark in rows.attrs.get("remarks", ()):
        say(remark)
    bounds = model.predict(rows, confidence=options.confidence)
    for difference in model.other_conditions(rows):
        say(f"warning: {difference}; the prediction is for the former")
    if (shortage := model.shortage(options.confidence)) is not None:
        say(f"warning: {shortage}")
    bounds[_OUTSIDE] = model.extrapolates(rows)
    _warn_of_extrapolation(bounds[_OUTSIDE], model.ranges_left(rows))
    left = shown.drop(columns=[name for name in bounds.columns if name in shown.columns])
    left, bounds = left.reset_index(drop=True), bounds.reset_index(drop=True)
    is_read_at_once = out is None and sys.stdout.isatty()
    texts = _in_few_digits(bounds) if is_read_at_once else _in_nanoseconds(bounds)
    text = left.join(texts).to_csv(index=False)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if options.as_json:
        print_json(parse_json(left.join(bounds).to_json(orient="records")))
    elif out is None:
        sys.stdout.write(text)
    else:
        print(f"{out}: {counted(len(bounds), 'row')}")


def _holds_architectures(table: Path) -> bool:
    """Return whether a file holds architectures. JSON may be a table of another program, too."""
    if table.suffix not in {".json", ".jsonl"} or not table.is_file():
        return table.suffix in _ARCHITECTURES
    with table.open("rb") as file:
        return re.search(rb'"encoder"\s*:\s*\{', file.read(_START)) is not None


def _costs(architecture: "Architecture", workload: "TranslationWorkload") -> dict[str, str | float]:
    """Return the costs that need no measurement."""
    cost = workload.cost(architecture)
    return {
        "id": architecture.id,
        "params": cost.params,
        "active_params": _whole(round(cost.active_params, 1)),  # means over experts
        "flops": _whole(round(cost.flops, 1)),
        "weight_bytes": cost.weight_bytes,
    }


def _whole(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _as_written(table: Path) -> "pd.DataFrame":
    """Return the cells of a table as they are in its file, with commas between them.

    A table with decimal commas or separators of thousands has its numbers as they were read: with
    commas between the cells, `1.234` would mean something else.
    """
    import pandas as pd  # takes a moment to import

    from profilers import read_any_log

    log = read_any_log(table)
    if log.reads_alone:
        written = [row.as_written for row in log.rows]
        return pd.DataFrame(written, columns=list(log.header), dtype=object)
    read = [tuple(row.cells.values()) for row in log.rows]
    return pd.DataFrame(read, columns=list(log.columns), dtype=object)


def _in_nanoseconds(bounds: "pd.DataFrame") -> "pd.DataFrame":
    """Return bounds as text with six decimals: limits are rounded so that they hold as printed."""
    written = {
        "predicted_ms": lambda value: f"{value:.6f}",
        "lower_ms": lambda value: rounded_down(value, places=6),
        "upper_ms": lambda value: rounded_up(value, places=6),
    }
    return bounds.assign(**{name: bounds[name].map(write) for name, write in written.items()})


def _in_few_digits(bounds: "pd.DataFrame") -> "pd.DataFrame":
    """Return bounds as text of four digits, for a terminal; limits hold as printed."""
    written = {"predicted_ms": rounded, "lower_ms": rounded_down, "upper_ms": rounded_up}
    return bounds.assign(**{name: bounds[name].map(write) for name, write in written.items()})


def _warn_of_extrapolation(
    is_outside: "pd.Series", ranges: "Mapping[str, tuple[float, float]]"
) -> None:
    n_outside = int(is_outside.sum())
    if n_outside:
        of = f"of {counted(len(is_outside), 'row')}"
        known = [
            f"{name} is {rounded(low)}" + (f" to {rounded(high)}" if low < high else "")
            for name, (low, high) in ranges.items()
        ]
        say(
            f"{counted(n_outside, f'{of} lies', f'{of} lie')} outside the log that was fitted, "
            f"where {names_in_short(known)}. Such bounds promise nothing (column 'outside'). "
            "Measure some rows like that and fit again."
        )
