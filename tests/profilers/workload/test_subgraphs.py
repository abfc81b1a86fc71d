"""Two branches may use one name for values that differ."""

import numpy as np
import onnx
import onnxruntime
from onnx import parser

from profilers.workload.subgraphs import all_graphs, make_names_unique


def ones(n: int) -> str:
    return ", ".join(["1"] * n)


BRANCHES = f"""<ir_version: 8, opset_import: ["" : 17]>
g (bool c, bool d, float[3, 4] x) => (float y)
{{
    h = Identity(x)
    y = If<then_branch = t () => (float[3, 5] a) <float[4, 5] w = {{{ones(20)}}}>
               {{ p = MatMul(h, w) a = Relu(p) }},
           else_branch = e () => (float[3, 7] b) <float[4, 7] w = {{{ones(28)}}}>
               {{
                   p = MatMul(h, w)
                   b = If<then_branch = t () => (float[3, 7] a) {{ p = Add(p, p) a = Neg(p) }},
                          else_branch = e () => (float[3, 7] b) {{ b = Identity(p) }}>(d)
               }}>(c)
}}"""


def run(model: onnx.ModelProto, **feeds: object) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (output,) = session.run(None, {name: np.asarray(x) for name, x in feeds.items()})
    return np.asarray(output)


def test_every_value_gets_a_name_of_its_own() -> None:
    model = parser.parse_model(
        BRANCHES.replace("p = Add(p, p) a = Neg(p)", "q = Add(p, p) a = Neg(q)")
    )
    renamed = onnx.ModelProto.FromString(model.SerializeToString())
    make_names_unique(renamed.graph)
    made = [
        name
        for graph in all_graphs(renamed.graph)
        for name in (
            *(x.name for x in graph.initializer),
            *(x for n in graph.node for x in n.output),
        )
    ]
    assert len(set(made)) == len(made)
    assert {"h", "y", "a", "b", "p", "w"} <= set(made)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    for c in (True, False):
        for d in (True, False):
            expected = run(model, c=c, d=d, x=x)
            np.testing.assert_array_equal(run(renamed, c=c, d=d, x=x), expected)


def test_names_that_differ_stay() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[3] x) => (float y)
    { y = If<then_branch = t () => (float a) { a = Neg(x) }, else_branch = e () => (float b)
        { b = Relu(x) }>(c) }"""
    model = parser.parse_model(text)
    before = model.SerializeToString()
    make_names_unique(model.graph)
    assert model.SerializeToString() == before
