"""This module puts figures and tables into the template of the page."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from automoe.architecture.architecture import Architecture
from automoe.report.contents import ReportContents
from automoe.report.drawing import draw_architecture
from automoe.report.figures import (
    drift_figure,
    fit_figures,
    search_figure,
    training_figure,
)
from devices.rounding import rounded_down, rounded_up

NONE = "\N{EN DASH}"
# How a limit is rounded, by its name in a result.
_LIMITS = {"ci_low": rounded_down, "ci_high": rounded_up, "upper": rounded_up}


def render(contents: ReportContents) -> str:
    """Return the page as HTML that loads no other file. Equal contents give equal pages."""
    environment = Environment(
        loader=PackageLoader("automoe.report", package_path="."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result = contents.result
    return environment.get_template("page.html.j2").render(
        title=contents.title,
        result=result,
        interval=_interval(result["latency_ms"], result["confidence"]),
        rows=_comparison(result),
        drawing=Markup(draw_architecture(Architecture.from_dict(result["architecture"]))),
        figures=_figures(contents),
        fit=contents.predictor.report if contents.predictor else None,
        flags=_flags(contents),
        provenance=_provenance(contents),
        percent=lambda share: f"{100 * share:.1f} %",
        number=_number,
    )


def _figures(contents: ReportContents) -> dict[str, Markup]:
    drawn: dict[str, str] = {}
    if contents.candidates:
        drawn["search"] = search_figure(contents.candidates, contents.result)
    if contents.log is not None and len(contents.log):
        drawn["drift"] = drift_figure(contents.log)
    if contents.predictor is not None:
        drawn |= fit_figures(contents.predictor)
    if contents.training:
        drawn["training"] = training_figure(contents.training)
    return {name: Markup(svg) for name, svg in drawn.items()}


def _interval(latency_ms: Mapping[str, float | None], confidence: float) -> str:
    """Return sentences about the returned architecture's latency."""
    units = {"measured": "ms", "ci_low": "", "ci_high": "", "predicted": "ms", "upper": "ms"}
    at = {
        name: _number(latency_ms.get(name), unit, rounded=_LIMITS.get(name))
        for name, unit in units.items()
    }
    return (
        f"Measured: {at['measured']} (95 % interval {at['ci_low']} to {at['ci_high']} ms). "
        f"Predicted: {at['predicted']}, at most {at['upper']} with confidence {confidence}."
    )


def _comparison(result: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return rows of a name, the value of the winner, that of the largest dense one and a ratio."""
    baseline = result.get("baseline") or {}
    rows = []
    for name, path, unit in (
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
    ):
        winner, dense = _at(result, path), _at(baseline, path)
        ratio = f"{winner / dense:.2f}" if winner is not None and dense else NONE
        rounded = _LIMITS.get(path[-1])
        shown = [_number(value, unit, rounded=rounded) for value in (winner, dense)]
        rows.append((name, shown[0], shown[1], ratio))
    return rows


def _at(content: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = content
    for key in path:
        value = (value or {}).get(key)
    return None if value is None else float(value)


def _number(
    value: float | None, unit: str = "", *, rounded: Callable[[float], str] | None = None
) -> str:
    """Return a number with four digits and separated thousands, or a dash for None.

    Args:
        value: The number.
        unit: Its unit.
        rounded: The function that rounds it when it is a limit; None for the nearest number.
    """
    if value is None:
        return NONE
    if rounded is not None:
        value = float(rounded(value))
    text = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return f"{text} {unit}".strip()


def _flags(contents: ReportContents) -> list[tuple[str, int]]:
    if contents.log is None or "flags" not in contents.log:
        return []
    cells = contents.log["flags"].dropna().astype(str)
    return sorted(Counter(f for cell in cells for f in cell.split(";") if f).items())


def _provenance(contents: ReportContents) -> list[tuple[str, str]]:
    result, device = contents.result, contents.result.get("device") or {}
    space = result["space"]
    rows = {
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
        rows["measured"] = f"{times.min()} to {times.max()} (UTC), {len(contents.log)} rows"
    return [(name, str(value)) for name, value in rows.items()]
