"""This module describes the choices that a search space has for its encoder and for its decoder."""

from collections import Counter
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from automoe.architecture.architecture import MOST

MOST_LAYERS, MOST_EXPERTS = 100, 1000


def _distinct(choices: tuple[int, ...]) -> tuple[int, ...]:
    repeated = [choice for choice, n in Counter(choices).items() if n > 1]
    if repeated:
        raise ValueError(f"the choice {repeated[0]} is repeated; give each choice once")
    return choices


Size = Annotated[int, Field(ge=1, le=MOST)]
Experts = Annotated[int, Field(ge=1, le=MOST_EXPERTS)]
Choices = Annotated[
    tuple[Annotated[int, Field(ge=1, le=MOST, strict=True)], ...],
    Field(min_length=1),
    AfterValidator(_distinct),
]
Depths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=MOST_LAYERS, strict=True)], ...],
    Field(min_length=1),
    AfterValidator(_distinct),
]


class StackSpace(BaseModel):
    """The choices that encoder and decoder have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embed_dim: Choices
    layers: Depths
    heads: Choices
    ffn_dim: Choices
    max_experts: Annotated[Experts, Field(strict=True)] | None = None

    @model_serializer(mode="wrap")
    def _without_default(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a limit that is not set, so that files are as they were before it existed."""
        fields: dict[str, Any] = serialize(self)
        return {key: value for key, value in fields.items() if value is not None}


class EncoderSpace(StackSpace):
    """The encoder's choices. Each layer has its own heads and feed-forward widths."""


class DecoderSpace(StackSpace):
    """The decoder's choices, which include those of the attention to the encoder."""

    cross_heads: Choices
    cross_span: Choices
