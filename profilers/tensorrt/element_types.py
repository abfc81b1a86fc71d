"""This module holds the only table of the element types that TensorRT's ONNX parsers take.

The table of 8.x is the support matrix that onnx-tensorrt publishes with 8.5, with the types that
its changelog adds in 8.6. The table of 10 and later is the matrix of 10.15, corrected by what the
parser of TensorRT for RTX 1.7.1 says of graphs with one node: `benchmarks/bench_lint.py` compares
the two. ConstantOfShape and Clip take more than the matrix of 8.5 says, or no exported shape would
be taken.
"""

from collections.abc import Mapping

from profilers.tensorrt.dialects import NEVER, Version

MOST_AXES = 8  # of any tensor

# The numbers of ONNX's TensorProto.DataType. This module must not import onnx, which is slow.
FLOAT, UINT8, INT8, INT32, INT64, BOOL, FLOAT16, DOUBLE, BFLOAT16 = 1, 2, 3, 6, 7, 9, 10, 11, 16
_FLOAT8, _INT4, _FLOAT4 = 17, 22, 23
# The first release that has each type. INT64 and DOUBLE are narrowed where they are no types. No
# release has the others: STRING, the complex ones, 16 bits, unsigned ones besides UINT8.
TYPE_SINCE: Mapping[int, Version] = {
    **dict.fromkeys((FLOAT, UINT8, INT8, INT32, INT64, BOOL, FLOAT16, DOUBLE), (8, 5)),
    **dict.fromkeys((BFLOAT16, _FLOAT8), (9, 0)),
    _INT4: (10, 0),
    _FLOAT4: (10, 8),
}
FLOATS = frozenset({FLOAT, DOUBLE, FLOAT16, BFLOAT16})
# Types of quantised weights, which the tables do not list for each operator.
QUANTISED = frozenset({_FLOAT8, _INT4, _FLOAT4})
_LETTERS: Mapping[str, tuple[int, ...]] = {
    "f": (FLOAT, DOUBLE),
    "h": (FLOAT16,),
    "b": (BFLOAT16,),
    "i": (INT32,),
    "l": (INT64,),
    "c": (INT8,),
    "u": (UINT8,),
    "o": (BOOL,),
}

# Each line has letters of types, and the operators that take these types.
_BEFORE_10 = """
fh Acos Acosh ArgMax ArgMin Asin Asinh Atan Atanh BatchNormalization Ceil Celu Cos Cosh CumSum
fh Dropout Einsum Erf Exp Floor GRU GridSample GroupNormalization InstanceNormalization IsInf LRN
fh LSTM LayerNormalization Log LogSoftmax LpNormalization MatMul MeanVarianceNormalization
fh NonMaxSuppression NonZero Pow QuantizeLinear RNN Reciprocal ReduceL1 ReduceL2 ReduceLogSum
fh ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Resize
fh ReverseSequence RoiAlign Sin Sinh Softmax Sqrt Tan TopK Upsample
fhc Conv ConvTranspose Elu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool HardSigmoid HardSwish
fhc LeakyRelu LpPool MaxPool PRelu Relu Round Selu Sigmoid Softplus Softsign Tanh ThresholdedRelu
fhil Abs Add DepthToSpace Div Equal Greater GreaterOrEqual IsNaN Less LessOrEqual Max Mean Min
fhil Mod Mul Neg Range Shrink SpaceToDepth Sub Sum
fhilc AveragePool Clip Pad Scatter ScatterElements ScatterND Sign
fhilo ConstantOfShape Expand EyeLike Flatten OneHot Split Tile Where
fhilco Concat Constant Gather GatherElements GatherND Identity Reshape Shape Size Slice Squeeze
fhilco Transpose Trilu Unsqueeze
fhilcuo Cast
c DequantizeLinear
o And Not Or Xor
"""
_SINCE_8_6 = """
fhil ArgMax ArgMin TopK
"""
_SINCE_10 = """
f Celu MeanVarianceNormalization STFT
fh DeformConv GRU GridSample LpNormalization LpPool Mish NonMaxSuppression NonZero RoiAlign
fhc HardSwish
fhb Attention GlobalLpPool Hardmax LSTM LayerNormalization Mean QuantizeLinear RNN
fhb RotaryEmbedding TensorScatter Upsample
fhbc Acos Acosh Asin Asinh Atan Atanh AveragePool BatchNormalization Ceil Conv ConvTranspose Cos
fhbc Cosh Einsum Elu Erf Exp Floor Gelu Gemm GroupNormalization HardSigmoid
fhbc InstanceNormalization IsInf
fhbc IsNaN LRN LeakyRelu Log LogSoftmax MatMul MaxPool PRelu Reciprocal Resize Round Selu
fhbc Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu
fhblc RMSNormalization Relu
fhilc Shrink
fhbil Clip CumSum
fil Range
fhbilc Abs Add ArgMax ArgMin DepthToSpace Div GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual
fhbilc Less LessOrEqual Max Min Mod Mul Neg ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
fhbilc ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Sign SpaceToDepth Sub Sum
fhbilc TopK
fhbilco Concat Constant ConstantOfShape Expand EyeLike Flatten Gather GatherElements GatherND OneHot
fhbilco Pad Reshape ReverseSequence Scatter ScatterElements ScatterND Slice Split Squeeze Tile
fhbilco Transpose Trilu Unsqueeze Where
fhbilcuo Cast CastLike Dropout Equal Identity Pow Shape Size
il BlackmanWindow HammingWindow HannWindow
c DequantizeLinear
o And Not Or Xor
"""
# The place of the input whose type is judged, where it is not the first one.
TYPED_INPUT: Mapping[str, int] = {"OneHot": 2, "Where": 1}
# The type of the output is judged, because the inputs say nothing about it.
TYPED_OUTPUT = frozenset({"Constant", "ConstantOfShape", "EyeLike"})


def _table(text: str) -> dict[str, frozenset[int]]:
    table = {}
    for letters, *operators in map(str.split, text.strip().splitlines()):
        types = frozenset(number for letter in letters for number in _LETTERS[letter])
        table.update(dict.fromkeys(operators, types))
    return table


_TABLES = (
    ((10, 0), _table(_SINCE_10)),
    ((8, 6), _table(_BEFORE_10) | _table(_SINCE_8_6)),
    ((8, 5), _table(_BEFORE_10)),
)


def types_of_operator(operator: str, version: Version) -> frozenset[int] | None:
    """Return the element types that a release takes in an operator; None when they are unknown."""
    table = next(table for since, table in _TABLES if version >= since)
    types = table.get(operator)
    return None if types is None else types | QUANTISED if version >= (10, 0) else types


def type_refusal(operator: str, number: int, version: Version) -> str:
    """Return why an operator does not take an element type; empty when it does, or may."""
    taken = types_of_operator(operator, version)
    if not number or taken is None or number in taken:
        return ""
    plain = taken - QUANTISED
    if plain - {INT8} <= FLOATS and plain - {INT8}:
        return f"its input must be floating point, not {_type_name(number)}; cast it"
    listed = ", ".join(_type_name(each) for each in sorted(plain))
    return f"its type must be one of {listed}, not {_type_name(number)}; cast it"


def tensor_refusal(name: str, number: int, rank: int, *, is_end: bool, version: Version) -> str:
    """Return why no operator takes a tensor; empty when one does.

    Args:
        name: The name of the tensor.
        number: The number of its element type, or 0 when it is unknown.
        rank: The number of its axes, or 0 when it is unknown.
        is_end: Whether it is an input or an output of the graph.
        version: The release.
    """
    since = TYPE_SINCE.get(number, NEVER)
    if number and since > version:
        when = "does not take" if since == NEVER else f"takes since {since[0]}.{since[1]} only"
        return f"{name!r} is {_type_name(number)}, which TensorRT {when}"
    if number == UINT8 and not is_end:
        return f"{name!r} is UINT8, which is taken in inputs and outputs of the graph only"
    return f"{name!r} has {rank} axes, at most {MOST_AXES} are taken" if rank > MOST_AXES else ""


def _type_name(number: int) -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(number))
