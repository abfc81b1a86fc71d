import onnx

from profilers.tensorrt.element_types import TYPE_SINCE, types_of_operator
from profilers.tensorrt.supported_operators import TAKEN_SINCE

# Their types are those of their bodies, or only an attribute says them.
UNTYPED = {"If", "Loop", "Scan", "RandomNormal", "RandomNormalLike", "RandomUniform"}
UNTYPED |= {"RandomUniformLike"}


def test_every_operator_that_a_release_takes_has_types() -> None:
    for version in ((8, 5), (8, 6), (11, 0)):
        taken = {name for name, since in TAKEN_SINCE.items() if since <= version}
        without = {name for name in taken if types_of_operator(name, version) is None}
        assert without == UNTYPED & taken


def test_the_numbers_are_those_of_onnx() -> None:
    name_of = onnx.TensorProto.DataType.Name
    names = {name_of(number): since for number, since in TYPE_SINCE.items()}
    assert names == {
        **dict.fromkeys(("FLOAT", "DOUBLE", "FLOAT16", "INT8", "UINT8"), (8, 5)),
        **dict.fromkeys(("INT32", "INT64", "BOOL"), (8, 5)),
        **dict.fromkeys(("BFLOAT16", "FLOAT8E4M3FN"), (9, 0)),
        "INT4": (10, 0),
        "FLOAT4E2M1": (10, 8),
    }
    assert types_of_operator("And", (8, 5)) == {onnx.TensorProto.BOOL}
    assert onnx.TensorProto.BFLOAT16 not in (types_of_operator("Add", (8, 6)) or ())
    assert onnx.TensorProto.BFLOAT16 in (types_of_operator("Add", (10, 0)) or ())
