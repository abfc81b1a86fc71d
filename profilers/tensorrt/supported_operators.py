"""This module holds the only table of the operators that TensorRT's ONNX parsers take.

The sources are the support matrices and the changelog that onnx-tensorrt publishes with 8.5, 8.6
and 10.15. ``element_types.py`` has the types that an operator takes, and
``operator_restrictions.py`` what is refused of it. When TensorRT for RTX is installed, its parser
is asked instead, see ``rtx_parser.py``.
"""

from collections.abc import Mapping

from profilers.tensorrt.dialects import Dialect, Version

STANDARD_DOMAINS = ("", "ai.onnx")

# The standard operators that 8.5 takes. No later release has dropped one of them.
_SINCE_8_5 = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil
Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace
DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather
GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual
GridSample HardSigmoid HardSwish Identity If InstanceNormalization IsNaN LRN LSTM LeakyRelu Less
LessOrEqual Log LogSoftmax Loop LpNormalization LpPool MatMul Max MaxPool Mean
MeanVarianceNormalization Min Mod Mul Neg NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow
QuantizeLinear RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal
ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign Round Scan Scatter ScatterElements
ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth
Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample
Where Xor
"""
_LATER: Mapping[Version, str] = {
    (8, 6): "GroupNormalization IsInf LayerNormalization",
    (10, 0): "CastLike Gelu Hardmax Mish",
    (10, 1): "DeformConv",
    (10, 4): "BlackmanWindow HammingWindow HannWindow",
    (10, 5): "STFT",
    (10, 15): "Attention RMSNormalization RotaryEmbedding TensorScatter",
    (11, 0): "Swish",
}
# The first release that takes each operator. All releases refuse an operator that is not here.
TAKEN_SINCE: Mapping[str, Version] = {
    **dict.fromkeys(_SINCE_8_5.split(), (8, 5)),
    **{name: since for since, names in _LATER.items() for name in names.split()},
}


def operator_refusal(domain: str, operator: str, dialect: Dialect) -> str:
    """Return why a dialect does not take an operator at all; empty when it does."""
    if domain not in STANDARD_DOMAINS:
        return f"the domain {domain!r} is not a standard one; write it with ONNX operators"
    since = TAKEN_SINCE.get(operator)
    if since is None or operator in dialect.refused:
        return "the parser does not take this operator; write it with others"
    if since > dialect.version:
        return f"the parser takes it since {since[0]}.{since[1]} only; write it with others"
    return ""
