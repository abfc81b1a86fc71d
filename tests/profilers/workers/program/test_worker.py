import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import DIGIT, DOUBLE, LAYER, digit_calls, write_graph
from support.workers import TimedWorkload, ask, load

from profilers import Call, TensorSpec, Workload
from profilers.workers.program.onnx_runtime import OnnxRuntimeWorker
from profilers.workers.program.worker import Worker


@pytest.fixture
def loaded(doubling: Path) -> Worker:
    worker = OnnxRuntimeWorker()
    assert load(worker, doubling)["load_ms"] > 0
    return worker


def test_hello_names_everything_that_moves_a_timing() -> None:
    import onnxruntime

    hello = ask(OnnxRuntimeWorker(), "hello")
    assert (hello["runtime"], hello["runtime_version"]) == ("onnxruntime", onnxruntime.__version__)
    assert hello["numpy"] == np.__version__
    assert hello["python"] == sys.version.split()[0]
    assert "CPUExecutionProvider" in hello["providers"]


def test_outputs_are_described_by_call_and_name(loaded: Worker) -> None:
    (described,) = ask(loaded, "outputs", id="w")["outputs"].values()
    ordered = described["y"].pop("ordered_sum")
    assert ordered == pytest.approx(2 + 4 * math.cos(1) + 8 * math.cos(2))
    assert described == {
        "y": {
            "shape": [3],
            "dtype": "float32",
            "sum": 14.0,
            "sum_of_sizes": 14.0,
            "finite": True,
        }
    }


def test_an_output_that_is_not_finite_has_no_sum(tmp_path: Path) -> None:
    write_graph(tmp_path / "double.onnx", DOUBLE)
    call = Call("model", "double", inputs={"x": TensorSpec("float32", (1,), values=(3e38,))})
    Workload({"double": "double.onnx"}, (call,)).save(tmp_path / "w.json")
    worker = OnnxRuntimeWorker()
    load(worker, tmp_path / "w.json")
    described = ask(worker, "outputs", id="w")["outputs"]["model"]["y"]
    assert (described["sum"], described["finite"]) == (None, False)


def test_calls_hand_on_outputs_and_carry_their_own(tmp_path: Path) -> None:
    write_graph(tmp_path / "double.onnx", DOUBLE)
    write_graph(tmp_path / "digit.onnx", DIGIT)
    graphs = {"double": "double.onnx", "digit": str(tmp_path / "digit.onnx")}
    Workload(graphs, digit_calls()).save(tmp_path / "w.json")
    worker = OnnxRuntimeWorker()
    load(worker, tmp_path / "w.json")
    for _ in range(2):  # a sample leaves nothing behind for the next
        decoded = ask(worker, "outputs", id="w")["outputs"]["decode"]
        assert decoded["longer"]["sum"] == 4357.0
        assert (decoded["grown"]["shape"], decoded["grown"]["sum"]) == ([3], 15.0)
    sample = ask(worker, "block", id="w", samples=1)["samples"][0]
    assert list(sample["call_ms"]) == ["encode", "decode", "decode_step"]
    step_ms = sample["call_ms"].pop("decode_step")
    assert 0 < step_ms < sample["call_ms"]["decode"]
    assert sum(sample["call_ms"].values()) == pytest.approx(sample["wall_ms"])


def test_a_seeded_layer_puts_out_what_numpy_computes(tmp_path: Path) -> None:
    write_graph(tmp_path / "layer.onnx", LAYER)
    call = Call("model", "layer", inputs={"x": TensorSpec("float32", (4, 3), seed=11)})
    Workload({"layer": "layer.onnx"}, (call,)).save(tmp_path / "w.json")
    worker = OnnxRuntimeWorker()
    load(worker, tmp_path / "w.json")
    outputs = ask(worker, "outputs", id="w")["outputs"]["model"]
    x = np.random.default_rng(11).standard_normal((4, 3)).astype(np.float32)
    y = np.tanh(x @ np.array([[1, -2], [0.5, 3], [-1.5, 0.25]]) + np.array([0.1, -0.2]))
    assert outputs["y"]["shape"] == [4, 2]
    assert outputs["y"]["sum"] == pytest.approx(y.sum(), rel=1e-5)
    assert outputs["probe"]["sum"] == pytest.approx((y @ [1.0, 10.0]).sum(), rel=1e-5)


def warm_up(*walls_ms: float, **bounds: float) -> dict[str, Any]:
    worker = OnnxRuntimeWorker()
    worker.loaded["w"] = TimedWorkload(*walls_ms)
    limits = {"min_runs": 2, "min_seconds": 0.0, "max_seconds": 20.0, "tolerance": 0.05}
    return ask(worker, "warmup", id="w", **{**limits, **bounds})


def test_a_warmup_goes_on_until_runs_get_no_faster() -> None:
    # 9 to 5 and 5 to 4 are gains of more than 5 %, 4.1 to 4 is not.
    reply = warm_up(9.0, 5.0, 4.1, 4.0, 4.0)
    assert (reply["runs"], reply["settled"]) == (4, True)
    assert (reply["first_ms"], reply["run_ms"]) == (9.0, 4.0)


def test_a_warmup_that_is_slow_from_noise_has_settled() -> None:
    assert warm_up(4.0, 9.0)["runs"] == 2


def test_a_warmup_ends_at_the_time_of_an_earlier_process() -> None:
    assert warm_up(4.2, 4.0, usual_ms=4.0)["runs"] == 1
    # 4.21 is slower than 4 by more than 5 %, so the second run is compared with it.
    assert warm_up(4.21, 4.0, 3.9, usual_ms=4.0)["runs"] == 2
    reply = warm_up(9.0, 5.0, 4.5, 4.4, usual_ms=4.0)
    assert (reply["runs"], reply["settled"]) == (4, True)


def test_the_time_of_an_earlier_process_does_not_shorten_a_warmup_by_time(loaded: Worker) -> None:
    bounds = {"min_runs": 1, "max_seconds": 20.0, "tolerance": 0.05, "usual_ms": 1e9}
    assert ask(loaded, "warmup", id="w", min_seconds=0.05, **bounds)["seconds"] >= 0.05


def test_a_warmup_compares_quarters_once_there_are_many_runs() -> None:
    # One fast run among the last four of sixteen is no trend.
    reply = warm_up(*[4.0] * 15, 2.0, min_runs=16)
    assert (reply["runs"], reply["settled"], reply["run_ms"]) == (16, True, 4.0)


def test_a_warmup_ends_at_the_longest_time_unsettled() -> None:
    reply = warm_up(4.0, max_seconds=0.0)
    assert (reply["runs"], reply["settled"]) == (1, False)


def test_a_warmup_by_time_goes_on_until_it_has_passed(loaded: Worker) -> None:
    bounds = {"min_runs": 1, "min_seconds": 0.05, "max_seconds": 20.0, "tolerance": 0.05}
    reply = ask(loaded, "warmup", id="w", **bounds)
    assert reply["seconds"] >= 0.05
    assert reply["runs"] > 1


def test_tokens_are_counted_over_all_runs_of_a_sample(tmp_path: Path) -> None:
    # The "router" chooses the digit; three runs choose 2, 0 and 2 for their one token.
    graph = "router (int64[1] digit) => (int64[1] expert) { expert = Identity(digit) }"
    write_graph(tmp_path / "router.onnx", graph)
    digits = tuple(TensorSpec("int64", (1,), values=(digit,)) for digit in (2, 0, 2))
    call = Call("decode", "g", repeat=3, step_inputs={"digit": digits}, routing_outputs=("expert",))
    Workload({"g": "router.onnx"}, (call,)).save(tmp_path / "w.json")
    worker = OnnxRuntimeWorker()
    load(worker, tmp_path / "w.json")
    counted = ask(worker, "routing", id="w")["tokens_per_expert"]
    assert counted == {"decode.expert": [1, 0, 2]}


def test_a_block_holds_its_samples_between_two_readings_of_the_sensors(loaded: Worker) -> None:
    reply = ask(loaded, "block", id="w", samples=4)
    assert len(reply["samples"]) == 4
    for sample in reply["samples"]:
        assert sample["wall_ms"] > 0
        assert sample["cpu_ms"] > 0
        assert sample["call_ms"] == {"model": sample["wall_ms"]}
    before, after = reply["before"], reply["after"]
    assert {"cpu_mhz", "load", "steal_ms", "wait_ms", "pressure_ms"} <= set(before) == set(after)
    assert reply["busy_threads"] == 1
    assert after["involuntary_switches"] >= before["involuntary_switches"]


def test_the_sentinel_is_read_around_every_group(loaded: Worker) -> None:
    loaded.loaded["w"] = TimedWorkload(30, 40, 50, 60, 70)
    loaded.loaded["s"] = TimedWorkload(25, 40, 60, 70, 20, 30, 15, 90)
    reply = ask(loaded, "block", id="w", sentinel="s", samples=5, group_ms=60)
    assert [(x["wall_ms"], x["group"]) for x in reply["samples"]] == [
        *((30, 0), (40, 0)),
        *((50, 1), (60, 1)),
        (70, 2),
    ]
    assert reply["sentinel_ms"] == [[25, 40], [60], [70], [20, 30, 15]]


def test_an_unloaded_workload_is_gone(loaded: Worker) -> None:
    assert ask(loaded, "unload", id="w") == {}
    for op in ("block", "warmup", "outputs", "unload"):
        assert "no workload 'w' is loaded; send load first" in ask(loaded, op, id="w")["error"]


def test_a_workload_that_does_not_load_replaces_none(loaded: Worker, tmp_path: Path) -> None:
    reply = load(loaded, tmp_path / "absent.json")
    assert reply["error"].startswith("FileNotFoundError")
    assert "Traceback" in reply["traceback"]
    assert "no workload" in ask(loaded, "block", id="w", samples=1)["error"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nonsense\n", "JSONDecodeError"),
        (b"[1]\n", "AttributeError"),
        (b'{"op": "fly"}\n', "ValueError: Unknown op 'fly'. Known: ['block', 'hello', 'load'"),
        (b'{"op": "load", "id": "w"}\n', "KeyError: 'threads'"),
    ],
)
def test_a_request_that_cannot_be_served_is_answered_with_an_error(
    line: bytes, message: str
) -> None:
    worker = OnnxRuntimeWorker()
    assert message in worker.answer(line)["error"]
    assert worker.running


class Meter:
    """Counts 8 mJ from every start to the stop after it."""

    name = "a meter"
    n_started = 0

    def start(self) -> None:
        self.n_started += 1

    def stop_mj(self) -> float:
        return 8.0


def test_energy_is_that_of_the_groups_over_their_runs(doubling: Path) -> None:
    meter = Meter()
    worker = OnnxRuntimeWorker(meter=meter)
    assert ask(worker, "hello")["energy_meter"] == "a meter"
    for name in ("w", "s"):
        ask(worker, "load", id=name, workload=str(doubling), threads=1)
    reply = ask(worker, "block", id="w", sentinel="s", samples=3, group_ms=0.0)
    # Every group is one sample: three groups of 8 mJ over three runs; the sentinel is left out.
    assert meter.n_started == 3
    assert reply["energy_mj"] == 8.0


def test_the_run_that_only_refills_caches_takes_energy_too(doubling: Path) -> None:
    meter = Meter()
    worker = OnnxRuntimeWorker(meter=meter)
    load(worker, doubling)
    reply = ask(worker, "block", id="w", samples=3, group_ms=1.0)
    assert len(reply["samples"]) == 3
    assert reply["energy_mj"] == 2.0  # one group of 8 mJ over the three samples and a first run


def test_without_a_meter_there_is_no_energy(loaded: Worker) -> None:
    assert ask(loaded, "hello")["energy_meter"] == ""
    reply = ask(loaded, "block", id="w", samples=1, group_ms=1.0)
    assert reply["energy_mj"] is None
