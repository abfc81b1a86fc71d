"""Draw how a predictor of 50 measured subnets does on the 250 others of a log.

    python docs/figures/predicted_and_measured.py

The log is benchmarks/logs/wmt14_en_de_beam1_xeon.csv. The first 50 rows are fitted, the others were
never seen. The figures of the caption are printed.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from style import BLUE, GREY, ORANGE, new_figure, save

from predictors import fit_log, read_table

HERE = Path(__file__).parent
LOG = HERE.parents[1] / "benchmarks/logs/wmt14_en_de_beam1_xeon.csv"
ROWS, BUDGET_MS = 50, 400.0


@dataclass(frozen=True, slots=True)
class Unseen:
    """The rows that were not fitted, in milliseconds."""

    measured_ms: NDArray[np.float64]
    predicted_ms: NDArray[np.float64]
    upper_ms: NDArray[np.float64]

    @classmethod
    def of(cls, log: pd.DataFrame, *, rows: int) -> "Unseen":
        """Fit the first rows of a log and predict the others."""
        predictor = fit_log(log.head(rows))
        rest = log.iloc[rows:]
        bounds = predictor.predict(rest, confidence=0.95)
        columns = [rest["latency_ms"], bounds["predicted_ms"], bounds["upper_ms"]]
        return cls(*(column.to_numpy(dtype=float) for column in columns))

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Whether the upper bound of a row is within the budget."""
        return self.upper_ms <= BUDGET_MS

    def caption(self) -> str:
        """Return the figures that the picture shows, in one line."""
        error = np.abs(self.predicted_ms / self.measured_ms - 1)
        over = self.accepted & (self.measured_ms > BUDGET_MS)
        return (
            f"{len(error)} unseen subnets: mean error {100 * error.mean():.1f} %; "
            f"{100 * np.mean(error < 0.05):.0f} % are within 5 %; the bound at 0.95 held on "
            f"{100 * np.mean(self.measured_ms <= self.upper_ms):.0f} %; of {self.accepted.sum()} "
            f"whose bound is within {BUDGET_MS:.0f} ms, {over.sum()} took longer"
        )


def draw(axes: Axes, unseen: Unseen) -> None:
    """Draw prediction and bound over the measured latency."""
    low, high = unseen.measured_ms.min() - 15, unseen.measured_ms.max() + 15
    axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, zorder=1)
    axes.axhspan(low, BUDGET_MS, color=ORANGE, alpha=0.08, linewidth=0)
    axes.axhline(BUDGET_MS, color=ORANGE, linewidth=1)
    axes.text(high, BUDGET_MS + 6, f"budget {BUDGET_MS:.0f} ms", color=ORANGE, ha="right")
    axes.vlines(unseen.measured_ms, unseen.predicted_ms, unseen.upper_ms, color=BLUE, alpha=0.35)
    kinds = ((unseen.accepted, BLUE, "within the budget"), (~unseen.accepted, "white", "above it"))
    for chosen, face, name in kinds:
        axes.scatter(
            unseen.measured_ms[chosen],
            unseen.predicted_ms[chosen],
            s=16,
            facecolor=face,
            edgecolor=BLUE,
            linewidth=0.7,
            zorder=2,
            label=f"upper bound {name}",
        )
    axes.legend(frameon=False, loc="upper left")
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.set(xlabel="measured latency, ms", ylabel="predicted latency and its upper bound, ms")


def main() -> None:
    """Write the picture and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=HERE / "predicted_and_measured.svg")
    out = parser.parse_args().out
    unseen = Unseen.of(read_table(LOG), rows=ROWS)
    figure = new_figure(7.2, 4.4)
    axes = figure.subplots()
    draw(axes, unseen)
    axes.set_title("50 measured subnets predict 250 others", loc="left", fontweight="bold")
    save(figure, out)
    print(unseen.caption())


if __name__ == "__main__":
    main()
