"""ONNX's own examples of every operator: their shapes are right, and none is refused that runs."""

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profilers import GivenValues, WorkloadError, costs_of_graph
from profilers.workload.workload import DTYPES

# The 1884 examples of ONNX 1.23 take half a minute.
pytestmark = pytest.mark.slow


def examples() -> Iterator[tuple[Any, dict[str, Any], list[Any]]]:
    """The examples whose inputs and outputs are tensors of numbers: model, inputs, outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = pytest.importorskip("onnx.backend.test.case.node")
        cases = node.collect_testcases(None)
    for case in cases:
        inputs, outputs = case.data_sets[0]
        if all(isinstance(x, np.ndarray | np.generic) for x in (*inputs, *outputs)):
            names = [value.name for value in case.model.graph.input]
            arrays = [np.asarray(x) for x in inputs]
            if all(array.dtype.name in DTYPES for array in arrays):
                yield case, dict(zip(names, arrays, strict=True)), outputs


def values_of(inputs: Mapping[str, Any]) -> dict[str, GivenValues]:
    """Integers, and rows of floating point, as a user gives them."""
    return {
        name: GivenValues(tuple(x.ravel().tolist()), x.shape, x.dtype.name)
        for name, x in inputs.items()
        if x.size and np.all(np.isfinite(x)) and (x.dtype.kind != "f" or x.ndim <= 1)
    }


def runs(path: Path, inputs: Mapping[str, Any]) -> bool:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session.run(None, dict(inputs))
    except Exception:  # each kind of refusal has its own private class
        return False
    return True


def test_examples_of_onnx_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "g.onnx"
    refused, wrong, n_right = [], [], 0
    for case, inputs, outputs in examples():
        path.write_bytes(case.model.SerializeToString())
        shapes = {name: x.shape for name, x in inputs.items()}
        try:
            costs = costs_of_graph(path, shapes=shapes, values=values_of(inputs))
        except WorkloadError as error:
            if runs(path, inputs):
                refused.append(f"{case.name}: {error}")
            continue
        (node, *more) = case.model.graph.node
        is_plain = all(x.dtype.name in DTYPES for x in outputs) and not more
        if (
            costs.unknown_nodes
            or not is_plain
            or node.op_type in ("Constant", "If", "Loop", "Scan")
        ):
            continue
        if len(outputs) == len([name for name in node.output if name]):
            is_right = costs.activation_bytes == sum(x.nbytes for x in outputs)
            n_right += is_right
            wrong += [] if is_right else [case.name]
    assert (refused, wrong) == ([], [])
    assert n_right > 1000
