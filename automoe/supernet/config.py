"""Everything that fixes a model's shape and regularisation, as plain data."""

from dataclasses import asdict, dataclass
from typing import Any

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """Shape and regularisation of one model.

    Attributes:
        architecture: The model's full shape; a supernet's is the largest of its space.
        vocab_size: Rows of the embedding table and of the tied output projection.
        position_dim: Width of the sinusoids before they are cut to the embedding's width. It
            is the supernet's, so that an extracted subnet keeps its positions.
        shared_embeddings: One table for source and target.
        dropout: Probability for embeddings and for each sublayer's output.
        attention_dropout: Probability for attention weights.
        pre_norm: Normalise before each sublayer instead of after it.
        top_k: Experts that serve each token; more than a layer has means all of them.
        router_jitter: The router's input is scaled by up to this share while training.
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

    def __post_init__(self) -> None:
        for name in ("dropout", "attention_dropout", "router_jitter"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"'{name}' must be in [0, 1). Got {getattr(self, name)}.")
        if self.top_k < 1:
            raise ValueError(f"'top_k' must be at least 1. Got {self.top_k}.")

    @classmethod
    def of(cls, architecture: Architecture, *, vocab_size: int, **more: Any) -> "TransformerConfig":
        """A model of this architecture alone; its positions are as wide as its wider side."""
        widest = max(architecture.encoder.embed_dim, architecture.decoder.embed_dim)
        return cls(architecture=architecture, vocab_size=vocab_size, position_dim=widest, **more)

    @classmethod
    def for_space(cls, space: SearchSpace, **changes: Any) -> "TransformerConfig":
        """The supernet of a space: its largest architecture with every expert."""
        fixed = {
            "vocab_size": space.vocab_size,
            "shared_embeddings": space.shared_embeddings,
        }
        return cls.of(space.largest(), **{**fixed, **changes})

    def to_dict(self) -> dict[str, Any]:
        """The content as JSON types."""
        return {**asdict(self), "architecture": self.architecture.to_dict()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TransformerConfig":
        """Build from what ``to_dict`` gave.

        Raises:
            ArchitectureError: The architecture is not valid.
            ValueError: A value is out of range.
            TypeError: A key is unknown or missing.
        """
        return cls(**{**content, "architecture": Architecture.from_dict(content["architecture"])})
