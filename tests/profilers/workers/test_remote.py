import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.graphs import DOUBLE, LAYER, write_graph
from support.ssh_in_place import SshInPlace

from devices import DeviceUnavailableError
from devices.cpu import CpuDevice
from devices.remote.address import RemoteAddress
from devices.remote.device import RemoteDevice, open_remote_device
from devices.runtimes import choose_runtime
from profilers import (
    Measurement,
    Point,
    ProfilingError,
    Protocol,
    WorkerDied,
    WorkerError,
    measure_points,
    workload_for_onnx,
)
from profilers.workers.remote import RemoteWorker

ADDRESS = RemoteAddress("pi@board", sys.executable)


@pytest.fixture
def board(ssh: SshInPlace) -> Iterator[RemoteDevice]:
    with open_remote_device("cpu", ADDRESS, patience_s=30.0) as device:
        yield device


def replace_program(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Send another program in the place of the worker."""
    place = "profilers.workers.sent_program.worker_program"
    monkeypatch.setattr(place, lambda runtime: source.encode())


def workload(folder: Path, text: str, **dims: int) -> Path:
    graph = write_graph(folder / "graph.onnx", text)
    workload_for_onnx(graph, dims=dims).save(folder / "workload.json")
    return folder / "workload.json"


def test_it_computes_there_what_numpy_computes(board: RemoteDevice, tmp_path: Path) -> None:
    path = workload(tmp_path, LAYER, batch=5)
    with RemoteWorker(board) as worker:
        assert worker.hello["runtime"] == "onnxruntime"
        worker.request("load", id="layer", workload=str(path), threads=1)
        outputs = worker.request("outputs", id="layer")["outputs"]["model"]
    x = np.random.default_rng(0).standard_normal((5, 3))
    y = np.tanh(x @ [[1, -2], [0.5, 3], [-1.5, 0.25]] + [0.1, -0.2])
    assert outputs["y"]["sum"] == pytest.approx(y.sum(), rel=1e-5)


def test_a_graph_the_runtime_refuses_is_an_error_and_the_worker_lives_on(
    board: RemoteDevice, tmp_path: Path
) -> None:
    bad = workload(tmp_path, DOUBLE.replace("Add(x, x)", "NoSuchOp(x)"), n=3)
    with RemoteWorker(board) as worker:
        message = "The worker on 'cpu' at pi@board failed in 'load': .*NoSuchOp"
        with pytest.raises(WorkerError, match=message):
            worker.request("load", id="w", workload=str(bad), threads=1)
        with pytest.raises(WorkerError, match="missing.json cannot be sent to 'cpu' at pi@board"):
            worker.request("load", id="w", workload=str(tmp_path / "missing.json"), threads=1)
        assert worker.request("hello")["pid"] == worker.hello["pid"]


def test_its_environment_is_the_plugins(board: RemoteDevice, ssh: SshInPlace) -> None:
    with RemoteWorker(board) as worker:
        lines = Path(f"/proc/{worker.hello['pid']}/environ").read_text().split("\0")
    assert {"ORT_DISABLE_TELEMETRY=1", "AUTOMOE_PROVIDER=CPUExecutionProvider"} <= set(lines)


def test_it_ends_with_the_block(board: RemoteDevice) -> None:
    with RemoteWorker(board) as worker:
        first = worker.hello["pid"]
    assert not Path(f"/proc/{first}").exists()
    with RemoteWorker(board) as worker:
        assert worker.hello["pid"] != first


def test_a_machine_that_is_being_measured_is_refused(board: RemoteDevice) -> None:
    with RemoteWorker(board), open_remote_device("cpu", ADDRESS) as again:
        message = r"Another session measures on pi@board \(process \d+ of .*Wait for its end"
        with pytest.raises(DeviceUnavailableError, match=message), RemoteWorker(again):
            pass


def test_after_a_restart_the_worker_is_dead_and_another_can_be_had(
    board: RemoteDevice, ssh: SshInPlace, tmp_path: Path
) -> None:
    path = workload(tmp_path, DOUBLE, n=3)
    with RemoteWorker(board) as worker:
        ssh.reset()
        with pytest.raises(WorkerDied, match="during 'load': its machine has restarted"):
            worker.request("load", id="w", workload=str(path), threads=1)
    with RemoteWorker(board) as worker:
        worker.request("load", id="w", workload=str(path), threads=1)


def test_a_worker_without_a_runtime_says_what_to_do(
    board: RemoteDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_program(monkeypatch, "raise SystemExit('no runtime')")
    message = "run `automoe doctor --device cpu --host pi@board`. .*Its last words: no runtime"
    with pytest.raises(ProfilingError, match=message), RemoteWorker(board):
        pass


def test_the_worker_of_tensorrt_goes_there_whole(
    board: RemoteDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CpuDevice, "runtime_choices", ("onnxruntime", "tensorrt"))
    choose_runtime(board.plugin, "tensorrt")
    assert board.worker_environment()["AUTOMOE_RUNTIME"] == "tensorrt"
    # All files are there, and it gets as far as what this machine lacks.
    message = (
        "No worker starts on 'cpu' at pi@board.* failed in 'hello': .*(tensorrt|libcudart|cuda)"
    )
    with pytest.raises(ProfilingError, match=message), RemoteWorker(board):
        pass


def test_an_answer_that_does_not_come_ends_the_worker(
    board: RemoteDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    hello = json.dumps({"runtime": "slow", "runtime_version": "1", "pid": 1})
    slow = f"import time\ninput()\nprint({hello!r}, flush=True)\ntime.sleep(60)"
    replace_program(monkeypatch, slow)
    with RemoteWorker(board, timeout_s=1.0) as worker:
        message = "'cpu' at pi@board died by not answering 'x' within 1 s, exit status -9"
        with pytest.raises(WorkerDied, match=message):
            worker.request("x")


@pytest.mark.parametrize("accident", ["cut", "reset"])
def test_a_session_survives(
    board: RemoteDevice, ssh: SshInPlace, tmp_path: Path, accident: str
) -> None:
    points = [Point(point_id="double", workload=workload(tmp_path, DOUBLE, n=64))]
    protocol = Protocol(samples_per_block=3, min_rounds=2, max_rounds=2, warmup_seconds=0.5)
    threading.Timer(0.8, getattr(ssh, accident)).start()
    (outcome,) = measure_points(points, device=board, protocol=protocol)
    assert isinstance(outcome, Measurement), outcome
    assert ssh.n_connections == 2
    row = json.loads(json.dumps(outcome.row()))
    assert (row["n_blocks"], row["device"]) == (2, "cpu")
