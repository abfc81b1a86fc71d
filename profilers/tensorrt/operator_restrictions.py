"""This module holds what TensorRT's ONNX parsers refuse of the operators that they take.

The sources are the column "Restrictions" of the support matrices that onnx-tensorrt publishes with
8.5, 9.2 and 10.15, its changelog, and the messages of the parser of TensorRT for RTX 1.7.1.
"""

import re
from collections.abc import Callable, Mapping

from profilers.tensorrt.dialects import NEVER, Dialect, Version
from profilers.tensorrt.supported_operators import TAKEN_SINCE
from profilers.tensorrt.tensor_facts import NodeFacts

_MOST_SPATIAL_AXES = 3
_RESIZE_MODES = ("half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric")
_RANDOM_TYPES = (1, 10)  # FLOAT and FLOAT16 of TensorProto
_REDUCTIONS = [name for name in TAKEN_SINCE if name.startswith("Reduce")]


Rule = Callable[[NodeFacts, Dialect], str]


def restriction(facts: NodeFacts, dialect: Dialect) -> str:
    """Return why a dialect refuses a node of an operator that it takes; empty if it does not."""
    rules = _RULES.get(facts.node.op_type, ())
    return next((reason for rule in rules if (reason := rule(facts, dialect))), "")


def _spatial_axes(facts: NodeFacts, dialect: Dialect) -> str:
    ranks = [rank for rank in (facts.rank(0), facts.rank(1)) if rank is not None]
    kernel = facts.attribute("kernel_shape")
    n_axes = len(kernel) if kernel else (ranks[-1] - 2 if ranks else 1)
    most = 2 if facts.node.op_type == "DeformConv" else _MOST_SPATIAL_AXES
    return (
        f"its kernel has {n_axes} spatial axes, at most {most} are taken" if n_axes > most else ""
    )


def _dilations(facts: NodeFacts, dialect: Dialect) -> str:
    dilations = facts.attribute("dilations", ())
    return "its 'dilations' must all be 1" if any(each != 1 for each in dilations) else ""


def _one_output(facts: NodeFacts, dialect: Dialect) -> str:
    more = facts.outputs_beyond(1)
    return f"only its first output is taken, not {more[0]!r}; leave it out" if more else ""


def _fixed(attribute: str, *values: object) -> Rule:
    """Return the rule that an attribute has one of some values; the first one is its default."""

    def rule(facts: NodeFacts, dialect: Dialect) -> str:
        value = facts.attribute(attribute, values[0])
        allowed = " or ".join(map(str, values))
        return "" if value in values else f"its {attribute!r} must be {allowed}. Got {value}"

    return rule


def _constant(*places: int, since: Version = (8, 5)) -> Rule:
    """Return the rule that inputs are constant, in the releases from ``since`` on."""

    def rule(facts: NodeFacts, dialect: Dialect) -> str:
        computed = [facts.input(place) for place in places if not facts.is_constant(place)]
        if not computed or dialect.version < since:
            return ""
        return f"its input {computed[0]!r} must be a constant"

    return rule


def _not_given(place: int) -> Rule:
    """Return the rule that an input, which gives a shape in real numbers, is not the graph's."""

    def rule(facts: NodeFacts, dialect: Dialect) -> str:
        name = facts.input(place)
        is_given = name in facts.tensors.given and not facts.is_constant(place)
        return f"its input {name!r} must not be an input of the graph" if is_given else ""

    return rule


def _einsum(facts: NodeFacts, dialect: Dialect) -> str:
    equation = facts.attribute("equation", "")
    if re.search(r"[^a-z\-><., ]", equation):
        return f"its equation {equation!r} must consist of small letters"
    if dialect.version >= (9, 0):
        return ""
    if "..." in equation:
        return f"its equation {equation!r} has an ellipsis, which 8.x does not take; write the axes"
    terms = re.split("->|,", equation.replace(" ", ""))
    if any(len(set(term)) < len(term) for term in terms):
        return f"its equation {equation!r} takes a diagonal, which 8.x does not"
    return ""


def _reduction(facts: NodeFacts, dialect: Dialect) -> str:
    kind = facts.attribute("reduction", "none")
    is_elements = facts.node.op_type == "ScatterElements"
    if kind == "none" or (is_elements and dialect.version >= (10, 0) and dialect.has_plugins):
        return ""
    return f"its reduction {kind!r} is not taken, only 'none'"


def _mod(facts: NodeFacts, dialect: Dialect) -> str:
    is_taken = facts.attribute("fmod", 0) or not facts.is_float
    return "" if is_taken else "its 'fmod' must be 1 for floating point"


def _range(facts: NodeFacts, dialect: Dialect) -> str:
    is_taken = not facts.is_float or facts.tensors.from_data.isdisjoint(facts.node.input)
    return "" if is_taken else "its limits are computed from data, so they must be integers"


def _resize(facts: NodeFacts, dialect: Dialect) -> str:
    mode = facts.attribute("coordinate_transformation_mode", "half_pixel")
    if mode not in (*_RESIZE_MODES, "align_corners"):
        return f"its coordinate_transformation_mode {mode!r} is not taken"
    nearest = facts.attribute("nearest_mode", "round_prefer_floor")
    if mode == "tf_half_pixel_for_nn" and nearest != "round_prefer_floor":
        return f"with {mode} its nearest_mode must be round_prefer_floor. Got {nearest}"
    return ""


def _activations(facts: NodeFacts, dialect: Dialect) -> str:
    names = [bytes(name) for name in facts.attribute("activations", ())]
    if b"Affine" in names:
        return "its activation 'Affine' is not taken"
    half = len(names) // 2
    is_bidirectional = facts.attribute("direction", "forward") == "bidirectional"
    if is_bidirectional and names[:half] != names[half:]:
        return "its activations must be the same forwards and backwards"
    return ""


def _constant_value(facts: NodeFacts, dialect: Dialect) -> str:
    for name in ("sparse_value", "value_string", "value_strings"):
        if facts.attribute(name) is not None:
            return f"its {name!r} is not taken"
    return ""


def _window(facts: NodeFacts, dialect: Dialect) -> str:
    size = facts.attribute("size")
    return "" if size in range(1, 16, 2) else f"its 'size' must be odd and at most 15. Got {size}"


def _scan_outputs(facts: NodeFacts, dialect: Dialect) -> str:
    n_carried = max(len(facts.node.input) - 2, 0)
    is_taken = dialect.version < (10, 0) or facts.input(0) or not facts.outputs_beyond(n_carried)
    return "" if is_taken else "it collects outputs, so it must have a number of repetitions"


def _random(facts: NodeFacts, dialect: Dialect) -> str:
    number = facts.attribute("dtype", _RANDOM_TYPES[0])
    return "" if number in _RANDOM_TYPES else "its dtype must be FLOAT or FLOAT16"


def _ranks(least: int, most: int, *places: int, before: Version = NEVER) -> Rule:
    """Return the rule that inputs have so many dimensions, in the releases before ``before``."""

    def rule(facts: NodeFacts, dialect: Dialect) -> str:
        for place in places:
            rank = facts.rank(place)
            if rank is not None and not least <= rank <= most and dialect.version < before:
                allowed = str(least) if least == most else f"{least} to {most}"
                return f"its input {facts.input(place)!r} must have {allowed} axes. Got {rank}"
        return ""

    return rule


def _attention(facts: NodeFacts, dialect: Dialect) -> str:
    past = [facts.input(place) for place in (4, 5) if facts.input(place)]
    if facts.attribute("is_causal", 0) and facts.input(3):
        return "it must not have both is_causal and a mask; put the triangle into the mask"
    return f"its input {past[0]!r} is not taken" if past else ""


def _constant_axes(place: int, before: Version = NEVER) -> Rule:
    """Return the rule that the axes are a constant, in the releases before ``before``.

    Since 9.0 the parser computes what follows from constants.
    """

    def rule(facts: NodeFacts, dialect: Dialect) -> str:
        is_folded = dialect.version >= (9, 0)
        is_known = facts.is_constant(place) if is_folded else facts.is_stored(place)
        return "" if is_known or dialect.version >= before else "its axes must be a constant"

    return rule


def _zero_point(facts: NodeFacts, dialect: Dialect) -> str:
    is_zero = not any(facts.integers(2) or ())
    return "" if is_zero else "its zero point must be 0; quantise symmetrically"


def _top_k(facts: NodeFacts, dialect: Dialect) -> str:
    known = facts.integers(1) if facts.input(1) else (facts.attribute("k", 0),)
    if known is None:
        return "" if dialect.has_dynamic_k else "its K must be an initialiser"
    k = max(known, default=0)
    limit = dialect.topk_limit
    return f"its K must be at most {limit}. Got {k}" if k > limit else ""


_POOLING: tuple[Rule, ...] = (_spatial_axes, _dilations)
_RECURRENT: tuple[Rule, ...] = (_activations,)
_RULES: Mapping[str, tuple[Rule, ...]] = {
    "Attention": (
        *(_one_output, _attention, _fixed("softcap", 0.0), _fixed("qk_matmul_output_mode", 0)),
    ),
    **dict.fromkeys(("ArgMax", "ArgMin", "Hardmax", "LogSoftmax", "Softmax"), (_ranks(2, 8, 0),)),
    "AveragePool": _POOLING,
    "BatchNormalization": (_fixed("training_mode", 0), _one_output),
    "Constant": (_constant_value,),
    "Conv": (_spatial_axes,),
    "ConvTranspose": (_spatial_axes,),
    "CumSum": (_constant_axes(1, before=(11, 0)),),
    "DeformConv": (_spatial_axes,),
    "DequantizeLinear": (_zero_point,),
    "Dropout": (_constant(2),),
    "Einsum": (_einsum,),
    "GRU": _RECURRENT,
    "GridSample": (_ranks(4, 4, 0, before=(11, 0)),),
    "InstanceNormalization": (_ranks(3, 5, 0, before=(9, 0)), _ranks(3, 8, 0)),
    "LRN": (_ranks(4, 8, 0), _window),
    "LSTM": (_fixed("input_forget", 0), *_RECURRENT),
    "LayerNormalization": (_one_output,),
    "Loop": (_scan_outputs,),
    "LpNormalization": (_fixed("p", 2, 1),),
    "LpPool": (_fixed("p", 2, 1), *_POOLING),
    "MaxPool": (_one_output, *_POOLING),
    "Mod": (_mod,),
    "OneHot": (_constant(1, since=(9, 0)),),
    "QuantizeLinear": (_zero_point,),
    "RNN": _RECURRENT,
    **dict.fromkeys(("RandomNormal", "RandomUniform"), (_random,)),
    **dict.fromkeys(("RandomNormalLike", "RandomUniformLike"), (_random,)),
    "Range": (_range,),
    **dict.fromkeys(_REDUCTIONS, (_constant_axes(1),)),
    "Resize": (
        _not_given(2),
        *(_resize, _fixed("antialias", 0), _fixed("keep_aspect_ratio_policy", "stretch")),
    ),
    "STFT": (_constant(1, 2),),
    "ScatterElements": (_reduction,),
    "ScatterND": (_reduction,),
    "Slice": (_constant_axes(3, before=(10, 0)),),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), (_constant_axes(1),)),
    "TensorScatter": (_fixed("axis", -2), _fixed("mode", "linear"), _ranks(4, 4, 0, 1)),
    "TopK": (_top_k,),
    "Upsample": (_not_given(1),),
}
