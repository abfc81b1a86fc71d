"""What `odd_models` does not hold: weights in files of their own."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.graphs import LAYER, write_graph

from profilers import WorkloadError
from profilers.workload.from_onnx import load_onnx
from profilers.workload.soundness import require_sound, require_weights


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model = onnx.load(write_graph(tmp_path / "m.onnx", LAYER))
    for weight in model.graph.initializer:
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    return tmp_path / "m.onnx"


def test_a_sound_graph_with_its_weights_passes(path: Path) -> None:
    require_sound(load_onnx(path), path)
    require_weights(load_onnx(path), path)


def test_a_file_that_was_cut_off_is_named(path: Path) -> None:
    weights = path.with_name("w.bin")
    weights.write_bytes(weights.read_bytes()[:20])
    with pytest.raises(WorkloadError, match=r"'w.bin' is too short, which holds weight 'weight'"):
        require_weights(load_onnx(path), path)


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.bool_, np.float64, np.uint16])
def test_weights_of_every_width_are_whole(tmp_path: Path, dtype: type) -> None:
    path = write_graph(tmp_path / "m.onnx", "g (float[1] x) => (float[1] y) { y = Identity(x) }")
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.ones((3, 5), dtype), "w"))
    require_weights(model, path)
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-1]
    with pytest.raises(WorkloadError, match="weight 'w' holds 14 of 15 elements"):
        require_weights(model, path)
