import pytest
from support.workers import TimedWorkload

from profilers.workers.program.timing import samples_for


@pytest.mark.parametrize(
    ("walls_ms", "at_least_ms", "most", "kept"),
    [
        pytest.param([9, 2, 3, 4, 5], 10, 9, [9, 2], id="ends when its time is up"),
        pytest.param([9, 2, 3, 4, 5], 99, 3, [2, 3, 4], id="a first short one is left out"),
        pytest.param([50, 1], 10, 9, [50], id="one at least"),
    ],
)
def test_a_burst(walls_ms: list[float], at_least_ms: float, most: int, kept: list[float]) -> None:
    taken = samples_for(TimedWorkload(*walls_ms), at_least_ms, most)
    assert [sample["wall_ms"] for sample in taken] == kept
