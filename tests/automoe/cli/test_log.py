import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.measurements import made_up

from automoe.cli.main import main
from devices import get_device
from profilers import LatencyLog

Capture = pytest.CaptureFixture[str]


def write(path: Path, *point_ids: str, workload: str = "w") -> Path:
    log = LatencyLog(path)
    for point_id in point_ids:
        log.append(made_up(point_id, columns={"workload": workload}))
    return path


def write_sound(path: Path, n_rows: int = 20) -> Path:
    """A log that can be fitted."""
    log, rng = LatencyLog(path), np.random.default_rng(0)
    for n, noise in enumerate(rng.uniform(0.98, 1.02, n_rows)):
        latency_ms = float((5 + n % 7) * noise)
        interval = {"ci_low_ms": 0.99 * latency_ms, "ci_high_ms": 1.01 * latency_ms}
        columns = {"workload": "w", "feature_layers": n % 7}
        log.append(made_up(f"p{n}", latency_ms=latency_ms, **interval, columns=columns))
    return path


def test_a_sound_log_is_shown_and_passes(capsys: Capture, tmp_path: Path) -> None:
    log = write_sound(tmp_path / "a.csv")
    assert main(["log", "show", str(log), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["points"], summary["qualities"]) == (20, {"A": 20})
    assert main(["log", "check", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_each_row_of_a_long_log_is_shown_on_demand(capsys: Capture, tmp_path: Path) -> None:
    log = write_sound(tmp_path / "a.csv", n_rows=21)
    assert main(["log", "show", str(log)]) == 0
    printed = capsys.readouterr()
    assert "The latencies of the 21 rows are shown with --all." in printed.err
    assert "p20" not in printed.out
    assert "half_width_median  1.0%" in printed.out
    assert main(["log", "show", str(log), "--all"]) == 0
    assert sum(line.startswith("p") for line in capsys.readouterr().out.splitlines()) == 1 + 1 + 21
    assert main(["log", "show", str(log), "--all", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)["measured"]
    assert [row["point_id"] for row in measured] == [f"p{n}" for n in range(21)]
    (tmp_path / "b.csv").write_text("size,latency_ms\n1,2\n")
    assert main(["log", "show", str(tmp_path / "b.csv"), "--all"]) == 2
    assert "'--all' is for a log of AutoMoE." in capsys.readouterr().err


def test_a_log_is_shown_with_intervals_and_what_its_flags_mean(
    capsys: Capture, tmp_path: Path
) -> None:
    log = LatencyLog(tmp_path / "a.csv")
    numbers = {"latency_ms": 10.0 / 3, "ci_low_ms": 3.000099, "ci_high_ms": 4.000001}
    log.append(made_up("one", **numbers, flags=("contended", "ci_unmet"), quality="C"))
    assert main(["log", "show", str(log.path)]) == 0
    out = capsys.readouterr().out
    assert "latency_median_ms  3.333\n" in out
    (row,) = [line for line in out.splitlines() if line.startswith("one ")]
    assert row.split() == [
        "one",
        "3.333",
        "3",
        "to",
        "4.001",
        "C",
        "contended,",
        "ci_unmet",
    ]  # rounded outward
    assert "contended: other programs used the cores; end them" in out
    assert "ci_unmet: the 95 % interval is wider" in out
    assert max(len(digits) for digits in re.findall(r"\d+\.(\d+)", out)) <= 5
    assert main(["log", "show", str(log.path), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["half_width_median"] == pytest.approx(0.999902 / 2 / (10 / 3))
    assert summary["latency_median_ms"] == 10.0 / 3


def test_mixed_workloads_fail_the_check(capsys: Capture, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", "a")
    other = write(tmp_path / "b.csv", "b", workload="another").read_text()
    log.write_text(log.read_text() + other.splitlines(keepends=True)[-1])
    assert main(["log", "check", str(log), "--json"]) == 4
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["check"], problem["severity"]) == ("mixed", "problem")
    assert "'workload' takes 2 values" in problem["message"]
    assert problem["rows"] == [3]


def test_a_warning_passes_the_check(capsys: Capture, tmp_path: Path) -> None:
    log = write_sound(tmp_path / "a.csv", 10)
    log.write_text(log.read_text() + log.read_text().splitlines(keepends=True)[-1])
    assert main(["log", "check", str(log)]) == 0
    out = capsys.readouterr().out
    assert "warning [duplicates]" in out
    assert "warning [rows] 11 usable rows; a fit needs 20, or 8 with a base\n    measure 9" in out
    assert out.endswith(f"{log}: may be fitted with '--base' alone; mind the warnings\n")


def test_a_check_ends_with_the_command_that_fits(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "t.csv"
    log.write_text("layers,width,infer time [us]\n" + "".join(ROWS))
    assert main(["log", "check", str(log)]) == 0
    told = capsys.readouterr()
    command = f"automoe fit {log} -o t.predictor --target 'infer time [us]'"
    assert told.err.endswith(f"Next: {command}\n")
    assert told.out.endswith(f"{log}: nothing to object to\n")
    log.write_text("layers,width,took\n" + "".join(ROWS[:10]))
    assert main(["log", "check", str(log), "--target", "took", "--unit", "s", "--json"]) == 0
    command = f"automoe fit {log} -o t.predictor --target took --unit s --base OTHER.predictor"
    assert capsys.readouterr().err.endswith(f"Next: {command}\n")


def test_a_log_that_must_not_be_fitted_gets_no_command(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "t.csv"
    log.write_text("layers,width,latency_ms\n" + "".join([*ROWS, "1,2.5,-3\n"]))
    assert main(["log", "check", str(log)]) == 4
    told = capsys.readouterr()
    assert told.out.endswith(f"{log}: must not be fitted as it is\n")
    assert "Next:" not in told.err


ROWS = [f"{n % 6},{n}.5,{10 + n % 6}.{n}\n" for n in range(24)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (ROWS[:7], "7 usable rows; a fit needs 20, or 8 with a base"),
        ([], "has a header and no rows. Add rows below it."),
        ([*ROWS, "nan,1.5,12.0\n"], "line 26, column 'layers': a feature must be a number from"),
        ([*ROWS, "1e308,1.5,12.0\n"], "line 26, column 'layers': a feature must be a number from"),
    ],
)
def test_what_a_fit_refuses_fails_the_check(
    capsys: Capture, tmp_path: Path, lines: list[str], message: str
) -> None:
    log = tmp_path / "other.csv"
    log.write_text("layers,width,latency_ms\n" + "".join(lines))
    assert main(["log", "check", str(log), "--json"]) == 4
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["check"], problem["severity"]) == ("fit", "problem")
    assert message in problem["message"]
    assert main(["fit", str(log), "-o", str(tmp_path / "p")]) == 2
    if len(lines) != 7:  # a fit without a base needs more still
        assert message in capsys.readouterr().err


def test_a_check_says_what_a_fit_would_leave_out(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "other.csv"
    lines = [f"{n % 6},{n}.5,{10 + n % 6}.{n},{n}\n" for n in range(24)]
    log.write_text("layers,width,latency_ms,ttft\n" + "".join(lines))
    assert main(["log", "check", str(log)]) == 0
    said = "left out of the features: ttft (a result, by its name). To keep one, name all features"
    assert said in capsys.readouterr().err


def test_a_column_without_a_name_fails_the_check(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "other.csv"
    log.write_text("layers,,latency_ms\n" + "".join(ROWS))
    assert main(["log", "check", str(log)]) == 4
    assert (
        "line 1: column 2 has no name. Name it, or delete the lines above"
        in capsys.readouterr().out
    )


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
    assert out[0].startswith("problem [impossible] 1 row holds an impossible value")
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
    again = str(tmp_path / "again.csv")
    assert main(["log", "merge", str(one), str(two), "-o", again, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"out": again, "rows": 2}
    assert main(["log", "merge", str(one), "-o", str(out)]) == 2
    assert "must not exist" in capsys.readouterr().err
    odd = write(tmp_path / "3.csv", "c", workload="another")
    assert main(["log", "merge", str(one), str(odd), "-o", str(tmp_path / "x.csv")]) == 2
    assert "'workload' must be 'w'" in capsys.readouterr().err


def test_a_target_is_no_condition(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "other.csv"
    log.write_text("layers,width,runtime\n" + "".join(ROWS))
    assert main(["log", "check", str(log), "--target", "runtime", "--unit", "s"]) == 0
    assert "'runtime' is in seconds, by --unit" in capsys.readouterr().err


def test_a_log_is_shared_without_the_fingerprint(capsys: Capture, tmp_path: Path) -> None:
    log = write_sound(tmp_path / "a.csv")
    assert main(["log", "share", str(log), "-o", str(tmp_path / "shared.json")]) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"{tmp_path / 'shared.json'}: 20 rows\n")
    assert "model: Scripted CPU" in told.out
    assert "has only what the log says" in told.err
    assert "Read these texts before you share" in told.err
    own = log.read_text().splitlines()[1].split(",")[4]
    assert own not in (tmp_path / "shared.json").read_text()
    assert main(["fit", str(tmp_path / "shared.json"), "-o", str(tmp_path / "p")]) == 0


def test_the_device_that_was_measured_is_described(capsys: Capture, tmp_path: Path) -> None:
    info = get_device("cpu").info()
    log = LatencyLog(tmp_path / "a.csv")
    log.append(made_up("p", device=info))
    command = ["log", "share", str(log.path), "-o", str(tmp_path / "shared.json"), "--json"]
    assert main(command) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["device"]["cores"] == info.cores
    assert told.err == ""


def test_what_cannot_be_shared_is_refused_in_one_line(capsys: Capture, tmp_path: Path) -> None:
    log = LatencyLog(tmp_path / "a.csv")
    log.append(made_up("p", columns={"note": "alice's board"}))
    command = ["log", "share", str(log.path), "-o", str(tmp_path / "shared.json")]
    assert main(command) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("with --drop note.")
    assert not (tmp_path / "shared.json").exists()
    assert main([*command, "--drop", "note"]) == 0
    assert "alice" not in (tmp_path / "shared.json").read_text()


def test_the_names_of_the_host_are_looked_for(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automoe.cli.log._device_of", lambda _row, _host: None)
    log = LatencyLog(tmp_path / "a.csv")
    log.append(made_up("p", columns={"space": "of-Hedwig"}))
    command = ["log", "share", str(log.path), "-o", str(tmp_path / "shared.json"), "--host"]
    assert main([*command, "alice@hedwig"]) == 2
    assert "'of-Hedwig' holds a name in your --host" in capsys.readouterr().err
    (tmp_path / "devices.yaml").write_text("board: {host: alice@hedwig}\n")
    monkeypatch.chdir(tmp_path)
    assert main([*command, "board"]) == 2
    assert main([*command, "ben@errol"]) == 0


def test_a_table_without_a_latency_is_shown_and_fails(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "other.csv"
    log.write_text("layers,width,FPS\n1,2,30\n2,3,20\n")
    assert main(["log", "show", str(log)]) == 2
    printed = capsys.readouterr()
    assert "width" in printed.out
    assert "has no column that looks like a latency. Name it with --target" in printed.err
    log.write_text("import os\nprint(2)\n")
    assert main(["log", "show", str(log)]) == 2
    assert "Got 1 column, 'import os'" in capsys.readouterr().err
