"""Draw what the sentinel of a real session saw, and what its correction brings.

    python docs/figures/session.py

The log is benchmarks/logs/wmt14_en_de_beam5_xeon_6_blocks.csv. The errors are those of predictions
by cross-validation, once of the corrected and once of the uncorrected latencies. The figures of the
caption are printed.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from style import BLUE, GREY, ORANGE, new_figure, save

from predictors import fit_log, read_table

HERE = Path(__file__).parent
LOG = HERE.parents[1] / "benchmarks/logs/wmt14_en_de_beam5_xeon_6_blocks.csv"


def errors(log: pd.DataFrame) -> NDArray[np.float64]:
    """Return how far each row lies from its prediction by the other rows, in percent."""
    return 100 * (fit_log(log).ratios - 1)


def main() -> None:
    """Write the picture and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=HERE / "session.svg")
    out = parser.parse_args().out
    log = read_table(LOG)
    times = pd.to_datetime(log["measured_at"])
    minutes = ((times - times.min()).dt.total_seconds() / 60).to_numpy()
    sentinel = 100 * (log["sentinel_drift"].to_numpy(dtype=float) - 1)
    corrected = errors(log)
    uncorrected = errors(log.assign(latency_ms=log["raw_latency_ms"]))

    figure = new_figure(7.2, 4.8)
    above, below = figure.subplots(2, sharex=True)
    above.axhline(0, color=GREY, linewidth=0.8)
    above.scatter(minutes, sentinel, s=16, color=GREY)
    above.set(ylabel="sentinel, %")
    above.set_title("The sentinel shows how the machine changes ...", loc="left", fontsize=11)
    below.axhline(0, color=GREY, linewidth=0.8)
    below.scatter(minutes, uncorrected, s=20, facecolor="none", edgecolor=ORANGE, label="as timed")
    below.scatter(minutes, corrected, s=16, color=BLUE, label="corrected")
    below.set(ylabel="off prediction, %", xlabel="minutes since the first point")
    below.set_title("... and each row is corrected for it", loc="left", fontsize=11)
    below.legend(frameon=False, ncols=2, loc="lower right")
    save(figure, out)
    print(
        f"{len(log)} rows in {minutes.max():.0f} minutes; the sentinel moved from "
        f"{sentinel.min():+.0f} to {sentinel.max():+.0f} %; mean error of predictions: "
        f"{np.abs(uncorrected).mean():.1f} % as timed, {np.abs(corrected).mean():.1f} % corrected"
    )


if __name__ == "__main__":
    main()
