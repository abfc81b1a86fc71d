"""This module holds the values that a user gives to the inputs of a graph."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Self

from profilers.workload.declared_inputs import DeclaredInput, Shape
from profilers.workload.fields import WorkloadError
from profilers.workload.input_values import Number, text_of
from profilers.workload.workload import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHOWN = 8
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class GivenValues:
    """The values of one input, from the command line or from a file.

    Attributes:
        values: One value for each element, or one that fills the tensor.
        shape: The shape; None when the values do not tell it.
        dtype: The NumPy name of their type; "" when any type takes them.
        source: The text or the file that they come from, for messages.
    """

    values: tuple[Number, ...]
    shape: Shape | None = None
    dtype: str = ""
    source: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the values of a text such as 400, true, or 1,2,3.

        Raises:
            WorkloadError: It is not a list of numbers.
        """
        return cls(tuple(_number(part.strip(), text) for part in text.split(",")), source=text)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return the array in a file that `numpy.save` wrote. Nothing in it is executed.

        Raises:
            WorkloadError: It is not such a file, or holds no numbers.
            OSError: The file cannot be read.
        """
        array = _array(file)
        if array.dtype.kind not in "biuf":
            raise WorkloadError(f"{file} must hold numbers. Got the type {array.dtype}.")
        if not array.size:
            return cls((0,), array.shape, str(array.dtype), str(file))
        return cls(tuple(array.ravel().tolist()), array.shape, str(array.dtype), str(file))

    @property
    def text(self) -> str:
        """A text that tells these values apart from others."""
        if len(self.values) <= _SHOWN:
            return text_of(self.values)
        digest = hashlib.sha256(f"{self.shape} {text_of(self.values)}".encode())
        return f"sha256:{digest.hexdigest()[:12]}"

    def implied_shape(self, declared: DeclaredInput) -> Shape | None:
        """Return the shape that the values give to an input; None when they leave it open."""
        if self.shape is not None:
            return self.shape
        is_row = declared.dims is not None and len(declared.dims) == 1
        return (len(self.values),) if is_row and len(self.values) > 1 else None


def given_tensor(declared: DeclaredInput, shape: Shape, given: GivenValues) -> TensorSpec:
    """Return the tensor of an input with the values that a user gave.

    Raises:
        WorkloadError: Their type, shape or number does not suit the input.
    """
    where = f"Input {declared.name!r}"
    if given.dtype and given.dtype != declared.dtype:
        raise WorkloadError(
            f"{where} must be {declared.dtype}. Got {given.dtype} in {given.source}. Save it with "
            f".astype('{declared.dtype}')."
        )
    if given.shape is not None and given.shape != shape:
        raise WorkloadError(f"{where} must have shape {shape}. Got {given.shape}: {given.source}.")
    if len(given.values) not in (1, prod(shape)):
        raise WorkloadError(
            f"{where} of shape {shape} needs 1 value or {prod(shape)}. Got {len(given.values)}."
        )
    return TensorSpec(declared.dtype, shape, values=_of_type(given.values, declared))


def _of_type(values: Sequence[Number], declared: DeclaredInput) -> tuple[Number, ...]:
    """Return values as an input takes them, after a check that none of them changes."""
    import numpy as np

    dtype = np.dtype(declared.dtype)
    kind: type[bool | int | float] = {"f": float, "b": bool}.get(dtype.kind, int)
    low: int | float = 0
    high: int | float = 1
    if kind is not bool:
        limits = np.finfo(dtype) if kind is float else np.iinfo(dtype)
        low, high = kind(limits.min), kind(limits.max)
    for value in values:
        if not low <= value <= high or (kind is not float and value != int(value)):
            numbers = "numbers" if kind is float else "integers"
            raise WorkloadError(
                f"Input {declared.name!r} takes {declared.dtype}: {numbers} from {low} to {high}. "
                f"Got {value!s:.40}."
            )
    return tuple(kind(value) for value in values)


def _number(part: str, text: str) -> Number:
    if part.lower() in ("true", "false"):
        return _TRUTHS[part.lower()]
    for kind in (int, float):
        try:
            return kind(part)
        except ValueError:
            continue
    raise WorkloadError(f"Values must be numbers, true or false, such as 400 or 1,2,3. Got {text}.")


def _array(file: Path) -> "NDArray[np.generic]":
    import numpy as np

    try:
        with file.open("rb") as opened:
            array: NDArray[np.generic] = np.lib.format.read_array(opened, allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise WorkloadError(
            f"{file} is not an array of numpy.save: {reason}. Save it with numpy.save, without "
            f"objects."
        ) from None
    return array
