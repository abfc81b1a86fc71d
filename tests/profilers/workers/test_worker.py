import ast
import fnmatch
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import DIGIT, DOUBLE, LAYER, digit_calls, write_graph

from profilers import Call, TensorSpec, Workload
from profilers.workers.local import WORKER
from profilers.workers.worker import Worker, burst, count_busy, make_tensor


def ask(worker: Worker, op: str, **fields: Any) -> dict[str, Any]:
    """The answer to a request, through JSON as over the pipes."""
    reply = worker.answer(json.dumps({"op": op, **fields}).encode())
    return dict(json.loads(json.dumps(reply)))


def load(worker: Worker, path: Path, **fields: Any) -> dict[str, Any]:
    return ask(worker, "load", id="w", workload=str(path), threads=1, **fields)


def ones(*shape: int) -> TensorSpec:
    return TensorSpec("float32", shape, values=(1.0,))


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    write_graph(tmp_path / "double.onnx", DOUBLE)
    call = Call("model", "double", inputs={"x": TensorSpec("float32", (3,), values=(1, 2, 4))})
    Workload({"double": "double.onnx"}, (call,)).save(tmp_path / "w.json")
    return tmp_path / "w.json"


@pytest.fixture
def loaded(doubling: Path) -> Worker:
    worker = Worker()
    assert load(worker, doubling)["load_ms"] > 0
    return worker


def test_the_file_is_python_3_8() -> None:
    ast.parse(WORKER.read_text(), feature_version=(3, 8))


def test_only_the_standard_library_is_imported_at_module_level() -> None:
    imported = set()
    for node in ast.parse(WORKER.read_text()).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))
    assert "json" in imported
    assert imported <= set(sys.stdlib_module_names)


def test_annotations_need_no_evaluation() -> None:
    # What is imported for type checkers only does not exist at run time.
    first = ast.parse(WORKER.read_text()).body[1]
    assert isinstance(first, ast.ImportFrom)
    assert (first.module, first.names[0].name) == ("__future__", "annotations")


def test_hello_names_everything_that_moves_a_timing() -> None:
    import onnxruntime

    hello = ask(Worker(), "hello")
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
    worker = Worker()
    load(worker, tmp_path / "w.json")
    described = ask(worker, "outputs", id="w")["outputs"]["model"]["y"]
    assert (described["sum"], described["finite"]) == (None, False)


def test_calls_hand_on_outputs_and_carry_their_own(tmp_path: Path) -> None:
    write_graph(tmp_path / "double.onnx", DOUBLE)
    write_graph(tmp_path / "digit.onnx", DIGIT)
    graphs = {"double": "double.onnx", "digit": str(tmp_path / "digit.onnx")}
    Workload(graphs, digit_calls()).save(tmp_path / "w.json")
    worker = Worker()
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


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (TensorSpec("int32", (2, 2), values=(1, 2, 3, 4)), np.array([[1, 2], [3, 4]], np.int32)),
        (TensorSpec("bool", (2,), values=(True,)), np.array([True, True])),
        (TensorSpec("float16", (2, 1), values=(0.5,)), np.full((2, 1), 0.5, np.float16)),
        (TensorSpec("int64", (), values=(7,)), np.array(7)),
        (TensorSpec("float32", (0, 3), values=()), np.zeros((0, 3), np.float32)),
        (TensorSpec("float32", (0, 3), values=(1.0,)), np.zeros((0, 3), np.float32)),
        (
            TensorSpec("float64", (2, 3), seed=5),
            np.random.default_rng(5).standard_normal((2, 3)),
        ),
    ],
)
def test_tensors_are_made_as_specified(spec: TensorSpec, expected: np.ndarray) -> None:
    fields = {name: getattr(spec, name) for name in ("dtype", "shape", "values", "seed")}
    array = make_tensor(json.loads(json.dumps(fields))).numpy()
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


def test_a_seeded_layer_puts_out_what_numpy_computes(tmp_path: Path) -> None:
    write_graph(tmp_path / "layer.onnx", LAYER)
    call = Call("model", "layer", inputs={"x": TensorSpec("float32", (4, 3), seed=11)})
    Workload({"layer": "layer.onnx"}, (call,)).save(tmp_path / "w.json")
    worker = Worker()
    load(worker, tmp_path / "w.json")
    outputs = ask(worker, "outputs", id="w")["outputs"]["model"]
    x = np.random.default_rng(11).standard_normal((4, 3)).astype(np.float32)
    y = np.tanh(x @ np.array([[1, -2], [0.5, 3], [-1.5, 0.25]]) + np.array([0.1, -0.2]))
    assert outputs["y"]["shape"] == [4, 2]
    assert outputs["y"]["sum"] == pytest.approx(y.sum(), rel=1e-5)
    assert outputs["probe"]["sum"] == pytest.approx((y @ [1.0, 10.0]).sum(), rel=1e-5)


class Timed:
    """A workload that takes the given times, the last one for ever."""

    def __init__(self, *walls_ms: float) -> None:
        self.walls_ms = list(walls_ms)

    def sample(self) -> dict[str, float]:
        wall_ms = self.walls_ms[0]
        self.walls_ms = self.walls_ms[1:] or self.walls_ms
        return {"wall_ms": wall_ms}


def warm_up(*walls_ms: float, **bounds: float) -> dict[str, Any]:
    worker = Worker()
    worker.loaded["w"] = Timed(*walls_ms)  # type: ignore[assignment]
    limits = {"min_runs": 2, "min_seconds": 0.0, "max_seconds": 20.0, "tolerance": 0.05}
    return ask(worker, "warmup", id="w", **{**limits, **bounds})


def test_a_warmup_goes_on_until_runs_get_no_faster() -> None:
    # 9 to 5 and 5 to 4 are gains of more than 5 %, 4.1 to 4 is not.
    reply = warm_up(9.0, 5.0, 4.1, 4.0, 4.0)
    assert (reply["runs"], reply["settled"]) == (4, True)
    assert (reply["first_ms"], reply["run_ms"]) == (9.0, 4.0)


def test_a_warmup_that_is_slow_from_noise_has_settled() -> None:
    assert warm_up(4.0, 9.0)["runs"] == 2


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


def test_busy_threads_are_those_that_did_a_share_of_the_work() -> None:
    before = {"main": 100.0, "pool": 50.0, "idle": 7.0}
    after = {"main": 200.0, "pool": 120.0, "idle": 7.0, "new": 4.0}
    assert count_busy(before, after) == 2
    assert count_busy({}, {}) is None


def test_tokens_are_counted_over_all_runs_of_a_sample(tmp_path: Path) -> None:
    # The "router" chooses the digit; three runs choose 2, 0 and 2 for their one token.
    graph = "router (int64[1] digit) => (int64[1] expert) { expert = Identity(digit) }"
    write_graph(tmp_path / "router.onnx", graph)
    digits = tuple(TensorSpec("int64", (1,), values=(digit,)) for digit in (2, 0, 2))
    call = Call("decode", "g", repeat=3, step_inputs={"digit": digits}, routing_outputs=("expert",))
    Workload({"g": "router.onnx"}, (call,)).save(tmp_path / "w.json")
    worker = Worker()
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


class TimedWorkload:
    """Stands for a loaded workload; says how long each of its samples took."""

    n_runs = 0

    def __init__(self, *walls_ms: float) -> None:
        self.walls_ms = list(walls_ms)

    def sample(self) -> dict[str, float]:
        self.n_runs += 1
        return {"wall_ms": self.walls_ms.pop(0)}


@pytest.mark.parametrize(
    ("walls_ms", "at_least_ms", "most", "kept"),
    [
        pytest.param([9, 2, 3, 4, 5], 10, 9, [9, 2], id="ends when its time is up"),
        pytest.param([9, 2, 3, 4, 5], 99, 3, [2, 3, 4], id="a first short one is left out"),
        pytest.param([50, 1], 10, 9, [50], id="one at least"),
    ],
)
def test_a_burst(walls_ms: list[float], at_least_ms: float, most: int, kept: list[float]) -> None:
    taken = burst(TimedWorkload(*walls_ms), at_least_ms, most)  # type: ignore[arg-type]
    assert [sample["wall_ms"] for sample in taken] == kept


def test_the_sentinel_is_read_around_every_group(loaded: Worker) -> None:
    loaded.loaded["w"] = TimedWorkload(30, 40, 50, 60, 70)  # type: ignore[assignment]
    loaded.loaded["s"] = TimedWorkload(5, 6, 7, 8, 9, 10, 11)  # type: ignore[assignment]
    reply = ask(loaded, "block", id="w", sentinel="s", samples=5, group_ms=60, burst_ms=10)
    assert [(x["wall_ms"], x["group"]) for x in reply["samples"]] == [
        *((30, 0), (40, 0)),
        *((50, 1), (60, 1)),
        (70, 2),
    ]
    assert reply["sentinel_ms"] == [[5, 6], [7, 8], [9, 10], [11]]


KERNEL = {
    "/proc/stat": "cpu 1 2 3 4 5 6 7 50 9 9\ncpu0 1\n",
    "/proc/self/task/1/schedstat": "111 3000000 5\n",
    "/proc/self/task/2/schedstat": "111 3000000 5\n",
    "/proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=4000\nfull total=9\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 9\nnr_throttled 2\nthrottled_usec 7000\n",
    "/sys/class/thermal/thermal_zone0/temp": "45500\n",
    "/sys/class/thermal/thermal_zone1/temp": "61000\n",
    "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
    "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "4\n",
    "/sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
}


def read_sensors_of(kernel: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    from profilers.workers import worker

    monkeypatch.setattr(worker, "read_text", lambda path: kernel.get(path, ""))
    monkeypatch.setattr(worker.glob, "glob", lambda pattern: fnmatch.filter(kernel, pattern))
    monkeypatch.setattr(worker.os, "sysconf", lambda name: 100)
    return worker.read_sensors()


def test_sensors_the_kernel_does_not_offer_read_none(monkeypatch: pytest.MonkeyPatch) -> None:
    sensors = read_sensors_of({}, monkeypatch)
    assert {name for name, value in sensors.items() if value is not None} == {
        "clock_ms",
        "load",
        "involuntary_switches",
        "own_ms",
    }


def test_sensors_are_read_in_their_units(monkeypatch: pytest.MonkeyPatch) -> None:
    sensors = read_sensors_of(KERNEL, monkeypatch)
    assert sensors["steal_ms"] == 500.0  # 50 ticks of a hundredth of a second
    # User 1, nice 2, system 3, irq 6 and softirq 7 ticks; neither idle nor waiting for a disk.
    assert sensors["machine_ms"] == 190.0
    assert sensors["wait_ms"] == 6.0  # 3 million nanoseconds for each of two threads
    assert (sensors["pressure_ms"], sensors["quota_ms"]) == (4.0, 7.0)  # of microseconds
    assert (sensors["temperature_c"], sensors["cpu_mhz"]) == (61.0, 1500.0)
    assert sensors["throttle_events"] == 7
    assert sensors["throttled_now"] is True  # bits 0 and 2 are set


def test_the_clock_of_a_jetsons_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/sys/class/devfreq/17000000.gpu/cur_freq"
    assert read_sensors_of({path: "624750000\n"}, monkeypatch)["gpu_mhz"] == 624.75


def test_throttling_in_the_past_is_not_now(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/sys/devices/platform/soc/soc:firmware/get_throttled"
    assert read_sensors_of({path: "50000"}, monkeypatch)["throttled_now"] is False


def test_the_clock_is_that_of_the_fastest_core_in_megahertz(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from profilers.workers import worker

    khz = {"cpu0": "1000000\n", "cpu1": "2000000\n", "offline": ""}
    monkeypatch.setattr(worker, "read_text", khz.__getitem__)
    monkeypatch.setattr(worker.glob, "glob", lambda pattern: list(khz))
    assert worker.cpu_mhz() == 2000.0


@pytest.mark.parametrize(
    ("options", "threads", "spinning"),
    [({}, 1, "1"), ({}, 3, "0"), ({"allow_spinning": False}, 1, "0")],
)
def test_threads_are_explicit_and_spin_only_when_each_has_a_core(
    doubling: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, bool],
    threads: int,
    spinning: str,
) -> None:
    monkeypatch.setattr("profilers.workers.worker.os.sched_getaffinity", lambda pid: {0, 1})
    worker = Worker()
    ask(worker, "load", id="w", workload=str(doubling), threads=threads, options=options)
    settings = worker.loaded["w"].calls[0].session.get_session_options()
    assert (settings.intra_op_num_threads, settings.inter_op_num_threads) == (threads, 1)
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == spinning


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
    worker = Worker()
    assert message in worker.answer(line)["error"]
    assert worker.running


def run(worker: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What the program answers to these requests before its stdin ends."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [sys.executable, str(worker)]
    finished = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


def test_the_program_answers_line_by_line_until_its_input_ends(doubling: Path) -> None:
    load_it = {"op": "load", "id": "w", "workload": str(doubling), "threads": 1}
    loaded, outputs = run(WORKER, load_it, {"op": "outputs", "id": "w"})
    assert loaded["load_ms"] > 0
    assert outputs["outputs"]["model"]["y"]["sum"] == 14.0


def test_the_program_ends_when_told_to_quit() -> None:
    assert run(WORKER, {"op": "quit"}, {"op": "hello"}) == [{}]


def test_files_beside_the_program_hide_no_standard_module(tmp_path: Path) -> None:
    # NumPy imports it, and the program itself does not.
    (tmp_path / "datetime.py").write_text("raise ImportError('this is not the standard datetime')")
    (hello,) = run(Path(shutil.copy(WORKER, tmp_path)), {"op": "hello"})
    assert hello["runtime"] == "onnxruntime"


def test_what_a_library_prints_does_not_disturb_the_answers(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        f"sys.path.insert(0, {str(WORKER.parent)!r})\n"
        "import worker\n"
        "class Loud(worker.Worker):\n"
        "    def hello(self, request):\n"
        "        print('in Python'); os.system('echo from a child'); return {'pid': 1}\n"
        "worker.Worker = Loud\n"
        "worker.main()\n"
    )
    assert run(program, {"op": "hello"}) == [{"pid": 1}]


def test_telemetry_is_off_before_the_runtime_can_be_imported() -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(WORKER.parent)!r}); import worker\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    finished = subprocess.run(
        command, capture_output=True, text=True, env={"ORT_DISABLE_TELEMETRY": "0"}
    )
    assert finished.stdout.split() == ["1", "False"]


class Meter:
    """Counts 8 mJ from every start to the stop after it."""

    name = "a meter"
    n_started = 0

    def start(self) -> None:
        self.n_started += 1

    def stop_mj(self) -> float:
        return 8.0


def test_energy_is_that_of_the_groups_over_their_runs(doubling: Path) -> None:
    worker = Worker(Meter())
    assert ask(worker, "hello")["energy_meter"] == "a meter"
    for name in ("w", "s"):
        ask(worker, "load", id=name, workload=str(doubling), threads=1)
    reply = ask(worker, "block", id="w", sentinel="s", samples=3, group_ms=0.0, burst_ms=0.0)
    # Every group is one sample: three groups of 8 mJ over three runs; the sentinel is left out.
    assert worker.meter.n_started == 3
    assert reply["energy_mj"] == 8.0


def test_the_run_that_only_refills_caches_takes_energy_too(doubling: Path) -> None:
    worker = Worker(Meter())
    load(worker, doubling)
    reply = ask(worker, "block", id="w", samples=3, group_ms=1.0, burst_ms=0.0)
    assert len(reply["samples"]) == 3
    assert reply["energy_mj"] == 2.0  # one group of 8 mJ over the three samples and a first run


def test_without_a_meter_there_is_no_energy(loaded: Worker) -> None:
    assert ask(loaded, "hello")["energy_meter"] == ""
    reply = ask(loaded, "block", id="w", samples=1, group_ms=1.0, burst_ms=0.0)
    assert reply["energy_mj"] is None


def test_a_provider_that_is_not_there_is_refused_and_not_replaced(
    doubling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profilers.workers.worker.PROVIDER", "CUDAExecutionProvider")
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):  # all that onnxruntime says
        reply = load(Worker(), doubling)
    assert (
        "cannot use CUDAExecutionProvider here and would run on CPUExecutionProvider"
        in (reply["error"])
    )


def test_outputs_bound_to_memory_are_those_of_plain_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any provider but the CPU's goes through bindings. The plain wheel has this one, which leaves
    # the work to the CPU, so that the way is that of a GPU and the memory is not.
    monkeypatch.setattr("profilers.workers.worker.PROVIDER", "AzureExecutionProvider")
    monkeypatch.setattr("profilers.workers.worker.require_shapes_only", lambda *arguments: None)
    test_calls_hand_on_outputs_and_carry_their_own(tmp_path)
    assert ask(Worker(), "hello")["runtime"] == "onnxruntime-cpu"
