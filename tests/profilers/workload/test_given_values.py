"""Arrays from files of `numpy.save`."""

from pathlib import Path

import numpy as np
import pytest
from support.graphs import write_graph

from profilers import GivenValues, WorkloadError, open_onnx_workload

MASKED = "g (float[b, s, 2] x, int64[b, s] mask) => (int64[b, s] y) { y = Identity(mask) }"


def saved(path: Path, array: object) -> Path:
    np.save(path, np.asarray(array), allow_pickle=True)
    return path


def test_an_array_gives_values_and_shape(tmp_path: Path) -> None:
    graph = write_graph(tmp_path / "g.onnx", MASKED)
    file = saved(tmp_path / "mask.npy", np.array([[1, 1, 0]]))
    opened = open_onnx_workload(graph, values={"mask": GivenValues.read(file)})
    inputs = opened.workload.calls[0].inputs
    assert (inputs["mask"].shape, inputs["mask"].values) == ((1, 3), (1, 1, 0))
    assert inputs["x"].shape == (1, 3, 2)  # one symbol, one size


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1.0, 0.0]]), r"'mask' must be int64. Got float64 in .*Save it with .astype"),
        (np.array([1, 0]), r"Input 'mask' must have the shape b x s. Got 2;"),
        (np.array(["a"]), "mask.npy must hold numbers. Got the type <U1"),
        (np.array([{"a": 1}], dtype=object), "is not an array of numpy.save: Object arrays"),
    ],
)
def test_an_array_that_does_not_suit_is_refused(
    tmp_path: Path, array: object, message: str
) -> None:
    graph = write_graph(tmp_path / "g.onnx", MASKED)
    file = saved(tmp_path / "mask.npy", array)
    with pytest.raises(WorkloadError, match=message):
        open_onnx_workload(graph, values={"mask": GivenValues.read(file)})


def test_another_shape_than_the_given_one_is_refused(tmp_path: Path) -> None:
    graph = write_graph(tmp_path / "g.onnx", MASKED)
    given = GivenValues.read(saved(tmp_path / "mask.npy", np.array([[1, 1, 0]])))
    with pytest.raises(WorkloadError, match=r"must have shape \(1, 4\). Got \(1, 3\)"):
        open_onnx_workload(graph, shapes={"mask": (1, 4)}, values={"mask": given})


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"no array", b"PK\x03\x04"])
def test_a_file_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mask.npy"
    file.write_bytes(content)
    with pytest.raises(WorkloadError, match=r"mask.npy is not an array of numpy.save"):
        GivenValues.read(file)


def test_a_file_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "mask.npy", np.zeros((1, 3)))
    file.write_bytes(file.read_bytes().replace(b"(1, 3)", b"(9, 9)")[:-8])
    with pytest.raises(WorkloadError, match=r"mask.npy is not an array of numpy.save"):
        GivenValues.read(file)


def test_long_values_are_told_apart_by_their_sum(tmp_path: Path) -> None:
    one, other = (GivenValues((*range(20), last), shape=(21,)) for last in (1, 2))
    assert one.text.startswith("sha256:")
    assert one.text != other.text
    assert GivenValues.parse("1,true,2.5").text == "1,1,2.5"


@pytest.mark.parametrize("text", ["nan", "inf", "-1e400", "70000", "9" * 400])
def test_a_number_that_a_floating_point_type_cannot_hold_is_refused(
    tmp_path: Path, text: str
) -> None:
    path = write_graph(tmp_path / "g.onnx", "g (float16[2] x) => (float16[2] y) { y = Relu(x) }")
    message = r"Input 'x' takes float16: numbers from -65504.0 to 65504.0. Got "
    with pytest.raises(WorkloadError, match=message):
        open_onnx_workload(path, values={"x": GivenValues.parse(text)})
    assert open_onnx_workload(path, values={"x": GivenValues.parse("6e4")})
