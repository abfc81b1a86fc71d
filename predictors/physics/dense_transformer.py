"""A translation model described by averages over its layers, as HAT and AutoMoE publish them.

An average times the number of layers is a sum over the layers, and sums are what work adds up
from. The constant query and key width of these spaces is left to the prices.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.physics.role import Role

ROLES = (
    *(
        Role(name, (name,))
        for name in (
            "encoder_embed_dim",
            "encoder_layer_num",
            "encoder_ffn_embed_dim_avg",
            "decoder_embed_dim",
            "decoder_layer_num",
            "decoder_ffn_embed_dim_avg",
        )
    ),
    *(
        Role(name, (name,), is_optional=True)
        for name in (
            "decoder_arbitrary_ende_attn_avg",
            "encoder_n_experts_avg",
            "decoder_n_experts_avg",
            "encoder_each_expert_ffn_dim_avg",
            "decoder_each_expert_ffn_dim_avg",
        )
    ),
)
ARCHITECTURE = ()
WORK = (
    *("encoder_layers", "encoder_attention_mega", "encoder_ffn_mega", "encoder_expert_mega"),
    *("decoder_layers", "decoder_attention_mega", "decoder_ffn_mega", "decoder_expert_mega"),
    *("cross_attention_mega", "cross_span_layers"),
)
CIRCUMSTANCES: tuple[str, ...] = ()


def derive(roles: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """The derived columns, shape (rows, len(WORK)).

    Args:
        roles: Values of each role, shape (rows,) each.
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


def _stack(roles: Mapping[str, NDArray[Any]], side: str) -> list[NDArray[np.float64]]:
    """Layers, attention, feed-forward weights used by a token, and those of all experts."""
    n_layers, dim = roles[f"{side}_layer_num"], roles[f"{side}_embed_dim"]
    width = roles.get(f"{side}_each_expert_ffn_dim_avg", roles[f"{side}_ffn_embed_dim_avg"])
    n_experts = roles.get(f"{side}_n_experts_avg", np.ones(len(dim)))
    ffn = n_layers * dim * width / 1e6
    # Beyond what one expert holds: constant zero, and so without a price, in a dense log.
    return [n_layers, n_layers * dim / 1e6, ffn, ffn * (n_experts - 1)]
