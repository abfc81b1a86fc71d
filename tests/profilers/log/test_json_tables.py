import json
from pathlib import Path

import pandas as pd
import pytest

from profilers import LogError
from profilers.audit.columns import find_features, find_targets
from profilers.log.any_log import AnyLog, read_any_log

FRAME = pd.DataFrame({"batch": [1, 2], "ms": [2.5, 3.25]})
ROWS = [("1", "2.5"), ("2", "3.25")]


def read(tmp_path: Path, content: object) -> AnyLog:
    path = tmp_path / "log.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_any_log(path)


@pytest.mark.parametrize("orient", ["columns", "records", "split", "index", "list"])
def test_every_form_of_pandas_is_a_table(tmp_path: Path, orient: str) -> None:
    text = json.dumps(FRAME.to_dict("list")) if orient == "list" else FRAME.to_json(orient=orient)
    log = read(tmp_path, text)
    assert [tuple(row.cells[x] for x in ("batch", "ms")) for row in log.rows] == ROWS


def test_objects_within_a_row_become_columns_and_lists_are_named(tmp_path: Path) -> None:
    row = {"model": {"layers": 3, "dims": {"in": 8}}, "ms": 2.5, "runs": [2.5, 2.6], "note": None}
    log = read(tmp_path, {"date": "today", "rows": [row | {"shape": [1, 30], "texts": ["a"]}]})
    assert dict(log.rows[0].cells) == {
        "model_layers": "3",
        "model_dims_in": "8",
        "ms": "2.5",
        "shape": "[1, 30]",
    }
    (remark,) = log.remarks
    assert "lists in the rows are left out: 'runs', 'texts'." in remark


def test_one_object_is_one_row(tmp_path: Path) -> None:
    for text in ('{"batch": 1,\n "ms": 2.5}', '{"batch": 1, "ms": 2.5}\n'):
        assert [tuple(row.cells.values()) for row in read(tmp_path, text).rows] == ROWS[:1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]\n", "must hold a list of JSON objects"),
        # the cache of an autotuner
        (
            '{"key": ["1", "2"], "configs_timings": [[{"num_warps": 4}, [0.1]]]}',
            "must hold a list of JSON",
        ),
        ('["a"]\n', "must hold a list of JSON objects"),
        ('[{"a": 1},\n {"a": 2,}]\n', "line 2: not valid JSON"),
        ('{"a": 1}\n{"a": 2}\n{"a": \n', "line 3: not valid JSON"),
        ('[{"a": 1, "a": 2}]', "the key 'a' is given twice. Remove one. Correct"),
    ],
)
def test_json_that_is_no_table_is_refused_in_one_line(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(LogError, match=message):
        read(tmp_path, content)


def test_the_json_of_jmh_is_read_as_its_csv(tmp_path: Path) -> None:
    path = tmp_path / "jmh.json"
    runs = [
        {
            "benchmark": "a.B.m",
            "mode": "avgt",
            "threads": 1,
            "measurementTime": "1 s",
            "params": {"n": str(n)},
            "primaryMetric": {"score": n + 0.5, "scoreUnit": "us/op", "rawData": [[1.5]]},
        }
        for n in range(2)
    ]
    path.write_text(json.dumps(runs))
    log = read_any_log(path)
    assert find_targets(log) == ("Score",)
    assert [row.number("Score") for row in log.rows] == [0.0005, 0.0015]  # ms
    assert find_features(log, ("Score",)) == ("Param: n",)
