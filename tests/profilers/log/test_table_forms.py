import json
from pathlib import Path

import pytest

from profilers.log.any_log import read_any_log

ROWS = [("1", "2.5"), ("2", "3.25")]


def read(tmp_path: Path, content: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    path = tmp_path / "any.csv"
    path.write_text(content, encoding="utf-8")
    log = read_any_log(path)
    assert log.malformed == ()
    return log.columns, [tuple(row.cells.values()) for row in log.rows]


def test_the_list_of_nnlqp_gets_its_names(tmp_path: Path) -> None:
    content = "0 nets/0001.onnx 8 3.25 ResNet18 1 train\n1 nets/0002.onnx 1 0.5 VGG16 1 test\n"
    columns, rows = read(tmp_path, content)
    assert columns[:4] == ("speed_id", "graph_id", "batch_size", "cost_time")
    assert rows[1] == ("1", "nets/0002.onnx", "1", "0.5", "VGG16", "1", "test")


def test_json_of_two_programs_becomes_their_tables(tmp_path: Path) -> None:
    hyperfine = {
        "results": [
            {"command": "run 2", "mean": 0.25, "times": [0.2, 0.3], "parameters": {"n": "2"}}
        ]
    }
    assert read(tmp_path, json.dumps(hyperfine)) == (
        ("command", "mean", "parameter_n"),
        [("run 2", "0.25", "2")],
    )
    benchmark = {
        "machine_info": {},
        "benchmarks": [
            {"name": "test_a[4]", "params": {"n": 4}, "stats": {"mean": 0.5, "data": [0.5]}}
        ],
    }
    assert read(tmp_path, "\ufeff" + json.dumps(benchmark)) == (
        ("name", "param:n", "mean"),
        [("test_a", "4", "0.5")],
    )


@pytest.mark.parametrize(
    "content",
    [
        '[{"batch": 1, "ms": 2.5, "raw": [2.5, 3]}, {"batch": 2, "ms": 3.25, "raw": []}]',
        '{"batch": 1, "ms": 2.5}\n{"batch": 2, "ms": 3.25, "raw": ["a"]}\n',
        '[{"count": 9}, {"batch": 1, "ms": 2.5}, {"batch": 2, "ms": 3.25}]',
        "\n| batch |   ms |\n| ----: | ---: |\n|     1 |  2.5 |\n|     2 | 3.25 |\n\nbuild: 12\n",
    ],
)
def test_lists_of_json_and_markdown_are_tables(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == (("batch", "ms"), ROWS)


def test_a_brace_alone_makes_no_json(tmp_path: Path) -> None:
    assert read(tmp_path, "{a,b\n1,2\n") == (("{a", "b"), [("1", "2")])


def test_rows_in_sql_are_a_table(tmp_path: Path) -> None:
    head = "CREATE TABLE IF NOT EXISTS llama_bench (\n  n_prompt INTEGER,\n  avg_ns INTEGER\n);\n\n"
    rows = [f"INSERT INTO llama_bench (n_prompt, avg_ns) VALUES ('{n}', '{n}00');" for n in (1, 2)]
    expected = (("n_prompt", "avg_ns"), [("1", "100"), ("2", "200")])
    assert read(tmp_path, head + "\n".join(rows) + "\n") == expected


def test_rows_of_markdown_keep_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "any.md"
    path.write_text("\n\n| batch |   ms |\n| ----: | ---: |\n|     1 |  2.5 |\n")
    (row,) = read_any_log(path).rows
    assert (row.line, row.cells["ms"]) == (5, "2.5")


def test_blank_lines_above_the_header_do_not_hide_the_delimiter(tmp_path: Path) -> None:
    assert read(tmp_path, "\n\nbatch;ms\n1;2,5\n2;3,25\n") == (("batch", "ms"), ROWS)


@pytest.mark.parametrize(
    "content",
    [
        '{"batch": 1, "ms": 2.5}\n{"batch": 2, "ms": 3.25}\n',
        "0 a.onnx 8 3.25 ResNet18 1 train\n1 b.onnx 1 0.5 VGG16 1 test\n",
    ],
)
def test_rows_below_a_header_that_is_not_in_the_file_keep_their_lines(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "any.txt"
    path.write_text(content)
    assert [row.line for row in read_any_log(path).rows] == [1, 2]


@pytest.mark.parametrize(
    "content",
    [
        "# measured at night, box 7\n#\n\nbatch,ms\n1,2.5\n2,3.25\n",
        "# batch,ms\n1,2.5\n2,3.25\n",  # as numpy.savetxt writes it
        "# measured at night\n#batch;ms\n1;2,5\n2;3,25\n",
    ],
)
def test_comments_above_the_header_are_left_out(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == (("batch", "ms"), ROWS)
    (row, _) = read_any_log(tmp_path / "any.csv").rows
    assert (
        row.line == content.count("\n", 0, content.index("1,2" if "1,2" in content else "1;2")) + 1
    )


def test_a_name_that_begins_with_the_mark_of_comments_stays(tmp_path: Path) -> None:
    assert read(tmp_path, "# of calls,ms\n1,2.5\n2,3.25\n") == (("# of calls", "ms"), ROWS)


def test_bars_are_part_of_a_name_beside_other_delimiters(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("m|n|k,latency_ms\n1|2|3,1.5\n", encoding="utf-8")
    assert read_any_log(path).columns == ("m|n|k", "latency_ms")


def test_bars_may_separate_cells(tmp_path: Path) -> None:
    path = tmp_path / "sacct.txt"
    path.write_text("JobName|batch|Elapsed\ngemm|8|00:01:02\n", encoding="utf-8")
    (row,) = read_any_log(path).rows
    assert (row.cells["batch"], row.cells["Elapsed"]) == ("8", "62000")
