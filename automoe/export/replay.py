"""This module runs exported graphs on a sentence and its known translation, token by token.

Legend: S source tokens, T target tokens.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture
from automoe.deployed.packing import packed

Outputs = dict[str, NDArray[Any]]


def replayed(
    sessions: tuple[Any, Any],
    architecture: Architecture,
    source_S: Sequence[int] | NDArray[np.int64],
    target_T: Sequence[int] | NDArray[np.int64],
    *,
    fixed: Outputs | None = None,
) -> Iterator[Outputs]:
    """Yield the outputs of the encoder, then those of each decoder step.

    Args:
        sessions: The sessions of the encoder and of the decoder.
        architecture: The architecture that was exported.
        source_S: The tokens that the encoder reads.
        target_T: The tokens that the decoder reads one by one, whatever it predicts.
        fixed: Further inputs of the decoder, which are the same in every step.
    """
    encoder, decoder = sessions
    encoded = run_named(encoder, packed([np.asarray(source_S, np.int64)]))
    yield encoded
    state = {name: value for name, value in encoded.items() if name.startswith("cross_")}
    state |= {"parent": np.array([0]), "n_sentences": np.array([1]), "n_best": np.array([1])}
    state |= empty_cache(architecture) | (fixed or {})
    for t, token in enumerate(target_T):
        step = run_named(decoder, {"token": np.array([token]), "position": np.array([t]), **state})
        yield step
        state |= carried(step)


def run_named(session: Any, feeds: Outputs) -> Outputs:
    """Run a session and return its outputs by name.

    Inputs that the graph does not have are left out; those for TensorRT have fewer. Inputs are cast
    to float16 where needed.
    """
    names = [output.name for output in session.get_outputs()]
    types = {value.name: value.type for value in session.get_inputs()}
    given = {
        name: value.astype(np.float16) if types[name] == "tensor(float16)" else value
        for name, value in feeds.items()
        if name in types
    }
    return dict(zip(names, session.run(names, given), strict=True))


def empty_cache(architecture: Architecture, beam: int = 1) -> dict[str, NDArray[np.float32]]:
    """Return the decoder's ``past_*`` inputs before its first step."""
    return {
        f"past_{part}_{i}": np.zeros(
            (beam, layer.heads, 0, architecture.qkv_dim // layer.heads), dtype=np.float32
        )
        for i, layer in enumerate(architecture.decoder.layers)
        for part in ("key", "value")
    }


def carried(step: Outputs) -> Outputs:
    """Return the ``present_*`` outputs of one step as the ``past_*`` inputs of the next."""
    prefix = "present_"
    return {
        f"past_{name.removeprefix(prefix)}": value
        for name, value in step.items()
        if name.startswith(prefix)
    }
