"""This module draws the diagrams of a fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from predictors.conformal import left_out_coverage
from predictors.effects import Effect
from predictors.learning_curve import LearningCurve
from predictors.predictor import Predictor

BLUE, RED, INK = "#3b7dd8", "#d0453b", "#7a7a7a"
_SIZE = (6.4, 3.6)  # inches
_DPI = 150
_CONFIDENCES = np.linspace(0.5, 0.98, 25)
_MOST_EFFECTS = 12


def drawings(predictor: Predictor) -> dict[str, Callable[[Axes], None]]:
    """Return the functions that draw the diagrams of a fit, by name.

    A diagram without data is left out.
    """
    report, curve = predictor.report, predictor.report.learning_curve
    by_name: dict[str, Callable[[Axes], None]] = {
        "parity": lambda axes: draw_parity(axes, predictor.unseen_ms, predictor.ratios),
        "residuals": lambda axes: draw_residuals(axes, predictor.ratios),
        "calibration": lambda axes: draw_calibration(axes, predictor.ratios, predictor.groups),
    }
    if report.effects:
        by_name["effects"] = lambda axes: draw_effects(axes, report.effects)
    if curve is not None:
        by_name["learning_curve"] = lambda axes: draw_learning_curve(axes, curve)
    return by_name


def save_figures(predictor: Predictor, folder: Path) -> tuple[Path, ...]:
    """Write every diagram of a fit as PNG into a folder, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in drawings(predictor).items():
        figure = Figure(figsize=_SIZE, layout="constrained")
        draw(figure.add_subplot())
        written.append(folder / f"{name}.png")
        figure.savefig(written[-1], dpi=_DPI)
    return tuple(written)


def draw_parity(axes: Axes, unseen_ms: NDArray[np.float64], ratios: NDArray[np.float64]) -> None:
    """Draw the measured against the predicted latency of unseen rows."""
    latency_ms = unseen_ms * ratios
    axes.scatter(unseen_ms, latency_ms, s=14, color=BLUE)
    ends = [min(latency_ms.min(), unseen_ms.min()), max(latency_ms.max(), unseen_ms.max())]
    axes.plot(ends, ends, color=INK, linewidth=1)
    if ends[1] > 30 * ends[0]:
        axes.set(xscale="log", yscale="log")
    axes.set(xlabel="predicted without the row (ms)", ylabel="measured (ms)")


def draw_residuals(axes: Axes, ratios: NDArray[np.float64]) -> None:
    """Draw measured over predicted latencies in the order of the log; a trend is a drift."""
    axes.plot(range(1, len(ratios) + 1), ratios, ".", color=BLUE)
    axes.axhline(1.0, color=INK, linewidth=1)
    axes.set(xlabel="row of the log", ylabel="measured / predicted")


def draw_calibration(
    axes: Axes, ratios: NDArray[np.float64], groups: NDArray[np.int64] | None = None
) -> None:
    """Draw the share of rows under the bound from the other groups, by its confidence."""
    shares = {c: left_out_coverage(ratios, float(c), groups) for c in _CONFIDENCES}
    known = {c: share for c, share in shares.items() if share is not None}
    axes.plot([0.5, 1], [0.5, 1], color=INK, linewidth=1)
    axes.plot(list(known), list(known.values()), ".-", color=BLUE)
    axes.set(xlabel="confidence asked for", ylabel="share of rows under the bound")


def draw_effects(axes: Axes, effects: tuple[Effect, ...]) -> None:
    """Draw the change of the latency from the lower to the upper quartile of each column."""
    shown = effects[:_MOST_EFFECTS][::-1]
    colours = [RED if effect.change_ms > 0 else BLUE for effect in shown]
    axes.barh([e.column for e in shown], [e.change_ms for e in shown], color=colours)
    axes.axvline(0.0, color=INK, linewidth=1)
    axes.tick_params(axis="y", labelsize=7)
    axes.set(xlabel="change of the latency from the lower to the upper quartile (ms)")


def draw_learning_curve(axes: Axes, curve: LearningCurve) -> None:
    """Draw the error on unseen rows by the number of rows fitted."""
    rows = np.linspace(curve.rows[0], 2 * curve.rows[-1], 100)
    axes.plot(rows, 100 * (curve.floor + curve.slope / rows), color=INK, linewidth=1)
    axes.plot(curve.rows, [100 * mape for mape in curve.mapes], "o", color=BLUE)
    axes.axhline(100 * curve.floor, color=INK, linewidth=1, linestyle="--")
    axes.set(xlabel="rows fitted", ylabel="mean error on unseen rows (%)", ylim=(0, None))
