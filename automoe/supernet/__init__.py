"""This package holds the supernet, whose weights all architectures of a space share."""

from automoe.supernet.config import TransformerConfig
from automoe.supernet.extract import extract
from automoe.supernet.routing import Routing
from automoe.supernet.transformer import Cache, Memory, Output, Transformer

__all__ = ["Cache", "Memory", "Output", "Routing", "Transformer", "TransformerConfig", "extract"]
