"""Places of weights, against what the package onnx reads and writes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

from profilers.workers.program.tensorrt.protobuf import parts, varint
from profilers.workers.program.tensorrt.weights import external_weights

FLOATS = np.arange(4, dtype=np.float32)


def external(name: str, file: str, **place: int) -> TensorProto:
    """Four numbers that lie in a file."""
    tensor = onnx.numpy_helper.from_array(FLOATS, name)
    set_external_data(tensor, file, **place)
    tensor.ClearField("raw_data")
    return tensor


def graph_of(*nodes: Any, initializers: Any = ()) -> Any:
    return helper.make_graph(nodes, "g", [], [], initializer=initializers)


def weights_of(folder: Path, model: Any) -> tuple[list[str], int]:
    """The names of the files, and the end."""
    files, end = external_weights(str(folder / "g.onnx"), model.SerializeToString())
    return [Path(file).name for file in files], end


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).touch()
    return tmp_path


def test_the_furthest_end_of_all_initializers(folder: Path) -> None:
    inline = onnx.numpy_helper.from_array(FLOATS, "inline")
    weights = (
        external("x", "b.bin", offset=4096, length=16),
        inline,
        external("y", "a.bin", offset=64, length=16),
    )
    model = helper.make_model(graph_of(initializers=weights))
    assert weights_of(folder, model) == (["a.bin", "b.bin"], 4112)


def test_tensors_within_nodes_bodies_and_functions(folder: Path) -> None:
    constant = helper.make_node("Constant", [], ["c"], value=external("c", "a.bin", length=16))
    body = graph_of(helper.make_node("If", ["x"], ["y"], then_branch=graph_of(constant)))
    for model in (
        helper.make_model(graph_of(constant)),
        helper.make_model(graph_of(helper.make_node("Loop", [], ["z"], body=body))),
        helper.make_model(
            graph_of(),
            functions=[
                helper.make_function("d", "f", [], ["c"], [constant], [helper.make_opsetid("", 17)])
            ],
        ),
    ):
        assert weights_of(folder, model)[0] == ["a.bin"]


@pytest.mark.parametrize("place", [{"length": 16}, {"offset": 64}, {}])
def test_a_tensor_that_does_not_tell_its_end(folder: Path, place: dict[str, int]) -> None:
    weights = (external("x", "b.bin", offset=4096, length=16), external("y", "a.bin", **place))
    assert weights_of(folder, helper.make_model(graph_of(initializers=weights)))[1] == 0


def test_what_only_looks_like_an_entry_is_none(folder: Path) -> None:
    # The bytes of an entry within a text and within raw data.
    entry = b"\x0a\x08location\x12\x05a.bin"
    raw = helper.make_tensor("t", TensorProto.UINT8, [len(entry)], entry, raw=True)
    node = helper.make_node("Constant", [], ["c"], value_string=entry)
    model = helper.make_model(graph_of(node, initializers=[raw]))
    assert weights_of(folder, model) == ([], 0)


def test_a_file_that_is_missing_is_left_out(folder: Path) -> None:
    weights = (external("x", "c.bin", offset=0, length=16),)
    assert weights_of(folder, helper.make_model(graph_of(initializers=weights))) == ([], 16)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x3a\x05ab", "ends within field 7"),
        (b"\x3a\xff", "ends within a number"),
        (b"\x3b", "field 7 has the unknown type 3"),
    ],
)
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"g.onnx is not an ONNX graph: it {reason}|{reason}"):
        external_weights(str(tmp_path / "g.onnx"), content)


def test_numbers_are_read_as_protobuf_writes_them() -> None:
    # From the guide to the encoding: 150 is 96 01.
    assert varint(memoryview(b"\x96\x01"), 0) == (150, 2)
    message = TensorProto(name="n", dims=[1 << 40], raw_data=b"data").SerializeToString()
    assert dict(parts(memoryview(message)))[9].tobytes() == b"data"
