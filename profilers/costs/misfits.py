"""This module tells shapes that an operator cannot take, where ONNX itself does not compare them.

ONNX infers the shape of a convolution without the channels that its filters take, and that of a
Reshape from its target alone. What does not fit here is a suspicion: ONNX Runtime decides, see
`profilers.costs.node_outputs`.
"""

from collections.abc import Callable
from math import prod

from profilers.costs.operator_flops import einsum_terms
from profilers.costs.values import ShapedNode, Value, named_inputs

_SHOWN = 8


def misfit_of(node: ShapedNode) -> str:
    """Return why the inputs of a node do not fit each other.

    Return an empty text when they fit, when too little is known, or when ONNX itself compares them.
    """
    rule = _RULES.get(node.op)
    if rule is None:
        return ""
    try:
        return rule(node)
    except (IndexError, TypeError, ValueError, ZeroDivisionError):  # nothing can be compared
        return ""


def misfit_text(node: ShapedNode, reason: str) -> str:
    """Return a sentence, without its dot, about a node whose inputs do not fit each other."""
    inputs = ", ".join(_shown(name, value) for name, value in named_inputs(node).items())
    return f"{node} cannot take {inputs}: {reason}"


def _shown(name: str, value: Value) -> str:
    """Return an input with its shape, or with its elements when it may be a shape itself."""
    content = value.content
    if content is not None and content.dtype.kind in "iu" and 0 < content.size <= _SHOWN:
        return f"{name} = {content.tolist()}"
    return f"{name} {'?' if value.shape is None else list(value.shape)}"


def _reshape(node: ShapedNode) -> str:
    shape, n_elements = node.outputs[0].shape, prod(node.in_shape(0))
    if shape is None or prod(shape) == n_elements:
        return ""
    return f"{n_elements} elements cannot have the shape {list(shape)}"


def _gemm(node: ShapedNode) -> str:
    inner = node.in_shape(0)[0 if node.attribute("transA", 0) else 1]
    rows = node.in_shape(1)[1 if node.attribute("transB", 0) else 0]
    if inner != rows:
        return f"the inner sizes are {inner} and {rows}"
    added, product = node.in_shape(2) if node.has_input(2) else (), node.outputs[0].shape or ()
    fits = all(a in (1, b) for a, b in zip(added[::-1], product[::-1], strict=False))
    return "" if fits else f"C of {list(added)} cannot be added to {list(product)}"


def _convolution(weight: int, bias: int) -> Callable[[ShapedNode], str]:
    """Return the rule of a convolution whose weight and bias are the inputs of these numbers."""

    def rule(node: ShapedNode) -> str:
        group, shape = int(node.attribute("group", 1)), node.in_shape(weight)
        n_taken, n_channels = shape[1] * group, node.in_shape(0)[1]
        if n_taken != n_channels:
            return f"the filters take {n_taken} channels, the input has {n_channels}"
        if shape[0] % group:
            return f"{shape[0]} filters cannot be divided into {group} groups"
        return _kernel(node, shape) or _length(node, bias, shape[0]) or _emptied(node)

    return rule


def _emptied(node: ShapedNode) -> str:
    is_emptied = 0 in (node.outputs[0].shape or ()) and 0 not in node.in_shape(0)
    return "the kernel is larger than the input" if is_emptied else ""


def _slope(node: ShapedNode) -> str:
    shape, slope = node.in_shape(0), node.in_shape(1)
    pairs = zip(slope[::-1], shape[::-1], strict=False)
    fits = len(slope) <= len(shape) and all(a in (1, b) for a, b in pairs)
    return "" if fits else f"a slope of {list(slope)} is not for {list(shape)}"


def _conv_transpose(node: ShapedNode) -> str:
    group, shape = int(node.attribute("group", 1)), node.in_shape(1)
    n_taken, n_channels = shape[0], node.in_shape(0)[1]
    if n_taken != n_channels or n_taken % group:
        return f"the filters take {n_taken} channels in {group} groups, the input has {n_channels}"
    return _kernel(node, shape) or _length(node, 2, shape[1] * group)


def _kernel(node: ShapedNode, weight: tuple[int, ...]) -> str:
    kernel = tuple(node.attribute("kernel_shape", ())) or weight[2:]
    is_same = kernel == weight[2:] and len(weight) == len(node.in_shape(0))
    return "" if is_same else f"the kernel is {list(kernel)}, the filters are {list(weight)}"


def _length(node: ShapedNode, place: int, wanted: int) -> str:
    """Return what is wrong when an optional input is not a row of this length."""
    if not node.has_input(place) or node.in_shape(place) == (wanted,):
        return ""
    return f"input {place} must have the shape {[wanted]}"


def _recurrent(node: ShapedNode) -> str:
    (_, rows, width), (_, rows_too, hidden) = node.in_shape(1), node.in_shape(2)
    if width != node.in_shape(0)[2]:
        return f"W takes {width} features, X has {node.in_shape(0)[2]}"
    n_gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[node.op]
    is_whole = rows == rows_too == n_gates * hidden == n_gates * node.attribute("hidden_size")
    biases = (node.in_shape(1)[0], 2 * rows)
    if is_whole and node.has_input(3) and node.in_shape(3) != biases:
        return f"B must have the shape {list(biases)}"
    return "" if is_whole else "W, R and hidden_size are of different sizes"


def _einsum(node: ShapedNode) -> str:
    sizes: dict[str, int] = {}
    for place, term in enumerate(einsum_terms(node)[0]):
        if len(term) != len(node.in_shape(place)):
            return f"input {place} has {len(node.in_shape(place))} dimensions, not {len(term)}"
        for index, size in zip(term, node.in_shape(place), strict=True):
            if sizes.setdefault(index, size) != size:
                return f"the index '{index}' has the sizes {sizes[index]} and {size}"
    return ""


def _channels(node: ShapedNode) -> str:
    """Return what is wrong when a norm's weights are not as many as the input's channels."""
    n_channels = node.in_shape(0)[1]
    return next(filter(None, (_length(node, i, n_channels) for i in range(1, 5))), "")


def _layer_norm(node: ShapedNode) -> str:
    shape = node.in_shape(0)
    rest = shape[int(node.attribute("axis", -1)) % len(shape) :]
    scales = [node.in_shape(place) for place in (1, 2) if node.has_input(place)]
    wrong = [scale for scale in scales if prod(scale) not in (1, prod(rest))]
    return f"a scale of {list(wrong[0])} is not for {list(rest)}" if wrong else ""


def _gather(node: ShapedNode) -> str:
    return _range(node, node.in_shape(0)[int(node.attribute("axis", 0))])


def _range(node: ShapedNode, size: int) -> str:
    """Return what is wrong with the indices of an axis of this size, which are input 1."""
    taken = node.inputs[1]
    indices = None if taken is None else taken.content
    if indices is None or not indices.size or -size <= indices.min() <= indices.max() < size:
        return ""
    return f"the indices reach from {indices.min()} to {indices.max()} in an axis of {size}"


def _scatter_elements(node: ShapedNode) -> str:
    indices, updates = node.in_shape(1), node.in_shape(2)
    return "" if indices == updates else "the indices and the updates are of different shapes"


def _scatter_nd(node: ShapedNode) -> str:
    shape, indices = node.in_shape(0), node.in_shape(1)
    wanted = (*indices[:-1], *shape[indices[-1] :])
    return "" if node.in_shape(2) == wanted else f"the updates must have the shape {list(wanted)}"


def _blocks(node: ShapedNode) -> str:
    size, (_, depth, *image) = int(node.attribute("blocksize")), node.in_shape(0)
    is_cut = (
        depth % size**2 == 0 if node.op == "DepthToSpace" else all(n % size == 0 for n in image)
    )
    return "" if is_cut else f"it cannot be divided into blocks of {size}"


def _attention(node: ShapedNode) -> str:
    query, key, value = (node.in_shape(place) for place in range(3))
    if len(query) != 4:
        return ""
    is_shared = key[1] > 0 and query[1] % key[1] == 0
    fits = is_shared and query[-1] == key[-1] and key[:-1] == value[:-1]
    return "" if fits else "the queries, keys and values are of different sizes"


def _projected_attention(node: ShapedNode) -> str:
    width, weight = node.in_shape(0)[2], node.in_shape(1)
    if weight[0] != width:
        return f"the weight takes {weight[0]} features, the input has {width}"
    return _length(node, 2, weight[1])


def _multi_head_attention(node: ShapedNode) -> str:
    query, heads = node.in_shape(0), int(node.attribute("num_heads"))
    if len(query) == 3 and query[2] % heads:
        return f"{query[2]} features cannot be divided among {heads} heads"
    is_plain = len(query) == 3 and node.has_input(1) and len(node.in_shape(1)) == 3
    if not is_plain or node.in_shape(1)[2] == query[2]:
        return ""
    return f"the keys have {node.in_shape(1)[2]} features, the queries {query[2]}"


def _skip(node: ShapedNode) -> str:
    shape, skip = node.in_shape(0), node.in_shape(1)
    if shape[-2:] != skip[-2:]:
        return f"{list(skip)} cannot be added to {list(shape)}"
    return _length(node, 2, shape[-1])


def _bias(node: ShapedNode) -> str:
    return _length(node, 1, node.in_shape(0)[-1])


def _resize(node: ShapedNode) -> str:
    scales = node.inputs[2:] or node.inputs[1:]  # before opset 11 there is no region between them
    given = [value.content for value in scales if value and value.content is not None]
    wrong = [x for content in given[-1:] for x in content.ravel() if x <= 0]
    return f"a size or scale of {wrong[0]} makes no picture" if wrong else ""


_RULES: dict[str, Callable[[ShapedNode], str]] = {
    "Reshape": _reshape,
    "Gemm": _gemm,
    "Conv": _convolution(1, 2),
    "ConvInteger": _convolution(1, 4),
    "QLinearConv": _convolution(3, 8),
    "com.microsoft.FusedConv": _convolution(1, 2),
    "ConvTranspose": _conv_transpose,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Einsum": _einsum,
    "BatchNormalization": _channels,
    "InstanceNormalization": _channels,
    "LayerNormalization": _layer_norm,
    "Gather": _gather,
    "GatherElements": _gather,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "DepthToSpace": _blocks,
    "SpaceToDepth": _blocks,
    "com.microsoft.Attention": _projected_attention,
    "com.microsoft.MultiHeadAttention": _multi_head_attention,
    "com.microsoft.SkipLayerNormalization": _skip,
    "com.microsoft.BiasGelu": _bias,
    "com.microsoft.FastGelu": _bias,
    "Attention": _attention,
    "Resize": _resize,
    "PRelu": _slope,
}
