"""A session on the simulated device: its own process, the ordinary protocol, times to the digit."""

from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
from support.graphs import DIGIT, DOUBLE, LAYER, write_graph

from devices.simulated import SimulatedDevice
from devices.simulated_roofline import Simulation
from profilers import Call, Measurement, Point, Protocol, Sentinel, TensorSpec, Workload
from profilers import measure_points as measure
from profilers.workers.local import WorkerError, WorkerProcess
from profilers.workers.simulated import SimulatedWorker

# 1e6 FLOPs and bytes a second: one of them takes a thousandth of a millisecond.
SLOW = "gflops=0.001,gbps=0.001,overhead_us=1000"


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return workload(tmp_path, "layer", LAYER, 4)


def workload(folder: Path, name: str, graph: str, batch: int) -> Path:
    write_graph(folder / f"{name}.onnx", graph)
    shape = (batch, 3) if graph is LAYER else (batch,)
    call = Call("model", "graph", inputs={"x": TensorSpec("float32", shape, values=(1.0,))})
    path = folder / f"{name}{batch}.json"
    Workload({"graph": f"{name}.onnx"}, (call,)).save(path)
    return path


def outcome(path: Path, settings: str, rounds: int = 3, **sentinel: Any) -> Measurement:
    (measured,) = measure(
        [Point(point_id="p", workload=path)],
        device=SimulatedDevice(settings=settings),
        protocol=Protocol(min_rounds=rounds, max_rounds=rounds),
        sentinel=Sentinel(name="s", workload=path, **sentinel),
    )
    assert isinstance(measured, Measurement)
    return measured


def test_the_latency_is_the_roofline_of_the_graphs_costs(layer: Path) -> None:
    # Four rows of three numbers times a matrix of 3 x 2: 4 * 3 * 2 * 2 = 48 FLOPs.
    # Weights: matrix 24 bytes, bias 8, scale 8, axes 8. Put out: product, shifted, y and weighed
    # 32 bytes each, the probe 16. In all 48 + 128 + 16 = 192 bytes, 0.192 ms.
    # MatMul, Add, Tanh, Mul, Constant and ReduceSum: six operators, 6 ms.
    measured = outcome(layer, SLOW)
    assert measured.latency_ms == pytest.approx(6.192)
    ends_ms = (measured.ci_low_ms, measured.ci_high_ms)
    assert ends_ms == pytest.approx((measured.latency_ms, measured.latency_ms))
    assert measured.runtime == "SIMULATED roofline 1"
    assert measured.device.model.startswith("SIMULATED roofline")
    assert (measured.quality, measured.flags) == ("A", ())
    assert measured.energy_meter == "SIMULATED"


def test_a_repeated_call_takes_its_steps(tmp_path: Path) -> None:
    write_graph(tmp_path / "digit.onnx", DIGIT)
    digits = tuple(TensorSpec("int64", (1,), values=(digit,)) for digit in (3, 5, 7))
    decode = Call(
        "decode",
        "digit",
        repeat=3,
        inputs={
            "number": TensorSpec("float32", (1,), values=(0.0,)),
            "cache": TensorSpec("float32", (0,), values=()),
        },
        step_inputs={"digit": digits},
        carry={"longer": "number", "grown": "cache"},
    )
    Workload({"digit": "digit.onnx"}, (decode,)).save(tmp_path / "w.json")
    call_ms = outcome(tmp_path / "w.json", "gflops=1,gbps=1e-6,overhead_us=0", 2).call_ms
    # A step reads ten (4 bytes), and puts out digit, product and sum (12) and a cache of 4, 8
    # and 12 bytes: 20, 24 and 28 bytes, of which each takes a millisecond.
    assert call_ms["decode_step"] == pytest.approx(24.0)
    assert call_ms["decode"] == pytest.approx(72.0)


def test_the_same_session_gives_the_same_figures(layer: Path) -> None:
    first, second = (outcome(layer, f"{SLOW},noise=0.05", 2) for _ in range(2))
    assert replace(second, measured_at=first.measured_at) == first


def test_noise_depends_on_the_seed_and_the_process() -> None:
    noisy, other_seed = Simulation(noise=0.05), Simulation(noise=0.05, seed=1)
    workers = [SimulatedWorker(noisy, 1), SimulatedWorker(noisy, 2), SimulatedWorker(other_seed, 1)]
    factors = [worker.disturbance() for worker in workers]
    assert len(set(factors)) == 3
    assert factors[0] == SimulatedWorker(noisy, 1).disturbance()


def test_noise_is_of_the_size_asked_for() -> None:
    worker = SimulatedWorker(Simulation(noise=0.05), 1)
    factors = [worker.disturbance() for _ in range(4000)]
    assert mean(factors) == pytest.approx(1.0, abs=0.005)
    assert stdev(factors) == pytest.approx(0.05, rel=0.05)


def test_drift_makes_every_process_slower_and_the_sentinel_takes_it_back(layer: Path) -> None:
    undisturbed = 6.192  # see above
    drifting = outcome(layer, f"{SLOW},drift=0.03", reference_ms=undisturbed)
    # The second of three processes is the median: 1.03 times as slow.
    assert drifting.raw_latency_ms == pytest.approx(1.03 * undisturbed)
    assert drifting.latency_ms == pytest.approx(undisturbed)


def test_an_unreadable_workload_is_refused_and_the_worker_lives_on(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    path = workload(tmp_path, "double", DOUBLE, 2)
    with WorkerProcess(SimulatedDevice(settings="")) as worker:
        with pytest.raises(WorkerError, match="bad.json"):
            worker.request("load", id="w", workload=str(tmp_path / "bad.json"), threads=1)
        worker.request("load", id="w", workload=str(path), threads=1)
        assert worker.request("routing", id="w") == {"tokens_per_expert": {}}


def test_a_run_in_which_nothing_is_left_to_compute_is_still_a_call(tmp_path: Path) -> None:
    path = write_graph(
        tmp_path / "folded.onnx",
        "g () => (float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}> { y = Add(a, b) }",
    )
    workload = path.with_name("folded.workload.json")
    Workload({"g": path.name}, (Call("run", "g"),)).save(workload)
    assert outcome(workload, SLOW).latency_ms == pytest.approx(1.0)


def test_a_block_does_not_depend_on_what_the_worker_measured_before(tmp_path: Path) -> None:
    first, other = (workload(tmp_path, f"layer{i}", LAYER, i) for i in (2, 4))

    def block(*paths: Path, number: int = 1, **session: int) -> dict[str, Any]:
        worker = SimulatedWorker(Simulation.parse(f"{SLOW},noise=0.05"), number)
        for path in paths:
            load = {"id": "w", "workload": str(path), "threads": 1, "seed": 0, "round": 1}
            worker.load(load | session)
            reply = worker.block({"id": "w", "samples": 5})
        return reply

    assert block(first) == block(other, first) == block(first, number=7)
    assert block(first) != block(first, round=2) != block(first, seed=1)
    assert block(first)["samples"] != block(other)["samples"]
