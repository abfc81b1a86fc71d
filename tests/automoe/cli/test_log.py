import json
from pathlib import Path

import pytest
from support.measurements import made_up

from automoe.cli.main import main
from profilers import LatencyLog

Capture = pytest.CaptureFixture[str]


def write(path: Path, *point_ids: str, workload: str = "w") -> Path:
    log = LatencyLog(path)
    for point_id in point_ids:
        log.append(made_up(point_id, columns={"workload": workload}))
    return path


def test_a_sound_log_is_shown_and_passes(capsys: Capture, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", "a", "b")
    assert main(["log", "show", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"] == 2
    assert main(["log", "check", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_mixed_workloads_fail_the_check(capsys: Capture, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", "a")
    write(log, "b", workload="another")
    assert main(["log", "check", str(log), "--json"]) == 4
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["check"], problem["severity"]) == ("mixed", "problem")
    assert "'workload' takes 2 values" in problem["message"]


def test_a_warning_passes_the_check(capsys: Capture, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", "a", "a")
    assert main(["log", "check", str(log)]) == 0
    assert "duplicates" in capsys.readouterr().out


def test_merging(capsys: Capture, tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.csv", "a"), write(tmp_path / "2.csv", "a", "b")
    out = tmp_path / "all.csv"
    assert main(["log", "merge", str(one), str(two), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 2 rows\n"
    assert main(["log", "merge", str(one), "-o", str(out)]) == 2
    assert "must not exist" in capsys.readouterr().err
    odd = write(tmp_path / "3.csv", "c", workload="another")
    assert main(["log", "merge", str(one), str(odd), "-o", str(tmp_path / "x.csv")]) == 2
    assert "'workload' must be 'w'" in capsys.readouterr().err
