from pathlib import Path

import pytest

from profilers import Point, Protocol, Sentinel


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("threads", 0, "'threads' must be at least 1 and finite. Got 0."),
        ("samples_per_block", 0, "'samples_per_block' must be at least 1 and finite. Got 0."),
        ("min_rounds", 1, "'min_rounds' must be at least 2 and finite. Got 1."),
        ("max_rounds", 2, "'max_rounds' must be at least 3 and finite. Got 2."),
        ("target_half_width", -0.1, "'target_half_width' must be at least 0 .* Got -0.1."),
        (
            "target_half_width",
            float("nan"),
            "'target_half_width' must be at least 0 .* Got nan.",
        ),
        ("chunk_size", 0, "'chunk_size' must be at least 1 and finite. Got 0."),
        ("warmup_seconds", -1, "'warmup_seconds' must be at least 0 and finite. Got -1."),
        ("contention_limit", 0.9, "'contention_limit' must be at least 1 and finite. Got 0.9."),
        ("drift_limit", -1, "'drift_limit' must be at least 0 and finite. Got -1."),
        ("max_block_retries", -1, "'max_block_retries' must be at least 0 and finite. Got -1."),
        ("max_point_seconds", float("inf"), "'max_point_seconds' must be at least 0 and finite"),
        ("timeout_s", 0.5, "'timeout_s' must be at least 1 and finite. Got 0.5."),
    ],
)
def test_a_setting_out_of_range_is_refused(setting: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**{setting: value})  # type: ignore[arg-type]


def test_the_fast_protocol_asks_less_of_every_point() -> None:
    fast, usual = Protocol.fast(threads=2, seed=5), Protocol()
    assert (fast.threads, fast.seed) == (2, 5)
    assert fast.max_rounds * fast.samples_per_block < usual.min_rounds * usual.samples_per_block
    assert fast.target_half_width > usual.target_half_width


@pytest.mark.parametrize("given", [{}, {"workload": Path("w.json"), "prepare": Path}])
def test_a_point_has_one_source_for_its_workload(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Point 'a' needs either 'workload' or 'prepare', not"):
        Point(point_id="a", **given)  # type: ignore[arg-type]


def test_a_point_gives_the_file_it_was_given_or_prepares_it() -> None:
    assert Point(point_id="a", workload=Path("there.json")).resolve() == Path("there.json")
    assert Point(point_id="a", prepare=lambda: Path("made.json")).resolve() == Path("made.json")


@pytest.mark.parametrize(
    ("run_ms", "samples"),
    [(0.0, 100), (1.0, 100), (8.0, 25), (50.0, 10), (100.0, 5), (167.0, 3), (5000.0, 3)],
)
def test_slow_samples_make_short_blocks_and_fast_ones_many(run_ms: float, samples: int) -> None:
    assert Protocol(samples_per_block=10, block_seconds=0.5).samples_of(run_ms) == samples


def test_a_sentinels_reference_is_a_time() -> None:
    with pytest.raises(ValueError, match="'reference_ms' must be positive. Got 0."):
        Sentinel(reference_ms=0)
