from pathlib import Path

import pytest

from profilers import LogError
from profilers.log.any_log import read_any_log


def test_the_unit_of_a_time_may_be_in_a_column(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("latency,unit,batch\n1500,us,1\n2.5,ms,2\n0.004,s,3\n,,4\n")
    log = read_any_log(path)
    assert [row.cells["latency"] for row in log.rows] == ["1.5", "2.5", "4", ""]
    assert log.in_ms == {"latency"}
    assert (log.unit_of("latency").name, log.unit_of("latency").source) == ("ms", "its cells")
    with pytest.raises(LogError, match="'--unit' must be left out for 'latency', whose cells tell"):
        log.unit_of("latency", "us")
    path.write_text("latency,unit,batch\n1500,us,1\n2.5,ops,2\n")
    with pytest.raises(LogError, match="'unit' must name a unit of time in every row. Got 'ops'"):
        read_any_log(path)


def test_a_column_of_units_of_something_else_is_a_category(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("latency_ms,unit\n1500,encoder\n2.5,decoder\n")
    assert read_any_log(path).remarks == ()


def test_throughputs_of_jmh_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "jmh.csv"
    path.write_text('"Benchmark","Mode","Score","Unit","Param: n"\n"a.b","thrpt",3.5,"ops/s",1\n')
    with pytest.raises(LogError, match="must name a unit of time in every row. Got 'ops/s' in row"):
        read_any_log(path)
    path.write_text('"Benchmark","Mode","Score","Unit","Param: n"\n"a.b","avgt",3.5,"us/op",1\n')
    assert [row.cells["Score"] for row in read_any_log(path).rows] == ["0.0035"]


def test_a_number_before_the_unit_is_a_time_where_no_name_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("batch,value,unit\n1,1500,us\n2,2.5,ms\n3,n/a,ms\n")
    log = read_any_log(path)
    assert [row.cells["value"] for row in log.rows] == ["1.5", "2.5", "n/a"]
    assert log.in_ms == {"value"}
    for content in ("name,batch,unit\na,1,us\nb,2,ms\n", "value,unit\n1,us\n2,ops\n"):
        path.write_text(content)
        assert read_any_log(path).remarks == ()


def test_units_in_the_cells_themselves_come_first(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("latency,unit\n1500 us,ms\n2 s,ms\n")
    assert [row.cells["latency"] for row in read_any_log(path).rows] == ["1.5", "2000"]


def test_a_row_of_units_below_the_header_is_no_measurement(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"  # in the form of `ncu --csv --page raw`
    path.write_text(
        '"Kernel Name","Grid","gpu__time_duration.sum","dram.sum","t_ms"\n"","","ns","%","ms"\n'
        '"gemm","1","1,500,000","50.5","2"\n"gemm","2","2,500,000","60.5","3"\n'
    )
    log = read_any_log(path)
    assert [row.line for row in log.rows] == [3, 4]
    assert [row.number("gpu__time_duration.sum") for row in log.rows] == [1.5, 2.5]
    assert [row.number("t_ms") for row in log.rows] == [2, 3]
    assert log.in_ms == {"gpu__time_duration.sum"}
    assert log.remarks == (
        "the unit of 'gpu__time_duration.sum' is 'ns', as the row below the header says; "
        "converted to ms",
    )


def test_a_first_row_of_text_is_a_measurement(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("op,s,latency\nadd,s,fast\nmul,m,slow\n")
    assert [row.line for row in read_any_log(path).rows] == [2, 3]


def test_a_unit_may_be_that_of_one_part_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "optimum.csv"  # in the form of optimum-benchmark
    path.write_text(
        "batch,report.prefill.latency.unit,report.prefill.latency.mean,report.decode.latency.mean,"
        "report.prefill.throughput.unit,report.prefill.throughput.value\n"
        "1,s,0.25,3,tokens/s,9\n2,s,0.5,4,tokens/s,8\n"
    )
    log = read_any_log(path)
    assert [row.number("report.prefill.latency.mean") for row in log.rows] == [250, 500]
    assert [row.number("report.decode.latency.mean") for row in log.rows] == [3, 4]
    assert [row.number("report.prefill.throughput.value") for row in log.rows] == [9, 8]
    assert log.in_ms == {"report.prefill.latency.mean"}
