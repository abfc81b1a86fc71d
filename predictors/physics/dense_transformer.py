"""This module derives the work of translation models from averages over their layers.

HAT and AutoMoE publish such tables. An average times the number of layers is a sum over the
layers, which is proportional to the work. The query and key width is constant in these spaces, so
the prices contain it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.physics.role import Role

_REQUIRED = (
    *("encoder_embed_dim", "encoder_layer_num", "encoder_ffn_embed_dim_avg"),
    *("decoder_embed_dim", "decoder_layer_num", "decoder_ffn_embed_dim_avg"),
)
_OPTIONAL = (
    *("decoder_arbitrary_ende_attn_avg", "encoder_n_experts_avg", "decoder_n_experts_avg"),
    *("encoder_each_expert_ffn_dim_avg", "decoder_each_expert_ffn_dim_avg"),
)
ROLES = tuple(
    Role(name, (name,), is_optional=name in _OPTIONAL) for name in (*_REQUIRED, *_OPTIONAL)
)
ARCHITECTURE = ()
WORK = (
    *("encoder_layers", "encoder_attention_mega", "encoder_ffn_mega", "encoder_expert_mega"),
    *("decoder_layers", "decoder_attention_mega", "decoder_ffn_mega", "decoder_expert_mega"),
    *("cross_attention_mega", "cross_span_layers"),
)
LATER: tuple[str, ...] = ()
OVERLAP: tuple[str, ...] = ()
CIRCUMSTANCES: tuple[str, ...] = ()


def derive(roles: Mapping[str, NDArray[Any]], *, version: int = 2) -> NDArray[np.float64]:
    """Return the derived columns, shape (rows, len(WORK)).

    Args:
        roles: The values of each role, each of shape (rows,).
        version: The version of the columns. Both versions are the same.
    """
    encoder_dim, decoder_dim = roles["encoder_embed_dim"], roles["decoder_embed_dim"]
    decoder_layers = roles["decoder_layer_num"]
    span = roles.get("decoder_arbitrary_ende_attn_avg", np.ones(len(encoder_dim)))
    return np.column_stack(
        [
            *_stack(roles, "encoder"),
            *_stack(roles, "decoder"),
            decoder_layers * (encoder_dim + decoder_dim) / 1e6,
            decoder_layers * span,
        ]
    )


def _stack(roles: Mapping[str, NDArray[Any]], stack: str) -> list[NDArray[np.float64]]:
    """Return the layers, the attention, the weights of one expert and those of all others."""
    n_layers, dim = roles[f"{stack}_layer_num"], roles[f"{stack}_embed_dim"]
    width = roles.get(f"{stack}_each_expert_ffn_dim_avg", roles[f"{stack}_ffn_embed_dim_avg"])
    n_experts = roles.get(f"{stack}_n_experts_avg", np.ones(len(dim)))
    ffn = n_layers * dim * width / 1e6
    # The last column is zero in a log of dense models, and so has no price there.
    return [n_layers, n_layers * dim / 1e6, ffn, ffn * (n_experts - 1)]
