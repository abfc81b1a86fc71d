"""This module draws the diagrams of a fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from devices.rounding import rounded
from predictors.conformal import left_out_coverage
from predictors.effects import Effect
from predictors.learning_curve import LearningCurve
from predictors.predictor import Predictor

BLUE, RED, INK = "#3b7dd8", "#d0453b", "#7a7a7a"
# The "address" of a mark begins with this when its rest is the text that a page shows on hovering.
TIP = "tip:"
_WORDS = {"ffn": "feed-forward", "mflops": "(MFLOPs)", "gflops": "(GFLOPs)", "mb": "(MB)"}
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


def readable(column: str) -> str:
    """Return the name of a column in words, such as "encoder feed-forward (MFLOPs)"."""
    words = column.removeprefix("feature_").split("_")
    return " ".join(_WORDS.get(word, word) for word in words)


def draw_parity(axes: Axes, unseen_ms: NDArray[np.float64], ratios: NDArray[np.float64]) -> None:
    """Draw the measured against the predicted latency of unseen rows."""
    latency_ms = unseen_ms * ratios
    points = axes.scatter(unseen_ms, latency_ms, s=14, color=BLUE)
    rows = enumerate(zip(unseen_ms, latency_ms, strict=True), start=1)
    points.set_urls(
        [
            f"{TIP}row {i}: predicted {rounded(guess)} ms, measured {rounded(ms)} ms"
            for i, (guess, ms) in rows
        ]
    )
    ends = [min(latency_ms.min(), unseen_ms.min()), max(latency_ms.max(), unseen_ms.max())]
    axes.plot(ends, ends, color=INK, linewidth=1)
    if ends[1] > 30 * ends[0]:
        axes.set(xscale="log", yscale="log")
    axes.set(xlabel="predicted without the row (ms)", ylabel="measured (ms)")


def draw_residuals(axes: Axes, ratios: NDArray[np.float64]) -> None:
    """Draw measured over predicted latencies in the order of the log; a trend is a drift."""
    points = axes.scatter(range(1, len(ratios) + 1), ratios, s=10, color=BLUE)
    points.set_urls(
        [f"{TIP}row {i}: {ratio:.3f} times the prediction" for i, ratio in enumerate(ratios, 1)]
    )
    axes.axhline(1.0, color=INK, linewidth=1)
    axes.set(xlabel="row of the log", ylabel="measured / predicted")


def draw_calibration(
    axes: Axes, ratios: NDArray[np.float64], groups: NDArray[np.int64] | None = None
) -> None:
    """Draw the share of rows under the bound from the other groups, by its confidence."""
    shares = {c: left_out_coverage(ratios, float(c), groups) for c in _CONFIDENCES}
    known = {c: share for c, share in shares.items() if share is not None}
    axes.plot([0.5, 1], [0.5, 1], color=INK, linewidth=1)
    axes.plot(list(known), list(known.values()), color=BLUE)
    points = axes.scatter(list(known), list(known.values()), s=10, color=BLUE)
    points.set_urls([f"{TIP}confidence {c:.2f}: held on {s:.1%}" for c, s in known.items()])
    axes.set(xlabel="confidence asked for", ylabel="share of rows under the bound")


def draw_effects(axes: Axes, effects: tuple[Effect, ...]) -> None:
    """Draw the change of the latency from the lower to the upper quartile of each column."""
    shown = effects[:_MOST_EFFECTS][::-1]
    colours = [RED if effect.change_ms > 0 else BLUE for effect in shown]
    names = [readable(effect.column) for effect in shown]
    bars = axes.barh(names, [e.change_ms for e in shown], color=colours)
    for bar, name, effect in zip(bars, names, shown, strict=True):
        bar.set_url(f"{TIP}{name}: {effect.change_ms:+.3g} ms")
    axes.axvline(0.0, color=INK, linewidth=1)
    axes.tick_params(axis="y", labelsize=7)
    axes.set(xlabel="change between the quartiles (ms)")


def draw_learning_curve(axes: Axes, curve: LearningCurve) -> None:
    """Draw the error on unseen rows by the number of rows fitted, and its law where it has one."""
    errors = [100 * mape for mape in curve.mapes]
    if curve.follows_law:
        rows = np.linspace(curve.rows[0], curve.rows[-1], 100)
        axes.plot(rows, 100 * (curve.floor + curve.slope / rows), color=INK, linewidth=1)
    else:
        axes.plot(curve.rows, errors, color=INK, linewidth=1)
    points = axes.scatter(curve.rows, errors, color=BLUE)
    points.set_urls(
        [f"{TIP}{n} rows: {error:.1f} %" for n, error in zip(curve.rows, errors, strict=True)]
    )
    axes.set(xlabel="rows fitted", ylabel="mean error on unseen rows (%)", ylim=(0, None))
