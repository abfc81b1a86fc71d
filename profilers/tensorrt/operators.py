"""What the ONNX parsers of TensorRT take, by dialect: the one table of it.

From the support matrices and the changelog that onnx-tensorrt publishes with 8.5, 8.6 and 10.15.
TensorRT for RTX is asked itself where it is installed, see ``profilers/tensorrt/rtx_parser.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Version = tuple[int, int]

# Standard operators that 8.5 takes and no later release has dropped.
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
    (10, 15): "Attention RMSNormalization RotaryEmbedding",
}
# The release from which on each operator is taken; what is missing is refused by all.
TAKEN_SINCE: Mapping[str, Version] = {
    **dict.fromkeys(_SINCE_8_5.split(), (8, 5)),
    **{name: since for since, names in _LATER.items() for name in names.split()},
}
# Their outputs have as many elements as the data say.
SHAPED_BY_DATA = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})
# The inputs that say which shape an output has, by their place.
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
# The inputs that must be constants, by their place.
CONSTANT_AXES: Mapping[str, int] = {"CumSum": 1, "Slice": 3, "Squeeze": 1, "Unsqueeze": 1}
_REDUCTIONS = frozenset(name for name in TAKEN_SINCE if name.startswith("Reduce"))
# The first input of these must be floating point before 10, where integers came.
FLOATS_BEFORE_10 = _REDUCTIONS | {"ArgMax", "ArgMin", "CumSum", "MatMul", "Pow", "TopK"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one family of releases takes.

    Attributes:
        name: As in ``--dialect 8.6``.
        version: The oldest release of the family: what it takes, all of them take.
        max_opset: The newest opset of the default domain.
        topk_limit: Most elements that TopK gives.
        refused: Operators that the family refuses although the table has them.
    """

    name: str
    version: Version
    max_opset: int
    topk_limit: int
    refused: frozenset[str] = frozenset()

    @property
    def has_int64(self) -> bool:
        """Whether INT64 is a type; before that it is narrowed to INT32."""
        return self.version >= (10, 0)

    @property
    def has_dynamic_k(self) -> bool:
        """Whether the K of TopK may be computed."""
        return self.version >= (8, 6)


# 8.5 comes with JetPack 5, 10.3 with JetPack 6.
DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("8.5", (8, 5), max_opset=17, topk_limit=1024),
        Dialect("8.6", (8, 6), max_opset=17, topk_limit=1024),
        Dialect("10", (10, 0), max_opset=20, topk_limit=3840),
        Dialect("11", (11, 0), max_opset=24, topk_limit=3840),
        # Seen in 1.7.1: they need a library of plugins that it does not have.
        Dialect("rtx", (11, 0), 24, 3840, refused=frozenset({"DeformConv", "NonZero"})),
    )
}
