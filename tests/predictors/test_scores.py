import pytest

from predictors.scores import ModelScore, mean_score, score


def test_score_by_hand() -> None:
    # Errors 4 %, 8 %, 0 %, 50 %; one of six pairs is out of order, so tau = (5 - 1) / 6.
    found = score("m", [104, 216, 300, 200], [100, 200, 300, 400])
    assert found.mape == pytest.approx((0.04 + 0.08 + 0 + 0.5) / 4)
    assert (found.within_5, found.within_10) == (0.5, 0.75)
    # predicted ranks 1 3 4 2 against 1 2 3 4: rho = 1 - 6 * 6 / 60.
    assert found.spearman == pytest.approx(0.4)
    assert found.kendall == pytest.approx(2 / 6)


def test_a_constant_prediction_ranks_nothing() -> None:
    found = score("m", [1, 1], [1, 2])
    assert (found.spearman, found.kendall) == (0.0, 0.0)


def test_shapes_must_agree() -> None:
    with pytest.raises(
        ValueError, match=r"must have the shape of 'actual_ms', \(2,\)\. Got \(3,\)"
    ):
        score("m", [1, 2, 3], [1, 2])


def test_mean_of_scores() -> None:
    scores = [ModelScore("m", 0.1, 0, 0.5, 1, 1), ModelScore("m", 0.3, 1, 0.5, 0, 0.5)]
    assert mean_score(scores) == ModelScore("m", 0.2, 0.5, 0.5, 0.5, 0.75)
