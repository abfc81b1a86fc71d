"""The deployable form of a trained model: two graphs, their weights and a description."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automoe.export.decoder_graph import decoder_graph
from automoe.export.encoder_graph import encoder_graph
from automoe.export.weights import TrainedWeights
from automoe.supernet import Transformer, TransformerConfig
from automoe.supernet.elastic import positions

SCHEMA_VERSION = 1
DESCRIPTION = "bundle.json"


class ExportError(ValueError):
    """A model that cannot be exported, or a folder that is not an exported model."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An exported model on disk.

    Attributes:
        folder: Holds the graphs, their weights and the description.
        config: The model's shape.
        max_positions: Longest source and target, in tokens.
    """

    folder: Path
    config: TransformerConfig
    max_positions: int

    @property
    def encoder(self) -> Path:
        """The encoder's graph."""
        return self.folder / "encoder.onnx"

    @property
    def decoder(self) -> Path:
        """The graph of one decoder step."""
        return self.folder / "decoder.onnx"

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
            return cls(folder, config, int(content["max_positions"]))
        except FileNotFoundError:
            raise ExportError(
                f"No exported model in '{folder}' ({DESCRIPTION} is missing). "
                "Make one with 'automoe export'."
            ) from None
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ExportError(f"{path}: not a bundle description ({error}).") from None


def export_model(model: Transformer, folder: Path, *, max_positions: int = 256) -> Bundle:
    """Write a stand-alone model as ONNX graphs for one sentence at a time.

    Args:
        model: A model run at its full shape, such as an extracted subnet.
        folder: Where the files go; created when missing, overwritten otherwise.
        max_positions: Longest source and target, in tokens.

    Raises:
        ExportError: The model routes tokens to several experts.
    """
    if model.config.top_k != 1:
        raise ExportError(f"'top_k' must be 1 to export. Got {model.config.top_k}.")
    folder.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(folder, model.config, max_positions)
    weights = TrainedWeights(_state(model, max_positions), folder / "weights.bin")
    for build, path in ((encoder_graph, bundle.encoder), (decoder_graph, bundle.decoder)):
        graph = build(model.config, weights, max_positions=max_positions, forced_routing=False)
        graph.save(path)
    description = {
        "schema_version": SCHEMA_VERSION,
        "config": model.config.to_dict(),
        "max_positions": max_positions,
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2), encoding="utf-8")
    return bundle


def _state(model: Transformer, max_positions: int) -> dict[str, NDArray[np.float32]]:
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
    return state
