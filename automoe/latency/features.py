"""The columns that a latency predictor sees of an architecture.

Predictors know tables, not Transformers: this is the one place where an architecture becomes a
row, for the log that a predictor is trained on and for every query of a search.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import BYTES_PER_WEIGHT, StackCost
from automoe.architecture.workload import TranslationWorkload

_MEGA = 1e6

_STACK_NAMES = (
    *("attention_mflops", "ffn_mflops", "weights_touched_mb", "experts_touched"),
    *("activation_mb", "kernel_launches", "layers", "experts", "sparse_layers"),
)
COLUMNS = tuple(
    f"feature_{name}"
    for name in (
        "total_mflops",
        *(f"encoder_{name}" for name in _STACK_NAMES),
        *(f"decoder_{name}" for name in _STACK_NAMES),
        *("projection_mflops", "encoder_embed_dim", "decoder_embed_dim"),
        *("encoder_heads", "decoder_heads", "cross_span"),
    )
)


def features(architecture: Architecture, workload: TranslationWorkload) -> dict[str, float]:
    """Physical quantities of one translated sentence.

    Operations (``_mflops``), weights read (``_weights_touched_mb``), activations moved
    (``_activation_mb``) and matrix products started (``_kernel_launches``) are apart for encoder
    and decoder, because a device spends them at different speeds; all but the operations are per
    step in the decoder. They are sums over the layers, so a price on them is a price of a layer.
    """
    values = map(float, _values(architecture, workload))
    return dict(zip(COLUMNS, values, strict=True))


def feature_table(
    architectures: Sequence[Architecture], workload: TranslationWorkload
) -> pd.DataFrame:
    """The features of each architecture, in their order."""
    rows = [_values(architecture, workload) for architecture in architectures]
    return pd.DataFrame(np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS)), columns=COLUMNS)


def _values(architecture: Architecture, workload: TranslationWorkload) -> list[float]:
    """The features in the order of ``COLUMNS``."""
    total = workload.cost(architecture)
    encoder, decoder = architecture.encoder, architecture.decoder
    return [
        (total.flops + total.projection_flops) / _MEGA,
        *_stack(total.encoder, [len(x.experts) for x in encoder.layers]),
        *_stack(total.decoder, [len(x.experts) for x in decoder.layers]),
        total.projection_flops / _MEGA,
        encoder.embed_dim,
        decoder.embed_dim,
        sum(x.heads for x in encoder.layers),
        sum(x.heads + x.cross_heads for x in decoder.layers),
        sum(x.cross_span for x in decoder.layers),
    ]


def _stack(part: StackCost, n_experts: Sequence[int]) -> tuple[float, ...]:
    """The features of one side in the order of ``_STACK_NAMES``."""
    return (
        part.attention_flops / _MEGA,
        part.ffn_flops / _MEGA,
        BYTES_PER_WEIGHT * part.weights_touched / _MEGA,
        part.experts_touched,
        BYTES_PER_WEIGHT * part.activations / _MEGA,
        part.kernel_launches,
        len(n_experts),
        sum(n_experts),
        sum(n > 1 for n in n_experts),
    )
