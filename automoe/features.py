"""The columns that a latency predictor sees of an architecture.

Predictors know tables, not Transformers: this is the one place where an architecture becomes a
row, for the log that a predictor is trained on and for every query of a search.
"""

from collections.abc import Sequence

import pandas as pd

from automoe.architecture import Architecture
from automoe.cost import BYTES_PER_WEIGHT, StackCost
from automoe.workload import TranslationWorkload

_MEGA = 1e6


def features(architecture: Architecture, workload: TranslationWorkload) -> dict[str, float]:
    """Physical quantities of one translated sentence.

    Work (``_mflops``) and weights read (``_weights_touched_mb``; the decoder's per step) are
    apart for encoder and decoder, because a device spends them at different speeds.
    """
    total = workload.cost(architecture)
    encoder, decoder = architecture.encoder, architecture.decoder
    row = {
        "total_mflops": (total.flops + total.projection_flops) / _MEGA,
        **_stack("encoder", total.encoder, [len(x.experts) for x in encoder.layers]),
        **_stack("decoder", total.decoder, [len(x.experts) for x in decoder.layers]),
        "projection_mflops": total.projection_flops / _MEGA,
        "encoder_embed_dim": encoder.embed_dim,
        "decoder_embed_dim": decoder.embed_dim,
        "encoder_heads": sum(x.heads for x in encoder.layers),
        "decoder_heads": sum(x.heads + x.cross_heads for x in decoder.layers),
        "cross_span": sum(x.cross_span for x in decoder.layers),
    }
    return {f"feature_{name}": float(value) for name, value in row.items()}


def feature_table(
    architectures: Sequence[Architecture], workload: TranslationWorkload
) -> pd.DataFrame:
    """The features of each architecture, on its id."""
    rows = [features(architecture, workload) for architecture in architectures]
    return pd.DataFrame(rows, index=pd.Index([a.id for a in architectures], name="id"))


def _stack(side: str, part: StackCost, n_experts: Sequence[int]) -> dict[str, float]:
    return {
        f"{side}_attention_mflops": part.attention_flops / _MEGA,
        f"{side}_ffn_mflops": part.ffn_flops / _MEGA,
        f"{side}_weights_touched_mb": BYTES_PER_WEIGHT * part.weights_touched / _MEGA,
        f"{side}_experts_touched": part.experts_touched,
        f"{side}_layers": len(n_experts),
        f"{side}_experts": sum(n_experts),
        f"{side}_sparse_layers": sum(n > 1 for n in n_experts),
    }
