"""`automoe profile --device raspberry-pi --host` with real aarch64 programs, under QEMU.

What it measures is an emulator; that it can be measured, interrupted and resumed is the point.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.boards import RASPBERRY_PI_4
from support.emulated_board import EmulatedBoard, aarch64_programs, missing_board
from support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_board() is not None, reason=missing_board() or ""),
]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[EmulatedBoard]:
    folder = tmp_path / "server"
    folder.mkdir()
    with aarch64_programs():
        board = EmulatedBoard(folder, RASPBERRY_PI_4, "cortex-a72")
        board.prepare()
        board.start()
        yield board
        board.reset()
        board.stop()


def test_a_pi_is_profiled_over_ssh_interrupted_and_resumed(board: EmulatedBoard) -> None:
    listed = board.automoe("devices", "--host", "board", "--json")
    out, err = listed.communicate(timeout=120)
    assert '"Raspberry Pi 4 Model B Rev 1.5"' in out, err
    process = board.automoe(
        *("profile", "--device", "raspberry-pi", "--host", "board", "--space", "tiny"),
        *("-n", "2", "--fast", "--rounds", "2", "--src-len", "3", "--tgt-len", "3"),
        *("--vocab-size", "500", "--log", "pi.csv"),
    )
    wait_until(lambda: board.n_workloads > 1 or process.poll() is not None, seconds=200)
    assert board.cut() >= 1
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    assert "The connection to board is lost (" in err
    assert "Connected to board again after " in err
    with (board.folder.parent / "pi.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["point_id"] for row in rows}) == len(rows) == 2
    for row in rows:
        assert row["device"] == "raspberry-pi"
        assert row["device_model"] == "Raspberry Pi 4 Model B Rev 1.5"
        assert row["runtime"] == "onnxruntime 1.32.0"
        assert float(row["latency_ms"]) > 0
    wait_until(lambda: board.keepers() == [])
