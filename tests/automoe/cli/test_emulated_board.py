"""`automoe profile --device raspberry-pi|jetson --host` with real aarch64 programs, under QEMU.

What it measures is an emulator; that it can be measured, interrupted and resumed is the point.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.boards import ORIN_NANO, RASPBERRY_PI_4, Board
from support.emulated_board import EmulatedBoard, aarch64_programs, missing_board
from support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_board() is not None, reason=missing_board() or ""),
]
TESTS = Path(__file__).parents[2]
PACKAGES = "usr/local/lib/python3.11/dist-packages"
IMITATION = {
    "tensorrt.py": "imitated/tensorrt.py",
    "support/imitated_tensorrt.py": "support/imitated_tensorrt.py",
    "support/tensorrt_api.json": "support/tensorrt_api.json",
}
LIBNVINFER = ("dpkg-query", "--show", "--showformat=${Version}", "python3-libnvinfer")


@contextmanager
def running(folder: Path, board: Board, cpu: str) -> Iterator[EmulatedBoard]:
    folder.mkdir()
    with aarch64_programs():
        server = EmulatedBoard(folder, board, cpu)
        server.prepare()
        server.start()
        try:
            yield server
        finally:
            server.reset()
            server.stop()


def profile_interrupted(board: EmulatedBoard, *options: str) -> list[dict[str, str]]:
    """The rows of two subnets; the connection is cut while they are measured."""
    process = board.automoe(
        *("profile", "--host", "board", "--space", "tiny", "-n", "2", "--fast", "--rounds", "2"),
        *("--src-len", "3", "--tgt-len", "3", "--vocab-size", "500", "--log", "log.csv", *options),
    )
    wait_until(lambda: board.n_workloads > 1 or process.poll() is not None, seconds=280)
    assert board.cut() >= 1
    _, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert "The connection to board is lost (" in err
    assert "Connected to board again after " in err
    with (board.folder.parent / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["point_id"] for row in rows}) == len(rows) == 2
    wait_until(lambda: board.keepers() == [])
    return rows


def test_a_pi_is_profiled_over_ssh_interrupted_and_resumed(tmp_path: Path) -> None:
    with running(tmp_path / "server", RASPBERRY_PI_4, "cortex-a72") as board:
        listed = board.automoe("devices", "--host", "board", "--json")
        out, err = listed.communicate(timeout=120)
        assert '"Raspberry Pi 4 Model B Rev 1.5"' in out, err
        for row in profile_interrupted(board, "--device", "raspberry-pi"):
            assert row["device"] == "raspberry-pi"
            assert row["device_model"] == "Raspberry Pi 4 Model B Rev 1.5"
            assert row["runtime"] == "onnxruntime 1.32.0"
            assert float(row["latency_ms"]) > 0


def test_a_jetson_is_profiled_over_ssh_interrupted_and_resumed(tmp_path: Path) -> None:
    """ONNX Runtime imitates TensorRT and CUDA there; everything else is as on a board."""
    files = {f"{PACKAGES}/{name}": (TESTS / file).read_text() for name, file in IMITATION.items()}
    orin = replace(
        ORIN_NANO,
        files={**ORIN_NANO.files, **files},
        outputs={**ORIN_NANO.outputs, LIBNVINFER: "10.3.0.30-1+cuda12.5"},
    )
    with running(tmp_path / "server", orin, "cortex-a76") as board:
        for row in profile_interrupted(board, "--device", "jetson", "--runtime", "tensorrt"):
            assert row["device"] == "jetson"
            assert row["device_model"] == "NVIDIA Orin Nano Developer Kit"
            assert row["power_mode"].startswith("15W")
            assert row["runtime"] == "tensorrt 10.3.0"
            assert float(row["latency_ms"]) > 0
            assert float(row["gpu_ms"]) > 0
