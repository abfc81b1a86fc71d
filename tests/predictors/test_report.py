from dataclasses import replace

import pytest
from support.fits import made_up_report

from predictors.learning_curve import LearningCurve
from predictors.report import Coverage

# At n = 50: 1 % + 1 / 50 = 3 %.
CURVE = LearningCurve((20, 40), (0.06, 0.035), floor=0.01, slope=1.0)


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (0.03, "enough: 3.0% on unseen rows, goal 3.0%"),
        (0.02, "not enough yet: 3.0% on unseen rows, goal 2.0%; about 50 more rows are needed"),
        (0.01, "not enough yet: 3.0% on unseen rows, goal 1.0%; more rows alone are not enough, "),
    ],
)
def test_the_verdict(goal: float, verdict: str) -> None:
    report = made_up_report(mape=0.03, n_rows=50, learning_curve=CURVE)
    assert report.verdict(goal).startswith(verdict)


def test_without_a_curve_nobody_knows() -> None:
    report = made_up_report(mape=0.03, n_rows=50, learning_curve=None)
    assert report.verdict(0.02).endswith("measure 20 more to see how fast it falls")
    assert report.outlook == "too few rows to say what more of them would bring"


def test_the_outlook_is_in_points() -> None:
    report = replace(made_up_report(n_rows=50), learning_curve=CURVE)
    # 1 / 50 - 1 / 70 is 0.57 points.
    assert report.outlook == (
        "20 more measurements would lower the error by 0.6 points; "
        "about 1.0% would remain with any number"
    )


def test_a_share_of_rows_on_which_a_bound_held_is_rounded_down() -> None:
    report = made_up_report(coverage=(Coverage(0.95, 0.94999),))
    assert report.shown()["bound at 0.95 held on"] == "94.9 %"


def test_no_error_of_zero_is_promised() -> None:
    curve = replace(CURVE, floor=0.0)
    report = replace(made_up_report(n_rows=50), learning_curve=curve)
    assert report.outlook.endswith("what would remain with any number cannot be seen yet")
