"""This module finds the steps of 8-bit integers for a trained model, from real sentences.

Steps are symmetric: the largest integer stands for the largest magnitude that a product reads.
A product has one step for its activations and one for each output of its weight. Wu et al. advise
this for weights; for activations it is the simplest of their ways ("Integer quantization for deep
learning inference", arXiv 2004.09602, section 4).
"""

from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from automoe.deployed.sessions import open_session
from automoe.export.bundle import (
    Bundle,
    ExportError,
    model_weights,
    require_top_1,
    write_graphs,
)
from automoe.export.graph import GraphBuilder, Int8Steps
from automoe.export.replay import Outputs, replayed
from automoe.supernet import Transformer
from automoe.text.pairs import Pair
from automoe.text.special_tokens import BOS

_LARGEST_INTEGER = 127


def calibrate(model: Transformer, pairs: Iterable[Pair], *, max_positions: int = 256) -> Int8Steps:
    """Return the steps for `export_model` with ``precision="int8"``.

    Args:
        model: The model that will be exported.
        pairs: Some dozens of sentences like those that the model will translate.
        max_positions: The length of the longest source and target, as for `export_model`.

    Raises:
        ExportError: There is no sentence, one is too long, the model computes values that are not
            finite, or it sends tokens to several experts.
    """
    require_top_1(model)
    with TemporaryDirectory() as folder:
        bundle = Bundle(Path(folder), model.config, max_positions, form="tensorrt")
        encoder, decoder = (_Largest(graph) for graph in write_graphs(model, bundle))
        sessions = _probed(bundle.encoder, encoder.names), _probed(bundle.decoder, decoder.names)
        for pair in pairs:
            if pair.length > max_positions:
                raise ExportError(
                    f"Sentences must have at most {max_positions} tokens. Got {pair.length}."
                )
            target_T = (BOS, *pair.target)
            runs = replayed(sessions, model.config.architecture, pair.source, target_T)
            encoder.see(next(runs))
            for step in runs:
                decoder.see(step)
    weights = model_weights(model, max_positions, stacked=True)
    steps_of = encoder.steps(weights) | decoder.steps(weights)

    def steps(weight: str) -> tuple[float, NDArray[np.float32]]:
        if weight not in steps_of:
            raise ExportError(
                f"No step is known of '{weight}'. Calibrate the model that is exported, with the "
                f"same 'max_positions'."
            )
        return steps_of[weight]

    return steps


class _Largest:
    """The largest magnitude of each activation that a product of a graph reads."""

    def __init__(self, graph: GraphBuilder) -> None:
        self.names = {read for read, _ in graph.products.values()}
        self._products = graph.products
        self._known: dict[str, float] = {}

    def see(self, outputs: Outputs) -> None:
        """Include the outputs of one run."""
        for name in (self.names | {"logits"}) & set(outputs):
            size = float(np.abs(outputs[name]).max(initial=0))
            if not np.isfinite(size):
                raise ExportError("The model computes values that are not finite. Train it again.")
            self._known[name] = max(self._known.get(name, 0.0), size)

    def steps(
        self, weights: Mapping[str, NDArray[np.float32]]
    ) -> dict[str, tuple[float, NDArray[np.float32]]]:
        """Return, for each weight, the step of its activations and those of its outputs."""
        if not self._known:
            raise ExportError("Calibrating needs at least one sentence. Got none.")
        return {
            name: (
                float(_step(self._known[read])),
                _step(np.abs(weights[name]).max(axis=1 - axis)),
            )
            for name, (read, axis) in self._products.items()
        }


def _probed(path: Path, names: Set[str]) -> Any:
    """Open a saved graph as a session that also returns the named inner values."""
    model = onnx.load(path, load_external_data=False)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(names))
    path.write_bytes(model.SerializeToString())
    return open_session(path)


def _step(largest: Any) -> Any:
    """Return the value of one integer step; it is 1 where all values are zero."""
    return np.where(largest > 0, largest, _LARGEST_INTEGER).astype(np.float32) / _LARGEST_INTEGER
