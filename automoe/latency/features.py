"""This module turns an architecture into a row of features.

A predictor reads tables and knows nothing of Transformers. The log that it is fitted to and every
prediction of a search get their features here.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import BYTES_PER_WEIGHT, StackCost
from automoe.architecture.translation_workload import TranslationWorkload

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
    """Return the features of one architecture for one sentence.

    FLOPs (``_mflops``), weights read (``_weights_touched_mb``), activations moved
    (``_activation_mb``) and matrix products started (``_kernel_launches``) are sums over the
    layers of a stack. The stacks are separate, because a device does their work at different
    speeds. In the decoder all of these but the FLOPs are those of one step.
    """
    values = map(float, _values(architecture, workload))
    return dict(zip(COLUMNS, values, strict=True))


def feature_table(
    architectures: Sequence[Architecture], workload: TranslationWorkload
) -> pd.DataFrame:
    """Return the features of each architecture, in their order."""
    rows = [_values(architecture, workload) for architecture in architectures]
    return pd.DataFrame(np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS)), columns=COLUMNS)


def _values(architecture: Architecture, workload: TranslationWorkload) -> list[float]:
    """Return the features in the order of ``COLUMNS``."""
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


def _stack(stack: StackCost, n_experts: Sequence[int]) -> tuple[float, ...]:
    """Return the features of one stack in the order of ``_STACK_NAMES``."""
    return (
        stack.attention_flops / _MEGA,
        stack.ffn_flops / _MEGA,
        BYTES_PER_WEIGHT * stack.weights_touched / _MEGA,
        stack.experts_touched,
        BYTES_PER_WEIGHT * stack.activations / _MEGA,
        stack.kernel_launches,
        len(n_experts),
        sum(n_experts),
        sum(n > 1 for n in n_experts),
    )
