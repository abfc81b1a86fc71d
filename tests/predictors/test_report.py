from dataclasses import replace

import pytest
from support.fits import made_up_report

from predictors.learning_curve import LearningCurve
from predictors.report import Coverage

# At n = 50: 1 % + 1 / 50 = 3 %.
CURVE = LearningCurve((20, 40), (0.06, 0.035), floor=0.01, slope=1.0)


UNEVEN = replace(CURVE, mapes=(0.045, 0.045))
AS_BEFORE = "if the error goes on falling as before"


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (0.03, "enough: 3.0% on unseen rows, goal 3.0%"),
        (
            0.02,
            "not enough yet: 3.0% on unseen rows, goal 2.0%; about 50 more rows are needed "
            f"{AS_BEFORE}",
        ),
        (
            0.01,
            "not enough yet: 3.0% on unseen rows, goal 1.0%; no number of rows reaches it "
            f"with roofline {AS_BEFORE}: another model may win, or a feature is missing",
        ),
    ],
)
def test_the_verdict(goal: float, verdict: str) -> None:
    report = made_up_report(mape=0.03, n_rows=50, learning_curve=CURVE)
    assert report.verdict(goal) == verdict


@pytest.mark.parametrize(
    ("curve", "outlook"),
    [
        (None, "too few rows to say what more of them would bring"),
        (UNEVEN, "the error falls too unevenly to say what more rows would bring"),
    ],
)
def test_without_a_law_nobody_knows(curve: LearningCurve | None, outlook: str) -> None:
    report = made_up_report(mape=0.03, n_rows=50, learning_curve=curve)
    assert report.verdict(0.02).endswith("measure 20 more to see how fast it falls")
    assert report.outlook == outlook


@pytest.mark.parametrize(
    ("slope", "gain"),
    [(1.0, "0.6 points"), (0.05, "less than 0.1 points")],  # 1 / 50 - 1 / 70 is 0.57 points
)
def test_the_outlook_is_in_points(slope: float, gain: str) -> None:
    mapes = (0.01 + slope / 20, 0.01 + slope / 40)
    curve = replace(CURVE, mapes=mapes, slope=slope)
    report = replace(made_up_report(n_rows=50), learning_curve=curve)
    assert report.outlook == f"{AS_BEFORE}, 20 more measurements lower it by {gain}"


def test_a_share_of_rows_on_which_a_bound_held_is_rounded_down() -> None:
    report = made_up_report(coverage=(Coverage(0.95, 0.94999),))
    assert report.shown()["bound at 0.95 held on"] == "94.9 %"


def test_a_winner_with_a_larger_error_is_explained() -> None:
    (best,) = made_up_report(mape=0.121).models
    other = replace(best, name="roofline_gaussian", mape=0.087)
    assert replace(made_up_report(), models=(best, other)).choice == (
        "no model is clearly better than roofline: the smaller error of roofline_gaussian may be "
        "chance (within two standard errors), and roofline is simpler"
    )
    assert replace(made_up_report(), models=(best, replace(other, mape=0.13))).choice == ""
