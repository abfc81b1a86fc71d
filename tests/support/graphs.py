"""Tiny ONNX graphs whose outputs can be computed by hand."""

from pathlib import Path

import onnx.parser

from profilers import Call, TensorSpec

_HEADER = '<ir_version: 8, opset_import: ["": 17]>'

# Twice its input.
DOUBLE = "double (float[n] x) => (float[n] y) { y = Add(x, x) }"

# Appends a digit to a number and to a cache of all digits so far.
DIGIT = """digits (int64[1] digit, float[1] number, float[past] cache)
    => (float[1] longer, float[present] grown)
{
    ten = Constant<value_floats = [10.0]>()
    last = Cast<to = 1>(digit)
    shifted = Mul(number, ten)
    longer = Add(shifted, last)
    grown = Concat<axis = 0>(cache, last)
}"""

# A layer whose probe weighs every output differently, so that none can be mistaken for another.
LAYER = """layer (float[batch, 3] x) => (float[batch, 2] y, float[batch] probe)
<float[3, 2] weight = {1.0, -2.0, 0.5, 3.0, -1.5, 0.25}, float[2] bias = {0.1, -0.2},
 float[2] scale = {1.0, 10.0}>
{
    product = MatMul(x, weight)
    shifted = Add(product, bias)
    y = Tanh(shifted)
    weighed = Mul(y, scale)
    axes = Constant<value_ints = [1]>()
    probe = ReduceSum<keepdims = 0>(weighed, axes)
}"""


def write_graph(path: Path, text: str) -> Path:
    """The graph in ONNX's textual syntax, saved as a model."""
    onnx.save(onnx.parser.parse_model(f"{_HEADER} {text}"), path)
    return path


def digit_calls() -> tuple[Call, Call]:
    """The encoder makes 4 of 2; the decoder appends 3, 5, 7 to it digit by digit.

    They run the graphs `double`, of DOUBLE, and `digit`, of DIGIT.
    """
    digits = tuple(TensorSpec("int64", (1,), values=(digit,)) for digit in (3, 5, 7))
    encode = Call("encode", "double", inputs={"x": TensorSpec("float32", (1,), values=(2.0,))})
    decode = Call(
        "decode",
        "digit",
        repeat=3,
        inputs={"cache": TensorSpec("float32", (0,), values=())},
        step_inputs={"digit": digits},
        from_calls={"number": ("encode", "y")},
        carry={"longer": "number", "grown": "cache"},
    )
    return encode, decode
