"""The settings of a training; the defaults are the paper's for WMT."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from automoe.field_errors import FieldError, validated
from automoe.settings.search import MOST, Amount, Count, Seed

Fraction = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]

# The fields that release 0.1.0 did not have. A fingerprint has them when they are not the default.
SINCE_0_1_0 = frozenset(
    {
        "initial_weights",
        "final_weights",
        "average",
        "patience",
        "validate_subnets",
        "elastic_dropout",
        "expert_dropout",
        "track",
    }
)
MAY_DIFFER = frozenset({"save_every", "validate_every", "track"})  # when a run is resumed

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
        elastic_dropout: Scale a subnet's dropout by its width over the supernet's, as HAT does.
        expert_dropout: Dropout of the hidden units of experts in sparse layers (Switch Transformer,
            Fedus et al., 2021, 2.4).
        norm: Place of the layer norm: after each sublayer as in the paper, or before it, which
            learns faster from little text. A model that inherits weights keeps its supernet's.
        balance_weight: Weight of the load-balancing loss, which is 1 for balanced experts.
        z_weight: Weight of the router's z-loss.
        router_jitter: Largest share by which training scales the router's input at random.
        clip_norm: Largest norm of the gradient; 0 for no limit.
        precision: Number format of the computation, fp16 on a GPU only; weights and optimiser stay
            in float32.
        sampling: Subnets of an update: one random subnet as in the paper (uniform), one of which
            the FLOPs or the parameters are uniform (flops, params), or the sandwich rule: the
            largest, the smallest and two random ones, where the largest one teaches the others
            (BigNAS, Yu et al., 2020). A final model ignores it.
        max_sentence: Tokens of the longest sentence; longer pairs are not trained on.
        save_every: Number of updates between two checkpoints.
        validate_every: Number of updates between two validations.
        validate_subnets: Random subnets, always the same, that a validation of a supernet reads
            beside the largest and the smallest. A final model ignores it.
        patience: Validations in a row without a smaller loss that end the training; 0 for none.
        initial_weights: First weights of a final model: those of the supernet, or new ones from
            scratch, as in the paper. A supernet ignores it.
        final_weights: Weights that go on into the model: those of the validation with the
            smallest loss, or those of the last update. The loss of a supernet is the mean over
            its validated subnets.
        average: Number of validations, the best or the last ones, whose weights are averaged into
            the final weights; 1 for no averaging.
        track: Trackers that get the figures of the training, such as tensorboard.
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
    elastic_dropout: bool = False
    expert_dropout: Fraction = 0.0
    norm: Literal["post", "pre"] = "post"
    balance_weight: Weight = 0.01
    z_weight: Weight = 0.0
    router_jitter: Fraction = 0.0
    clip_norm: Weight = 0.0
    precision: Literal["no", "bf16", "fp16"] = "no"
    sampling: Literal["uniform", "flops", "params", "sandwich"] = "uniform"
    max_sentence: Annotated[int, Field(ge=2, le=MOST)] = 250
    save_every: Count = 500
    validate_every: Count = 2000
    validate_subnets: Amount = 2
    patience: Amount = 0
    initial_weights: Literal["supernet", "scratch"] = "supernet"
    final_weights: Literal["best", "last"] = "best"
    average: Count = 1
    track: tuple[str, ...] = ()
    seed: Seed = 0

    def for_model(self) -> dict[str, Any]:
        """Return the settings that a `TransformerConfig` takes, by their names there."""
        return {
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "elastic_dropout": self.elastic_dropout,
            "expert_dropout": self.expert_dropout,
            "pre_norm": self.norm == "pre",
            "router_jitter": self.router_jitter,
        }

    def outside_fingerprint(self) -> set[str]:
        """Return the fields that the fingerprint of a training leaves out.

        They are those that may differ when a run is resumed, and those that 0.1.0 did not have
        while they have their default, so that a run of 0.1.0 goes on.
        """
        fields = type(self).model_fields
        new = {name for name in SINCE_0_1_0 if getattr(self, name) == fields[name].default}
        return new | MAY_DIFFER

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
