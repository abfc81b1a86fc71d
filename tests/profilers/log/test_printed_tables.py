from pathlib import Path

import pandas as pd
import pytest

from profilers.audit.columns import find_targets
from profilers.log.any_log import read_any_log
from profilers.log.rows import LogError

PYTEST = """\
============================= test session starts ==============================
collected 4 items

-------------------- benchmark 'large': 2 tests --------------------
Name (time in ms)          Min                 Max            Outliers  OPS            Rounds
---------------------------------------------------------------------
test_mm[fp32-16]        1.2323 (1.0)    1,233.3502 (>1000.0)       1;3  811.4907 (1.0)     30
test_mm[fp64-16]        2.5000 (2.03)       3.5000 (1.0)           0;1  400.0000 (0.49)    30
---------------------------------------------------------------------

-------------------- benchmark 'small': 1 tests --------------------
Name (time in us)          Min                 Max            Outliers  OPS            Rounds
---------------------------------------------------------------------
test_mm[fp32-8]        1.5000       2.5000       1;3  666,666.6667     30
---------------------------------------------------------------------

Legend:
  Outliers: 1 Standard Deviation from Mean; 1.5 IQR (InterQuartile Range).
"""
GOOGLE = """\
2026-11-30T07:01:24+00:00
Running ./bench
----------------------------------------------------------------
Benchmark            Time             CPU   Iterations UserCounters...
----------------------------------------------------------------
gemm/64            250 us         240 us         7786 items_per_second=4.5M/s pages=2k
gemm/128           1.5 ms         1.4 ms          101 items_per_second=9.5M/s pages=8k
"""
LLAMA = """\
| model    |       size |   params | backend | threads |          test |            t/s |
| -------- | ---------: | -------: | ------- | ------: | ------------: | -------------: |
| llama 7B |   3.56 GiB |   6.74 B | CPU     |       4 |         pp512 |  256.00 ± 3.66 |
| llama 7B |   3.56 GiB |   6.74 B | CPU     |       4 |        tg 128 |   16.00 ± 0.10 |
| llama 7B |   3.56 GiB |   6.74 B | CPU     |       4 | pp512+tg128 @ d4096 | 64.00 ± 0.10 |

build: 0123abc (6000)
"""


def test_the_table_of_pytest_benchmark_is_read_as_printed(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text(PYTEST, encoding="utf-8")
    log = read_any_log(path)
    names = ("name", "min", "max", "param:1", "param:2")
    assert [(row.line, *(row.cells[x] for x in names)) for row in log.rows] == [
        (7, "test_mm", "1.2323", "1233.3502", "fp32", "16"),
        (8, "test_mm", "2.5000", "3.5000", "fp64", "16"),
        (14, "test_mm", "0.0015", "0.0025", "fp32", "8"),
    ]


def test_a_minus_belongs_to_a_parameter(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text(PYTEST.replace("[fp32-16]", "[1e-05--16]"), encoding="utf-8")
    first = read_any_log(path).rows[0].cells
    assert (first["param:1"], first["param:2"]) == ("1e-05", "-16")


def test_a_warning_may_stand_above_a_table(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text(f"***WARNING*** CPU scaling, which is noisy.\n{GOOGLE}", encoding="utf-8")
    assert len(read_any_log(path).rows) == 2


def test_the_table_of_google_benchmark_is_read_as_printed(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text(GOOGLE, encoding="utf-8")
    log = read_any_log(path)
    assert find_targets(log) == ("real_time",)
    names = ("benchmark", "argument_1", "real_time", "pages")
    assert [(row.line, *(row.cells[x] for x in names)) for row in log.rows] == [
        (6, "gemm", "64", "0.25", "2000"),
        (7, "gemm", "128", "1.5", "8000"),
    ]


def test_counters_may_have_columns(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    tabular = GOOGLE.replace("UserCounters...", "items_per_second pages")
    tabular = tabular.replace("items_per_second=", "").replace("pages=", "")
    other = tabular[tabular.index("Benchmark") :].replace("pages", "files")
    path.write_text(tabular + other, encoding="utf-8")
    cells = [(row.cells["pages"], row.cells["files"]) for row in read_any_log(path).rows]
    assert cells == [("2000", ""), ("8000", ""), ("", "2000"), ("", "8000")]


def test_the_speeds_of_llama_bench_become_times(tmp_path: Path) -> None:
    path = tmp_path / "out.md"
    path.write_text(LLAMA, encoding="utf-8")
    log = read_any_log(path)
    names = ("n_prompt", "n_gen", "n_depth", "avg_ns", "avg_ts")
    assert [tuple(row.cells[x] for x in names) for row in log.rows] == [
        ("512", "0", "0", "2000000000", "256.00"),  # 512 tokens at 256 a second
        ("0", "128", "0", "8000000000", "16.00"),
        ("512", "128", "4096", "10000000000", "64.00"),
    ]
    assert find_targets(log) == ("avg_ns",)
    assert any("the latency is the tokens of a test" in remark for remark in log.remarks)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("   batch  latency_ms\n0      1         2.5\n1      2         5.0\n", "Unnamed: 0"),
        (" batch  latency_ms\n     1         2.5\n     2         5.0\n", ""),
        ("# made by numpy, in 2026\n# batch latency_ms\n1 2.5\n2 5.0\n", ""),
        ("batch latency_ms\n1 2.5\n2      5.0\n", ""),
        ("# of a quiet machine\nbatch latency_ms\n1 2.5\n2 5.0\n", ""),
        ("   batch  latency_ms\n0      1         2.5\n1      2         5.0\n\n[2 rows x 2 columns]",
         "Unnamed: 0"),
        # psql, mysql, rich and reStructuredText
        (" batch | latency_ms \n-------+------------\n     1 |        2.5\n     2 |        5.0\n"
         "(2 rows)\n\n", ""),
        ("+-------+------------+\n| batch | latency_ms |\n+-------+------------+\n"
         "|     1 |        2.5 |\n|     2 |        5.0 |\n+-------+------------+\n2 rows in set\n",
         ""),
        ("┏━━━━━━━┳━━━━━━━━━━━━┓\n┃ batch ┃ latency_ms ┃\n┡━━━━━━━╇━━━━━━━━━━━━┩\n"
         "│ 1     │ 2.5        │\n│ 2     │ 5.0        │\n└───────┴────────────┘\n", ""),
        ("=====  ==========\nbatch  latency_ms\n=====  ==========\n    1         2.5\n"
         "    2         5.0\n=====  ==========\n", ""),
    ],
)  # fmt: skip
def test_columns_may_be_aligned_by_spaces(tmp_path: Path, content: str, columns: str) -> None:
    path = tmp_path / "out.txt"
    path.write_text(content, encoding="utf-8")
    log = read_any_log(path)
    assert log.columns == (*([columns] if columns else []), "batch", "latency_ms")
    assert [(row.number("batch"), row.number("latency_ms")) for row in log.rows] == [
        (1, 2.5),
        (2, 5),
    ]


@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize("model", ["llama", "llama 7B"])
def test_a_name_or_a_cell_may_hold_a_space(tmp_path: Path, has_index: bool, model: str) -> None:
    path = tmp_path / "out.txt"
    frame = pd.DataFrame({"gain": [-1, -2], "latency (ms)": [2.5, 5.0], "my model": model})
    path.write_text(frame.to_string(index=has_index), encoding="utf-8")
    rows = read_any_log(path).rows
    names = ("gain", "latency (ms)", "my model")
    assert [tuple(row.cells[x] for x in names) for row in rows] == [
        ("-1", "2.5", model),
        ("-2", "5.0", model),
    ]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("kernel,ms,cycles", "a,2.5,7"),
        ("kernel,,instructions,ms", "a,2.5,7,1"),
        ("isl,osl,batch,tp,qps,ms", "512,128,8,4,10.79,71.3"),
        ("size,dtype,op,threads,ms,n", "512,fp32,gelu,4,10.79,50"),
    ],
)
def test_a_table_that_looks_like_the_lines_of_perf_is_read(
    tmp_path: Path, header: str, row: str
) -> None:
    path = tmp_path / "out.csv"
    path.write_text(f"{header}\n{row}\n", encoding="utf-8")
    assert read_any_log(path).columns == tuple(header.split(","))


def test_the_table_of_the_profiler_of_torch_is_read_as_printed(tmp_path: Path) -> None:
    rule = "-----------  ------------  ------------  ------------  \n"
    path = tmp_path / "profile.txt"
    path.write_text(
        f"{rule}       Name    Self CPU %     CPU total    # of Calls  \n{rule}"
        "   aten::mm        55.50%       1.500ms             3  \n"
        "aten::addmm        44.50%     250.000us             1  \n"
        f"{rule}Self CPU time total: 1.750ms\n\n"
    )
    log = read_any_log(path)
    assert log.columns == ("Name", "Self CPU %", "CPU total", "# of Calls")
    assert [(row.cells["Name"], row.number("CPU total")) for row in log.rows] == [
        ("aten::mm", 1.5),
        ("aten::addmm", 0.25),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "&&&& RUNNING TensorRT.trtexec\n[I] === Performance summary ===\n[I] Latency: min = 1",
            "Got what trtexec prints. Export a table with --exportTimes=FILE.json",
        ),
        (
            "Benchmark 1: seq 1\n  Time (mean ± σ):       0.6 ms ±   0.1 ms    [User: 0.6 ms]\n",  # noqa: RUF001
            "Got what hyperfine prints. Export a table with --export-csv FILE",
        ),
        (
            "# started on Mon\n\n<not supported>,,cycles,0,100.00,,\n",
            "Got what perf stat prints. Write a table with a row for each run",
        ),
        ("Running 30s test\n  Thread Stats   Avg      Stdev     Max\n", "Got what wrk prints"),
        ("metric_name,timestamp,metric_value,check\nvus,1,2,\n", "Got what k6 prints. Write a"),
        ('{"metrics": {"http_req_duration": {"avg": 12.3}}}', "Got what k6 prints"),
        ('{"type":"Metric","data":{"name":"http_req_duration"}}\n', "Got what k6 prints"),
        (':::MLLOG {"key": "loadgen_version", "time_ms": 1.5}\n', "Got what MLPerf's LoadGen"),
        ("Metric,avg,min,max,p99\nRequest Latency (ms),1,1,1,1\n", "Got what GenAI-Perf or AIPerf"),
        (
            "group,function,value,throughput_num,throughput_type,sample_measured_value,unit,"
            "iteration_count\ng,f,1,,,5.0,ns,2\n",
            "Got what Criterion prints. Divide 'sample_measured_value' by 'iteration_count'",
        ),
        (
            "Benchmark  (n)  Mode  Cnt  Score   Error  Units\nB.m 1 avgt 5 1.5 ± 0.1 ms/op\n",
            "Got what JMH prints. Export a table with -rf csv",
        ),
        ("==PROF== Connected to process 1\n", "Delete the lines above the header"),
        ("batch=8,time=2.5ms\nbatch=9,time=3ms\n", "has no header: line 1 holds a measurement"),
        ("Run 3\n\nbatch,seq,latency_ms\n1,2,3.5\n", "line 3 looks like the header, 'batch,seq,"),
        ("shape,,result\nbatch,seq,ms\n1,2,3.5\n", "line 2 looks like the header, 'batch,seq,ms'"),
        ("<html><table>", "Got a page of HTML. Save its table as a CSV"),
        ("1.5 2.5 3.5\n2.5 3.5 4.5\n", "has no header: line 1 holds a measurement"),
    ],
)
def test_a_printed_text_without_a_table_is_refused_with_the_remedy(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "out.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LogError, match=message):
        read_any_log(path)


def test_names_alone_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("batch  latency_ms\n", encoding="utf-8")
    assert read_any_log(path).rows == ()
