"""A session on a GPU that is not wholly on the GPU must not pass for one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest
from support.graphs import DOUBLE, write_graph

from profilers.workers import worker

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# As onnxruntime 1.32 words it.
REFUSAL = (
    "[ONNXRuntimeError] : 1 : FAIL : This session contains graph nodes that are assigned to the "
    "default CPU EP, but fallback to CPU EP has been explicitly disabled by the user."
)


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
    monkeypatch.setattr(worker, "PROVIDER", CUDA)
    monkeypatch.setattr(onnxruntime, "InferenceSession", fresh)
    return fresh


def test_all_on_the_gpu(imitated: type[ImitatedSession]) -> None:
    worker.open_session("g.onnx", 1, {})
    assert imitated.opened == [{"session.disable_cpu_ep_fallback": "1"}]


def test_shapes_may_be_on_the_cpu(
    imitated: type[ImitatedSession], capsys: pytest.CaptureFixture[str]
) -> None:
    imitated.on_cpu = ("Shape", "Squeeze", "Shape")
    worker.open_session("g.onnx", 1, {})
    assert imitated.opened[1:] == [{"session.record_ep_graph_assignment_info": "1"}]
    assert capsys.readouterr().err == "On the CPU, for shapes: Shape, Squeeze\n"


def test_anything_else_may_not(imitated: type[ImitatedSession]) -> None:
    imitated.on_cpu = ("Shape", "Gelu")
    with pytest.raises(RuntimeError, match="keeps Gelu on the CPU, which would pass for time of"):
        worker.open_session("g.onnx", 1, {})


def test_a_gpu_that_does_nothing_is_none(imitated: type[ImitatedSession]) -> None:
    imitated.on_cpu, imitated.on_gpu = ("Add", "Mul"), ()
    with pytest.raises(RuntimeError, match="keeps Add, Mul on the CPU"):
        worker.open_session("g.onnx", 1, {})


def test_a_release_that_cannot_tell_is_not_believed(imitated: type[ImitatedSession]) -> None:
    imitated.on_cpu, imitated.tells = ("Shape",), False
    with pytest.raises(RuntimeError, match="cannot tell which; install a newer one, or measure"):
        worker.open_session("g.onnx", 1, {})


def test_another_failure_is_not_tried_again(
    imitated: type[ImitatedSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> None:
        imitated.opened.append({})
        raise RuntimeError("no such operator")

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(RuntimeError, match="no such operator"):
        worker.open_session("g.onnx", 1, {})
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
