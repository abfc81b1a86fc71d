"""This module counts the FLOPs of fused attention and products, of ONNX and of ONNX Runtime.

The products with keys and with values are counted, and the projections when the operator makes
them. A causal mask saves no FLOPs. Softmax, scaling, biases and rotation are not counted.

Legend: B batch, H heads, T queries, S keys (cached ones included), P width of a head.
"""

from profilers.costs.values import ShapedNode, UnknownCostError

Shape = tuple[int, ...]


def matmul_operands(node: ShapedNode) -> tuple[Shape, Shape]:
    """Return the shapes that ONNX Runtime's FusedMatMul multiplies after it transposes them."""
    first, second = (
        _transposed(
            node.in_shape(i),
            batch=bool(node.attribute(f"transBatch{name}", 0)),
            matrix=bool(node.attribute(f"trans{name}", 0)),
        )
        for i, name in enumerate("AB")
    )
    return first, second


def _transposed(shape: Shape, *, batch: bool, matrix: bool) -> Shape:
    """Return the shape with its first dimension before the last, and the last two exchanged."""
    if len(shape) < 2:
        return shape
    *batches, rows, columns = (*shape[1:-1], shape[0], shape[-1]) if batch else shape
    return (*batches, columns, rows) if matrix else (*batches, rows, columns)


def attention_flops(n_queries: int, n_keys: int, key_width: int, value_width: int) -> int:
    """Return the FLOPs by which every query meets every key and adds up every value.

    Args:
        n_queries: The number of queries of all batches together, B * T.
        n_keys: The number of keys, S.
        key_width: The width of queries and keys of all heads, H * P.
        value_width: The width of values of all heads, H * P.
    """
    return 2 * n_queries * n_keys * (key_width + value_width)


def fused_attention_flops(node: ShapedNode) -> int:
    """Return the FLOPs of ONNX's Attention, with or without a cache.

    Queries, keys and values are ``[B, H, T, P]`` or ``[B, T, H * P]``.
    """
    query, key, value = (node.in_shape(i) for i in range(3))
    n_past = node.in_shape(4)[2] if node.has_input(4) else 0
    if len(query) == 4:
        batch, heads, n_queries, width = query
        widths = heads * width, heads * value[-1]
    else:
        batch, n_queries, width = query
        heads, shared = int(node.attribute("q_num_heads")), int(node.attribute("kv_num_heads"))
        widths = width, value[-1] // shared * heads
    return attention_flops(batch * n_queries, n_past + key[-2], *widths)


def projected_attention_flops(node: ShapedNode) -> int:
    """Return the FLOPs of ONNX Runtime's Attention.

    It first projects ``[B, T, D]`` to queries, keys and values.
    """
    batch, n_tokens, dim = node.in_shape(0)
    query, key, value = _hidden_sizes(node)
    projection = 2 * batch * n_tokens * dim * (query + key + value)
    n_keys = n_tokens + (node.in_shape(4)[3] if node.has_input(4) else 0)
    return projection + attention_flops(batch * n_tokens, n_keys, query, value)


def multi_head_attention_flops(node: ShapedNode) -> int:
    """Return the FLOPs of ONNX Runtime's MultiHeadAttention, packed or not."""
    batch, n_queries, n_keys, key_width, value_width = _multi_head_sizes(node)
    return attention_flops(batch * n_queries, n_keys, key_width, value_width)


def _hidden_sizes(node: ShapedNode) -> tuple[int, int, int]:
    """Return the widths of queries, keys and values.

    Each is a third of the weights' columns when the node does not give them.
    """
    if node.attribute("past_present_share_buffer", 0):
        raise UnknownCostError("a cache of fixed size does not tell how full it is")
    given = node.attribute("qkv_hidden_sizes")
    third = node.in_shape(1)[1] // 3
    query, key, value = given or (third, third, third)
    return query, key, value


def _multi_head_sizes(node: ShapedNode) -> tuple[int, int, int, int, int]:
    query = node.in_shape(0)
    if len(query) == 5:  # queries, keys and values in one tensor: [B, T, H, 3, P]
        batch, n_queries, heads, _, width = query
        return batch, n_queries, n_queries, heads * width, heads * width
    batch, n_queries, key_width = query
    n_past = node.in_shape(6)[2] if node.has_input(6) else 0
    key = node.in_shape(1)
    if len(key) == 5:  # keys and values in one tensor: [B, S, H, 2, P]
        return batch, n_queries, n_past + key[1], key_width, key_width
    value = node.in_shape(2)
    if len(key) == 4:  # keys and values in the layout of a cache: [B, H, S, P]
        return batch, n_queries, n_past + key[2], key_width, value[1] * value[3]
    return batch, n_queries, n_past + key[1], key_width, value[2]
