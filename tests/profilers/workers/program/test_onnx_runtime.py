import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from support.graphs import DIGIT, DOUBLE, digit_calls, write_graph
from support.workers import ask, load

from devices import get_device
from profilers import Call, TensorSpec, WorkerProcess, Workload
from profilers.workers.program.onnx_runtime import OnnxRuntimeWorker, open_session
from profilers.workers.program.tensors import make_array

# A session on a GPU that is not wholly on the GPU must not pass for one.
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# As onnxruntime 1.32 words it.
REFUSAL = (
    "[ONNXRuntimeError] : 1 : FAIL : This session contains graph nodes that are assigned to the "
    "default CPU EP, but fallback to CPU EP has been explicitly disabled by the user."
)


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
    array = make_array(json.loads(json.dumps(fields)))
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


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
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    worker = OnnxRuntimeWorker()
    ask(worker, "load", id="w", workload=str(doubling), threads=threads, options=options)
    settings = worker.loaded["w"].calls[0].session.get_session_options()
    assert (settings.intra_op_num_threads, settings.inter_op_num_threads) == (threads, 1)
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == spinning


def test_a_provider_that_is_not_there_is_refused_and_not_replaced(doubling: Path) -> None:
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):  # all that onnxruntime says
        reply = load(OnnxRuntimeWorker(CUDA), doubling)
    assert (
        "cannot use CUDAExecutionProvider here and would run on CPUExecutionProvider"
        in (reply["error"])
    )


def test_outputs_bound_to_memory_are_those_of_plain_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any provider but the CPU's goes through bindings. The plain wheel has this one, which leaves
    # the work to the CPU, so that the way is that of a GPU and the memory is not.
    place = "profilers.workers.program.onnx_runtime.require_shapes_only"
    monkeypatch.setattr(place, lambda *arguments: None)
    write_graph(tmp_path / "double.onnx", DOUBLE)
    write_graph(tmp_path / "digit.onnx", DIGIT)
    graphs = {"double": "double.onnx", "digit": "digit.onnx"}
    Workload(graphs, digit_calls()).save(tmp_path / "w.json")
    plain, bound = OnnxRuntimeWorker(), OnnxRuntimeWorker("AzureExecutionProvider")
    assert "load_ms" in load(bound, tmp_path / "w.json")
    load(plain, tmp_path / "w.json")
    for _ in range(2):  # a sample leaves nothing behind for the next
        outputs = ask(bound, "outputs", id="w")
        assert outputs == ask(plain, "outputs", id="w")
        assert outputs["outputs"]["decode"]["longer"]["sum"] == 4357.0
    assert ask(bound, "hello")["runtime"] == "onnxruntime-cpu"


def test_a_model_with_an_empty_optional_output_is_timed(tmp_path: Path) -> None:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    left_out = helper.make_value_info("left_out", helper.make_optional_type_proto(tensor))
    nodes = [
        helper.make_node("Add", ["x", "x"], ["y"]),
        helper.make_node("Optional", [], ["left_out"], type=tensor),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y, left_out])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "g.onnx")
    call = Call("g", "g", inputs={"x": TensorSpec("float32", (1,), values=(2.0,))})
    Workload({"g": "g.onnx"}, (call,)).save(tmp_path / "w.json")
    limits = {"min_seconds": 0, "max_seconds": 1, "min_runs": 2, "tolerance": 9}
    with WorkerProcess(get_device("cpu")) as worker:  # a crash ends that process alone
        worker.request("load", id="w", workload=str(tmp_path / "w.json"), threads=1)
        assert worker.request("warmup", id="w", **limits)["runs"] == 2


class ImitatedSession:
    """An InferenceSession of a build that can use CUDA and leaves some operators on the CPU."""

    on_cpu: tuple[str, ...] = ()
    on_gpu: tuple[str, ...] = ("MatMul",)
    tells = True
    opened: list[dict[str, str]]

    def __init__(self, path: str, settings: Any, providers: list[str]) -> None:
        assert providers == [CUDA]
        entries = {}
        for name in ("session.disable_cpu_ep_fallback", "session.record_ep_graph_assignment_info"):
            try:
                entries[name] = settings.get_session_config_entry(name)
            except Exception:  # it has no entry of that name
                continue
        self.opened.append(entries)
        if self.on_cpu and entries.get("session.disable_cpu_ep_fallback") == "1":
            raise RuntimeError(REFUSAL)
        if self.tells:
            self.get_provider_graph_assignment_info = lambda: [
                self._part(name, operators)
                for name, operators in ((CUDA, self.on_gpu), (CPU, self.on_cpu))
                if operators
            ]

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def _part(self, name: str, operators: tuple[str, ...]) -> SimpleNamespace:
        nodes = [SimpleNamespace(op_type=operator) for operator in operators]
        return SimpleNamespace(ep_name=name, get_nodes=lambda: nodes)


@pytest.fixture
def imitated(monkeypatch: pytest.MonkeyPatch) -> type[ImitatedSession]:
    fresh = type("FreshImitation", (ImitatedSession,), {"opened": []})
    monkeypatch.setattr(onnxruntime, "InferenceSession", fresh)
    return fresh


def test_all_on_the_gpu(imitated: type[ImitatedSession]) -> None:
    open_session("g.onnx", CUDA, threads=1, options={})
    assert imitated.opened == [{"session.disable_cpu_ep_fallback": "1"}]


def test_shapes_may_be_on_the_cpu(
    imitated: type[ImitatedSession], capsys: pytest.CaptureFixture[str]
) -> None:
    imitated.on_cpu = ("Shape", "Squeeze", "Shape")
    open_session("g.onnx", CUDA, threads=1, options={})
    assert imitated.opened[1:] == [{"session.record_ep_graph_assignment_info": "1"}]
    assert capsys.readouterr().err == "These operators run on the CPU, for shapes: Shape, Squeeze\n"


def test_anything_else_may_not(imitated: type[ImitatedSession]) -> None:
    imitated.on_cpu = ("Shape", "Gelu")
    with pytest.raises(RuntimeError, match="keeps Gelu on the CPU, which would count as time of"):
        open_session("g.onnx", CUDA, threads=1, options={})


def test_a_gpu_that_does_nothing_is_none(imitated: type[ImitatedSession]) -> None:
    imitated.on_cpu, imitated.on_gpu = ("Add", "Mul"), ()
    with pytest.raises(RuntimeError, match="keeps Add, Mul on the CPU"):
        open_session("g.onnx", CUDA, threads=1, options={})


def test_a_release_that_cannot_tell_is_not_believed(imitated: type[ImitatedSession]) -> None:
    imitated.on_cpu, imitated.tells = ("Shape",), False
    with pytest.raises(RuntimeError, match="cannot say which; install a newer one, or measure"):
        open_session("g.onnx", CUDA, threads=1, options={})


def test_another_failure_is_not_tried_again(
    imitated: type[ImitatedSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> None:
        imitated.opened.append({})
        raise RuntimeError("no such operator")

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(RuntimeError, match="no such operator"):
        open_session("g.onnx", CUDA, threads=1, options={})
    assert len(imitated.opened) == 1


def test_the_words_of_the_refusal_are_those_of_this_release(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", DOUBLE)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    with (
        pytest.warns(UserWarning, match=CUDA),
        pytest.raises(Exception, match="assigned to the default CPU EP") as refused,
    ):
        onnxruntime.InferenceSession(path, settings, providers=[CUDA])
    assert "CPU EP" in str(refused.value)


def test_the_names_that_tell_are_those_of_this_release(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", DOUBLE)
    settings = onnxruntime.SessionOptions()
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = onnxruntime.InferenceSession(path, settings, providers=[CPU])
    if not hasattr(session, "get_provider_graph_assignment_info"):
        pytest.skip("this onnxruntime cannot tell")
    parts = session.get_provider_graph_assignment_info()
    told = [(part.ep_name, node.op_type) for part in parts for node in part.get_nodes()]
    assert told == [(CPU, "Add")]
