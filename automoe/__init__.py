"""AutoMoE: hardware-aware search for sparse Transformers under a millisecond budget."""

__version__ = "0.1.0"
