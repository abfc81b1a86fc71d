import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import DIGIT, DOUBLE, LAYER, write_graph

from profilers import Call, TensorSpec, Workload
from profilers.worker import Worker, make_tensor
from profilers.worker_process import WORKER


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
    outputs = ask(loaded, "outputs", id="w")["outputs"]
    assert outputs == {
        "model": {"y": {"shape": [3], "dtype": "float32", "sum": 14.0, "finite": True}}
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
    # The encoder makes 4 of 2; the decoder appends 3, 5, 7 to it digit by digit.
    write_graph(tmp_path / "double.onnx", DOUBLE)
    write_graph(tmp_path / "digit.onnx", DIGIT)
    digits = tuple(TensorSpec("int64", (1,), values=(digit,)) for digit in (3, 5, 7))
    decode = Call(
        "decode",
        "digit",
        repeat=3,
        inputs={"cache": TensorSpec("float32", (0,), values=())},
        step_inputs={"digit": digits},
        from_calls={"number": ("encode", "y")},
        carry={"longer": "number", "grown": "cache"},
    )
    encode = Call("encode", "double", inputs={"x": TensorSpec("float32", (1,), values=(2,))})
    graphs = {"double": "double.onnx", "digit": str(tmp_path / "digit.onnx")}
    Workload(graphs, (encode, decode)).save(tmp_path / "w.json")
    worker = Worker()
    load(worker, tmp_path / "w.json")
    for _ in range(2):  # a sample leaves nothing behind for the next
        decoded = ask(worker, "outputs", id="w")["outputs"]["decode"]
        assert decoded["longer"]["sum"] == 4357.0
        assert (decoded["grown"]["shape"], decoded["grown"]["sum"]) == ([3], 15.0)
    sample = ask(worker, "block", id="w", samples=1)["samples"][0]
    assert list(sample["call_ms"]) == ["encode", "decode"]
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


@pytest.mark.parametrize(
    ("bounds", "runs"),
    [
        ((3, 0.0, 20.0), 3),
        ((0, 0.0, 20.0), 0),
        ((1000, 1000.0, 0.0), 1),
    ],
)
def test_a_warmup_ends_at_both_minima_or_at_the_longest_time(
    loaded: Worker, bounds: tuple[int, float, float], runs: int
) -> None:
    names = ("min_runs", "min_seconds", "max_seconds")
    assert ask(loaded, "warmup", id="w", **dict(zip(names, bounds, strict=True)))["runs"] == runs


def test_a_warmup_by_time_goes_on_until_it_has_passed(loaded: Worker) -> None:
    reply = ask(loaded, "warmup", id="w", min_runs=1, min_seconds=0.05, max_seconds=20.0)
    assert reply["seconds"] >= 0.05
    assert reply["runs"] > 1


def test_a_block_holds_its_samples_between_two_readings_of_the_sensors(loaded: Worker) -> None:
    reply = ask(loaded, "block", id="w", samples=4)
    assert len(reply["samples"]) == 4
    for sample in reply["samples"]:
        assert sample["wall_ms"] > 0
        assert sample["cpu_ms"] >= 0
        assert sample["call_ms"] == {"model": sample["wall_ms"]}
    before, after = reply["before"], reply["after"]
    assert set(before) == {"cpu_mhz", "load", "involuntary_switches", "steal_ms", "wait_ms"}
    assert after["involuntary_switches"] >= before["involuntary_switches"]


def test_sensors_the_kernel_does_not_offer_read_none(
    loaded: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profilers.worker.read_text", lambda path: "")
    sensors = ask(loaded, "block", id="w", samples=1)["before"]
    assert [sensors[name] for name in ("cpu_mhz", "steal_ms", "wait_ms")] == [None] * 3


def test_sensors_are_read_in_their_units(loaded: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str) -> str:
        return "cpu 1 2 3 4 5 6 7 50 9 9\ncpu0 1\n" if path == "/proc/stat" else "111 3000000 5\n"

    monkeypatch.setattr("profilers.worker.read_text", read)
    monkeypatch.setattr("profilers.worker.glob.glob", lambda pattern: ["one", "other"])
    monkeypatch.setattr("profilers.worker.os.sysconf", lambda name: 100)
    monkeypatch.setattr("profilers.worker.cpu_mhz", lambda: None)
    sensors = ask(loaded, "block", id="w", samples=1)["before"]
    assert sensors["steal_ms"] == 500.0  # 50 ticks of a hundredth of a second
    assert sensors["wait_ms"] == 6.0  # 3 million nanoseconds for each of two threads


def test_the_clock_is_the_mean_over_cores_in_megahertz(monkeypatch: pytest.MonkeyPatch) -> None:
    from profilers import worker

    khz = {"cpu0": "1000000\n", "cpu1": "2000000\n", "offline": ""}
    monkeypatch.setattr(worker, "read_text", khz.__getitem__)
    monkeypatch.setattr(worker.glob, "glob", lambda pattern: list(khz))
    assert worker.cpu_mhz() == 1500.0


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
    monkeypatch.setattr("profilers.worker.os.sched_getaffinity", lambda pid: {0, 1})
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
