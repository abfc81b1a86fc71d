from dataclasses import replace

import pytest

from profilers import Protocol
from profilers.measuring.blocks import Block, Sample, Sensors
from profilers.measuring.disturbance import Referee


def block(
    *,
    cpu_ms: float = 10.0,
    before: Sensors | None = None,
    after: Sensors | None = None,
    busy_threads: int | None = 1,
    on_gpu: bool = False,
) -> Block:
    samples = (Sample(10.0, cpu_ms, {}),)
    return Block(samples, before or {}, after or {}, 1, busy_threads, on_gpu=on_gpu)


def judged(taken: Block) -> tuple[str, ...]:
    return Referee(Protocol()).judge(taken).disturbances


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        (block(), ()),
        (block(cpu_ms=8.4), ()),
        (block(cpu_ms=8.3), ("contended",)),
        (block(before={"pressure_ms": 0.0}, after={"pressure_ms": 1.9}), ()),
        (block(before={"pressure_ms": 0.0}, after={"pressure_ms": 2.1}), ("contended",)),
        (block(before={"throttle_events": 1}, after={"throttle_events": 2}), ("throttled",)),
        (block(before={"machine_ms": 0.0}, after={"machine_ms": 50.0}), ()),  # whose is unknown
        (
            block(
                before={"machine_ms": 0.0, "own_ms": 0.0},
                after={"machine_ms": 33.0, "own_ms": 10.0},
            ),
            ("contended",),
        ),
        (block(busy_threads=2), ("threads",)),
        (block(busy_threads=None), ()),
        (block(cpu_ms=5.0, busy_threads=2), ("contended", "threads")),
    ],
)
def test_a_block_is_judged_by_its_sensors(taken: Block, found: tuple[str, ...]) -> None:
    assert judged(taken) == found


def of_cores(cores: int, *, busy_ms: float, own_ms: float = 1000.0) -> Block:
    """A block of one second on a machine whose usable cores were busy for so long together."""
    before = {"clock_ms": 0.0, "own_ms": 0.0, "machine_ms": 0.0, "machine_cores": cores}
    after = {**before, "clock_ms": 1000.0, "own_ms": own_ms, "machine_ms": busy_ms}
    return block(cpu_ms=10.0, before=before, after=after)


@pytest.mark.parametrize(
    ("cores", "other_cores", "names"),
    [
        (1, 0.3, ("contended",)),
        (2, 0.3, ()),
        (2, 0.6, ("contended",)),
        (64, 3.0, ()),
        (64, 12.0, ()),
        (64, 20.0, ("contended",)),
    ],
)
def test_the_load_of_others_is_judged_for_each_usable_core(
    cores: int, other_cores: float, names: tuple[str, ...]
) -> None:
    assert judged(of_cores(cores, busy_ms=1000.0 + 1000 * other_cores)) == names


def test_waiting_of_others_is_no_disturbance_where_the_kernel_tells_ones_own() -> None:
    before = {"clock_ms": 0.0, "own_ms": 0.0, "wait_ms": 0.0, "pressure_ms": 0.0}
    after = {"clock_ms": 10.0, "own_ms": 10.0, "wait_ms": 0.1, "pressure_ms": 9.9}
    assert judged(block(before=before, after=after)) == ()
    assert judged(block(before=before, after={**after, "wait_ms": 3.0})) == ("contended",)


def test_waiting_for_a_gpu_is_no_contention() -> None:
    # A blocking wait: the process sleeps for 9.7 of 10 ms, and a thread of the driver works too.
    before = {"clock_ms": 0.0, "own_ms": 0.0, "wait_ms": 0.0}
    after = {"clock_ms": 10.0, "own_ms": 0.3, "wait_ms": 0.2}
    sleeping = block(cpu_ms=0.3, before=before, after=after, busy_threads=3, on_gpu=True)
    assert judged(sleeping) == ()
    assert sleeping.contention == pytest.approx(1.02)
    assert judged(replace(sleeping, on_gpu=False)) == ("contended", "threads")
    # When the process itself waits for a core, the GPU waits for it.
    assert judged(replace(sleeping, after={**after, "wait_ms": 3.0})) == ("contended",)


def test_blocks_are_not_repeated_on_a_machine_that_is_never_quiet() -> None:
    referee = Referee(Protocol())
    disturbed, quiet = block(cpu_ms=5.0), block()
    for taken in [disturbed] * 11:
        referee.judge(taken)
        assert referee.is_worth_repeating  # too few to tell
    referee.judge(disturbed)
    assert not referee.is_worth_repeating
    for taken in [quiet] * 6:
        referee.judge(taken)
    assert referee.is_worth_repeating


def test_a_clock_is_compared_with_what_is_usual_in_the_session() -> None:
    referee = Referee(Protocol(clock_limit=0.9))
    clocks = [1000.0, 2000.0, 2000.0, 2000.0, 1801.0, 1799.0]
    found = [referee.judge(block(before={"cpu_mhz": mhz})).disturbances for mhz in clocks]
    # The first one is slow as well, but nobody could know.
    assert found == [(), (), (), (), (), ("slow_clock",)]


def test_a_gpus_clock_is_judged_beside_the_processors() -> None:
    referee = Referee(Protocol())
    usual = {"cpu_mhz": 3000.0, "gpu_mhz": 1000.0}
    for _ in range(4):
        assert referee.judge(block(before=usual, after=usual)).disturbances == ()
    slow = {"cpu_mhz": 3000.0, "gpu_mhz": 899.0}  # below 90 %
    assert referee.judge(block(before=usual, after=slow)).disturbances == ("slow_clock",)


def test_a_gpu_slowed_down_by_heat_is_throttled() -> None:
    assert judged(block(before={"gpu_throttled": False}, after={"gpu_throttled": False})) == ()
    hot = {"gpu_throttled": True}
    assert judged(block(before=hot, after={"gpu_throttled": False})) == ("throttled",)


def test_the_temperature_is_that_of_the_hotter_processor() -> None:
    taken = block(before={"temperature_c": 50.0}, after={"gpu_temperature_c": 71.0})
    assert taken.temperature_c == 71.0
