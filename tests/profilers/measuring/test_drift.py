import pytest

from profilers.measuring.drift import SentinelTrack


def test_a_movement_of_the_sentinel_is_taken_out_of_the_samples_next_to_it() -> None:
    moved = SentinelTrack(reference_ms=2.0)
    # The geometric means of the pairs are 2, 3 and 4.
    pairs = [(2.0, 2.0), (1.0, 9.0), (4.0, 4.0)]
    assert moved.corrections(pairs) == pytest.approx([1.0, 2 / 3, 0.5])


def test_the_reference_is_the_median_of_all_readings_until_it_is_settled() -> None:
    moving = SentinelTrack()
    moving.add(1.0, 2.0)
    moving.add(3.0, 9.0)
    assert moving.reference_ms == 2.5
    assert moving.corrections([(5.0, 5.0)]) == [0.5]
    moving.settle()
    moving.add(90.0, 90.0)
    assert moving.reference_ms == 2.5


def test_a_level_of_an_earlier_session_is_kept() -> None:
    track = SentinelTrack(reference_ms=1.0)
    track.add(3.0, 3.0)
    track.settle()
    assert track.reference_ms == 1.0
