from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from predictors import fit_log
from predictors.figures import draw_calibration, draw_learning_curve, save_figures
from predictors.learning_curve import LearningCurve


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


@pytest.mark.parametrize(
    ("mapes", "start"),
    [((0.22, 0.11, 0.07), 22.0), ((0.41, 0.37, 0.08), 41.0)],
)
def test_a_law_far_from_its_points_is_not_drawn(mapes: tuple[float, ...], start: float) -> None:
    axes = Figure().add_subplot()
    draw_learning_curve(axes, LearningCurve((10, 20, 40), mapes, floor=0.02, slope=2.0))
    (line,) = axes.get_lines()
    rows, errors = map(np.asarray, line.get_data())
    assert errors[0] == pytest.approx(start)
    # 12 % is the law's at 20 rows; the points themselves are joined where it misses them.
    assert np.interp(20, rows, errors) == pytest.approx(12.0 if start == 22 else 37.0, rel=0.01)
