from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.logs import named, write_foreign, write_log
from support.measurements import made_up
from support.scripted import INFO

from profilers import audit_log, check
from profilers.log.rows import format_line


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lat.csv"


@pytest.mark.parametrize(
    ("changes", "column", "values"),
    [
        ({"threads": 2}, "threads", "1, 2"),
        ({"runtime": "tensorrt 10"}, "runtime", "onnxruntime 1.2.3, tensorrt 10"),
        ({"device": replace(INFO, power_mode="10W")}, "power_mode", "10W, performance"),
        ({"device": replace(INFO, cores=3)}, "device_fingerprint", ""),
    ],
)
def test_mixed_conditions_are_a_problem(
    path: Path, changes: dict[str, Any], column: str, values: str
) -> None:
    (problem,) = check(write_log(path, {}, changes, {}))
    assert (problem.check, problem.severity) == ("mixed", "problem")
    assert f"'{column}' takes 2 values: {values}" in problem.message
    assert problem.message.endswith(": line 3")
    assert problem.rows == (3,)
    assert "split the log" in problem.remedy


def test_simulated_rows_are_a_warning(path: Path) -> None:
    device = {"device": replace(INFO, name="simulated")}
    (problem,) = check(write_log(path, device, device))
    assert (problem.check, problem.severity) == ("simulated", "warning")
    assert "2 rows are SIMULATED" in problem.message
    assert problem.rows == (2, 3)


def test_workloads_are_a_condition_and_a_callers_own_columns_are_none(path: Path) -> None:
    write_log(path, {"columns": {"precision": "fp32"}}, {"columns": {"precision": "int8"}})
    assert check(path) == ()
    write_log(path, {"columns": {"workload": "short"}}, {"columns": {"workload": "long"}})
    (problem,) = check(path)
    assert problem.message == (
        "'workload' takes 2 values: long, short; not the usual 'short': line 3"
    )


def test_points_measured_twice_are_a_warning(path: Path) -> None:
    (problem,) = check(write_log(path, {"point_id": "a"}, {"point_id": "b"}, {"point_id": "a"}))
    assert (problem.check, problem.severity) == ("duplicates", "warning")
    assert problem.message == "1 row is of points that have a row already: line 4"
    assert problem.rows == (4,)


def test_many_flagged_rows_are_a_warning(path: Path) -> None:
    flagged = [{"flags": ("contended",)}, {"flags": ("contended", "ci_unmet")}]
    (problem,) = check(write_log(path, *flagged, *[{}] * 7))
    assert (problem.check, problem.severity) == ("flagged", "warning")
    assert problem.message == "2 of 9 rows are flagged (contended 2, ci_unmet 1): lines 2-3"
    assert problem.rows == (2, 3)


def test_rows_of_quality_c_are_a_warning(path: Path) -> None:
    (problem,) = check(write_log(path, {}, {"quality": "C"}, {"quality": "B"}, {"quality": "C"}))
    assert (problem.check, problem.severity, problem.rows) == ("flagged", "warning", (3, 5))
    assert problem.message == "2 of 4 rows are of quality C: lines 3, 5 (2 in all)"


def test_a_fifth_of_flagged_rows_is_tolerated(path: Path) -> None:
    assert check(write_log(path, {"flags": ("contended",)}, *[{}] * 4)) == ()


def test_a_column_without_a_unit_that_is_no_latency_is_a_warning(path: Path) -> None:
    (problem,) = check(write_log(path, {"columns": {"Energy": 3, "layers": 6}}))
    assert (problem.check, problem.severity) == ("no_unit", "warning")
    assert problem.message == "column 'Energy' has no unit"


@pytest.mark.parametrize("value", ["nan", "", "-1.0", "0.0", "inf", "1e+300", "fast"])
def test_an_impossible_latency_is_a_problem_of_its_line(path: Path, value: str) -> None:
    write_log(path, {}, {"latency_ms": value}, {})
    problem = named(check(path))["impossible"]
    assert (problem.severity, problem.rows) == ("problem", (3,))
    assert f"1 row holds an impossible value, e.g. in line 3 latency_ms is '{value}'" in (
        problem.message
    )


def test_a_blank_is_possible_only_where_a_sensor_may_be_silent(path: Path) -> None:
    write_log(path, {"cpu_mhz": None}, {"cpu_mhz": "x"}, {"load_ms": ""}, {"load_ms": 0.0})
    assert named(check(path))["impossible"].rows == (3, 4)


@pytest.mark.parametrize(
    ("changes", "violated"),
    [
        ({"latency_ms": 10.2}, "ci_low_ms <= latency_ms <= ci_high_ms"),
        ({"ci_low_ms": 10.09}, "ci_low_ms <= latency_ms <= ci_high_ms"),
        ({"min_ms": 10.01}, "min_ms <= raw_latency_ms"),
        ({"tails_ms": {90: 12.0, 95: None, 99: 11.0}}, "p90_ms <= p95_ms <= p99_ms"),
        ({"n_blocks": 31}, "n_processes <= n_blocks <= n_samples"),
    ],
)
def test_a_row_that_contradicts_itself_is_a_problem(
    path: Path, changes: dict[str, Any], violated: str
) -> None:
    (problem,) = check(write_log(path, {}, changes, {}))
    assert (problem.check, problem.severity, problem.rows) == ("inconsistent", "problem", (3,))
    assert problem.message == f"1 row violates {violated}: line 3"


def test_an_equal_latency_everywhere_is_a_problem(path: Path) -> None:
    (problem,) = check(write_log(path, *[{"latency_ms": 10.0}] * 3))
    assert (problem.check, problem.severity) == ("constant", "problem")
    assert problem.message == "all 3 rows have the latency 10"
    assert check(write_log(path, *[{"latency_ms": 10.0}] * 2)) == ()


def test_malformed_lines_are_a_problem_and_a_torn_last_one_a_warning(path: Path) -> None:
    lines = write_log(path, {}, {}, {}, {}).read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"\n", b",more\n")
    path.write_bytes(b"".join(lines)[:-30])
    found = named(check(path))
    assert (found["malformed"].severity, found["malformed"].rows) == ("problem", (3,))
    assert (found["torn"].severity, found["torn"].rows) == ("warning", (5,))


def test_a_log_of_an_earlier_version_is_judged_and_its_lacking_columns_named(path: Path) -> None:
    rows = [made_up(name, latency_ms=latency).row() for name, latency in (("a", 9.95), ("b", 0.0))]
    for row in rows:
        del row["quality"], row["raw_latency_ms"]
    path.write_bytes(b"".join(map(format_line, [list(rows[0]), *(list(r.values()) for r in rows)])))
    found = named(check(path))
    assert found["columns"].message.startswith("2 columns of a log of this version are missing")
    assert found["impossible"].rows == (3,)


@pytest.mark.parametrize(
    ("header", "check_name", "severity", "message"),
    [
        ("size,latency", "no_unit", "problem", "column 'latency' has no unit"),
        (
            "size,mean latency",
            "unit",
            "warning",
            "the unit of 'mean latency' is not named; taken as milli",
        ),
    ],
)
def test_the_unit_of_a_latency_is_read_from_its_name(
    path: Path, header: str, check_name: str, severity: str, message: str
) -> None:
    (problem,) = check(write_foreign(path, header, "1,2.5", "2,3.5", "3,4.5"))
    assert (problem.check, problem.severity) == (check_name, severity)
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("header", "unit", "conversion"),
    [
        ("size,latency_us", None, "'latency_us' is in microseconds, as its name says; times 0.001"),
        ("size,took", "s", "'took' is in seconds, by --unit; times 1000"),
    ],
)
def test_another_unit_is_converted_and_said(
    path: Path, header: str, unit: str | None, conversion: str
) -> None:
    log = write_foreign(path, header, "1,2.5", "2,3.5")
    audit = audit_log(log, targets=[header.rpartition(",")[2]], unit=unit)
    assert audit.problems == ()
    assert [line.rpartition(" it is")[0] for line in audit.conversions] == [conversion]


def test_conditions_of_other_logs_are_known_by_name(path: Path) -> None:
    log = write_foreign(path, "GPU,size,latency_ms", "a,1,2.0", "b,2,3.0", "a,3,4.0")
    (problem,) = check(log)
    assert (problem.check, problem.severity, problem.rows) == ("mixed", "problem", (3,))
    assert problem.message == "'GPU' takes 2 values: a, b; not the usual 'a': line 3"


def test_a_row_of_another_log_that_comes_again_is_a_warning(path: Path) -> None:
    (problem,) = check(write_foreign(path, "size,latency_ms", "1,2.0", "1,2.1", "1,2.0", "1,2.1"))
    assert (problem.check, problem.severity, problem.rows) == ("duplicates", "warning", (4, 5))


def test_targets_are_summed_and_each_must_be_possible(path: Path) -> None:
    log = write_foreign(path, "n,enc_ms,dec_ms", "1,1.0,9.0", "2,2.0,8.0", "3,3.0,7.0", "4,4.0,nan")
    found = audit_log(log, targets=["enc_ms", "dec_ms"])
    problems = named(found.problems)
    assert found.targets == ("enc_ms", "dec_ms")
    assert problems["impossible"].rows == (5,)
    assert problems["constant"].message == "all 3 rows have the latency 10"
