"""This module writes the weights of graphs into a file beside them, never into the graph."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import StringStringEntryProto, TensorProto, helper

from automoe.export.integer_weights import INTEGERS, integer_shapes, rounded_weight

_ALIGNMENT = 4096  # a page, so that runtimes can map each initialiser
_CHUNK = 1 << 20
# The precisions of each form of graphs: ONNX Runtime's on a processor, and TensorRT's.
PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "onnx": ("fp32", *INTEGERS),
    "tensorrt": ("fp32", "fp16", "int8"),
}
# The type of a precision's weights, besides those that are integers.
DATA_TYPES: Mapping[str, int] = {
    "fp32": TensorProto.FLOAT,
    "fp16": TensorProto.FLOAT16,
    **dict.fromkeys(INTEGERS, TensorProto.FLOAT),
}


class WeightSource(Protocol):
    """A source of a graph's initialisers.

    Attributes:
        precision: The precision of the weights: ``fp32``, ``fp16``, or one of `INTEGERS`, in which
            the weights of products are integers and all others ``fp32``.
    """

    @property
    def precision(self) -> str: ...  # noqa: D102  above

    def initialiser(self, name: str, shape: Sequence[int]) -> TensorProto:
        """Return the initialiser of that name and shape."""
        ...

    def integers(self, name: str, shape: tuple[int, int]) -> tuple[TensorProto, TensorProto]:
        """Return a weight ``[O, I]`` as integers and their steps, see `rounded_weight`."""
        ...


class TrainedWeights:
    """A source that writes each weight of a model once into one file, when it is asked for.

    Weights of equal bytes share a place, such as a table of embeddings that encoder and decoder
    read.

    Args:
        state: The weights by name.
        path: The file that is written. A file that exists is replaced.
        precision: The precision to which weights are rounded, see `WeightSource`.
    """

    def __init__(
        self, state: Mapping[str, NDArray[np.float32]], path: Path, *, precision: str = "fp32"
    ) -> None:
        self.precision = precision
        self._state = state
        self._path = path
        self._offsets: dict[bytes, int] = {}
        self._end = 0
        path.write_bytes(b"")

    def initialiser(self, name: str, shape: Sequence[int]) -> TensorProto:
        """Return the named weight.

        Raises:
            ValueError: The model's weight does not have the shape that the graph needs.
        """
        dtype = helper.tensor_dtype_to_np_dtype(DATA_TYPES[self.precision])
        return self._stored(name, np.asarray(self._checked(name, shape), dtype))

    def integers(self, name: str, shape: tuple[int, int]) -> tuple[TensorProto, TensorProto]:
        """Return the named weight as integers and their steps.

        Raises:
            ValueError: The model's weight does not have the shape that the graph needs.
        """
        integers, steps = rounded_weight(self._checked(name, shape), self.precision)
        return self._stored(f"{name}.integers", integers), self._stored(f"{name}.steps", steps)

    def _checked(self, name: str, shape: Sequence[int]) -> NDArray[np.float32]:
        array = self._state[name]
        if array.shape != tuple(shape):
            raise ValueError(f"'{name}' must have shape {tuple(shape)}. Got {array.shape}.")
        return array

    def _stored(self, name: str, array: NDArray[Any]) -> TensorProto:
        data = np.ascontiguousarray(array).tobytes()
        digest = blake2b(data).digest()
        if digest not in self._offsets:
            self._offsets[digest] = self._append(data)
        data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        place = (self._path.name, self._offsets[digest])
        return external_tensor(name, array.shape, *place, data_type=data_type)

    def _append(self, data: bytes) -> int:
        start = self._end
        with self._path.open("ab") as file:
            file.write(data)
            self._end = aligned(start + len(data))
            file.write(b"\0" * (self._end - start - len(data)))
        return start


class RandomBlob:
    """A file of random numbers that every graph of a space shares.

    The file grows with the largest graph, and its beginning never changes, so it is sent to
    another machine once. All initialisers of one graph lie at different offsets, so that a graph
    reads as much memory as a real model.
    """

    def __init__(self, path: Path, *, seed: int = 0, precision: str = "fp32") -> None:
        self.path = path
        self.precision = precision
        self._seed = seed

    def graph_weights(self, start: int = 0) -> "BlobWeights":
        """Return the source of one graph's initialisers, which begin at byte ``start``."""
        return BlobWeights(self, start)

    def grow(self, size: int) -> None:
        """Make the file at least ``size`` bytes long, in whole chunks of seeded numbers."""
        have = self.path.stat().st_size // _CHUNK if self.path.exists() else 0
        if size <= have * _CHUNK:
            return
        with self.path.open("r+b" if have else "wb") as file:
            file.seek(have * _CHUNK)
            for index in range(have, -(-size // _CHUNK)):
                rng = np.random.default_rng((self._seed, index))
                dtype = helper.tensor_dtype_to_np_dtype(DATA_TYPES[self.precision])
                numbers = rng.standard_normal(_CHUNK // dtype.itemsize, dtype=np.float32)
                file.write((numbers * np.float32(0.02)).astype(dtype).tobytes())


class BlobWeights:
    """The initialisers of one graph, at consecutive offsets of a shared blob."""

    def __init__(self, blob: RandomBlob, start: int) -> None:
        self.precision = blob.precision
        self._blob = blob
        self._offsets: dict[str, int] = {}
        self.end = start

    def initialiser(self, name: str, shape: Sequence[int]) -> TensorProto:
        """Return random numbers, which are the same when the name is asked for again."""
        return self._placed(name, shape, DATA_TYPES[self.precision])

    def integers(self, name: str, shape: tuple[int, int]) -> tuple[TensorProto, TensorProto]:
        """Return random integers, the bytes of the blob, and random steps."""
        stored, steps = integer_shapes(*shape, self.precision)
        data_type = TensorProto.INT8 if self.precision == "int8" else TensorProto.UINT8
        integers = self._placed(f"{name}.integers", stored, data_type)
        return integers, self._placed(f"{name}.steps", steps, TensorProto.FLOAT)

    def _placed(self, name: str, shape: Sequence[int], data_type: int) -> TensorProto:
        if name not in self._offsets:
            self._offsets[name] = self.end
            self.end = aligned(self.end + _n_bytes(shape, data_type))
            self._blob.grow(self.end)
        place = (self._blob.path.name, self._offsets[name])
        return external_tensor(name, shape, *place, data_type=data_type)


def stored_precision(form: str, precision: str) -> str:
    """Return the precision of the weights in the file: TensorRT rounds to int8 itself."""
    return "fp32" if (form, precision) == ("tensorrt", "int8") else precision


def aligned(offset: int) -> int:
    """Return the next multiple of a memory page's size."""
    return -(-offset // _ALIGNMENT) * _ALIGNMENT


def external_tensor(
    name: str, shape: Sequence[int], file: str, offset: int, *, data_type: int = TensorProto.FLOAT
) -> TensorProto:
    """Return a tensor whose data lies in ``file`` at byte ``offset``."""
    tensor = TensorProto(name=name, data_location=TensorProto.EXTERNAL)
    tensor.data_type = data_type
    tensor.dims.extend(shape)
    length = _n_bytes(shape, data_type)
    for key, value in (("location", file), ("offset", offset), ("length", length)):
        tensor.external_data.append(StringStringEntryProto(key=key, value=str(value)))
    return tensor


def _n_bytes(shape: Sequence[int], data_type: int) -> int:
    return helper.tensor_dtype_to_np_dtype(data_type).itemsize * prod(shape)
