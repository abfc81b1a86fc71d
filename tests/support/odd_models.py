"""Odd and hostile ONNX files, as exporters and strangers write them, each with what is to be told.

`ODD` maps a name to the model's bytes, the options that describe its inputs, and either the FLOPs
that are right or words that the refusal must contain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto, helper, numpy_helper

_MICROSOFT = helper.make_opsetid("com.microsoft", 1)


@dataclass(frozen=True, slots=True)
class Odd:
    """One model.

    Attributes:
        content: The bytes of the file.
        flags: The options of `cost` and `profile` that describe the inputs.
        flops: The FLOPs of one run; None when it cannot be counted.
        says: Words of the one line that refuses or qualifies.
        can_run: Whether it can also be measured on a processor.
    """

    content: bytes
    flags: Sequence[str] = ()
    flops: int | None = None
    says: str = ""
    can_run: bool = True


def _float(name: str, dims: Sequence[int | str | None] | None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def _int64(name: str, dims: Sequence[int | str | None]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, dims)


def _ones(name: str, *shape: int) -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def _numbers(name: str, *values: int) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.int64), name)


def _model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    weights: Sequence[TensorProto] = (),
    *,
    out: str = "y",
    opset: int = 17,
) -> ModelProto:
    outputs = [_float(out, None)] if out else []
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", opset), _MICROSOFT]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _matmul(dims: Sequence[int | str | None] | None) -> ModelProto:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return _model([node], [_float("x", dims)], [_ones("w", 4, 8)])


def _bytes(model: ModelProto) -> bytes:
    return bytes(model.SerializeToString())


def _raw_dim(value: int) -> bytes:
    model = _matmul([1, 4])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = value
    return _bytes(model)


def _weight(change: str) -> bytes:
    model = _matmul(["n", 4])
    weight = model.graph.initializer[0]
    if change == "short":
        weight.raw_data = weight.raw_data[:40]
    elif change == "none":
        weight.ClearField("raw_data")
    else:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        if change != "nowhere":
            weight.external_data.add(key="location", value=change)
    return _bytes(model)


def _typed(kind: str) -> bytes:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [2, 4])
    types = {
        "sequence": helper.make_sequence_type_proto(tensor),
        "optional": helper.make_optional_type_proto(tensor),
        "map": helper.make_map_type_proto(TensorProto.INT64, tensor),
        "nothing": TypeProto(),
    }
    value = ValueInfoProto(name="x", type=types[kind])
    model = _matmul([2, 4])
    del model.graph.input[:]
    model.graph.input.append(value)
    return _bytes(model)


def _branch(pick: str) -> bytes:
    bodies = {
        f"{side}_branch": helper.make_graph(
            [helper.make_node("MatMul", ["x", weight], [side])], side, [], [_float(side, None)]
        )
        for side, weight in (("then", "small"), ("else", "large"))
    }
    inputs = [_float("x", [3, 4])]
    nodes = []
    if pick == "data":
        zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
        nodes = [
            helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
            helper.make_node("Greater", ["sum", "zero"], ["pick"]),
        ]
    else:
        zero = _ones("zero", 1)
        inputs.append(helper.make_tensor_value_info("pick", TensorProto.BOOL, []))
    nodes.append(helper.make_node("If", ["pick"], ["y"], **bodies))
    return _bytes(_model(nodes, inputs, [_ones("small", 4, 2), _ones("large", 4, 8), zero]))


def _loop(count: str) -> bytes:
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["v", "square"], ["v_out"]),
            helper.make_node("Identity", ["go"], ["go_out"]),
        ],
        "body",
        [
            _int64("i", []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            _float("v", None),
        ],
        [helper.make_tensor_value_info("go_out", TensorProto.BOOL, []), _float("v_out", None)],
    )
    inputs, nodes = [_float("x", [3, 4])], []
    weights = [_ones("square", 4, 4)]
    if count == "input":
        inputs.append(_int64("count", []))
    elif count == "data":
        nodes += [
            helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
            helper.make_node("Cast", ["sum"], ["count"], to=TensorProto.INT64),
        ]
    else:
        weights.append(numpy_helper.from_array(np.asarray(int(count), np.int64), "count"))
    nodes.append(helper.make_node("Loop", ["count", "", "x"], ["y"], body=body))
    return _bytes(_model(nodes, inputs, weights))


def _scan(axis: int = 0) -> bytes:
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["row", "w"], ["out"]),
            helper.make_node("Add", ["state", "out"], ["state_out"]),
        ],
        "body",
        [_float("state", [1, 8]), _float("row", [1, 4])],
        [_float("state_out", [1, 8]), _float("out", [1, 8])],
    )
    how = {"num_scan_inputs": 1, "scan_input_axes": [axis]}
    node = helper.make_node("Scan", ["start", "x"], ["y", "all"], body=body, **how)
    inputs = [_float("start", [1, 8]), _float("x", ["n", 1, 4])]
    return _bytes(_model([node], inputs, [_ones("w", 4, 8)]))


def _half_branch() -> bytes:
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "b", [], [_float("z", None)])
    node = helper.make_node("If", ["pick"], ["y"], then_branch=body)
    pick = helper.make_tensor_value_info("pick", TensorProto.BOOL, [])
    return _bytes(_model([node], [pick, _float("x", [2])]))


def _recursive() -> bytes:
    call = helper.make_node("Own", ["a"], ["b"], domain="own")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = _model([helper.make_node("Own", ["x"], ["y"], domain="own")], [_float("x", [2])])
    model.functions.append(helper.make_function("own", "Own", ["a"], ["b"], [call], opsets))
    model.opset_import.append(opsets[1])
    return _bytes(model)


def _without_version() -> bytes:
    model = _matmul([1, 4])
    del model.opset_import[:]
    return _bytes(model)


def _contributed(op: str, shapes: Mapping[str, Sequence[int]], **attributes: object) -> bytes:
    names = [name if shape is not None else "" for name, shape in shapes.items()]
    node = helper.make_node(op, names, ["y"], domain="com.microsoft", **attributes)
    return _bytes(_model([node], [_float(x, shape) for x, shape in shapes.items() if shape]))


def _group_query() -> bytes:
    node = helper.make_node(
        "GroupQueryAttention",
        ["q", "k", "v", "past_key", "past_value", "seqlens_k", "total_sequence_length"],
        ["y", "present_key", "present_value"],
        domain="com.microsoft",
        num_heads=4,
        kv_num_heads=2,
    )
    int32 = TensorProto.INT32
    inputs = [
        _float("q", [1, "s", 32]),
        *(_float(name, [1, "s", 16]) for name in "kv"),
        *(_float(name, [1, 2, "past", 8]) for name in ("past_key", "past_value")),
        helper.make_tensor_value_info("seqlens_k", int32, [1]),
        helper.make_tensor_value_info("total_sequence_length", int32, []),
    ]
    return _bytes(_model([node], inputs))


def _node(op: str, names: Sequence[str], **attributes: object) -> bytes:
    node = helper.make_node(op, names, ["y"], name="odd", **attributes)
    inputs = [_float(name, [2, 4]) for name in names if name and name != "words"]
    if "words" in names:
        inputs.append(helper.make_tensor_value_info("words", TensorProto.INT64, [2, 4]))
    return _bytes(_model([node], inputs))


def _line_break() -> bytes:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="two\nlines")
    return _bytes(_model([node], [_float("x", ["b", 7])], [_ones("w", 4, 8)]))


def _of_type(kind: int) -> bytes:
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    inputs = [helper.make_tensor_value_info("x", kind, [2, 4])]
    return _bytes(_model([node], inputs, opset=21))


def _without_nodes() -> bytes:
    return _bytes(_model([], [_float("y", [2])]))


def _without_inputs() -> bytes:
    node = helper.make_node("MatMul", ["w", "v"], ["y"])
    return _bytes(_model([node], [], [_ones("w", 3, 4), _ones("v", 4, 8)]))


def _inner_sequence() -> bytes:
    nodes = [
        helper.make_node("SplitToSequence", ["x"], ["s"], axis=0),
        helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0),
    ]
    return _bytes(_model(nodes, [_float("x", [2, 4])]))


def _divided() -> bytes:
    node = helper.make_node("Div", ["a", "b"], ["y"])
    model = _model([node], [_int64("a", [2]), _int64("b", [2])])
    model.graph.output[0].CopyFrom(_int64("y", [2]))
    return _bytes(model)


def _indexed() -> bytes:
    node = helper.make_node("Gather", ["table", "word"], ["y"])
    return _bytes(_model([node], [_int64("word", [1, "n"])], [_ones("table", 3, 8)]))


def _cycle() -> bytes:
    nodes = [helper.make_node("Add", ["x", "y"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    return _bytes(_model(nodes, [_float("x", [2])]))


def _not_in_order() -> bytes:
    nodes = [helper.make_node("Relu", ["z"], ["y"]), helper.make_node("MatMul", ["x", "w"], ["z"])]
    return _bytes(_model(nodes, [_float("x", [2, 4])], [_ones("w", 4, 4)]))


def _unnamed() -> bytes:
    node = helper.make_node("NoSuchOperator", ["x"], ["y"])
    return _bytes(_model([node], [_float("x", [2])]))


def _two_inputs(first: Sequence[int | str], second: Sequence[int | str]) -> bytes:
    node = helper.make_node("Concat", ["x", "z"], ["y"], axis=0)
    return _bytes(_model([node], [_float("x", first), _float("z", second)]))


ODD: Mapping[str, Odd] = {
    "minus-one": Odd(_raw_dim(-1), ["--input-shape", "x=3x4"], flops=2 * 3 * 4 * 8),
    "minus-one-default": Odd(_raw_dim(-1), flops=2 * 4 * 8),
    "very-negative": Odd(_raw_dim(-(2**40)), ["--input-shape", "x=3x4"], flops=2 * 3 * 4 * 8),
    "zero-given": Odd(_raw_dim(0), ["--input-shape", "x=3x4"], flops=192, can_run=False),
    "zero": Odd(_raw_dim(0), flops=0, says="Input 'x' is empty, because it declares a size of 0"),
    "no-rank": Odd(_bytes(_matmul(None)), ["--input-shape", "x=3x4"], flops=192),
    "no-rank-no-shape": Odd(_bytes(_matmul(None)), says="'x' declares no shape. Give --input-sha"),
    "one-symbol": Odd(
        _two_inputs(["?", "?"], ["?", 5]),
        ["--input-shape", "x=3x5", "--input-shape", "z=2x5"],
        flops=0,
        says="The symbol '.' stands for several sizes: 3, 5, 2.",
    ),
    "one-symbol-half": Odd(
        _two_inputs(["?", "?"], ["?", 5]),
        ["--input-shape", "x=3x5"],
        says="Input 'z' needs a shape: its dimension '.' stands for several sizes",
    ),
    "weight-without-data": Odd(_weight("none"), flops=64, can_run=False),
    "weight-too-short": Odd(_weight("short"), flops=64, can_run=False),
    "weight-missing": Odd(_weight("weights.bin"), flops=64, can_run=False),
    "weight-outside": Odd(_weight("../../etc/passwd"), flops=64, can_run=False),
    "weight-absolute": Odd(_weight("/etc/passwd"), flops=64, can_run=False),
    "weight-nowhere": Odd(_weight("nowhere"), says="weight 'w' lies in another file"),
    "empty": Odd(b"", says="has no nodes"),
    "words": Odd(b"These are words, and no graph at all.", says="is not ONNX"),
    "zeros": Odd(bytes(1000), says="is not ONNX"),
    "cut-off": Odd(_bytes(_matmul([1, 4]))[:-30], says="ONNX"),
    "line-break": Odd(
        _line_break(), says=r"node 'two lines' .MatMul. cannot take x \[b, 7\], w \[4, 8\]: Inc"
    ),
    "git-lfs": Odd(b"version https://git-lfs.github.com/spec/v1\n", says="a pointer of Git LFS"),
    "no-outputs": Odd(
        _bytes(_model(_matmul([1]).graph.node, [_float("x", [1, 4])], [_ones("w", 4, 8)], out="")),
        says="declares no outputs",
    ),
    "no-nodes": Odd(_without_nodes(), says="has no nodes"),
    "no-inputs": Odd(_without_inputs(), flops=0, says="Not counted: 192 FLOPs on weights alone"),
    **{
        f"a-{kind}": Odd(_typed(kind), says=f"Input 'x' must be a tensor. Got {words}")
        for kind, words in (
            *(("sequence", "a sequence"), ("optional", "an optional")),
            *(("map", "a map"), ("nothing", "no type")),
        )
    },
    **{
        f"of-{name.lower()}": Odd(_of_type(kind), flops=0, can_run=False)
        for name, kind in (("BFLOAT16", 16), ("FLOAT8E4M3FN", 17), ("INT4", 22))
    },
    "of-string": Odd(
        _of_type(8), flops=0, says="Elements without a known size count as 0", can_run=False
    ),
    "of-complex64": Odd(_of_type(14), says="'y' .Cast. is not valid: Type 'tensor.complex64.'"),
    "branch-then": Odd(_branch("input"), flops=2 * 3 * 4 * 2),
    "branch-else": Odd(_branch("input"), ["--input", "pick=false"], flops=2 * 3 * 4 * 8),
    "branch-by-data": Odd(
        _branch("data"), flops=2 * 3 * 4 * 2, says="one takes 48 FLOPs, the other 192"
    ),
    "loop": Odd(_loop("7"), flops=7 * 2 * 3 * 4 * 4),
    "loop-input": Odd(_loop("input"), ["--input", "count=5"], flops=5 * 2 * 3 * 4 * 4),
    "loop-none": Odd(_loop("0"), flops=0),
    "loop-negative": Odd(_loop("-7"), flops=0),
    "loop-data": Odd(
        _loop("data"), flops=0, says="how often it repeats .* one of them takes 96 FLOPs"
    ),
    "scan": Odd(_scan(), ["--input-shape", "x=6x1x4"], flops=6 * 2 * 4 * 8),
    "moe": Odd(
        _contributed(
            "MoE", {"x": [6, 8], "r": [6, 4], "up": [4, 16, 8], "": None, "down": [4, 8, 16]}, k=2
        ),
        flops=6 * 2 * 2 * (16 * 8 + 8 * 16),
    ),
    "sparse-attention": Odd(
        _contributed("NoSuchAttention", {"x": [2, 4]}),
        flops=0,
        says="com.microsoft.NoSuchAttention 'y': this operator has no rule",
        can_run=False,
    ),
    # Four queries of width 32 meet the nine tokens of the past and themselves.
    "group-query": Odd(
        _group_query(),
        ["--input-shape", "q=1x1x32", "--input-shape", "past_key=1x2x9x8"],
        flops=2 * 10 * (32 + 32),
    ),
    "inner-sequence": Odd(_inner_sequence(), flops=0),
    "too-few-inputs": Odd(_node("MatMul", ["x"]), says="node 'odd' .MatMul. is not valid"),
    "too-many-inputs": Odd(_node("Relu", ["x", "z"]), says="node 'odd' .Relu. is not valid"),
    "no-attribute": Odd(_node("Concat", ["x", "z"]), says="node 'odd' .Concat. is not valid"),
    "wrong-kind": Odd(
        _node("Add", ["x", "words"]),
        says="node 'odd' .Add. is not valid: .* bound to different types",
    ),
    "not-in-order": Odd(_not_in_order(), flops=2 * 2 * 4 * 4),
    "given-twice": Odd(
        _bytes(_model([helper.make_node("Relu", ["x"], ["y"])] * 2, [_float("x", [2])])),
        says="gives 'y', which another node gives too",
    ),
    "equation": Odd(_node("Einsum", ["x", "z"], equation="ij,jk-"), says="its equation cannot be"),
    "contributed-few-inputs": Odd(
        _contributed("MoE", {"x": [2, 4]}),
        says="MoE. is not valid: .* has input size 1 not in range .min=5",
    ),
    "scan-axis": Odd(
        _scan(9), says="node 'y' .Scan. cannot take start .1, 8., x .n, 1, 4.: scan_input"
    ),
    "branch-half": Odd(_half_branch(), says="If. is not valid: Required attribute 'else_branch'"),
    "calls-itself": Odd(_recursive(), says="its functions are not valid: Cycle detected"),
    "no-version": Odd(_without_version(), says="which version of ONNX's operators"),
    "output-of-nobody": Odd(
        _bytes(_model([helper.make_node("Relu", ["x"], ["z"])], [_float("x", [2])])),
        says="no node gives the output 'y' of the graph",
    ),
    "cycle": Odd(_cycle(), says="'z' .Add. is not valid: it takes 'y', which no"),
    "no-such-operator": Odd(_unnamed(), flops=0, says="this operator has no rule", can_run=False),
    "divided": Odd(_divided(), flops=0, says="b=1 "),
    "indexed": Odd(_indexed(), ["--input-shape", "word=1x9"], flops=0, says="0 to 2, the rows of"),
    "index-outside": Odd(_indexed(), ["--input", "word=7.5"], says="takes int64: integers"),
    "huge": Odd(
        _bytes(_matmul(["n", 4])),
        ["--input-shape", f"x={2**40}x4"],
        flops=2**40 * 64,
        can_run=False,
    ),
}
