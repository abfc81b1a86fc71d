"""This module draws the diagrams of a report as inline SVG."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from automoe.report.contents import Candidate, pareto_front
from automoe.training import Record
from devices.rounding import rounded, rounded_down, rounded_up
from predictors import Predictor
from predictors.figures import BLUE, INK, RED, TIP, drawings

# On a telephone a figure fills the width, and its text is as large as the caption's.
_SIZE = (4.4, 3.1)  # inches
_GREEN = "#2f9e5b"
# Both ends have a contrast of at least 3 to a white page and to a dark one.
GENERATIONS = LinearSegmentedColormap.from_list("generations", ["#3b7dd8", "#a063cb", "#d0652b"])
_THEMED = {INK: "currentColor", BLUE: "var(--blue)", RED: "var(--red)", _GREEN: "var(--green)"}
_STYLE: Any = {"svg.fonttype": "none", "font.size": 8.5, "font.family": "sans-serif"}
_LEAST_BARS = 5  # the height of a figure is divided by at least so many bars
_SHOWN_ROWS = 400  # a page of a longer log would be heavy
# A label, a latency and both ends of its 95 % interval.
Latency = tuple[str, float, float, float]
_LABELS = {
    "parity": "Measured against predicted latency",
    "residuals": "Ratio of measured to predicted latency by row of the log",
    "calibration": "Share of rows under the bound by its confidence",
    "effects": "Change of the latency with each feature",
    "learning_curve": "Error on unseen rows by the number of rows fitted",
}


def search_figure(candidates: Sequence[Candidate], result: Mapping[str, Any]) -> str:
    """Draw upper bound and loss of all candidates, with the front, the budget and the winner."""
    front = pareto_front(candidates)
    winner = [c for c in candidates if c.architecture_id == result["architecture_id"]]

    def draw(axes: Axes) -> None:
        generation = [c.generation for c in candidates]
        points = axes.scatter(*_points(candidates), c=generation, s=14, cmap=GENERATIONS)
        points.set_urls([_tip(c) + (", returned" if c in winner else "") for c in candidates])
        if max(generation) > min(generation):
            bar = axes.figure.colorbar(points, ax=axes, location="top", aspect=40)
            bar.set_label("generation")
            bar.locator = MaxNLocator(integer=True)
        axes.step(*_points(front), where="post", color=_GREEN, label="Pareto front")
        axes.axvline(result["budget_ms"], color=RED, linestyle="--", label="budget")
        if winner:
            star = axes.scatter(*_points(winner), marker="*", s=120, color=RED, label="returned")
            star.set_urls([f"{_tip(winner[0])}, returned"])
        axes.set(xlabel="upper bound of the latency (ms)", ylabel="validation loss (nats/token)")
        _legend(axes)

    return _svg(draw, "search", "Upper bound of the latency against validation loss")


def fronts_figure(runs: Mapping[str, Sequence[Candidate]]) -> str:
    """Draw the Pareto fronts of two runs, by the name of the run."""

    def draw(axes: Axes) -> None:
        for (name, candidates), colour in zip(runs.items(), (BLUE, RED), strict=True):
            front = pareto_front(candidates)
            axes.step(*_points(front), where="post", color=colour, label=name)
            points = axes.scatter(*_points(front), s=14, color=colour)
            points.set_urls([f"{_tip(candidate)}, {name}" for candidate in front])
        axes.set(xlabel="upper bound of the latency (ms)", ylabel="validation loss (nats/token)")
        _legend(axes)

    return _svg(draw, "fronts", "Pareto fronts of both runs")


def _points(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
    return [c.upper_ms for c in candidates], [c.loss for c in candidates]


def _tip(candidate: Candidate) -> str:
    return (
        f"{TIP}{candidate.architecture_id}: at most {rounded_up(candidate.upper_ms)} ms, "
        f"loss {candidate.loss:.4g}, generation {candidate.generation}"
    )


def fit_figures(predictor: Predictor) -> dict[str, str]:
    """Draw the diagrams of a fit. The result has them by name. See ``predictors.figures``."""
    return {name: _svg(draw, name, _LABELS[name]) for name, draw in drawings(predictor).items()}


def drift_figure(log: pd.DataFrame) -> str:
    """Draw the sentinel of each row, over the level to which the row is corrected."""
    drift = log.sort_values("measured_at")["sentinel_drift"]
    shown = drift.iloc[:: 1 + len(drift) // _SHOWN_ROWS]
    numbers = range(1, len(drift) + 1, 1 + len(drift) // _SHOWN_ROWS)

    def draw(axes: Axes) -> None:
        axes.plot(range(1, len(drift) + 1), drift, "-", color=BLUE)
        points = axes.scatter(numbers, shown, s=8, color=BLUE)
        points.set_urls(
            [f"{TIP}row {i}: {value:.3f}" for i, value in zip(numbers, shown, strict=True)]
        )
        axes.axhline(1.0, color=INK, linewidth=1)
        axes.set(xlabel="row, in measuring order", ylabel="sentinel / reference level")

    return _svg(draw, "drift", "Sentinel drift in measuring order")


def intervals_figure(rows: Sequence[Latency], *, budget_ms: float | None, name: str) -> str:
    """Draw latencies with their 95 % intervals, one below the other.

    Args:
        rows: The measurements.
        budget_ms: The budget, or None.
        name: The name of the figure, which is unique on the page.
    """

    def draw(axes: Axes) -> None:
        places = range(len(rows))
        labels, latency_ms, low_ms, high_ms = zip(*rows, strict=True)
        tips = [
            f"{TIP}{label}: {rounded(ms)} ms, "
            f"95 % interval {rounded_down(low)} to {rounded_up(high)} ms"
            for label, ms, low, high in rows
        ]
        axes.hlines(places, low_ms, high_ms, color=BLUE, linewidth=2).set_urls(tips)
        axes.scatter(latency_ms, places, s=18, color=BLUE).set_urls(tips)
        if budget_ms is not None:
            axes.axvline(budget_ms, color=RED, linestyle="--", label="budget")
            _legend(axes)
        axes.set_yticks(places, labels)
        axes.invert_yaxis()
        axes.set(xlabel="latency with its 95 % interval (ms)")

    return _svg(draw, name, "Latencies with their 95 % intervals")


def latency_figure(latencies_ms: Sequence[float]) -> str:
    """Draw the latencies of a log in the order of its rows."""
    step = 1 + len(latencies_ms) // _SHOWN_ROWS
    numbers, shown = range(1, len(latencies_ms) + 1, step), latencies_ms[::step]

    def draw(axes: Axes) -> None:
        points = axes.scatter(numbers, shown, s=10, color=BLUE)
        points.set_urls(
            [f"{TIP}row {i}: {rounded(ms)} ms" for i, ms in zip(numbers, shown, strict=True)]
        )
        if max(shown) > 30 * min(shown) > 0:
            axes.set(yscale="log")
        axes.set(xlabel="row of the log", ylabel="latency (ms)")

    return _svg(draw, "latency", "Latency by row of the log")


def load_figure(loads: Mapping[str, Sequence[float]]) -> str:
    """Draw the share of tokens that each expert serves, by the name of the sparse layer."""

    def draw(axes: Axes) -> None:
        for place, (layer, shares) in enumerate(loads.items()):
            start = 0.0
            for expert, share in enumerate(shares, start=1):
                colour = BLUE if expert % 2 else _GREEN
                (bar,) = axes.barh(place, 100 * share, left=start, color=colour, edgecolor=INK)
                bar.set_url(f"{TIP}{layer}, expert {expert}: {share:.1%} of the tokens")
                start += 100 * share
        axes.set_yticks(range(len(loads)), list(loads))
        axes.set_ylim(max(len(loads), _LEAST_BARS) - 0.5, -0.5)
        axes.set(xlabel="share of the tokens (%)", xlim=(0, 100))

    return _svg(draw, "load", "Share of the tokens that each expert serves")


def training_figure(history: Sequence[Record]) -> str:
    """Draw training and validation loss over updates."""
    validated = [(r.update, r.valid_loss) for r in history if r.valid_loss is not None]

    def draw(axes: Axes) -> None:
        axes.plot(
            [r.update for r in history],
            [r.train_loss for r in history],
            color=BLUE,
            label="training: random subnets, smoothed",
        )
        axes.plot(
            [update for update, _ in validated],
            [loss for _, loss in validated],
            color=_GREEN,
            label="validation: largest subnet",
        )
        points = axes.scatter(
            [update for update, _ in validated],
            [loss for _, loss in validated],
            s=14,
            color=_GREEN,
        )
        points.set_urls([f"{TIP}update {update}: loss {loss:.3f}" for update, loss in validated])
        axes.set(xlabel="update", ylabel="loss (nats per token)")
        _legend(axes, columns=1)

    return _svg(draw, "training", "Training and validation loss over updates")


def _legend(axes: Axes, *, columns: int = 3) -> None:
    """Draw the legend below the axes, where it covers no point."""
    axes.figure.legend(
        loc="outside lower center", ncols=columns, frameon=False, labelcolor=INK, handlelength=1.5
    )


def _svg(draw: Callable[[Axes], None], name: str, label: str) -> str:
    """Return the drawing without a background. ``name`` makes its ids unique on the page."""
    with matplotlib.rc_context({"svg.hashsalt": name, **_STYLE}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        for each in figure.axes:
            _colour(each)
            _write_ticks(each.xaxis)
            _write_ticks(each.yaxis)
        if axes.get_xlabel().startswith(("row", "update")):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    # Colours get those of the page, which is light or dark.
    for colour, themed in _THEMED.items():
        svg = svg.replace(colour, themed)
    svg = re.sub(
        rf'<a xlink:href="{TIP}([^"]*)"[^>]*>(.*?)</a>',
        r"<g><title>\1</title>\2</g>",
        svg,
        flags=re.S,
    )
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)


def _write_ticks(axis: Axis) -> None:
    """Write plain numbers at a logarithmic axis, and more of them than the powers of ten."""
    if axis.get_scale() != "log":
        return
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _colour(axes: Axes) -> None:
    axes.tick_params(colors=INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK)
