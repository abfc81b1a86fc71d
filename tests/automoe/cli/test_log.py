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
    summary = json.loads(capsys.readouterr().out)
    assert (summary["points"], summary["qualities"]) == (2, {"A": 2})
    assert main(["log", "check", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_mixed_workloads_fail_the_check(capsys: Capture, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", "a")
    write(log, "b", workload="another")
    assert main(["log", "check", str(log), "--json"]) == 4
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["check"], problem["severity"]) == ("mixed", "problem")
    assert "'workload' takes 2 values" in problem["message"]
    assert problem["rows"] == [3]


def test_a_warning_passes_the_check(capsys: Capture, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", "a", "a")
    assert main(["log", "check", str(log)]) == 0
    assert "duplicates" in capsys.readouterr().out


def test_a_log_of_others_is_judged_by_the_columns_named(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "other.csv"
    log.write_text("size,enc_ms,dec_ms\n1,2.0,3.0\n2,nan,4.0\n3,4.0,5.0\n")
    arguments = ["log", "check", str(log), "--target", "enc_ms", "--target", "dec_ms"]
    assert main([*arguments, "--json"]) == 4
    printed = capsys.readouterr()
    (problem,) = json.loads(printed.out)
    assert (problem["check"], problem["rows"]) == ("impossible", [3])
    assert printed.err == f"{log}: 3 rows, latency: enc_ms + dec_ms\n"
    assert main(arguments) == 4
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("problem [impossible] 1 rows hold an impossible value")
    assert out[1] == "    correct or delete the lines"


def test_damaged_lines_of_ours_fail_the_check(capsys: Capture, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", "a", "b")
    log.write_text(log.read_text().replace(",w\n", ",w,more\n", 1))
    assert main(["log", "check", str(log), "--json"]) == 4
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["check"], problem["rows"]) == ("malformed", [2])


def test_what_is_no_log_is_bad_input(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "other.csv"
    log.write_text("size,width\n1,2\n")
    assert main(["log", "check", str(log)]) == 2
    assert "no column that looks like a latency" in capsys.readouterr().err
    assert main(["log", "check", str(log), "--target", "depth"]) == 2
    assert "has no column 'depth'. It has size, width." in capsys.readouterr().err


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
