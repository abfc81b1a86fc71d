from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from predictors import fit_log
from predictors.figures import draw_calibration, save_figures


def test_a_fit_is_drawn(roofline_log: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    predictor = fit_log(roofline_log(40, seed=0))
    files = save_figures(predictor, tmp_path / "plots")
    names = ["parity", "residuals", "calibration", "effects", "learning_curve"]
    assert [file.stem for file in files] == names
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_exchangeable_ratios_are_calibrated() -> None:
    axes = Figure().add_subplot()
    draw_calibration(axes, np.exp(0.1 * np.random.default_rng(0).standard_normal(200)))
    _, curve = axes.get_lines()
    asked, held = map(np.asarray, curve.get_data())
    # An upper bound below the prediction is raised to it, so small confidences hold more often.
    high = asked > 0.6
    np.testing.assert_allclose(held[high], asked[high], atol=0.02)
