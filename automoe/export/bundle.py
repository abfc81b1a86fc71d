"""The deployable form of a trained model: two graphs, their weights and a description."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automoe.export.decoder_graph import decoder_graph
from automoe.export.encoder_graph import encoder_graph
from automoe.export.graph import GraphBuilder, Int8Steps, TensorRtForm
from automoe.export.tensorrt_experts import stacked_experts
from automoe.export.tensorrt_profiles import BundleSizes, write_profiles
from automoe.export.weights import TrainedWeights
from automoe.supernet import Transformer, TransformerConfig
from automoe.supernet.elastic import positions
from devices.files import write_json

SCHEMA_VERSION = 1
DESCRIPTION = "bundle.json"
PRECISIONS = {"onnx": ("fp32",), "tensorrt": ("fp32", "fp16", "int8")}
_WHY_NOT = {
    ("onnx", "fp16"): "; processors have no kernels for it, '--format tensorrt' has",
    ("onnx", "int8"): "; '--format tensorrt' has it, calibrated; 'automoe profile' times it",
}


class ExportError(ValueError):
    """A model that cannot be exported, or a folder that is not an exported model."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An exported model on disk.

    Attributes:
        folder: Holds the graphs, their weights and the description.
        config: The model's shape.
        max_positions: Longest source and target, in tokens.
        form: ``onnx``, or ``tensorrt`` for graphs that TensorRT's parsers take.
        precision: Of weights and activations: ``fp32`` or ``fp16``; with ``int8`` products take
            integers and the rest is ``fp32``.
    """

    folder: Path
    config: TransformerConfig
    max_positions: int
    form: str = "onnx"
    precision: str = "fp32"

    @property
    def encoder(self) -> Path:
        """The encoder's graph."""
        return self.folder / "encoder.onnx"

    @property
    def decoder(self) -> Path:
        """The graph of one decoder step."""
        return self.folder / "decoder.onnx"

    def write_description(self) -> None:
        """Write what `open` reads; it comes last and says that the bundle is complete."""
        description = {
            "schema_version": SCHEMA_VERSION,
            "config": self.config.to_dict(),
            "max_positions": self.max_positions,
            "format": self.form,
            "precision": self.precision,
        }
        write_json(self.folder / DESCRIPTION, description)

    @classmethod
    def open(cls, folder: Path) -> "Bundle":
        """An exported model.

        Raises:
            ExportError: The folder does not hold one, or a later release wrote it.
        """
        path = folder / DESCRIPTION
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if content["schema_version"] != SCHEMA_VERSION:
                raise ExportError(
                    f"{path}: 'schema_version' must be {SCHEMA_VERSION}. "
                    f"Got {content['schema_version']}; upgrade automoe."
                )
            config = TransformerConfig.from_dict(content["config"])
            form, precision = content.get("format", "onnx"), content.get("precision", "fp32")
            return cls(folder, config, int(content["max_positions"]), str(form), str(precision))
        except FileNotFoundError:
            raise ExportError(
                f"No exported model in '{folder}' ({DESCRIPTION} is missing). "
                "Make one with 'automoe export'."
            ) from None
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ExportError(f"{path}: not a bundle description ({error}).") from None


def export_model(
    model: Transformer,
    folder: Path,
    *,
    max_positions: int = 256,
    form: str = "onnx",
    precision: str = "fp32",
    int8: Int8Steps | None = None,
) -> Bundle:
    """Write a stand-alone model as ONNX graphs for one sentence at a time.

    Args:
        model: A model run at its full shape, such as an extracted subnet.
        folder: Where the files go; created when missing, overwritten otherwise.
        max_positions: Longest source and target, in tokens.
        form: ``onnx``, or ``tensorrt`` for graphs that TensorRT's parsers take, with the shapes
            that an engine is built for beside them.
        precision: ``fp32``; for TensorRT also ``fp16`` and ``int8``.
        int8: What `calibrate` gives; ``int8`` needs it.

    Raises:
        ExportError: The model routes tokens to several experts, the form does not have the
            precision, or ``int8`` is not given where it is needed.
    """
    require_top_1(model)
    require_precision(form, precision)
    if (precision == "int8") != (int8 is not None):
        raise ExportError(
            f"'int8' must be what calibrate() gives, with precision int8 only. Got {int8} with "
            f"'{precision}'."
        )
    folder.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(folder, model.config, max_positions, form, precision)
    encoder, decoder = write_graphs(model, bundle, int8)
    if form == "tensorrt":
        graphs = {bundle.encoder.name: encoder, bundle.decoder.name: decoder}
        write_profiles(folder, graphs, BundleSizes(max_positions), model.config.architecture)
    bundle.write_description()
    return bundle


def write_graphs(
    model: Transformer, bundle: Bundle, int8: Int8Steps | None = None
) -> tuple[GraphBuilder, GraphBuilder]:
    """Write the graphs of the encoder and the decoder, and their weights."""
    sizes = BundleSizes(bundle.max_positions) if bundle.form == "tensorrt" else None
    state = model_weights(model, bundle.max_positions, stacked=sizes is not None)
    stored = "fp16" if bundle.precision == "fp16" else "fp32"
    weights = TrainedWeights(state, bundle.folder / "weights.bin", precision=stored)

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

    return written(encoder_graph, bundle.encoder), written(decoder_graph, bundle.decoder)


def require_top_1(model: Transformer) -> None:
    """Refuse a model that routes tokens to several experts.

    Raises:
        ExportError: It does.
    """
    if model.config.top_k != 1:
        raise ExportError(f"'top_k' must be 1 to export. Got {model.config.top_k}.")


def require_precision(form: str, precision: str) -> None:
    """Refuse a form that does not exist, or that does not have the precision.

    Raises:
        ExportError: It is so; the message says what there is.
    """
    if form not in PRECISIONS:
        raise ExportError(f"'--format' must be {' or '.join(PRECISIONS)}. Got '{form}'.")
    if precision not in PRECISIONS[form]:
        why = _WHY_NOT.get((form, precision), "")
        raise ExportError(
            f"'--precision' with '--format {form}' must be {' or '.join(PRECISIONS[form])}. "
            f"Got '{precision}'{why}."
        )


def model_weights(
    model: Transformer, max_positions: int, *, stacked: bool
) -> dict[str, NDArray[np.float32]]:
    """The weights that graphs ask for, by name; ``stacked`` with those of TensorRT's experts."""
    config = model.config
    state = {name: weight.detach().cpu().numpy() for name, weight in model.named_parameters()}
    embed, hidden = (
        config.architecture.encoder.embed_dim,
        config.architecture.decoder.embed_dim,
    )
    source = state["target_embedding" if config.shared_embeddings else "source_embedding"]
    side = "target" if config.shared_embeddings else "source"
    state[f"{side}_embedding.encoder"] = source[:, :embed]
    state["target_embedding.decoder"] = state["target_embedding"][:, :hidden]
    for name, dim in (("encoder", embed), ("decoder", hidden)):
        table = positions(0, max_positions, full_dim=config.position_dim, dim=dim)
        state[f"positions.{name}"] = table.numpy()
        if stacked:
            for i, layer in enumerate(getattr(config.architecture, name).layers):
                if layer.is_sparse:
                    state |= stacked_experts(state, layer, f"{name}.{i}.feed_forward")
    return state
