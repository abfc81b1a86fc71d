import numpy as np
import pytest

from automoe.routing_pattern import RoutingPattern, router_bias

WIDTHS = (16, 64, 32)


@pytest.fixture
def np_rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_balanced_serves_all_equally(np_rng: np.random.Generator) -> None:
    chosen = RoutingPattern().experts(WIDTHS, 12, np_rng)
    assert np.bincount(chosen).tolist() == [4, 4, 4]


def test_worst_touches_all_and_fills_the_widest(np_rng: np.random.Generator) -> None:
    chosen = RoutingPattern("worst").experts(WIDTHS, 12, np_rng)
    assert np.bincount(chosen).tolist() == [1, 10, 1]
    assert RoutingPattern("worst").experts(WIDTHS, 1, np_rng).tolist() == [1]


def test_skew_prefers_the_first(np_rng: np.random.Generator) -> None:
    share = np.bincount(RoutingPattern("skewed", 2.0).experts(WIDTHS, 20_000, np_rng)) / 20_000
    weights = np.array([1, 1 / 4, 1 / 9])
    assert share == pytest.approx(weights / weights.sum(), abs=0.02)


@pytest.mark.parametrize("text", ["balanced", "worst", "skewed:1.5", "skewed:2"])
def test_text_round_trip(text: str) -> None:
    assert str(RoutingPattern.parse(text)) == text


@pytest.mark.parametrize("text", ["", "skewed", "skewed:-1", "skewed:x", "random"])
def test_unknown_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'routing' must be balanced, worst or skewed:ALPHA"):
        RoutingPattern.parse(text)


def test_bias_decides_the_argmax(np_rng: np.random.Generator) -> None:
    expert = np.array([2, 0, 1, 1])
    logits = np_rng.standard_normal((4, 3)) * 50
    assert (logits + router_bias(expert, 3)).argmax(axis=1).tolist() == expert.tolist()
