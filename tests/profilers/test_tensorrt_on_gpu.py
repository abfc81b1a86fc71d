"""For a machine with a GPU: ``python -m pytest -m gpu``. Skipped with what is missing elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.graphs import DIGIT, DOUBLE, LAYER, digit_calls, write_graph

from devices.runtimes import CUDA, ONNXRUNTIME, TENSORRT, TENSORRT_RTX
from profilers import Call, TensorSpec, Workload
from profilers.worker import Worker
from profilers.worker_process import TENSORRT_WORKER, WORKER

pytestmark = pytest.mark.gpu


def answers(runtime: str, folder: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    program = WORKER if runtime == ONNXRUNTIME else TENSORRT_WORKER
    environment = {"AUTOMOE_PROVIDER": CUDA, "XDG_CACHE_HOME": str(folder / "caches")}
    run = subprocess.run(
        [sys.executable, str(program)],
        input=b"".join(json.dumps(request).encode() + b"\n" for request in requests),
        capture_output=True,
        timeout=600,
        check=True,
        env={**os.environ, **environment, "AUTOMOE_RUNTIME": runtime},
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


def write_workload(folder: Path) -> Path:
    """A layer, and a decoder whose cache grows: 4, then the digits 3, 5 and 7 behind it."""
    for name, text in (("layer", LAYER), ("double", DOUBLE), ("digit", DIGIT)):
        write_graph(folder / f"{name}.onnx", text)
    calls = (
        Call("layer", "layer", inputs={"x": TensorSpec("float32", (5, 3), seed=1)}),
        *digit_calls(),
    )
    graphs = {name: f"{name}.onnx" for name in ("layer", "double", "digit")}
    ranges = {"digit": {"cache": ((0,), (1,), (2,))}}
    Workload(graphs, calls, ranges).save(folder / "w.json")
    return folder / "w.json"


@pytest.mark.parametrize("runtime", [ONNXRUNTIME, TENSORRT, TENSORRT_RTX])
def test_the_gpu_computes_what_the_processor_computes(tmp_path: Path, runtime: str) -> None:
    path = write_workload(tmp_path)
    load = {"op": "load", "id": "w", "workload": str(path), "threads": 1}
    block = {"op": "block", "id": "w", "samples": 3}
    hello, loaded, outputs, timed = answers(
        runtime, tmp_path, {"op": "hello"}, load, {"op": "outputs", "id": "w"}, block
    )
    if "error" in hello:
        pytest.skip(hello["error"])
    if runtime == ONNXRUNTIME and "cannot use CUDAExecutionProvider" in loaded.get("error", ""):
        pytest.skip(loaded["error"])
    assert "error" not in loaded, loaded
    worker = Worker()
    worker.answer(json.dumps(load).encode())
    expected = worker.answer(b'{"op": "outputs", "id": "w"}')["outputs"]
    for call, values in expected.items():
        for name, described in values.items():
            got = outputs["outputs"][call][name]
            assert got["shape"] == described["shape"]
            assert got["sum"] == pytest.approx(described["sum"], rel=2e-3, abs=2e-3)  # TF32
    if runtime != ONNXRUNTIME:
        for sample in timed["samples"]:
            assert 0 < sample["call_ms"]["gpu"] <= sample["wall_ms"] * 1.05
