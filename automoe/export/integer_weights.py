"""This module rounds the weights of products to integers, in the forms that ONNX Runtime reads.

- ``int8``: products of integers. Each output of a weight has a step of its own, and activations are
  rounded in every call, to steps that suit the call. The integers are at most 64: two products of
  activations (at most 255) and larger ones overflow the 16 bits in which processors without VNNI
  add them.
- ``int8-weights`` and ``int4-weights``: blocks of 32 weights share a step, and products are those
  of ONNX Runtime's own operator ``MatMulNBits``, which reads 8 or 4 bits a weight.

Legend: O outputs, I inputs, N blocks of an output's inputs, K inputs or bytes of a block.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

INT8_LIMIT = 64
BLOCK = 32
BITS: Mapping[str, int] = {"int8-weights": 8, "int4-weights": 4}  # of each weight in blocks
INTEGERS = ("int8", *BITS)


class IntegerWeight(NamedTuple):
    """A weight as integers and the values of one step of them."""

    integers: NDArray[np.int8] | NDArray[np.uint8]
    steps: NDArray[np.float32]


def rounded_weight(weight_OI: NDArray[np.float32], precision: str) -> IntegerWeight:
    """Return a weight in the form of a precision of `INTEGERS`.

    The integers of ``int8`` are ``[I, O]`` with steps ``[O]``. In blocks they are ``[O, N, K]``
    with steps ``[O, N]``; 4-bit integers lie in pairs in a byte, the first one in its lower half.
    """
    if precision == "int8":
        return _by_outputs(weight_OI)
    return _by_blocks(weight_OI, BITS[precision])


def integer_shapes(n_outputs: int, n_inputs: int, precision: str) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the integers and of the steps of a weight ``[O, I]``."""
    if precision == "int8":
        return (n_inputs, n_outputs), (n_outputs,)
    n_blocks = -(-n_inputs // BLOCK)
    return (n_outputs, n_blocks, BLOCK * BITS[precision] // 8), (n_outputs, n_blocks)


def _by_outputs(weight_OI: NDArray[np.float32]) -> IntegerWeight:
    step_O = _nonzero(np.abs(weight_OI).max(axis=1) / INT8_LIMIT)
    integer_OI = np.rint(weight_OI / step_O[:, None]).astype(np.int8)
    return IntegerWeight(np.ascontiguousarray(integer_OI.T), step_O)


def _by_blocks(weight_OI: NDArray[np.float32], bits: int) -> IntegerWeight:
    n_outputs, n_inputs = weight_OI.shape
    padded_OI = np.pad(weight_OI, ((0, 0), (0, -n_inputs % BLOCK)))
    weight_ONK = padded_OI.reshape(n_outputs, -1, BLOCK)
    zero = 2 ** (bits - 1)
    # The weight of the largest magnitude becomes the lowest integer, so that none is unused.
    place_ON1 = np.abs(weight_ONK).argmax(axis=2, keepdims=True)
    step_ON = _nonzero(np.take_along_axis(weight_ONK, place_ON1, axis=2)[..., 0] / -zero)
    integer_ONK = np.rint(weight_ONK / step_ON[..., None]) + zero
    integer_ONK = integer_ONK.clip(0, 2 * zero - 1).astype(np.uint8)
    if bits == 4:
        integer_ONK = integer_ONK[..., 0::2] | (integer_ONK[..., 1::2] << 4)
    return IntegerWeight(integer_ONK, step_ON)


def _nonzero(step: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return steps in which those of weights that are all zero are 1."""
    return np.where(step == 0, 1, step).astype(np.float32)
