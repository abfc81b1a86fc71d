import onnx
import pytest

from profilers.tensorrt.dialects import DIALECTS
from profilers.tensorrt.supported_operators import TAKEN_SINCE


def test_every_operator_is_one_of_onnx() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert set(TAKEN_SINCE) - known == set()


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
