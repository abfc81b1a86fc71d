from dataclasses import replace
from pathlib import Path

import pytest
from support.fits import made_up_report

from automoe.cli.fit_report import names_in_short, print_report

Capture = pytest.CaptureFixture[str]
OUT = Path("p.predictor")


def test_every_role_is_told_and_many_names_are_counted(capsys: Capture) -> None:
    features = {f"feature_{place}": "feature" for place in range(15)}
    roles = {"run_id": "ignored", **features, "latency_ms": "target"}
    print_report(made_up_report(roles=roles), OUT, {})
    printed = capsys.readouterr().out
    assert printed.startswith("p.predictor: roofline, 40 rows\nfeature: feature_0, feature_1, ")
    assert "feature_11 and 3 more\ntarget: latency_ms\nignored: run_id\n" in printed
    assert all(len(line) <= 100 for line in printed.splitlines())
    assert "MAPE: mean error on unseen rows; within 5 %: rows that err by less; Spearman" in printed


@pytest.mark.parametrize(
    ("roles", "alike"),
    [
        ({"layers": "feature", "latency_ms": "target"}, "all features"),
        ({"layers": "feature, group", "vocab": "constant, group"}, "layers, vocab"),
    ],
)
def test_what_makes_groups_is_told(roles: dict[str, str], alike: str, capsys: Capture) -> None:
    print_report(made_up_report(roles=roles, n_groups=54), OUT, {})
    wanted = f"54 groups: rows alike in {alike}; each is fitted or tested as a whole\n"
    assert wanted in capsys.readouterr().out


def test_a_winner_with_a_larger_error_is_explained(capsys: Capture) -> None:
    report = made_up_report(mape=0.12, n_excluded=2)
    (best,) = report.models
    models = (best, replace(best, name="ridge", mape=0.09))
    print_report(replace(report, models=models), OUT, {"one more layer": 1.25})
    printed = capsys.readouterr().out
    assert "no model is clearly better than roofline: the smaller error of ridge may be" in printed
    assert "40 rows (2 failed and left out)\n" in printed
    assert printed.endswith("one more layer: +1.25 ms\n")


def test_a_few_names_are_all_told() -> None:
    assert names_in_short(["a", "b"]) == "a, b"
