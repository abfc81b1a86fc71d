"""This module holds the settings of training. The defaults are those of the paper for WMT."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from automoe.validation import explain

Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]

_UPDATES = 40_000


class SettingsError(ValueError):
    """Training settings that are out of range or unknown."""


class TrainingSettings(BaseModel):
    """The settings of one training run.

    Attributes:
        updates: The number of updates of the weights.
        max_tokens: The most tokens of a micro-batch on each process, padding included.
        accumulate: The number of micro-batches of an update on each process.
        learning_rate: The peak of the learning rate, which it reaches after the warm-up.
        warmup_updates: The number of updates during which the rate rises linearly. The default is
            a quarter of all, as in the paper.
        schedule: The curve on which the rate falls after the warm-up.
        label_smoothing: The probability that is spread over the whole vocabulary.
        dropout: The probability of dropout in embeddings and sublayer outputs.
        attention_dropout: The probability of dropout in attention weights.
        norm: The place of the layer norm: after each sublayer as in the paper, or before it, which
            learns faster from little text. A model with a supernet's weights keeps that of the
            supernet.
        balance_weight: The weight of the load-balancing loss, which is 1 when balanced.
        z_weight: The weight of the router's z-loss.
        router_jitter: The largest share by which the router's input is scaled at random.
        clip_norm: The largest norm of the gradient; 0 does not clip it.
        precision: The precision of the computation. Weights and optimiser stay float32.
        sampling: The subnets of an update. ``uniform`` trains one random subnet, as in the paper.
            ``sandwich`` trains the largest, the smallest and two random ones, and the largest
            teaches the others (BigNAS, Yu et al., 2020). A stand-alone model ignores it.
        max_sentence: The length of the longest sentence in tokens. Pairs with longer ones are not
            trained on.
        save_every: The number of updates between checkpoints.
        validate_every: The number of updates between validations.
        seed: The seed of weights, order, subnets and dropout.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    updates: Count = _UPDATES
    max_tokens: Count = 4096
    accumulate: Count = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    warmup_updates: Annotated[int, Field(ge=0)] = Field(
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
    max_sentence: Annotated[int, Field(ge=2)] = 250
    save_every: Count = 500
    validate_every: Count = 2000
    seed: Annotated[int, Field(ge=0)] = 0

    def for_model(self) -> dict[str, Any]:
        """Return those of the settings that are fields of a `TransformerConfig`."""
        return {
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "pre_norm": self.norm == "pre",
            "router_jitter": self.router_jitter,
        }

    @classmethod
    def of(cls, **given: Any) -> "TrainingSettings":
        """Return settings from keyword arguments.

        Raises:
            SettingsError: A setting is unknown or out of range. The message names it and its
                value.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError(explain(error)) from None
