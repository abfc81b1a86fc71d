"""This module writes a trained model as a bundle: two graphs, their weights and a description."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automoe import __version__
from automoe.deployed.description import (
    DECODER,
    DESCRIPTION,
    ENCODER,
    PROGRAM,
    SCHEMA_VERSION,
    SHORTLIST,
    SHORTLIST_GRAPH,
    VOCABULARY,
    WEIGHTS,
    sha256,
)
from automoe.deployed.shortlist import Shortlist
from automoe.export.card import CARD, NOTHING_KNOWN, ModelFacts, bundle_card, cost_of, timed_with
from automoe.export.decoder_graph import decoder_graph
from automoe.export.encoder_graph import encoder_graph
from automoe.export.graph import GraphBuilder, Int8Steps, TensorRtForm
from automoe.export.shortlist_graph import PRECISIONS as SHORTLISTED
from automoe.export.shortlist_graph import shortlist_graph
from automoe.export.tensorrt_experts import stacked_experts
from automoe.export.tensorrt_profiles import PROFILES, BundleSizes, write_profiles
from automoe.export.weights import PRECISIONS, TrainedWeights, stored_precision
from automoe.supernet import Transformer, TransformerConfig
from automoe.supernet.elastic import positions
from automoe.text import Vocabulary
from devices.files import replacing, write_json
from devices.zipped import zipped_program

_COSTS = ("params", "active_params", "embedding_params", "flops", "projection_flops")
_WHY_NOT = {("onnx", "fp16"): "; processors have no kernels for it, '--format tensorrt' has"}


class ExportError(ValueError):
    """A model that cannot be exported."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An exported model on disk.

    Attributes:
        folder: The folder with the graphs, their weights and the description.
        config: The model's shape.
        max_positions: The length of the longest source and target, in tokens.
        form: The form of the graphs: ``onnx``, or ``tensorrt`` for TensorRT's parsers.
        precision: The precision of weights and activations: ``fp32`` or ``fp16``. With
            ``int8``, ``int8-weights`` and ``int4-weights``, products read integers, and everything
            else is ``fp32``.
        n_best: The number of target pieces for each source piece in the shortlist; 0 for none.
        has_vocabulary: Whether the vocabulary in the folder is the model's.
    """

    folder: Path
    config: TransformerConfig
    max_positions: int
    form: str = "onnx"
    precision: str = "fp32"
    n_best: int = 0
    has_vocabulary: bool = False

    @property
    def encoder(self) -> Path:
        """Return the file of the encoder's graph."""
        return self.folder / ENCODER

    @property
    def decoder(self) -> Path:
        """Return the file of the graph of one decoder step."""
        return self.folder / DECODER

    @property
    def shortlist(self) -> Path | None:
        """Return the file of the graph of the candidates, or None when all pieces are."""
        return self.folder / SHORTLIST_GRAPH if self.n_best else None

    def describe(self, facts: ModelFacts, *, also: Iterable[str] = ()) -> None:
        """Write the model card, and the description that a translator reads.

        The description is written last, so a bundle that has one is complete.

        Args:
            facts: What is known beside the model.
            also: The names of further files in the folder, whose checksums are told.

        Raises:
            ValueError: The search's result in the facts is not one or is of another architecture.
        """
        with replacing(self.folder / CARD) as complete:
            complete.write_text(bundle_card(self, facts), encoding="utf-8")
        costs, told = cost_of(self.config), _told(facts)
        description = {
            "schema_version": SCHEMA_VERSION,
            "automoe_version": __version__,
            "architecture_id": self.config.architecture.id,
            "config": self.config.to_dict(),
            "max_positions": self.max_positions,
            "format": self.form,
            "precision": self.precision,
            "costs": {name: getattr(costs, name) for name in _COSTS},
            **({"shortlist": self.n_best} if self.n_best else {}),
            **{name: value for name, value in told.items() if value is not None},
            "files": {
                path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
                for path in (self.folder / name for name in sorted({*self._names, *also}))
            },
        }
        write_json(self.folder / DESCRIPTION, description)

    @property
    def _names(self) -> list[str]:
        """The names of the files that an export writes besides the description."""
        return [
            *(ENCODER, DECODER, WEIGHTS, PROGRAM, CARD),
            *([SHORTLIST, SHORTLIST_GRAPH] if self.n_best else []),
            *([VOCABULARY] if self.has_vocabulary else []),
            *([PROFILES] if self.form == "tensorrt" else []),
        ]

    def remove_description(self) -> None:
        """Remove the description, so that no command opens the bundle any more."""
        (self.folder / DESCRIPTION).unlink(missing_ok=True)


def export_model(
    model: Transformer,
    folder: Path,
    *,
    vocabulary: Vocabulary | None = None,
    max_positions: int = 256,
    form: str = "onnx",
    precision: str = "fp32",
    int8: Int8Steps | None = None,
    shortlist: Shortlist | None = None,
    facts: ModelFacts = NOTHING_KNOWN,
) -> Bundle:
    """Write a stand-alone model as ONNX graphs, with the program that translates with them.

    Args:
        model: A model that runs at its full shape, such as an extracted subnet.
        folder: The folder of the files. A missing folder is made, existing files are overwritten.
        vocabulary: The vocabulary that the model was trained with, which a translator needs.
        max_positions: The length of the longest source and target, in tokens.
        form: The form of the graphs: ``onnx``, or ``tensorrt`` for TensorRT's parsers. With
            ``tensorrt`` the shapes that an engine is built for are written beside the graphs.
        precision: The precision: ``fp32``; ``int8``; for ONNX Runtime ``int8-weights`` or
            ``int4-weights``, see `rounded_weight`; for TensorRT ``fp16``.
        int8: The result of `calibrate`, which TensorRT's ``int8`` needs.
        shortlist: The pieces that a translation may have, for ``fp32`` and ``int8`` of ONNX
            Runtime; None for all.
        facts: What is known beside the model, for its card and the description.

    Raises:
        ExportError: The model sends tokens to several experts, the form does not have the
            precision, ``int8`` is given without need or missing, or there is no shortlist in
            this form and precision.
        ValueError: The search's result in the facts is not one or is of another architecture.
    """
    require_top_1(model)
    require_precision(form, precision, is_shortlisted=shortlist is not None)
    if ((form, precision) == ("tensorrt", "int8")) != (int8 is not None):
        raise ExportError(
            f"'int8' must be what calibrate() gives, with form tensorrt and precision int8 only. "
            f"Got {int8} with {form} and '{precision}'."
        )
    n_best = 0 if shortlist is None else shortlist.n_best
    bundle = Bundle(
        folder, model.config, max_positions, form, precision, n_best, vocabulary is not None
    )
    bundle_card(bundle, facts)  # so that facts that do not fit are refused before it is written
    folder.mkdir(parents=True, exist_ok=True)
    bundle.remove_description()  # of an earlier bundle, whose graphs are replaced now
    if vocabulary is not None:
        vocabulary.save(folder / VOCABULARY)
    (folder / PROGRAM).write_bytes(_program())
    if shortlist is not None:
        shortlist.write(folder / SHORTLIST)
    encoder, decoder = write_graphs(model, bundle, int8)
    if form == "tensorrt":
        graphs = {bundle.encoder.name: encoder, bundle.decoder.name: decoder}
        write_profiles(folder, graphs, BundleSizes(max_positions), model.config.architecture)
    bundle.describe(facts)
    return bundle


@cache
def _program() -> bytes:
    """Return the program of a bundle. A search by BLEU exports every candidate."""
    return zipped_program(["automoe/deployed"], "automoe.deployed.program")


def _told(facts: ModelFacts) -> dict[str, Any]:
    """Return what the description tells beside the model, None where nothing is known."""
    return {
        "languages": facts.languages,
        "text": facts.text,
        "searched": None if facts.result is None else _of_search(facts.result),
        "precision_cost": facts.precision_cost,
    }


def _of_search(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a bundle tells of a search. It names no host."""
    device = result.get("device") or {}
    return {
        **{name: result.get(name) for name in ("budget_ms", "certified", "latency_ms", "workload")},
        **{name: timed_with(result, name) for name in ("runtime", "threads")},
        "device": {name: device.get(name) for name in ("name", "model", "cores")},
    }


def write_graphs(
    model: Transformer, bundle: Bundle, int8: Int8Steps | None = None
) -> tuple[GraphBuilder, GraphBuilder]:
    """Write the graphs of the encoder and the decoder with their weights, and return the two."""
    sizes = BundleSizes(bundle.max_positions) if bundle.form == "tensorrt" else None
    state = model_weights(model, bundle.max_positions, stacked=sizes is not None)
    stored = stored_precision(bundle.form, bundle.precision)
    weights = TrainedWeights(state, bundle.folder / WEIGHTS, precision=stored)

    def written(build: Callable[..., GraphBuilder], path: Path) -> GraphBuilder:
        graph = build(
            model.config,
            weights,
            max_positions=bundle.max_positions,
            forced_routing=False,
            tensorrt=TensorRtForm(sizes.typical_tokens(path.stem), int8) if sizes else None,
        )
        graph.save(path)
        return graph

    if bundle.shortlist is not None:
        shortlist_graph(model.config, weights).save(bundle.shortlist)
    step_graph = partial(decoder_graph, is_shortlisted=bundle.shortlist is not None)
    return written(encoder_graph, bundle.encoder), written(step_graph, bundle.decoder)


def require_top_1(model: Transformer) -> None:
    """Check that a model sends each token to one expert.

    Raises:
        ExportError: The model sends tokens to several experts.
    """
    if model.config.top_k != 1:
        raise ExportError(f"'top_k' must be 1 to export. Got {model.config.top_k}.")


def require_precision(form: str, precision: str, *, is_shortlisted: bool = False) -> None:
    """Check that a form of graphs exists and has the precision, and a shortlist if one is wanted.

    Raises:
        ExportError: The form does not exist, does not have the precision, or has no shortlist in
            it. The message names those that exist.
    """
    if form not in PRECISIONS:
        raise ExportError(
            f"'--format' must be {', '.join(PRECISIONS)} or huggingface. Got '{form}'."
        )
    if precision not in PRECISIONS[form]:
        reason = _WHY_NOT.get((form, precision), "")
        raise ExportError(
            f"'--precision' with '--format {form}' must be one of {', '.join(PRECISIONS[form])}. "
            f"Got '{precision}'{reason}."
        )
    if is_shortlisted and (form != "onnx" or precision not in SHORTLISTED):
        raise ExportError(
            f"A shortlist needs the form onnx and the precision {' or '.join(SHORTLISTED)}. "
            f"Got {form} and {precision}; leave it out."
        )


def model_weights(
    model: Transformer, max_positions: int, *, stacked: bool
) -> dict[str, NDArray[np.float32]]:
    """Return the weights of the graphs by name; ``stacked`` adds those of TensorRT's experts."""
    config = model.config
    state = {name: weight.detach().cpu().numpy() for name, weight in model.named_parameters()}
    table = "target_embedding" if config.shared_embeddings else "source_embedding"
    embed, hidden = config.architecture.encoder.embed_dim, config.architecture.decoder.embed_dim
    state[f"{table}.encoder"] = state[table][:, :embed]
    state["target_embedding.decoder"] = state["target_embedding"][:, :hidden]
    for name, dim in (("encoder", embed), ("decoder", hidden)):
        sinusoids = positions(0, max_positions, full_dim=config.position_dim, dim=dim)
        state[f"positions.{name}"] = sinusoids.numpy()
        if stacked:
            for i, layer in enumerate(getattr(config.architecture, name).layers):
                if layer.is_sparse:
                    state |= stacked_experts(state, layer, f"{name}.{i}.feed_forward")
    return state
