"""This module describes the shape and the regularisation of a model as plain data."""

from dataclasses import asdict, dataclass
from typing import Any

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace

_SINCE_0_1_0 = {"elastic_dropout", "expert_dropout"}


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """The shape and the regularisation of one model.

    Attributes:
        architecture: The model's full shape. That of a supernet is the largest of its space.
        vocab_size: The number of rows of the embedding table, which the output projection shares.
        position_dim: The width of the sinusoids before they are cut to the embedding's width. A
            subnet has that of its supernet, so that its positions stay the same.
        shared_embeddings: Whether source and target use one table.
        dropout: The probability of dropout in embeddings and in each sublayer's output.
        attention_dropout: The probability of dropout in attention weights.
        elastic_dropout: Whether a subnet's dropout is scaled by its width over the full one, as in
            HAT. The dropout of attention weights is not.
        expert_dropout: The probability of dropout in the hidden units of experts of sparse layers.
        pre_norm: Whether a layer norm comes before each sublayer instead of after it.
        top_k: The number of experts that serve each token, or all of a layer that has fewer.
        router_jitter: The largest share by which training scales the router's input at random.

    Raises:
        ValueError: A value is out of range.
    """

    architecture: Architecture
    vocab_size: int
    position_dim: int
    shared_embeddings: bool = True
    dropout: float = 0.1
    attention_dropout: float = 0.0
    pre_norm: bool = False
    top_k: int = 1
    router_jitter: float = 0.0
    elastic_dropout: bool = False
    expert_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("dropout", "attention_dropout", "expert_dropout", "router_jitter"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"'{name}' must be in [0, 1). Got {getattr(self, name)}.")
        if self.top_k < 1:
            raise ValueError(f"'top_k' must be at least 1. Got {self.top_k}.")

    @classmethod
    def of(cls, architecture: Architecture, *, vocab_size: int, **more: Any) -> "TransformerConfig":
        """Return the configuration of one architecture alone.

        Its sinusoids are as wide as the wider of its two stacks.
        """
        widest = max(architecture.encoder.embed_dim, architecture.decoder.embed_dim)
        return cls(architecture=architecture, vocab_size=vocab_size, position_dim=widest, **more)

    @classmethod
    def for_space(cls, space: SearchSpace, **changes: Any) -> "TransformerConfig":
        """Return the configuration of a space's supernet, the space's largest architecture."""
        sizes = {"vocab_size": space.vocab_size, "shared_embeddings": space.shared_embeddings}
        return cls.of(space.largest(), **{**sizes, **changes})

    def dropout_at(self, dim: int, full_dim: int) -> float:
        """Return the dropout of a stack that runs at width ``dim`` of its ``full_dim``."""
        return self.dropout * dim / full_dim if self.elastic_dropout else self.dropout

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON types.

        What 0.1.0 did not have is left out while it is off: the fingerprint of a run has this
        content.
        """
        content = {**asdict(self), "architecture": self.architecture.to_dict()}
        return {name: value for name, value in content.items() if value or name not in _SINCE_0_1_0}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TransformerConfig":
        """Build a configuration from the result of ``to_dict``.

        Raises:
            ArchitectureError: The architecture is not valid.
            ValueError: A value is out of range.
            TypeError: A key is unknown or missing.
        """
        return cls(**{**content, "architecture": Architecture.from_dict(content["architecture"])})
