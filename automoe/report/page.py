"""This module puts figures and tables into the page of a run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from automoe.architecture.architecture import Architecture
from automoe.report.contents import Candidate, ReportContents, pareto_front
from automoe.report.drawing import draw_architecture, widest_expert
from automoe.report.figures import (
    Latency,
    drift_figure,
    fit_figures,
    intervals_figure,
    load_figure,
    search_figure,
    training_figure,
)
from automoe.report.flags import counted, n_flagged
from automoe.report.templates import NONE, filled, marked, moment, number, percent
from automoe.report.verdict import verdict_of
from devices.rounding import rounded_down, rounded_up

# How a limit is rounded, by its name in a result.
_LIMITS: dict[str, Callable[[float], str]] = {
    "ci_low": rounded_down,
    "ci_high": rounded_up,
    "upper": rounded_up,
}
_SHOWN = (
    ("latency, measured", ("latency_ms", "measured"), "ms"),
    ("95 % interval, low", ("latency_ms", "ci_low"), "ms"),
    ("95 % interval, high", ("latency_ms", "ci_high"), "ms"),
    ("latency, predicted", ("latency_ms", "predicted"), "ms"),
    ("latency, upper bound", ("latency_ms", "upper"), "ms"),
    ("BLEU", ("bleu",), ""),
    ("parameters without embeddings", ("params",), ""),
    ("of these active per token", ("active_params",), ""),
    ("parameters of embeddings", ("embedding_params",), ""),
    ("FLOPs of a sentence", ("flops",), ""),
)
_MOST_INTERVALS = 12


def render(contents: ReportContents) -> str:
    """Return the page as HTML that loads no other file. Equal contents give equal pages."""
    result = contents.result
    return filled(
        "page.html.j2",
        title=contents.title,
        result=result,
        verdict=verdict_of(result),
        rows=comparison(result, result.get("baseline") or {}),
        drawings=_drawings(result),
        front=_front(contents.candidates, result["architecture_id"]),
        figures=_figures(contents),
        fit=contents.predictor.report if contents.predictor else None,
        flags=[] if contents.log is None else counted(pd.concat(_logs(contents).values())),
        sessions=list(_sessions(contents)),
        provenance=_provenance(contents),
        config=contents.config,
        folder=contents.folder or "FOLDER",
    )


def _figures(contents: ReportContents) -> dict[str, Markup]:
    result, drawn = contents.result, dict[str, str]()
    if contents.candidates:
        drawn["search"] = search_figure(contents.candidates, result)
    if contents.log is not None and len(contents.log):
        drawn["drift"] = drift_figure(contents.log)
    if rows := list(_intervals(contents)):
        drawn["intervals"] = intervals_figure(
            rows[:_MOST_INTERVALS], budget_ms=result["budget_ms"], name="verification"
        )
    if loads := result.get("expert_load"):
        drawn["load"] = load_figure(loads)
    if contents.predictor is not None:
        drawn |= fit_figures(contents.predictor)
    if contents.training:
        drawn["training"] = training_figure(contents.training)
    return marked(drawn)


def _drawings(result: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """Return the winner and the largest dense architecture, drawn on one scale."""
    entries = {"returned": result, "largest dense": result.get("baseline") or {}}
    architectures = {
        name: Architecture.from_dict(entry["architecture"])
        for name, entry in entries.items()
        if "architecture" in entry
    }
    widest = max(map(widest_expert, architectures.values()))
    return [
        (f"{name}: {each.id}", Markup(draw_architecture(each, widest=widest)))
        for name, each in architectures.items()
    ]


def comparison(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[tuple[str, str, str, str]]:
    """Return rows of a name, the values of two entries of a result, and the first over the second.

    The ends of intervals have no ratio, because it would be no end of the interval of the ratio.
    """
    rows = []
    for name, path, unit in _SHOWN:
        one, other = _at(first, path), _at(second, path)
        ratio = f"{one / other:.2f}" if one is not None and other else NONE
        if path[-1] in ("ci_low", "ci_high"):
            ratio = ""
        rounded = _LIMITS.get(path[-1])
        shown = [number(value, unit, rounded=rounded) for value in (one, other)]
        if name == "BLEU":  # with one decimal, as it is usually published
            shown = [NONE if value is None else f"{value:.1f}" for value in (one, other)]
        rows.append((name, shown[0], shown[1], ratio))
    return rows


def _at(content: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = content
    for key in path:
        value = (value or {}).get(key)
    return None if value is None else float(value)


def _front(candidates: Sequence[Candidate], winner: str) -> list[tuple[str, str, str, str]]:
    """Return the rows of the Pareto front, with the winner, which may lie behind it."""
    shown = pareto_front(candidates)
    if winner not in {candidate.architecture_id for candidate in shown}:
        shown += [candidate for candidate in candidates if candidate.architecture_id == winner]
    return [
        (
            each.architecture_id + (" (returned)" if each.architecture_id == winner else ""),
            number(each.upper_ms, "ms", rounded=rounded_up),
            number(each.predicted_ms, "ms"),
            f"{each.loss:.3f}",
        )
        for each in sorted(shown, key=lambda c: c.upper_ms)
    ]


def _logs(contents: ReportContents) -> dict[str, pd.DataFrame]:
    """Return the logs of the run's sessions by the name of the session; empty ones are left out."""
    names = ("verifying", "verifying again")
    logs = {"profiling": contents.log, **dict(zip(names, contents.verification, strict=False))}
    return {name: log for name, log in logs.items() if log is not None}


def _sessions(contents: ReportContents) -> Iterator[tuple[str, int, str, str, int]]:
    """Return the noise of each session: its rows, half-widths, the machine's speed, and flags."""
    for name, log in _logs(contents).items():
        if not len(log):
            continue
        width, drift = NONE, log["sentinel_drift"].astype(float)
        if "ci_low_ms" in log:
            half = (log["ci_high_ms"] - log["ci_low_ms"]) / 2 / log["latency_ms"]
            width = percent(float(half.median()))
        spread = f"{drift.min():.3f} to {drift.max():.3f}"
        yield name, len(log), width, spread, n_flagged(log)


def _intervals(contents: ReportContents) -> Iterator[Latency]:
    """Return the measurements of the verification, the winner's first."""
    result, rows = contents.result, list[Latency]()
    known = {result["architecture_id"]: "returned"}
    known |= {(result.get("baseline") or {}).get("architecture_id", ""): "largest dense"}
    for session, log in enumerate(contents.verification, start=1):
        for _, row in log.iterrows():
            name = known.get(str(row["point_id"]), f"{row['point_id']}")
            latency, low, high = (
                float(row[column]) for column in ("latency_ms", "ci_low_ms", "ci_high_ms")
            )
            rows.append((f"{name}, {session}", latency, low, high))
    order = ("returned", "largest")
    yield from sorted(
        rows, key=lambda row: next((i for i, x in enumerate(order) if row[0].startswith(x)), 2)
    )


def _provenance(contents: ReportContents) -> list[tuple[str, Any]]:
    result, device = contents.result, contents.result.get("device") or {}
    space = result["space"]
    rows: dict[str, Any] = {
        "budget": number(result["budget_ms"], "ms", rounded=rounded_up),
        "device": f"{device.get('model', NONE)} ({device.get('fingerprint', NONE)})",
        "power mode": device.get("power_mode", NONE),
        "sentence": result["workload"],
        "space": f"{space['name']}, up to {space['max_experts']} experts, "
        f"{space['count']:.3g} architectures",
        "BLEU signature": result.get("bleu_signature") or NONE,
        "seed": result["seed"],
        "automoe": result["automoe_version"],
    }
    if contents.log is not None and len(contents.log):
        rows["runtime"] = ", ".join(sorted(set(contents.log["runtime"].astype(str))))
        times = contents.log["measured_at"].astype(str)
        rows["first measured"], rows["last measured"] = moment(times.min()), moment(times.max())
        rows["rows of the log"] = len(contents.log)
    return list(rows.items())
