"""A profile that is killed with SIGKILL loses no finished row and repeats none."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from automoe.cli.main import main
from profilers import read_log

N_SUBNETS = 40


def command(log: Path) -> list[str]:
    space = ["--space", "tiny", "--max-experts", "4", "--fractional", "-n", str(N_SUBNETS)]
    return ["profile", "--device", "cpu", *space, "--fast", "--log", str(log)]


@pytest.mark.slow
def test_a_killed_profile_goes_on_where_it_stood(tmp_path: Path) -> None:
    log = tmp_path / "lat.csv"
    finished: list[dict[str, str]] = []
    for kills in (1, 2):
        process = subprocess.Popen(
            [sys.executable, "-m", "automoe", *command(log)], stderr=subprocess.DEVNULL
        )
        enough, patience_s = kills * N_SUBNETS // 4, time.monotonic() + 300
        while not log.exists() or len(read_log(log)) < enough:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < patience_s, "it measures nothing"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        kept = read_log(log)
        assert kept[: len(finished)] == finished  # what was finished before stays as it was
        finished = kept
    assert N_SUBNETS // 2 <= len(finished) < N_SUBNETS
    assert main(command(log)) == 0
    rows = read_log(log)
    assert rows[: len(finished)] == finished
    assert len(rows) == N_SUBNETS
    assert set(Counter(row["point_id"] for row in rows).values()) == {1}
    assert len({row["sentinel_reference_ms"] for row in rows}) == 1  # one reference throughout
