"""This module draws the diagrams of a report as inline SVG."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from automoe.report.contents import Candidate, pareto_front
from automoe.training import Record
from predictors import Predictor
from predictors.figures import BLUE, INK, RED, drawings

_SIZE = (6.4, 3.6)  # inches
_GREEN = "#2f9e5b"
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
        points = axes.scatter(*_points(candidates), c=generation, s=14, cmap="viridis")
        axes.figure.colorbar(points, ax=axes, label="generation")
        axes.step(*_points(front), where="post", color=_GREEN, label="Pareto front")
        axes.axvline(result["budget_ms"], color=RED, linestyle="--", label="budget")
        if winner:
            axes.scatter(*_points(winner), marker="*", s=140, color=RED, label="returned")
        axes.set(xlabel="upper bound of the latency (ms)", ylabel="validation loss (nats/token)")
        axes.legend(frameon=False, labelcolor=INK)

    return _svg(draw, "search", "Upper bound of the latency against validation loss")


def _points(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
    return [c.upper_ms for c in candidates], [c.loss for c in candidates]


def fit_figures(predictor: Predictor) -> dict[str, str]:
    """Draw the diagrams of a fit. The result has them by name. See ``predictors.figures``."""
    return {name: _svg(draw, name, _LABELS[name]) for name, draw in drawings(predictor).items()}


def drift_figure(log: pd.DataFrame) -> str:
    """Draw the sentinel of each row, over the level to which the row is corrected."""
    ordered = log.sort_values("measured_at")

    def draw(axes: Axes) -> None:
        axes.plot(range(1, len(ordered) + 1), ordered["sentinel_drift"], "-", color=BLUE)
        axes.axhline(1.0, color=INK, linewidth=1)
        axes.set(xlabel="row, in measuring order", ylabel="sentinel / reference level")

    return _svg(draw, "drift", "Sentinel drift in measuring order")


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
            "o-",
            color=_GREEN,
            label="validation: largest subnet",
        )
        axes.set(xlabel="update", ylabel="loss (nats per token)")
        axes.legend(frameon=False, labelcolor=INK)

    return _svg(draw, "training", "Training and validation loss over updates")


def _svg(draw: Callable[[Axes], None], name: str, label: str) -> str:
    """Return the drawing without a background. ``name`` makes its ids unique on the page."""
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        for each in figure.axes:
            _colour(each)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    svg = out.getvalue()
    # Axes get the colour of the page's text, which is light or dark.
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)


def _colour(axes: Axes) -> None:
    axes.tick_params(colors=INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK)
