"""This module keeps a trained model on disk, with its vocabulary and a supernet's space."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from automoe.architecture.space import SearchSpace
from automoe.deployed.description import VOCABULARY as VOCABULARY
from automoe.field_errors import explain
from automoe.model_files import DESCRIPTION
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Vocabulary
from devices.files import replacing, write_json
from devices.shown import Shown
from devices.yaml_json import parse_json

SCHEMA_VERSION = 1
WEIGHTS = "model.safetensors"


class ModelFolderError(ValueError):
    """A folder that does not hold a model this release can read."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrainedModel(Shown):
    """A model with its vocabulary and its space.

    Attributes:
        model: The model, in evaluation mode when it was loaded.
        vocabulary: The vocabulary of its corpus.
        space: The search space of a supernet, or None for a stand-alone model.
    """

    model: Transformer
    vocabulary: Vocabulary
    space: SearchSpace | None = None

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        n_weights = sum(each.numel() for each in self.model.parameters())
        return {
            "architecture": self.model.config.architecture.id,
            "kind": "supernet" if self.space else "stand-alone model",
            "space": self.space and self.space.name,
            "weights": f"{n_weights / 1e6:.2f} million",
            "vocabulary": f"{self.vocabulary.size} pieces",
        }

    def save(self, folder: Path) -> None:
        """Write the three files. The description is last, so a folder that has it is complete."""
        weights = {k: v.contiguous() for k, v in self.model.state_dict().items()}
        with replacing(folder / WEIGHTS) as complete:
            save_file(weights, complete)
        self.vocabulary.save(folder / VOCABULARY)
        description = {
            "schema_version": SCHEMA_VERSION,
            "config": self.model.config.to_dict(),
            "space": self.space.model_dump(mode="json") if self.space else None,
        }
        write_json(folder / DESCRIPTION, description)

    @classmethod
    def load(cls, folder: Path) -> "TrainedModel":
        """Read what ``save`` wrote.

        Raises:
            ModelFolderError: The folder holds no model, or one that is damaged or that a later
                release wrote.
            VocabularyError: The vocabulary cannot be read.
        """
        description = _description(folder)
        try:
            config = TransformerConfig.from_dict(description["config"])
            _check_shapes(folder / WEIGHTS, config)
            model = Transformer(config)
            model.load_state_dict(load_file(folder / WEIGHTS))
            space = (
                SearchSpace.model_validate(description["space"]) if description["space"] else None
            )
        except ValidationError as error:
            raise ModelFolderError(f"'{folder / DESCRIPTION}': {explain(error)}") from None
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelFolderError(f"The model in '{folder}' is damaged: {reason}") from None
        return cls(model.eval(), Vocabulary.load(folder / VOCABULARY), space)

    @classmethod
    def load_supernet(cls, folder: Path) -> "tuple[TrainedModel, SearchSpace]":
        """Read a supernet and its space.

        Raises:
            ModelFolderError: ``load`` raises it, or the model is not a supernet.
            VocabularyError: The vocabulary cannot be read.
        """
        trained = cls.load(folder)
        if trained.space is None:
            raise ModelFolderError(
                f"'{folder}' holds a stand-alone model. Give a supernet made by 'automoe train'."
            )
        return trained, trained.space


def load(folder: str | Path) -> TrainedModel:
    """Return the model in a folder of ``automoe finetune``, ``train`` or ``export``.

    Args:
        folder: The folder. ``automoe export --format huggingface`` writes one to publish.

    Raises:
        ModelFolderError: The folder holds no model, or one that is damaged or that a later
            release wrote.
        VocabularyError: The vocabulary cannot be read.
    """
    return TrainedModel.load(Path(folder))


def _check_shapes(weights: Path, config: TransformerConfig) -> None:
    """Compare the shapes that a description asks for with those in a file, before any memory is.

    Raises:
        ValueError: A weight has another shape, or is missing.
        OSError, SafetensorError: The file cannot be read.
    """
    with torch.device("meta"):
        asked = {name: tuple(each.shape) for name, each in Transformer(config).state_dict().items()}
    with safe_open(weights, framework="pt") as file:
        there = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    for name, shape in asked.items():
        if there.get(name) != shape:
            raise ValueError(
                f"'{name}' must have shape {shape}, as '{DESCRIPTION}' says. "
                f"'{weights.name}' has {there.get(name, 'no such weight')}."
            )


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        content: dict[str, Any] = parse_json(path.read_bytes())
        version = content["schema_version"]
    except FileNotFoundError:
        raise ModelFolderError(
            f"'{folder}' holds no model ({DESCRIPTION} is missing). "
            "Make one with 'automoe train' or 'automoe finetune'; the same command resumes a "
            "killed run."
        ) from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ModelFolderError(f"'{path}' is not a model's description ({error}).") from None
    if version != SCHEMA_VERSION:
        raise ModelFolderError(
            f"'{path}': 'schema_version' must be {SCHEMA_VERSION}. Got {version!r}; "
            "upgrade automoe."
        )
    return content
