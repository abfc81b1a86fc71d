"""The settings of a training; the defaults are the paper's for WMT."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from automoe.field_errors import FieldError, validated
from automoe.settings.search import MOST, Amount, Count, Seed

Fraction = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]

_UPDATES = 40_000


class SettingsError(ValueError):
    """A training setting is out of range or unknown."""


class TrainingSettings(BaseModel):
    """The settings of one training.

    Attributes:
        updates: Number of updates of the weights.
        max_tokens: Most tokens of a micro-batch on each process, with the padding.
        accumulate: Micro-batches of one update on each process.
        learning_rate: Largest learning rate, which is reached after the warm-up.
        warmup_updates: Updates in which the learning rate rises linearly; default: a quarter of
            all, as in the paper.
        schedule: Curve of the learning rate after the warm-up.
        label_smoothing: Probability mass spread over the whole vocabulary.
        dropout: Dropout of embeddings and sublayer outputs.
        attention_dropout: Dropout of attention weights.
        norm: Place of the layer norm: after each sublayer as in the paper, or before it, which
            learns faster from little text. A model that inherits weights keeps its supernet's.
        balance_weight: Weight of the load-balancing loss, which is 1 for balanced experts.
        z_weight: Weight of the router's z-loss.
        router_jitter: Largest share by which training scales the router's input at random.
        clip_norm: Largest norm of the gradient; 0 for no limit.
        precision: Number format of the computation; weights and optimiser stay in float32.
        sampling: Subnets of an update: one random subnet as in the paper, or the sandwich rule:
            the largest, the smallest and two random ones, where the largest one teaches the
            others (BigNAS, Yu et al., 2020). A final model ignores it.
        max_sentence: Tokens of the longest sentence; longer pairs are not trained on.
        save_every: Number of updates between two checkpoints.
        validate_every: Number of updates between two validations.
        seed: Seed of weights, order, subnets and dropout.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    updates: Count = _UPDATES
    max_tokens: Count = 4096
    accumulate: Count = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    warmup_updates: Amount = Field(
        default_factory=lambda given: given.get("updates", _UPDATES) // 4
    )
    schedule: Literal["cosine", "inverse-sqrt"] = "cosine"
    label_smoothing: Fraction = 0.1
    dropout: Fraction = 0.3
    attention_dropout: Fraction = 0.1
    norm: Literal["post", "pre"] = "post"
    balance_weight: Weight = 0.01
    z_weight: Weight = 0.0
    router_jitter: Fraction = 0.0
    clip_norm: Weight = 0.0
    precision: Literal["no", "bf16", "fp16"] = "no"
    sampling: Literal["uniform", "sandwich"] = "uniform"
    max_sentence: Annotated[int, Field(ge=2, le=MOST)] = 250
    save_every: Count = 500
    validate_every: Count = 2000
    seed: Seed = 0

    def for_model(self) -> dict[str, Any]:
        """Return the settings that a `TransformerConfig` takes, by their names there."""
        return {
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "pre_norm": self.norm == "pre",
            "router_jitter": self.router_jitter,
        }

    @classmethod
    def of(cls, /, **given: Any) -> "TrainingSettings":
        """Return settings from keyword arguments.

        Raises:
            SettingsError: A setting is unknown, out of range or no number where one is asked for.
                The message names it.
        """
        try:
            return validated(cls, given)
        except FieldError as error:
            raise SettingsError(str(error)) from None
