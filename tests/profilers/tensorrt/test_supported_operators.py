from itertools import pairwise

import onnx
import pytest

from profilers.tensorrt.dialects import DIALECTS
from profilers.tensorrt.supported_operators import (
    CONSTANT_AXES,
    SHAPE_INPUTS,
    SHAPED_BY_DATA,
    TAKEN_SINCE,
)


def test_every_operator_is_one_of_onnx() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    named = {*TAKEN_SINCE, *SHAPED_BY_DATA, *SHAPE_INPUTS, *CONSTANT_AXES}
    assert named - known == set()


def test_inputs_that_give_shapes_are_integers() -> None:
    # A place that is off by one would name an input of any type. Range's may be floats.
    for name, places in SHAPE_INPUTS.items():
        schema = onnx.defs.get_schema(name, 17)
        for place in places if name not in ("Range", "OneHot") else ():
            kinds = {
                kind
                for constraint in schema.type_constraints
                if constraint.type_param_str == schema.inputs[place].type_str
                for kind in constraint.allowed_type_strs
            } or {schema.inputs[place].type_str}
            assert kinds <= {"tensor(int64)", "tensor(int32)"}, (name, place)


def test_tensorrt_for_rtx_agrees() -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="needs the extra rtx")
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    parser = trt.OnnxParser(trt.Builder(logger).create_network(0), logger)
    said = {name: parser.supports_operator(name) for name in TAKEN_SINCE}
    # It says that it takes these two and then does not parse them, see test_rtx_parser.py.
    untaken = {name for name, is_taken in said.items() if not is_taken}
    assert untaken | {"NonZero", "RoiAlign"} == DIALECTS["rtx"].refused
    refused = ["BitShift", "Compress", "ConcatFromSequence", "DynamicQuantizeLinear"]
    refused += ["MatMulInteger", "Multinomial", "QLinearConv", "QLinearMatMul", "Unique"]
    for name in refused:
        assert not parser.supports_operator(name)
        assert name not in TAKEN_SINCE


def test_a_later_dialect_takes_no_less() -> None:
    ordered = [DIALECTS[name] for name in ("8.5", "8.6", "10", "11")]
    for older, newer in pairwise(ordered):
        assert older.version < newer.version
        assert older.max_opset <= newer.max_opset
        assert older.topk_limit <= newer.topk_limit
