"""This module holds the only table of the operators that TensorRT's ONNX parsers take.

The sources are the support matrices and the changelog that onnx-tensorrt publishes with 8.5, 8.6
and 10.15. ``element_types.py`` has the types that an operator takes, and
``operator_restrictions.py`` what is refused of it. When TensorRT for RTX is installed, its parser
is asked instead, see ``rtx_parser.py``.
"""

from collections.abc import Mapping

from profilers.tensorrt.dialects import Version

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
# The number of elements in the outputs of these depends on data.
SHAPED_BY_DATA = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})
# The places of the inputs that decide the shape of an output.
SHAPE_INPUTS: Mapping[str, tuple[int, ...]] = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (3,),
    "Slice": (1, 2, 4),
    "Split": (1,),
    "Tile": (1,),
    "TopK": (1,),
}
_REDUCTIONS = frozenset(name for name in TAKEN_SINCE if name.startswith("Reduce"))
# The place of the input that must be a constant, and the releases since which it need not be.
CONSTANT_AXES: Mapping[str, int] = {
    **dict.fromkeys(_REDUCTIONS | {"CumSum", "Squeeze", "Unsqueeze"}, 1),
    "Slice": 3,
}
COMPUTED_AXES_SINCE: Mapping[str, Version] = {"CumSum": (11, 0), "Slice": (10, 0)}
