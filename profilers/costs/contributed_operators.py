"""This module counts the FLOPs of ONNX Runtime's own operators that hold experts or attention.

It also tells the shapes of those that ONNX Runtime has no CPU kernel for, because ONNX Runtime
cannot be asked about them on a machine without their provider.

Legend: B batch, T new tokens, D width, E experts, k experts of one token.
"""

from collections.abc import Callable
from itertools import pairwise
from math import prod

from onnx import TensorProto

from profilers.costs.fused_operators import attention_flops, matmul_operands
from profilers.costs.values import ShapedNode, UnknownCostError, Value

_BYTE_TYPES = (TensorProto.UINT8, TensorProto.INT8)
_LIKE_THEIR_FIRST_INPUT = frozenset(
    f"com.microsoft.{name}"
    for name in (
        *("BiasAdd", "GroupNorm", "LongformerAttention", "MoE", "PagedAttention"),
        *("QMoE", "QOrderedGelu", "QOrderedLayerNormalization", "SkipGroupNorm"),
    )
)
_PRODUCTS = frozenset(
    f"com.microsoft.{name}" for name in ("FusedMatMulActivation", "GemmFastGelu", "QOrderedMatMul")
)
# The inputs of MoE and QMoE that hold the weights of the experts' layers.
_EXPERT_WEIGHTS = {"com.microsoft.MoE": (2, 4, 6), "com.microsoft.QMoE": (2, 5, 8)}


def moe_flops(node: ShapedNode) -> int:
    """Return the FLOPs of the experts of all tokens: each token is served by k of them.

    The router is another node. Weights narrower than a byte are packed in bytes.
    """
    n_rows, k = prod(node.in_shape(0)[:-1]), int(node.attribute("k", 1))
    places = [place for place in _EXPERT_WEIGHTS[node.op] if node.has_input(place)]
    return 2 * n_rows * k * sum(_n_weights(node, place) for place in places)


def touched_experts(node: ShapedNode) -> tuple[int, int] | None:
    """Return how many experts serve a token when tokens are spread evenly, and all experts.

    Return None for a node without experts, or whose shapes are unknown.
    """
    if node.op not in _EXPERT_WEIGHTS:
        return None
    try:
        n_rows, n_experts = prod(node.in_shape(0)[:-1]), node.in_shape(2)[0]
        k = int(node.attribute("k", 1))
    except (IndexError, ValueError):  # the shapes are unknown, or the node is not valid
        return None
    return (min(n_experts, n_rows * k), n_experts) if n_experts else None


def is_expert_weight(node: ShapedNode, place: int) -> bool:
    """Return whether an input holds weights of all experts."""
    return place in _EXPERT_WEIGHTS.get(node.op, ())


def _n_weights(node: ShapedNode, place: int) -> int:
    """Return the number of weights of one expert."""
    value = node.inputs[place]
    stored = prod(node.in_shape(place)[1:])
    if node.op != "com.microsoft.QMoE" or value is None or value.elem_type not in _BYTE_TYPES:
        return stored
    layer = _EXPERT_WEIGHTS[node.op].index(place) + 1
    bits = node.attribute(f"fc{layer}_expert_weight_bits") or node.attribute(
        "expert_weight_bits", 4
    )
    return stored * 8 // int(bits)


def group_query_attention_flops(node: ShapedNode) -> int:
    """Return the FLOPs of GroupQueryAttention, whose queries share keys and values in groups."""
    batch, n_tokens, width = node.in_shape(0)
    heads, shared = int(node.attribute("num_heads")), int(node.attribute("kv_num_heads"))
    all_heads = heads if node.has_input(1) else heads + 2 * shared  # packed with keys and values
    width = width // all_heads * heads
    past = node.in_shape(3)[2] if node.has_input(3) else 0
    n_keys = _known(node, 6, "total_sequence_length") if past else n_tokens
    return attention_flops(batch * n_tokens, n_keys, width, width)


def packed_attention_flops(node: ShapedNode) -> int:
    """Return the FLOPs of PackedAttention: projections, and attention within each sequence."""
    n_tokens, dim = node.in_shape(0)
    query, key, value = _widths(node)
    projection = 2 * n_tokens * dim * (query + key + value)
    return projection + sum(attention_flops(n, n, query, value) for n in _lengths(node, 4))


def packed_multi_head_attention_flops(node: ShapedNode) -> int:
    """Return the FLOPs of PackedMultiHeadAttention: attention within each sequence."""
    query = node.in_shape(0)
    width = query[1] * query[3] if len(query) == 4 else query[1]
    value = node.in_shape(2)[-1] if node.has_input(2) else width
    return sum(attention_flops(n, n, width, value) for n in _lengths(node, 5))


def quantised_attention_flops(node: ShapedNode) -> int:
    """Return the FLOPs of QAttention, which projects its input as Attention does."""
    batch, n_tokens, dim = node.in_shape(0)
    query, key, value = _widths(node)
    n_past = node.in_shape(8)[3] if node.has_input(8) else 0
    projection = 2 * batch * n_tokens * dim * (query + key + value)
    return projection + attention_flops(batch * n_tokens, n_tokens + n_past, query, value)


def masked_multi_head_attention_flops(node: ShapedNode) -> int:
    """Return the FLOPs of DecoderMaskedMultiHeadAttention, for one new token of each sentence."""
    batch, n_tokens, width = node.in_shape(0)
    if node.has_input(1) and len(key := node.in_shape(1)) == 4:  # cross attention
        return attention_flops(batch * n_tokens, key[2], width, width)
    if node.has_input(7):
        n_past = _known(node, 7, "past_sequence_length")
    else:
        n_past = node.in_shape(5)[2] if node.has_input(5) else 0
    return attention_flops(batch * n_tokens, n_past + n_tokens, width, width)


def described_by_rule(node: ShapedNode) -> list[Value] | None:
    """Return the outputs of an operator that has no CPU kernel; None when there is no rule."""
    first = node.inputs[0] if node.inputs else None
    if first is None or first.shape is None:
        return None
    shape: tuple[int, ...] | None = None
    if node.op in _LIKE_THEIR_FIRST_INPUT:
        shape = first.shape
    elif node.op in _PRODUCTS:
        rows, columns = matmul_operands(node)
        shape = (*rows[:-1], columns[-1])
    elif node.op == "com.microsoft.PackedAttention" and node.has_input(1):
        shape = (first.shape[0], _widths(node)[2])
    elif node.op == "com.microsoft.PackedMultiHeadAttention":
        packed = len(first.shape) == 4
        shape = (first.shape[0], first.shape[1] * first.shape[3]) if packed else first.shape
    return None if shape is None else [Value(first.elem_type, shape)]


def _widths(node: ShapedNode) -> tuple[int, int, int]:
    third = node.in_shape(1)[1] // 3
    query, key, value = node.attribute("qkv_hidden_sizes") or (third, third, third)
    return query, key, value


def _known(node: ShapedNode, place: int, name: str) -> int:
    """Return the number in an input."""
    value = node.inputs[place] if node.has_input(place) else None
    if value is None or value.content is None or value.content.size != 1:
        raise UnknownCostError(f"its {name} is computed from data")
    return int(value.content.ravel()[0])


def _lengths(node: ShapedNode, place: int) -> list[int]:
    """Return the lengths of packed sequences, from the sums of the lengths so far."""
    value = node.inputs[place] if node.has_input(place) else None
    if value is None or value.content is None:
        raise UnknownCostError("its cumulative_sequence_length is computed from data")
    sums = [int(x) for x in value.content.ravel()]
    return [max(0, after - before) for before, after in pairwise(sums)]


CONTRIBUTED_RULES: dict[str, Callable[[ShapedNode], int]] = {
    "com.microsoft.MoE": moe_flops,
    "com.microsoft.QMoE": moe_flops,
    "com.microsoft.GroupQueryAttention": group_query_attention_flops,
    "com.microsoft.PackedAttention": packed_attention_flops,
    "com.microsoft.PackedMultiHeadAttention": packed_multi_head_attention_flops,
    "com.microsoft.QAttention": quantised_attention_flops,
    "com.microsoft.DecoderMaskedMultiHeadAttention": masked_multi_head_attention_flops,
}
