"""This module shows two runs side by side."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from automoe.architecture.architecture import Architecture
from automoe.report.contents import ReportContents
from automoe.report.drawing import draw_architecture, widest_expert
from automoe.report.figures import fronts_figure
from automoe.report.page import comparison
from automoe.report.templates import NONE, filled, marked, number, percent
from automoe.report.verdict import verdict_of
from devices.rounding import rounded_up

# What must be the same for two latencies to be comparable, by its name for the reader.
_CONDITIONS = {
    "device": ("device", "fingerprint"),
    "power mode": ("device", "power_mode"),
    "sentence": ("workload",),
    "runtime": ("predicted_on", "runtime"),
    "threads": ("predicted_on", "threads"),
}
Row = tuple[str, str, str, str]


def compared_runs(first: ReportContents, second: ReportContents) -> tuple[list[Row], str]:
    """Return rows of a name, the values of both runs and the first over the second, and a warning.

    The warning names the conditions in which the runs differ. It is empty when their latencies can
    be compared.
    """
    results = (first.result, second.result)
    different = [
        f"{name} ({one} and {other})"
        for name, path in _CONDITIONS.items()
        if (one := _at(results[0], path)) != (other := _at(results[1], path))
    ]
    rows = [
        _words("certified", *("yes" if result["certified"] else "no" for result in results)),
        _words("budget", *(number(x["budget_ms"], "ms", rounded=rounded_up) for x in results)),
        *(
            _words(*row[:3]) if different and row[0].startswith("latency") else row
            for row in comparison(*results)
        ),
        _words("latency over that of dense", *map(_over_dense, results)),
        _words("error of the predictor (MAPE)", *map(_error, (first, second))),
        _words("architectures evaluated", *(str(len(run.candidates)) for run in (first, second))),
        _words("architecture", *(result["architecture_id"] for result in results)),
        _words("space", *(result["space"]["name"] for result in results)),
        _words("seed", *(str(result["seed"]) for result in results)),
    ]
    warning = f"The runs differ in {', '.join(different)}: their latencies cannot be compared."
    return rows, warning if different else ""


def compared_values(first: ReportContents, second: ReportContents) -> dict[str, Any]:
    """Return both runs as JSON types: their results as they are, and the same warning or None."""
    runs = [
        {
            "name": name,
            "folder": run.folder,
            "predictor_mape": run.predictor and run.predictor.report.best.mape,
            "n_evaluated": len(run.candidates),
            "result": dict(run.result),
        }
        for name, run in zip(names_of(first, second), (first, second), strict=True)
    ]
    return {"runs": runs, "warning": compared_runs(first, second)[1] or None}


def render_comparison(first: ReportContents, second: ReportContents) -> str:
    """Return the page of two runs as HTML that loads no other file."""
    rows, warning = compared_runs(first, second)
    names = names_of(first, second)
    architectures = [Architecture.from_dict(run.result["architecture"]) for run in (first, second)]
    widest = max(map(widest_expert, architectures))
    figures = {}
    if first.candidates and second.candidates:
        figures["fronts"] = fronts_figure(
            dict(zip(names, (first.candidates, second.candidates), strict=True))
        )
    return filled(
        "compare.html.j2",
        title=" and ".join(names),
        names=names,
        verdicts=[verdict_of(run.result) for run in (first, second)],
        rows=rows,
        warning=warning,
        drawings=[
            (f"{name}: {each.id}", Markup(draw_architecture(each, widest=widest)))
            for name, each in zip(names, architectures, strict=True)
        ],
        figures=marked(figures),
        folders=[run.folder or "FOLDER" for run in (first, second)],
    )


def names_of(first: ReportContents, second: ReportContents) -> tuple[str, str]:
    """Return the names of the runs. Runs of the same name are told apart by a number."""
    names = [run.title.removeprefix("AutoMoE: ") for run in (first, second)]
    return (names[0], names[1]) if names[0] != names[1] else (f"{names[0]}, 1", f"{names[1]}, 2")


def _words(name: str, first: str, second: str) -> Row:
    return name, first, second, ""


def _over_dense(result: Mapping[str, Any]) -> str:
    ms = _at(result, ("latency_ms", "measured"))
    dense_ms = _at(result.get("baseline") or {}, ("latency_ms", "measured"))
    return f"{ms / dense_ms:.2f}" if ms and dense_ms else NONE


def _error(run: ReportContents) -> str:
    return NONE if run.predictor is None else percent(run.predictor.report.best.mape)


def _at(content: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = content
    for key in path:
        value = (value or {}).get(key)
    return value
