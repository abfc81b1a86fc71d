"""This module counts the FLOPs of products, convolutions, recurrence and attention.

A multiply-add counts as two. Some operators are not counted, because they are a small part of any
network: elementwise operators, activations, softmax, norms, pooling, reductions, biases,
comparisons, sorting, quantisation and everything that only moves data. An operator that is in
neither list raises an error and is never zero.
"""

from collections.abc import Callable
from math import prod

from profilers.costs.contributed_operators import CONTRIBUTED_RULES
from profilers.costs.fused_operators import (
    fused_attention_flops,
    matmul_operands,
    multi_head_attention_flops,
    projected_attention_flops,
)
from profilers.costs.values import ShapedNode, UnknownCostError

_UNCOUNTED_NAMES = """
    Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool
    BatchNormalization Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
    BlackmanWindow Cast CastLike Ceil Celu CenterCropPad Clip Col2Im Compress Concat Constant
    ConstantOfShape Cos Cosh CumProd CumSum DepthToSpace DequantizeLinear Div Dropout
    DynamicQuantizeLinear Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements
    GatherND Gelu GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample
    GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity
    InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log
    LogSoftmax LpNormalization LpPool Max MaxPool MaxRoiPool MaxUnpool Mean
    MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Multinomial Neg
    NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow QuantizeLinear
    RMSNormalization RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round
    Scatter ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax
    SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum SwiGLU Swish
    Tan Tanh TensorScatter ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample
    Where Xor SimplifiedLayerNormalization com.microsoft.BiasGelu com.microsoft.BiasSoftmax
    com.microsoft.DequantizeLinear com.microsoft.FastGelu com.microsoft.Gelu
    com.microsoft.QLinearAdd com.microsoft.QLinearMul com.microsoft.QuantizeLinear
    com.microsoft.QuickGelu com.microsoft.RotaryEmbedding
    com.microsoft.SimplifiedLayerNormalization com.microsoft.SkipLayerNormalization
    com.microsoft.SkipSimplifiedLayerNormalization com.microsoft.AveragePool com.microsoft.BiasAdd
    com.microsoft.BiasDropout com.microsoft.BiasSplitGelu com.microsoft.BitmaskDropout
    com.microsoft.ComplexMul com.microsoft.ComplexMulConj com.microsoft.EmbedLayerNormalization
    com.microsoft.ExpandDims com.microsoft.GatedRMSNorm com.microsoft.GatherBlockQuantized
    com.microsoft.GatherND com.microsoft.GemmaRotaryEmbedding com.microsoft.GlobalAveragePool
    com.microsoft.GlobalMaxPool com.microsoft.GridSample com.microsoft.GroupNorm
    com.microsoft.IsAllFinite com.microsoft.MRotaryEmbedding com.microsoft.MaxPool
    com.microsoft.MaxpoolWithMask com.microsoft.MulInteger com.microsoft.NGramRepeatBlock
    com.microsoft.NhwcMaxPool com.microsoft.Pad com.microsoft.QEmbedLayerNormalization
    com.microsoft.QLinearAveragePool com.microsoft.QLinearConcat
    com.microsoft.QLinearGlobalAveragePool com.microsoft.QLinearLeakyRelu
    com.microsoft.QLinearReduceMean com.microsoft.QLinearSigmoid com.microsoft.QLinearSoftmax
    com.microsoft.QLinearWhere com.microsoft.QOrderedGelu com.microsoft.QOrderedLayerNormalization
    com.microsoft.QuantizeWithOrder com.microsoft.DequantizeWithOrder com.microsoft.Range
    com.microsoft.RMSNormRotary com.microsoft.ReduceSumInteger com.microsoft.RelativePositionBias
    com.microsoft.RemovePadding com.microsoft.ReorderInput com.microsoft.ReorderOutput
    com.microsoft.RestorePadding com.microsoft.SampleOp com.microsoft.ScaledSiLU
    com.microsoft.SkipGroupNorm com.microsoft.SwiGLU com.microsoft.Trilu com.microsoft.Unique
    com.microsoft.Upsample ConcatFromSequence ImageDecoder Optional OptionalGetElement
    OptionalHasElement RegexFullMatch SequenceAt SequenceConstruct SequenceEmpty SequenceErase
    SequenceInsert SequenceLength SplitToSequence StringConcat StringNormalizer StringSplit
    TfIdfVectorizer ai.onnx.ml.ArrayFeatureExtractor ai.onnx.ml.Binarizer
    ai.onnx.ml.CategoryMapper ai.onnx.ml.DictVectorizer ai.onnx.ml.FeatureVectorizer
    ai.onnx.ml.Imputer ai.onnx.ml.LabelEncoder ai.onnx.ml.Normalizer ai.onnx.ml.OneHotEncoder
    ai.onnx.ml.Scaler ai.onnx.ml.ZipMap ai.onnx.preview.training.Adagrad
    ai.onnx.preview.training.Adam ai.onnx.preview.training.Momentum
"""
_UNCOUNTED = frozenset(_UNCOUNTED_NAMES.split())
_WITH_BODIES = frozenset(
    ("If", "Loop", "Scan", "SequenceMap")
)  # the nodes of their bodies are counted instead


def flops_of(node: ShapedNode) -> int:
    """Return the FLOPs of one run of a node; integer operations count as well.

    Raises:
        UnknownCostError: The operator has no rule, or a shape that the rule needs is unknown.
    """
    rule = _RULES.get(node.op)
    if rule is not None:
        try:
            return rule(node)
        except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
            if isinstance(error, UnknownCostError):
                raise
            raise UnknownCostError("its inputs or attributes do not fit the operator") from None
    if node.op in _UNCOUNTED or node.op in _WITH_BODIES:
        return 0
    raise UnknownCostError("this operator has no rule")


def counts(op: str) -> bool:
    """Return whether an operator's FLOPs are counted."""
    return op in _RULES


def _matmul(node: ShapedNode) -> int:
    return 2 * node.n_out() * node.in_shape(0)[-1]


def _fused_matmul(node: ShapedNode) -> int:
    return 2 * node.n_out() * matmul_operands(node)[0][-1]


def _matmul_n_bits(node: ShapedNode) -> int:
    return 2 * node.n_out() * int(node.attribute("K"))


def _gemm(node: ShapedNode) -> int:
    return 2 * node.n_out() * node.in_shape(0)[0 if node.attribute("transA", 0) else 1]


def _convolution(weight: int) -> Callable[[ShapedNode], int]:
    """Return the rule of a convolution whose weight is the input of this number.

    Each output element is a sum over one filter: the channels of its group times the kernel.
    """
    return lambda node: 2 * node.n_out() * prod(node.in_shape(weight)[1:])


def _conv_transpose(node: ShapedNode) -> int:
    """Count one filter for each input element, with the outputs that padding cuts off."""
    return 2 * prod(node.in_shape(0)) * prod(node.in_shape(1)[1:])


def _recurrent(node: ShapedNode) -> int:
    """Count all weights of all gates, in each direction, for each step of each sentence."""
    steps, batch = node.in_shape(0)[:2]
    return 2 * steps * batch * (prod(node.in_shape(1)) + prod(node.in_shape(2)))


def _einsum(node: ShapedNode) -> int:
    """Count one multiply-add per combination of all indices, for at most two tensors."""
    terms, out = einsum_terms(node)
    if len(terms) == 1:
        return 0
    if len(terms) > 2:
        raise UnknownCostError("the cost of more than two operands depends on their order")
    contracted = (set(terms[0]) & set(terms[1])) - set(out)
    sizes: dict[str, int] = {}
    for i, term in enumerate(terms):
        for index, size in zip(term, node.in_shape(i), strict=True):
            sizes[index] = max(size, sizes.get(index, 0)) if size else 0
    return 2 * prod(sizes.values()) if contracted else 0


def einsum_terms(node: ShapedNode) -> tuple[list[list[str]], list[str]]:
    """Return the indices of each operand and of the output.

    The indices of an ellipsis are "-1", "-2", ...
    """
    equation = node.attribute("equation", b"").decode().replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = [
        _indices(text, len(node.in_shape(i)) - len(text.replace("...", "")))
        for i, text in enumerate(left.split(","))
    ]
    letters = [index for term in terms for index in term if index.isalpha()]
    out = list(right) if arrow else [x for x in letters if letters.count(x) == 1]
    return terms, out


def _indices(text: str, n_hidden: int) -> list[str]:
    before, dots, after = text.partition("...")
    hidden = [str(-n) for n in range(n_hidden, 0, -1)] if dots else []
    return [*before, *hidden, *after]


_RULES: dict[str, Callable[[ShapedNode], int]] = {
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _conv_transpose,
    "RNN": _recurrent,
    "GRU": _recurrent,
    "LSTM": _recurrent,
    "com.microsoft.DynamicQuantizeLSTM": _recurrent,
    "Einsum": _einsum,
    "Attention": fused_attention_flops,
    "com.microsoft.FusedMatMul": _fused_matmul,
    "com.microsoft.TransposeMatMul": _fused_matmul,
    "com.microsoft.FusedGemm": _gemm,
    "com.microsoft.FusedConv": _convolution(1),
    "com.microsoft.MatMulIntegerToFloat": _matmul,
    "com.microsoft.DynamicQuantizeMatMul": _matmul,
    "com.microsoft.MatMulNBits": _matmul_n_bits,
    "com.microsoft.MatMulBnb4": _matmul,
    "com.microsoft.MatMulFpQ4": _matmul,
    "com.microsoft.MatMulInteger16": _matmul,
    "com.microsoft.GemmFastGelu": _matmul,
    "com.microsoft.GemmFloat8": _gemm,
    "com.microsoft.QGemm": _gemm,
    "com.microsoft.QOrderedMatMul": _matmul,
    "com.microsoft.FusedMatMulActivation": _fused_matmul,
    "com.microsoft.Conv": _convolution(1),
    "com.microsoft.NhwcConv": _convolution(1),
    "com.microsoft.NhwcFusedConv": _convolution(1),
    "com.microsoft.CausalConvWithState": _convolution(1),
    "com.microsoft.QLinearConv": _convolution(3),
    "com.microsoft.ConvTransposeWithDynamicPads": _conv_transpose,
    "CausalConvWithState": _convolution(1),
    "DeformConv": _convolution(1),
    "com.microsoft.Attention": projected_attention_flops,
    "com.microsoft.MultiHeadAttention": multi_head_attention_flops,
    **CONTRIBUTED_RULES,
}
