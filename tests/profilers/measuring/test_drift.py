from random import Random

import pytest

from profilers.measuring.drift import SentinelTrack


def track(*pairs: tuple[float, float], reference_ms: float | None = None) -> SentinelTrack:
    made = SentinelTrack(reference_ms)
    for pair in pairs:
        made.add(*pair)
    return made


def test_a_machine_that_did_not_move_needs_no_correction() -> None:
    steady = track(*[(2.0, 2.0)] * 3)
    assert (steady.share, steady.reference_ms) == (0.0, 2.0)
    assert steady.corrections([(2.0, 2.0)]) == [1.0]
    assert SentinelTrack(1.0).corrections([(3.0, 3.0)]) == [1.0]  # nothing was read yet


def test_a_movement_that_both_readings_show_is_taken_back_whole() -> None:
    moved = track((1.0, 1.0), (1.2, 1.2), reference_ms=1.0)
    assert moved.share == 1.0
    assert moved.corrections([(1.0, 1.0), (1.2, 1.2)]) == pytest.approx([1.0, 1 / 1.2])


def test_readings_that_disagree_with_each_other_are_noise() -> None:
    # Their geometric means are all at the reference but one, which is as far off as noise goes.
    noisy = track((0.9, 1 / 0.9), (1 / 0.9, 0.9), (1.0, 1.0), reference_ms=1.0)
    assert noisy.share == 0.0


def test_noise_alone_is_hardly_corrected_and_a_step_nearly_whole() -> None:
    rng = Random(0)

    def pairs(level: float) -> list[tuple[float, float]]:
        return [(level * rng.gauss(1, 0.01), level * rng.gauss(1, 0.01)) for _ in range(200)]

    assert track(*pairs(1.0)).share < 0.2
    stepped = track(*pairs(1.0), *pairs(1.1), reference_ms=1.0)
    assert stepped.share > 0.95
    assert stepped.corrections([(1.1, 1.1)])[0] == pytest.approx(1 / 1.1, rel=0.01)


def test_the_reference_is_the_median_until_it_is_settled() -> None:
    moving = track((1.0, 2.0), (3.0, 9.0))
    assert moving.reference_ms == 2.5
    assert moving.settle() == 2.5
    moving.add(90.0, 90.0)
    assert moving.reference_ms == 2.5
