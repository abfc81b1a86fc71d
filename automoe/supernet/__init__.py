"""The weight-sharing Transformer: every architecture of a space is a front slice of it."""

from automoe.supernet.config import TransformerConfig
from automoe.supernet.extract import extract
from automoe.supernet.routing import Routing
from automoe.supernet.transformer import Cache, Memory, Output, Transformer

__all__ = ["Cache", "Memory", "Output", "Routing", "Transformer", "TransformerConfig", "extract"]
