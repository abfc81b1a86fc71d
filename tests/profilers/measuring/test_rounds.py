from pathlib import Path
from typing import Any

import pytest
from support.scripted import ScriptedDevice

from profilers import Point, ProfilingError, Protocol
from profilers.measuring.blocks import PointBlock
from profilers.measuring.disturbance import Referee
from profilers.measuring.rounds import Round
from profilers.workers.local import WorkerProcess

PROTOCOL = Protocol(samples_per_block=2, group_ms=0, max_block_retries=2, timeout_s=60.0)


class Recorded:
    """A round that has been run, and what it notified."""

    def __init__(
        self,
        device: ScriptedDevice,
        *workloads: Path,
        sentinel: Path | None = None,
        protocol: Protocol = PROTOCOL,
        usual_ms: dict[Path, float] | None = None,
    ) -> None:
        self.events: list[tuple[str, str, float | None]] = []
        points = [Point(point_id=path.stem, workload=path) for path in workloads]
        self.results: dict[str, Any] = {}
        self.usual_ms = usual_ms or {}
        taken = Round(
            lambda: WorkerProcess(device, timeout_s=protocol.timeout_s),
            Referee(protocol),
            sentinel=sentinel or device.workload("s", [1.0]),
            paths={path.stem: path for path in workloads},
            notify=self._notify,
            usual_ms=self.usual_ms,
        )
        for point, result in taken.run(points):
            self.results[point.point_id] = result

    def _notify(self, point: Point, event: str, median_ms: float | None = None) -> None:
        self.events.append((point.point_id, event, median_ms))

    def block(self, point_id: str) -> PointBlock:
        result = self.results[point_id]
        assert isinstance(result, PointBlock), result
        return result


def test_every_point_is_measured_between_readings_of_the_sentinel_in_one_process(
    device: ScriptedDevice,
) -> None:
    sentinel = device.workload("s", [1.0, 2.0, 3.0, 4.0])
    taken = Recorded(device, device.workload("a"), device.workload("b"), sentinel=sentinel)
    assert device.blocks() == ["a", "b"]
    assert taken.block("a").kept.sentinel_pairs_ms == [(1.0, 2.0)]
    assert taken.block("b").kept.sentinel_pairs_ms == [(3.0, 4.0)]
    assert device.pids() == [taken.block("a").pid] == [taken.block("b").pid]


def test_a_point_is_loaded_warmed_up_measured_and_unloaded(device: ScriptedDevice) -> None:
    path = device.workload("a")
    taken = Recorded(device, path)
    requests = device.journal("load", "warmup", "block", "unload")
    load, warmup, block, unload = [item for item in requests if item["workload"] == "a"]
    assert (load["workload"], load["threads"]) == ("a", 1)
    assert (warmup["min_runs"], warmup["min_seconds"], warmup["max_seconds"]) == (2, 0.3, 20.0)
    assert warmup["usual_ms"] is None
    settings = {name: block[name] for name in ("samples", "sentinel", "group_ms")}
    assert settings == {"samples": 2, "sentinel": "sentinel", "group_ms": 0}
    assert unload["op"] == "unload"
    assert taken.usual_ms[path] == 10.0  # what the scripted worker answers
    assert taken.block("a").load_ms == 7.0
    assert taken.block("a").runtime == "scripted 1.0"


def test_the_usual_time_of_a_run_is_the_shortest_that_settled(device: ScriptedDevice) -> None:
    # A slower run may end a warm-up too. If it counted, each round could be slower than the last.
    slow, fast = device.workload("slow", run_ms=12.0), device.workload("fast", run_ms=9.0)
    cold = device.workload("cold", run_ms=12.0, settled=False)
    taken = Recorded(device, slow, fast, cold, usual_ms={slow: 11.5, fast: 11.5})
    assert [taken.usual_ms.get(path) for path in (slow, fast, cold)] == [11.5, 9.0, None]


def test_a_contended_block_is_repeated_and_the_quiet_one_counts(device: ScriptedDevice) -> None:
    path = device.workload("a", [30.0, 20.0, 10.0], contention=[3.0, 2.0, 1.2])
    taken = Recorded(device, path)
    assert [block.median_ms for block in taken.block("a").attempts] == [30.0, 20.0, 10.0]
    assert taken.block("a").kept.median_ms == 10.0
    assert taken.events == [("a", "retry", 30.0), ("a", "retry", 20.0), ("a", "block", 10.0)]


def test_when_no_attempt_is_quiet_the_quietest_counts(device: ScriptedDevice) -> None:
    path = device.workload("a", [30.0, 20.0, 10.0], contention=[3.0, 1.5, 2.0])
    taken = Recorded(device, path)
    assert device.blocks().count("a") == 3
    assert taken.block("a").kept.median_ms == 20.0


@pytest.mark.parametrize("request_", ["load", "warmup", "block", "unload"])
def test_a_crash_costs_one_block(device: ScriptedDevice, request_: str) -> None:
    crashing = device.workload("b", faults={f"{request_} 0": "crash"})
    taken = Recorded(device, device.workload("a"), crashing, device.workload("c"))
    first, second = device.pids()
    assert [taken.block(name).pid for name in "abc"] == [first, second, second]
    assert [taken.block(name).restarted for name in "abc"] == [False, True, False]
    assert ("b", "restart", None) in taken.events
    assert device.blocks().count("a") == 1


def test_a_point_that_crashes_twice_is_given_up_and_the_others_go_on(
    device: ScriptedDevice,
) -> None:
    crashing = device.workload("b", faults={"block": "crash"})
    taken = Recorded(device, device.workload("a"), crashing, device.workload("c"))
    assert taken.results["b"].startswith("It crashed the worker twice. The worker on 'scripted'")
    assert "Its last words: crashing in block" in taken.results["b"]
    assert device.blocks().count("b") == 2
    assert [taken.block(name).restarted for name in "ac"] == [False, False]
    assert [event for point, event, _ in taken.events if point == "b"] == ["restart"]


@pytest.mark.parametrize("request_", ["load", "warmup", "block", "unload"])
def test_a_point_the_runtime_refuses_fails_at_once_and_the_process_goes_on(
    device: ScriptedDevice, request_: str
) -> None:
    refused = device.workload("a", faults={request_: "refuse"})
    taken = Recorded(device, refused, device.workload("b"))
    assert taken.results["a"] == (
        f"The worker on 'scripted' failed in {request_!r}: "
        f"RuntimeError: {request_} refused by the script"
    )
    assert taken.block("b").kept.median_ms == 10.0
    assert len(device.pids()) == 1


def test_a_hanging_point_is_killed_in_time_and_tried_once_more(device: ScriptedDevice) -> None:
    hanging = device.workload("a", faults={"block 0": "hang"})
    protocol = Protocol(samples_per_block=2, timeout_s=2.0)
    taken = Recorded(device, hanging, device.workload("b"), protocol=protocol)
    assert taken.block("a").restarted
    assert not taken.block("b").restarted
    assert len(device.pids()) == 2


@pytest.mark.parametrize(
    "faults",
    [{"load": "refuse"}, {"warmup": "refuse"}, {"load": "crash"}, {"warmup": "crash"}],
)
def test_without_a_sentinel_nothing_is_measured(
    device: ScriptedDevice, faults: dict[str, str]
) -> None:
    sentinel = device.workload("s", faults=faults)
    with pytest.raises(
        ProfilingError, match=r"sentinel .*s.json cannot be run; give another 'sentinel'. The wor"
    ):
        Recorded(device, device.workload("a"), sentinel=sentinel)
    assert "a" not in device.blocks()


def test_a_round_without_points_starts_no_worker(device: ScriptedDevice) -> None:
    assert Recorded(device).results == {}
    assert device.pids() == []
