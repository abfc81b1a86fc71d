"""Where a graph's initialisers live: always in a file beside the graph, never inside it."""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import StringStringEntryProto, TensorProto

_ALIGNMENT = 4096  # a page, so that runtimes can map each initialiser
_CHUNK = 1 << 20
_FLOAT_BYTES = 4


class WeightSource(Protocol):
    """Gives a graph its initialisers."""

    def initialiser(self, name: str, shape: Sequence[int]) -> TensorProto:
        """The float32 initialiser of that name and shape."""
        ...


class TrainedWeights:
    """Writes each weight of a model once into one file, in the order it is asked for.

    Args:
        state: Weights by name; a shape that differs from what a graph asks is an error.
        path: The file to write; replaced when it exists.
    """

    def __init__(self, state: Mapping[str, NDArray[np.float32]], path: Path) -> None:
        self._state = state
        self._path = path
        self._offsets: dict[str, int] = {}
        self._end = 0
        path.write_bytes(b"")

    def initialiser(self, name: str, shape: Sequence[int]) -> TensorProto:
        """The named weight.

        Raises:
            ValueError: The model's weight has another shape than the graph needs.
        """
        array = np.ascontiguousarray(self._state[name], dtype=np.float32)
        if array.shape != tuple(shape):
            raise ValueError(f"'{name}' must have shape {tuple(shape)}. Got {array.shape}.")
        if name not in self._offsets:
            self._offsets[name] = self._append(array.tobytes())
        return external_tensor(name, shape, self._path.name, self._offsets[name])

    def _append(self, data: bytes) -> int:
        start = self._end
        with self._path.open("ab") as file:
            file.write(data)
            self._end = aligned(start + len(data))
            file.write(b"\0" * (self._end - start - len(data)))
        return start


class RandomBlob:
    """A file of random numbers that every graph of a space shares.

    It grows to the largest graph's need and its beginning never changes, so a device is sent
    it once. Within one graph all initialisers lie at distinct offsets, which keeps the memory
    traffic of a real model.
    """

    def __init__(self, path: Path, *, seed: int = 0) -> None:
        self.path = path
        self._seed = seed

    def graph_weights(self, start: int = 0) -> "BlobWeights":
        """Initialisers of one graph, taken one after the other from byte ``start``."""
        return BlobWeights(self, start)

    def grow(self, size: int) -> None:
        """Make the file at least ``size`` bytes, in whole chunks of seeded numbers."""
        have = self.path.stat().st_size // _CHUNK if self.path.exists() else 0
        if size <= have * _CHUNK:
            return
        with self.path.open("r+b" if have else "wb") as file:
            file.seek(have * _CHUNK)
            for index in range(have, -(-size // _CHUNK)):
                rng = np.random.default_rng((self._seed, index))
                numbers = rng.standard_normal(_CHUNK // _FLOAT_BYTES, dtype=np.float32)
                file.write((numbers * np.float32(0.02)).tobytes())


class BlobWeights:
    """The initialisers of one graph, at consecutive offsets of a shared blob."""

    def __init__(self, blob: RandomBlob, start: int) -> None:
        self._blob = blob
        self._offsets: dict[str, int] = {}
        self.end = start

    def initialiser(self, name: str, shape: Sequence[int]) -> TensorProto:
        """Random numbers; the same ones when the name is asked for again."""
        if name not in self._offsets:
            self._offsets[name] = self.end
            self.end = aligned(self.end + _FLOAT_BYTES * prod(shape))
            self._blob.grow(self.end)
        return external_tensor(name, shape, self._blob.path.name, self._offsets[name])


def aligned(offset: int) -> int:
    """The next multiple of a memory page."""
    return -(-offset // _ALIGNMENT) * _ALIGNMENT


def external_tensor(name: str, shape: Sequence[int], file: str, offset: int) -> TensorProto:
    """A float32 tensor whose data lies in ``file`` at byte ``offset``."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.dims.extend(shape)
    length = _FLOAT_BYTES * prod(shape)
    for key, value in (("location", file), ("offset", offset), ("length", length)):
        tensor.external_data.append(StringStringEntryProto(key=key, value=str(value)))
    return tensor
