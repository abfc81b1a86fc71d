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
