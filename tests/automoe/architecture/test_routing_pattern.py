import json
from pathlib import Path

import numpy as np
import pytest

from automoe.architecture.routing_pattern import RoutingPattern, RoutingTraceError, router_bias

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
    share = (
        np.bincount(RoutingPattern("skewed", alpha=2.0).experts(WIDTHS, 20_000, np_rng)) / 20_000
    )
    weights = np.array([1, 1 / 4, 1 / 9])
    assert share == pytest.approx(weights / weights.sum(), abs=0.02)


@pytest.mark.parametrize("text", ["balanced", "worst", "skewed:1.5", "skewed:2"])
def test_text_round_trip(text: str) -> None:
    assert str(RoutingPattern.parse(text)) == text


@pytest.mark.parametrize("text", ["", "skewed", "skewed:-1", "skewed:x", "random"])
def test_unknown_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'routing' must be balanced, worst, best, skewed:ALPHA"):
        RoutingPattern.parse(text)


def test_bias_decides_the_argmax(np_rng: np.random.Generator) -> None:
    expert = np.array([2, 0, 1, 1])
    logits = np_rng.standard_normal((4, 3)) * 50
    assert (logits + router_bias(expert, 3)).argmax(axis=1).tolist() == expert.tolist()


def test_the_best_case_sends_all_tokens_to_the_narrowest(np_rng: np.random.Generator) -> None:
    narrowest = WIDTHS.index(min(WIDTHS))
    assert set(RoutingPattern("best").experts(WIDTHS, 12, np_rng).tolist()) == {narrowest}


def trace_file(tmp_path: Path, content: object) -> str:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(content))
    return f"trace:{path}"


def test_a_trace_spreads_tokens_as_a_real_model_did(
    np_rng: np.random.Generator, tmp_path: Path
) -> None:
    text = trace_file(tmp_path, {"encoder": [[1, 1], [70, 20, 10]], "decoder": [[0, 5, 5]]})
    pattern = RoutingPattern.open(text)
    chosen = pattern.experts((8, 8, 8), 30, np_rng, stack="encoder", layer=1)
    assert np.bincount(chosen).tolist() == [21, 6, 3]
    # Two of three experts: 70 and 20 of 90. Layer 3 begins anew with the second one.
    chosen = pattern.experts((8, 8), 9, np_rng, stack="encoder", layer=3)
    assert np.bincount(chosen).tolist() == [7, 2]
    chosen = pattern.experts((8, 8, 8), 3, np_rng, stack="decoder", layer=0)
    assert np.bincount(chosen, minlength=3).tolist() == [0, 2, 1]


def test_a_trace_is_known_by_its_content(tmp_path: Path) -> None:
    content = {"encoder": [[1, 1]], "decoder": [[2, 1]]}
    pattern = RoutingPattern.open(trace_file(tmp_path, content))
    again = RoutingPattern.parse(str(pattern))
    assert str(again) == str(pattern)
    with pytest.raises(RoutingTraceError, match="is known by its digest only. Give its file"):
        again.experts((8, 8), 3, np.random.default_rng(0))


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"encoder": [[1]]},
        {"encoder": [], "decoder": [[1]]},
        {"encoder": [[-1]], "decoder": [[1]]},
    ],
)
def test_a_file_that_is_no_trace_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(RoutingTraceError, match="must hold token counts per expert"):
        RoutingPattern.open(trace_file(tmp_path, content))


def test_a_trace_with_too_few_experts_is_refused(tmp_path: Path) -> None:
    pattern = RoutingPattern.open(trace_file(tmp_path, {"encoder": [[1, 1]], "decoder": [[1]]}))
    with pytest.raises(RoutingTraceError, match="for 3 experts of encoder layer 0. Got"):
        pattern.experts((8, 8, 8), 3, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("balanced", [1 / 3] * 3), ("best", [1, 0, 0]), ("worst", [0.25, 0.5, 0.25])],
)
def test_shares_are_those_expected(text: str, expected: list[float]) -> None:
    assert RoutingPattern.parse(text).shares((8, 32, 16), 4) == pytest.approx(expected)
