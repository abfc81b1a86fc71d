"""From an ONNX file to a row of a log, on this machine's CPU and with the real runtime."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.graphs import DOUBLE, LAYER, write_graph

from devices.cpu import CpuDevice
from profilers import (
    LatencyLog,
    Measurement,
    Point,
    Protocol,
    WorkerError,
    WorkerProcess,
    check,
    measure_points,
    read_log,
    samples_path,
    workload_for_onnx,
)

PROTOCOL = Protocol(samples_per_block=3, min_rounds=2, max_rounds=2, warmup_seconds=0.0)


def workload(folder: Path, name: str, text: str, **dims: int) -> Path:
    graph = write_graph(folder / f"{name}.onnx", text)
    workload_for_onnx(graph, dims=dims).save(folder / f"{name}.json")
    return folder / f"{name}.json"


def test_the_worker_computes_what_numpy_computes(tmp_path: Path) -> None:
    path = workload(tmp_path, "layer", LAYER, batch=5)
    with WorkerProcess(CpuDevice()) as worker:
        worker.request("load", id="layer", workload=str(path), threads=1)
        outputs = worker.request("outputs", id="layer")["outputs"]["model"]
    x = np.random.default_rng(0).standard_normal((5, 3))
    y = np.tanh(x @ [[1, -2], [0.5, 3], [-1.5, 0.25]] + [0.1, -0.2])
    assert outputs["y"]["shape"] == [5, 2]
    assert outputs["y"]["sum"] == pytest.approx(y.sum(), rel=1e-5)
    assert outputs["probe"]["sum"] == pytest.approx((y @ [1, 10]).sum(), rel=1e-5)


def test_a_graph_the_runtime_refuses_is_an_error_and_the_worker_lives_on(tmp_path: Path) -> None:
    good = workload(tmp_path, "good", DOUBLE, n=3)
    bad = workload(tmp_path, "bad", DOUBLE.replace("Add(x, x)", "NoSuchOp(x)"), n=3)
    with WorkerProcess(CpuDevice()) as worker:
        with pytest.raises(WorkerError, match="worker on 'cpu' failed in 'load': .*NoSuchOp"):
            worker.request("load", id="w", workload=str(bad), threads=1)
        worker.request("load", id="w", workload=str(good), threads=1)
        assert worker.request("outputs", id="w")["outputs"]["model"]["y"]["shape"] == [3]


def test_onnx_files_become_rows_of_a_log(tmp_path: Path) -> None:
    points = [
        Point(point_id="double", workload=workload(tmp_path, "double", DOUBLE, n=64)),
        Point(point_id="layer", workload=workload(tmp_path, "layer", LAYER, batch=64)),
    ]
    log = LatencyLog(tmp_path / "lat.csv")
    for outcome in measure_points(points, device=CpuDevice(), protocol=PROTOCOL):
        assert isinstance(outcome, Measurement), outcome
        log.append(outcome)
    rows = read_log(log.path)
    assert log.done() == {"double", "layer"}
    for row in rows:
        assert row["runtime"].startswith("onnxruntime ")
        assert (row["n_samples"], row["n_blocks"], row["n_processes"]) == ("200", "2", "2")
        assert 0 < float(row["min_ms"]) <= float(row["raw_latency_ms"])
        # Outside the call there is only the loop over calls.
        assert 0 < float(row["model_ms"]) <= float(row["latency_ms"]) * 1.0001
        assert float(row["sentinel_ms"]) > 0
    samples = [json.loads(line) for line in samples_path(log.path).read_text().splitlines()]
    kept = [
        [len(attempt["samples"]) for attempt in block["attempts"] if attempt["kept"]]
        for item in samples
        for block in item["blocks"]
    ]
    assert kept == [[100]] * 4  # microseconds each: as many as a block may have
    assert {problem.check for problem in check(log.path)} <= {"flagged"}  # a busy machine flags
