from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx.external_data_helper import ExternalDataInfo

from automoe.export.weights import RandomBlob, TrainedWeights, aligned

PAGE = 4096
SHAPES = {"small": (3,), "page": (32, 32), "odd": (7, 5, 11), "large": (300, 70)}


def placed(tensor: TensorProto) -> tuple[int, int]:
    info = ExternalDataInfo(tensor)
    assert info.location == "weights.bin"
    return info.offset, info.length


def read(folder: Path, tensor: TensorProto) -> np.ndarray:
    offset, length = placed(tensor)
    data = (folder / "weights.bin").read_bytes()[offset : offset + length]
    return np.frombuffer(data, dtype="<f4").reshape(tuple(tensor.dims))


@pytest.fixture
def state() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in SHAPES.items()}


@pytest.mark.parametrize(
    ("offset", "expected"), [(0, 0), (1, PAGE), (PAGE, PAGE), (PAGE + 1, 2 * PAGE)]
)
def test_aligned_rounds_up_to_a_page(offset: int, expected: int) -> None:
    assert aligned(offset) == expected


@pytest.mark.parametrize("random", [False, True])
def test_initialisers_begin_on_pages_and_do_not_overlap(
    tmp_path: Path, state: dict[str, np.ndarray], random: bool
) -> None:
    path = tmp_path / "weights.bin"
    source = RandomBlob(path).graph_weights() if random else TrainedWeights(state, path)
    places = [placed(source.initialiser(name, shape)) for name, shape in SHAPES.items()]
    assert all(offset % PAGE == 0 for offset, _ in places)
    assert all(offset + length <= after for (offset, length), (after, _) in pairwise(places))
    assert [length for _, length in places] == [12, 4096, 1540, 84000]
    assert path.stat().st_size >= sum(places[-1])


def test_trained_weights_are_read_back(tmp_path: Path, state: dict[str, np.ndarray]) -> None:
    weights = TrainedWeights(state, tmp_path / "weights.bin")
    tensors = [weights.initialiser(name, shape) for name, shape in SHAPES.items()]
    for tensor in tensors:
        assert np.array_equal(read(tmp_path, tensor), state[tensor.name])


def test_a_weight_that_is_asked_for_again_is_not_written_again(
    tmp_path: Path, state: dict[str, np.ndarray]
) -> None:
    path = tmp_path / "weights.bin"
    weights = TrainedWeights(state, path)
    first, size = weights.initialiser("odd", (7, 5, 11)), path.stat().st_size
    assert placed(weights.initialiser("odd", (7, 5, 11))) == placed(first)
    assert path.stat().st_size == size


def test_an_older_file_is_replaced(tmp_path: Path, state: dict[str, np.ndarray]) -> None:
    (tmp_path / "weights.bin").write_bytes(b"old" * 10_000)
    tensor = TrainedWeights(state, tmp_path / "weights.bin").initialiser("small", (3,))
    assert placed(tensor) == (0, 12)
    assert (tmp_path / "weights.bin").stat().st_size == PAGE


def test_a_weight_of_another_shape_is_refused(tmp_path: Path, state: dict[str, np.ndarray]) -> None:
    weights = TrainedWeights(state, tmp_path / "weights.bin")
    with pytest.raises(ValueError, match=r"'small' must have shape \(4,\)\. Got \(3,\)"):
        weights.initialiser("small", (4,))


def test_a_blob_grows_and_keeps_its_beginning(tmp_path: Path) -> None:
    blob = RandomBlob(tmp_path / "weights.bin")
    blob.grow(1)
    first = blob.path.read_bytes()
    blob.grow(3 * len(first))
    assert blob.path.stat().st_size == 3 * len(first)
    assert blob.path.read_bytes().startswith(first)
    blob.grow(1)
    assert blob.path.stat().st_size == 3 * len(first)


def test_a_blob_is_the_same_however_it_grew(tmp_path: Path) -> None:
    at_once, in_steps = RandomBlob(tmp_path / "a"), RandomBlob(tmp_path / "b")
    at_once.grow(3 << 20)
    for size in (1, 1 << 20, (2 << 20) + 1):
        in_steps.grow(size)
    assert at_once.path.read_bytes() == in_steps.path.read_bytes()


def test_an_interrupted_chunk_is_written_again(tmp_path: Path) -> None:
    blob = RandomBlob(tmp_path / "weights.bin")
    blob.grow(2 << 20)
    whole = blob.path.read_bytes()
    blob.path.write_bytes(whole[: (1 << 20) + 1000])
    blob.grow(2 << 20)
    assert blob.path.read_bytes() == whole


def test_blob_numbers_are_small_and_differ(tmp_path: Path) -> None:
    tensor = RandomBlob(tmp_path / "weights.bin").graph_weights().initialiser("x", (1000, 300))
    numbers = read(tmp_path, tensor)
    assert abs(numbers.mean()) < 1e-3
    assert numbers.std() == pytest.approx(0.02, rel=0.02)
    assert len(np.unique(numbers[:100])) > 25_000


def test_the_next_graph_starts_where_the_last_ended(tmp_path: Path) -> None:
    blob = RandomBlob(tmp_path / "weights.bin")
    first = blob.graph_weights()
    first.initialiser("x", (5, 5))
    second = blob.graph_weights(first.end).initialiser("x", (5, 5))
    assert placed(second) == (PAGE, 100)


def test_equal_weights_share_a_place(tmp_path: Path) -> None:
    table = np.random.default_rng(0).standard_normal((40, 8), dtype=np.float32)
    state = {"encoder": table, "decoder": table.copy(), "other": table + 1}
    source = TrainedWeights(state, tmp_path / "weights.bin")
    first, second, other = (placed(source.initialiser(name, (40, 8))) for name in state)
    assert first == second != other
    assert (tmp_path / "weights.bin").stat().st_size == 2 * PAGE
