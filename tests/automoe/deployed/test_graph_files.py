"""Altered graphs are refused although their new checksums are in the description."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import automoe.deployed.translator
from automoe.deployed.description import BundleError
from automoe.deployed.graph_files import LARGEST_GRAPH, check_graph
from automoe.translation import Translator

NAMES = ("encoder.onnx", "decoder.onnx")


@pytest.fixture(autouse=True)
def _no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("ONNX Runtime read a graph")

    monkeypatch.setattr(automoe.deployed.translator, "open_session", opened)


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Write a file, and its new size and checksum into the description."""
    (folder / name).write_bytes(content)
    description = json.loads((folder / "bundle.json").read_text())
    digest = hashlib.sha256(content).hexdigest()
    description["files"][name] = {"bytes": len(content), "sha256": digest}
    (folder / "bundle.json").write_text(json.dumps(description))


def alter(folder: Path, change: Callable[[ModelProto], object], name: str = NAMES[0]) -> None:
    model = onnx.load(folder / name, load_external_data=False)
    change(model)
    rewrite(folder, name, model.SerializeToString())


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as raised:
        Translator.open(folder)
    (line,) = str(raised.value).splitlines()
    assert "xport the model again" in line
    assert len(line) < 400 + len(str(folder))
    return line


def stored(model: ModelProto) -> TensorProto:
    """A weight of the graph that is in the file of weights."""
    return next(x for x in model.graph.initializer if x.data_location == TensorProto.EXTERNAL)


def placed(**entries: str) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        for entry in stored(model).external_data:
            entry.value = entries.get(entry.key, entry.value)

    return change


def test_exported_graphs_are_accepted(folder: Path) -> None:
    for name in NAMES:
        check_graph(folder / name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "bundle.json", "a/b", ""])
def test_weights_outside_of_their_file_are_refused(folder: Path, name: str, location: str) -> None:
    alter(folder, placed(location=location), name)
    assert f"must lie in 'weights.bin'. Got '{location}'" in refusal(folder)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"offset": "999999999999"}, "must end within the"),
        ({"offset": "-4096"}, "must be numbers from 0. Got '-4096'"),
        ({"length": "-4"}, "must be numbers from 0. Got '-4'"),
        ({"offset": "x"}, "must be numbers from 0. Got 'x'"),
        ({"length": "4"}, "bytes. Got 4"),
        ({"length": str(2**70)}, f"bytes. Got {2**70}"),
    ],
)
def test_places_that_the_weights_do_not_have_are_refused(
    folder: Path, entries: dict[str, str], message: str
) -> None:
    alter(folder, placed(**entries))
    assert message in refusal(folder)


def test_a_name_cannot_write_to_the_terminal(folder: Path) -> None:
    alter(folder, placed(location="\x1b[2J\n"))
    assert r"Got '\x1b[2J\n'" in refusal(folder)


def test_a_place_that_is_said_twice_is_refused(folder: Path) -> None:
    entry = onnx.StringStringEntryProto(key="location", value="../weights.bin")
    alter(folder, lambda model: stored(model).external_data.append(entry))
    assert "must say its location, offset and length once" in refusal(folder)


def set_version(model: ModelProto) -> None:
    model.opset_import[0].version = 99


def set_domain(model: ModelProto) -> None:
    model.graph.node[0].domain = "evil"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_version, "operators of '' must have version 17. Got 99"),
        (
            lambda model: model.opset_import.append(helper.make_opsetid("com.microsoft", 2)),
            "operators of 'com.microsoft' must have version 1. Got 2",
        ),
        (
            lambda model: model.opset_import.append(helper.make_opsetid("evil", 1)),
            "operators must be of ONNX or com.microsoft. Got 'evil'",
        ),
        (
            lambda model: model.opset_import.__delitem__(0),
            "the version of operators is missing",
        ),
        (set_domain, "operators must be of ONNX or com.microsoft. Got 'evil'"),
    ],
)
def test_other_operators_are_refused(
    folder: Path, change: Callable[[ModelProto], None], message: str
) -> None:
    alter(folder, change)
    assert message in refusal(folder)


def huge(*dims: int) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        tensor = model.graph.initializer.add(name="huge", data_type=TensorProto.FLOAT)
        tensor.dims.extend(dims)
        tensor.raw_data = bytes(8)

    return change


@pytest.mark.parametrize("dims", [(10**9, 10**9), (-1, 5), (2**62,)])
def test_a_tensor_larger_than_its_data_is_refused(folder: Path, dims: tuple[int, ...]) -> None:
    alter(folder, huge(*dims))
    assert "'huge' must hold its" in refusal(folder)


def test_a_weight_larger_than_its_place_is_refused(folder: Path) -> None:
    alter(folder, lambda model: stored(model).dims.__setitem__(0, 10**9))
    assert "must have" in refusal(folder)


def test_weights_that_are_read_again_and_again_are_refused(folder: Path) -> None:
    n_bytes = (folder / "weights.bin").stat().st_size

    def change(model: ModelProto) -> None:
        whole = TensorProto(data_type=TensorProto.UINT8, dims=[n_bytes])
        whole.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "weights.bin"), ("offset", 0), ("length", n_bytes)):
            whole.external_data.add(key=key, value=str(value))
        for number in range(17):
            whole.name = f"again_{number}"
            model.graph.initializer.append(whole)

    alter(folder, change)
    assert "weights must read 'weights.bin' at most 16 times" in refusal(folder)


def test_a_tensor_with_many_dimensions_is_refused(folder: Path) -> None:
    alter(folder, huge(*[1] * 10**5))
    assert "'huge' must have at most 8 dimensions" in refusal(folder)


def add_branch(model: ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner))


def add_constant(model: ModelProto) -> None:
    value = numpy_helper.from_array(np.ones(3, np.float32))
    model.graph.node.append(helper.make_node("Constant", [], ["y"], value=value))


def add_sparse(model: ModelProto) -> None:
    model.graph.sparse_initializer.add()


def add_function(model: ModelProto) -> None:
    model.functions.append(helper.make_function("", "f", [], [], [], []))


@pytest.mark.parametrize(
    ("change", "field"),
    [(add_branch, 6), (add_constant, 5), (add_sparse, 15), (add_function, 25)],
)
def test_parts_that_exported_graphs_do_not_have_are_refused(
    folder: Path, change: Callable[[ModelProto], None], field: int
) -> None:
    alter(folder, change)
    assert f"field {field} is not one of" in refusal(folder)


def test_a_second_graph_is_refused(folder: Path) -> None:
    # protobuf would join the two, so that a part of each is never looked at alone
    empty = ModelProto(graph=onnx.GraphProto(name="g")).SerializeToString()
    rewrite(folder, "encoder.onnx", (folder / "encoder.onnx").read_bytes() + empty)
    assert "there are several graphs" in refusal(folder)


def test_a_size_that_is_written_in_another_way_is_refused(folder: Path) -> None:
    # Field 1 of a tensor as four bytes. protobuf passes over it, so the runtime would not see it.
    tensor = helper.make_tensor("t", TensorProto.FLOAT, [1], [1.0]).SerializeToString()
    tensor += b"\x0d\x00\x00\x00\x00"
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    rewrite(folder, "encoder.onnx", b"\x3a" + bytes([len(graph)]) + graph)
    assert "field dims is written in another way" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"not a graph",
        b"\x3a\xff\xff\xff\xff\x0f",  # a graph of 4 GB, which is not there
        b"\x3a" + b"\xff" * 11,
        b"\x38\x01",  # a number in place of the graph
        b"\x3a",
        b"\x3b",
        b"\x3a\x04\x2a\x02\x42\xff",
        b"\x3a\x0d\x2a\x0b\x10\x01\x40" + b"\xff" * 7 + b"\x7f",  # a number as a name
    ],
)
def test_what_is_no_graph_is_refused(folder: Path, content: bytes) -> None:
    rewrite(folder, "decoder.onnx", content)
    assert "decoder.onnx' is not as automoe exports graphs" in refusal(folder)


def test_every_cut_of_a_graph_ends_in_one_line(folder: Path) -> None:
    whole = (folder / "encoder.onnx").read_bytes()
    for end in range(1, len(whole), 97):
        (folder / "encoder.onnx").write_bytes(whole[:-end])
        with pytest.raises(BundleError, match="is not as automoe exports graphs") as raised:
            check_graph(folder / "encoder.onnx")
        assert len(str(raised.value).splitlines()) == 1


def test_a_huge_graph_is_not_read(folder: Path) -> None:
    with (folder / "encoder.onnx").open("wb") as file:
        file.truncate(LARGEST_GRAPH + 1)
    with pytest.raises(BundleError, match=f"must have at most {LARGEST_GRAPH} bytes"):
        check_graph(folder / "encoder.onnx")


def test_the_graph_of_a_shortlist_is_checked(folder: Path) -> None:
    description = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(description | {"shortlist": 4}))
    rewrite(folder, "shortlist.bin", bytes(4))
    rewrite(folder, "shortlist.onnx", b"not a graph")
    assert "shortlist.onnx' is not as automoe exports graphs" in refusal(folder)
