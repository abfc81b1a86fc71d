"""For a machine with a GPU: ``python -m pytest -m gpu``. Skipped with what is missing elsewhere."""

from pathlib import Path

import pytest
from support.gpus import check_workload, gpu_device
from support.graphs import DIGIT, DOUBLE, LAYER, digit_calls, write_graph

from devices.runtimes import ONNXRUNTIME, RUNTIMES
from profilers import Call, TensorSpec, Workload

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_gpu_computes_what_the_processor_computes(tmp_path: Path, runtime: str) -> None:
    """A layer, and a decoder whose cache grows: 4, then the digits 3, 5 and 7 behind it."""
    device = gpu_device(runtime)
    for name, text in (("layer", LAYER), ("double", DOUBLE), ("digit", DIGIT)):
        write_graph(tmp_path / f"{name}.onnx", text)
    calls = (
        Call("layer", "layer", inputs={"x": TensorSpec("float32", (5, 3), seed=1)}),
        *digit_calls(),
    )
    graphs = {name: f"{name}.onnx" for name in ("layer", "double", "digit")}
    ranges = {"digit": {"cache": ((0,), (1,), (2,))}}
    Workload(graphs, calls, ranges).save(tmp_path / "w.json")
    block = check_workload(device, tmp_path, tmp_path / "w.json", rounding=2e-3)  # of TF32
    assert len(block["samples"]) == 3
    for sample in block["samples"]:
        assert sample["wall_ms"] > 0
        if runtime != ONNXRUNTIME:
            assert 0 < sample["call_ms"]["gpu"] <= sample["wall_ms"] * 1.05
