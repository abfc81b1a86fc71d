"""The texts are of the forms that Google Benchmark's user guide shows."""

import json
from pathlib import Path

from profilers import audit_log
from profilers.log.any_log import read_any_log

HEADER = "name,iterations,real_time,cpu_time,time_unit,bytes_per_second,label,error_occurred,"


def write(tmp_path: Path, *lines: str, above: str = "") -> Path:
    path = tmp_path / "bench.csv"
    path.write_text(above + "\n".join([HEADER + "error_message", *lines]) + "\n")
    return path


def test_each_row_has_a_unit_and_sizes_in_its_name(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '"BM_Gemm/64/k:8/real_time",100,1500,1400,us,,,,',
        '"BM_Gemm/128/k:8/real_time",10,2.5,2.4,ms,,,,',
        '"BM_Copy/fast/128/iterations:5",10,70,60,ns,,,,',
        '"BM_Bad/1",0,0,0,ns,,,true,"no memory"',
    )
    log = read_any_log(path)
    names = ("real_time", "cpu_time", "benchmark", "argument_1", "k")
    assert [tuple(row.cells[name] for name in names) for row in log.rows] == [
        ("1.5", "1.4", "BM_Gemm", "64", "8"),
        ("2.5", "2.4", "BM_Gemm", "128", "8"),
        ("7e-05", "6e-05", "BM_Copy/fast", "128", "0"),
    ]
    assert (log.header[0], log.rows[0].as_written[0]) == ("name", "BM_Gemm/64/k:8/real_time")
    assert audit_log(path).targets == ("real_time",)
    assert any(
        "the unit of 'real_time', 'cpu_time' is that of 'time_unit'" in x for x in log.remarks
    )
    assert any("1 row of Google Benchmark is left out: 1 failed" in x for x in log.remarks)
    assert any("benchmark does not have a size, 'k' is 0" in x for x in log.remarks)


def test_lines_about_the_machine_above_the_header_are_skipped(tmp_path: Path) -> None:
    above = (
        "2026-01-02T03:04:05+00:00\nRunning ./bench\nRun on (8 X 3000 MHz CPU s)\nLoad: 0.5, 1\n"
    )
    log = read_any_log(write(tmp_path, '"BM_A/2",9,7,7,ms,,,,', above=above))
    assert [(row.line, row.cells["real_time"]) for row in log.rows] == [(6, "7")]


def test_aggregates_are_no_measurements(tmp_path: Path) -> None:
    kinds = {"mean": 11, "median": 10, "stddev": 1, "cv": 0.1}
    lines = [f'"BM_A/2_{kind}",9,{x},{x},ms,,,,' for kind, x in kinds.items()]
    repeated = ['"BM_A/2",9,9,9,ms,,,,', '"BM_A/2",9,11,11,ms,,,,', *lines]
    rows = read_any_log(write(tmp_path, *repeated)).rows
    assert [row.cells["real_time"] for row in rows] == ["9", "11"]
    (row,) = read_any_log(write(tmp_path, *lines)).rows
    assert (row.cells["real_time"], row.cells["argument_1"]) == ("10", "2")


def test_its_json_reads_as_its_csv(tmp_path: Path) -> None:
    own = {"run_name": "BM_A/2", "real_time": 7.5, "cpu_time": 7, "time_unit": "us"}
    runs = [
        {"name": "BM_A/2", "run_type": "iteration", "iterations": 9, **own},
        {"name": "BM_A/2_cv", "run_type": "aggregate", "iterations": 2, **own}
        | {"aggregate_name": "cv", "aggregate_unit": "percentage", "real_time": 0.1},
        {"name": "BM_A/2_BigO", "run_type": "aggregate", "run_name": "BM_A", "time_unit": "ns"}
        | {"aggregate_name": "BigO", "real_coefficient": 3.5, "big_o": "N"},
    ]
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"context": {"num_cpus": 8, "caches": []}, "benchmarks": runs}))
    (row,) = read_any_log(path).rows
    assert (row.cells["real_time"], row.cells["argument_1"]) == ("0.0075", "2")


def test_threads_in_a_name_are_a_condition(tmp_path: Path) -> None:
    lines = [f'"BM_A/{n}/threads:{1 + n % 2}",9,{n},{n},ms,,,,' for n in range(1, 5)]
    path = write(tmp_path, *lines)
    assert [row.cells["threads"] for row in read_any_log(path).rows] == ["2", "1", "2", "1"]
    assert any("'threads' takes 2 values: 1, 2" in x.message for x in audit_log(path).problems)


def test_a_benchmark_may_be_called_like_an_aggregate(tmp_path: Path) -> None:
    own = {"iterations": 9, "cpu_time": 7, "time_unit": "ms"}
    runs = [
        {"name": "BM_max", "run_name": "BM_max", "run_type": "iteration", "real_time": 7, **own},
        {"name": "BM_max_median", "run_name": "BM_max", "run_type": "aggregate", "real_time": 8}
        | {"aggregate_name": "median", **own},
        {"name": "BM_B", "run_name": "BM_B", "run_type": "iteration", "skipped": "true", **own},
    ]
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(runs))
    assert [row.cells["real_time"] for row in read_any_log(path).rows] == ["7"]
