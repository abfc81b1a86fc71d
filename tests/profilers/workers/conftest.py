from pathlib import Path

import pytest
from support.graphs import DOUBLE, write_graph

from profilers import Call, TensorSpec, Workload


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    """The workload that doubles 1, 2 and 4."""
    write_graph(tmp_path / "double.onnx", DOUBLE)
    call = Call("model", "double", inputs={"x": TensorSpec("float32", (3,), values=(1, 2, 4))})
    Workload({"double": "double.onnx"}, (call,)).save(tmp_path / "w.json")
    return tmp_path / "w.json"
