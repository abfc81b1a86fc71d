"""This module reads tables that programs print for people, with spaces between the cells.

pandas, numpy, pytest-benchmark, Google Benchmark and torch's profiler print such tables, and
databases do with lines drawn around the cells. The rows keep their lines: the lines beside them
become empty lists. A printed text that holds no table is refused with the option by which its
program writes one.
"""

import re
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Final

from profilers.log.rows import LogError
from profilers.log.written_numbers import is_number

_WORD: Final = re.compile(r'"([^"]*)"(?!\S)|(\S+)')
_WIDE_GAP: Final = re.compile(r"\s{2,}")
_DRAWN: Final = "\u2500-\u257f"  # the characters of boxes
_RULE: Final = re.compile(rf"^[-=+|: \t{_DRAWN}]*[-={_DRAWN}]{{3}}[-=+|: \t{_DRAWN}]*\r?$", re.M)
_NUMBER_OF_ROWS: Final = re.compile(r"^\(\d+ rows?\)\r?$", re.M)  # below a table of psql
_BARS: Final = dict.fromkeys(map(ord, "\u2502\u2503\u2551"), "|")
_SIZE_OF_PANDAS: Final = re.compile(r"\[\d+ rows x \d+ columns\]\s*")
_OF_PYTEST: Final = re.compile(r"^Name \(time in (\w+)\)\s", re.M)
_OF_GOOGLE: Final = re.compile(r"^Benchmark +Time +CPU +Iterations\b", re.M)
_RUN_OF_GOOGLE: Final = re.compile(r"(.*\S)\s+(\S+ [num]?s)\s+(\S+ [num]?s)\s+(\d+)\b(.*)")
_COUNTER: Final = re.compile(r"(\w+)=(\S+)")
_RATIO: Final = re.compile(r" \(.*\)$")  # to the best row
_PARAMETERS: Final = re.compile(r"([^\[]*)\[(.*)\]")
_NEXT_PARAMETER: Final = re.compile(r"(?<=[^-])(?<!\de)-")  # behind a cell, but not in 1e-05
_UNITLESS: Final = frozenset({"outliers", "ops", "rounds", "iterations"})
_DELIMITER: Final = re.compile(r"[,;\t|]")
_LOOKED_AT: Final = 100_000  # characters in which a program has said what it prints
_LLAMA_TEST: Final = re.compile(r"(?:pp ?(\d+))?\+?(?:tg ?(\d+))?(?: @ d ?(\d+))?")

_FIRST: Final = r"\A(?:(?:#.*)?\r?\n)*"  # the first line that is no comment
_ONE_A_RUN: Final = "Write a table with a row for each run: its settings and its time."
# What begins a line of a printed text, the program, and how to have its table.
_NO_TABLES: Final = (
    (r".*=== Performance summary ===", "trtexec", "Export a table with --exportTimes=FILE.json."),
    (r"\s*Time \(mean ± .\):", "hyperfine", "Export a table with --export-csv FILE."),
    (r"Benchmark\S+\s+\d+\s+[\d.]+ ns/op", "go test -bench", _ONE_A_RUN),
    (r"\s*Performance counter stats for ", "perf stat", _ONE_A_RUN),
    (r"\s*Thread Stats +Avg +Stdev", "wrk", _ONE_A_RUN),
    (r"This is ApacheBench", "ab", _ONE_A_RUN),
    (r":::MLLOG |MLPerf Results Summary", "MLPerf's LoadGen", _ONE_A_RUN),
    (r"Session creation time cost: ", "onnxruntime_perf_test", _ONE_A_RUN),
    (r".*Inference timings in us: ", "TensorFlow Lite's benchmark_model", _ONE_A_RUN),
    (r"Metric,avg,min,max,", "GenAI-Perf or AIPerf", _ONE_A_RUN),
    (r"metric_name,timestamp,metric_value,|\s*http_req_duration\.+: ", "k6", _ONE_A_RUN),
    (r'\s*\{?.*"http_req_duration"', "k6", _ONE_A_RUN),
    (
        r"group,function,value,throughput_num,throughput_type,sample_measured_value,",
        "Criterion",
        "Divide 'sample_measured_value' by 'iteration_count', and write that into a table.",
    ),
    (r"Benchmark\s.*\bMode +Cnt +Score +Error +Units", "JMH", "Export a table with -rf csv."),
    (r"==PROF== ", "Nsight Compute", "Delete the lines above the header, which begin with '=='."),
    (
        r'"ID",.*"Metric Name","Metric Unit","Metric Value"',
        "Nsight Compute",
        "Export a table with a row for each kernel: --csv --page raw.",
    ),
    (rf"{_FIRST}(\d[\d.]*|<not \w+>),\w*,[A-Za-z][^,]*,\d+,\d+\.\d\d,", "perf stat", _ONE_A_RUN),
)
# Columns of llama-bench in Markdown, as its CSV names them.
_OF_LLAMA: Final = {
    **{"model": "model_type", "params": "model_n_params", "backend": "backends", "t/s": "avg_ts"},
    **{"threads": "n_threads", "ngl": "n_gpu_layers", "fa": "flash_attn"},
}
_NS: Final = "avg_ns"

Rows = list[list[str]]


def require_table(content: str, path: Path) -> None:
    """Check that a text is not what a program prints beside or instead of a table.

    Raises:
        LogError: It is.
    """
    for pattern, program, remedy in _NO_TABLES:
        if re.search(rf"^{pattern}", content[:_LOOKED_AT], re.M):
            raise LogError(
                f"{path} must be a table with a row for each measurement. Got what {program} "
                f"prints. {remedy}"
            )


def without_rules(content: str) -> str:
    """Return a text with blank lines for those that are drawn, and with plain bars between cells.

    psql, mysql, rich and torch's profiler draw them.
    """
    if not _RULE.search(content):
        return content
    return _NUMBER_OF_ROWS.sub("", _RULE.sub("", content)).translate(_BARS)


def rows_of_printed(content: str) -> Rows | None:
    """Return the cells of each line of a printed table; None when the text holds none."""
    lines = content.split("\n")
    for header, rows_of in ((_OF_PYTEST, _rows_of_pytest), (_OF_GOOGLE, _rows_of_google)):
        if match := header.search(content, 0, _LOOKED_AT):
            return rows_of(lines, content.count("\n", 0, match.start()))
    rows = _rows_of_spaced(lines)
    return _rows_apart(lines) if rows is None else rows


def _rows_apart(lines: Sequence[str]) -> Rows | None:
    """Return the rows of a table whose cells are two spaces apart, as torch's profiler prints it.

    Lines of one cell are text beside the table.
    """
    rows = [_WIDE_GAP.split(line.strip()) for line in lines]
    rows = [cells if len(cells) > 1 else [] for cells in rows]
    header = next(filter(None, rows), [])
    has_one_width = {len(cells) for cells in rows if cells} == {len(header)}
    return rows if has_one_width and not any(map(_DELIMITER.search, header)) else None


def _rows_of_spaced(lines: Sequence[str]) -> Rows | None:
    """Return the rows of a table with spaces between its cells. The names may be a comment.

    Rows may begin with one more cell, the index of pandas.
    """
    filled = [i for i, line in enumerate(lines) if _may_be_row(line)]
    if not filled or len(lines[filled[0]].split()) < 2 or _DELIMITER.search(lines[filled[0]]):
        return None
    comments = [i for i in range(filled[0]) if lines[i].strip()]
    if comments and any(map(is_number, lines[filled[0]].split())):
        filled = [comments[-1], *filled]
    header, *below = (lines[i] for i in filled)
    if not below:
        return None
    header = re.sub("^#", " ", header)
    cells = _cells_by_place([header, *below]) or _cells_by_words(header, below)
    by_line = dict(zip(filled, cells, strict=True)) if cells else {}
    return [by_line.get(i, []) for i in range(len(lines))] if cells else None


def _may_be_row(line: str) -> bool:
    return bool(line.strip()) and line[0] != "#" and not _SIZE_OF_PANDAS.fullmatch(line)


def _cells_by_place(lines: Sequence[str]) -> Rows | None:
    """Return the cells of aligned lines, of which the first one holds the names.

    A column ends where all lines have a space. It has a name and a cell in each row, but the first
    one, which may be an index, need not have a name. A name may hold single spaces when it ends
    where its cells end. Return None when the lines are not aligned.
    """
    across = map("".join, zip_longest(*lines, fillvalue=" "))
    ink = "".join(" " if characters.isspace() else "x" for characters in across)
    ends = [0]
    for run in re.finditer("x+", ink):
        name, cell = (line[ends[-1] : run.end()].strip() for line in lines[:2])
        if cell and (name or len(ends) == 1):
            ends.append(run.end())
    columns = [slice(start, end) for start, end in pairwise([*ends[:-1], None])]
    names, *rows = ([line[column].strip() for column in columns] for line in lines)
    if len(names) < 2 or not all(names[1:]) or not all(map(all, rows)):
        return None
    for name, column in zip(names, columns, strict=True):
        ends_of_cells = {len(line[column].rstrip()) for line in lines}
        if " " in name and (len(ends_of_cells) > 1 or _WIDE_GAP.search(name)):
            return None
    return [names, *rows]


def _cells_by_words(header: str, below: Sequence[str]) -> Rows | None:
    """Return the words of lines, when each has as many as the header, or one more.

    A word may be in quotes, as R writes it.
    """
    names, *rows = ([a or b for a, b in _WORD.findall(line)] for line in (header, *below))
    widths = {len(row) for row in rows}
    if len(widths) != 1 or not widths <= {len(names), len(names) + 1}:
        return None
    return [[*[""] * (widths.pop() - len(names)), *names], *rows]


def _rows_of_pytest(lines: Sequence[str], start: int) -> Rows:
    """Return the rows of pytest-benchmark's tables. Each may have another unit of time."""
    names = [name.partition(" ")[0].lower() for name in _WIDE_GAP.split(lines[start].strip())]
    rows: Rows = [[] for _ in lines]
    unit, parameters = "", {}
    for number, line in enumerate(lines[start:], start):
        if header := _OF_PYTEST.match(line):
            unit = header[1]
        cells = [_RATIO.sub("", cell) for cell in _WIDE_GAP.split(line.strip())]
        if len(cells) != len(names) or not is_number(cells[1]):
            continue
        split = _PARAMETERS.fullmatch(cells[0])
        parameters[number] = _NEXT_PARAMETER.split(split[2]) if split else []
        numbers = [cell.replace(",", "") for cell in cells[1:]]
        pairs = zip(names[1:], numbers, strict=True)
        times = [cell if name in _UNITLESS else f"{cell} {unit}" for name, cell in pairs]
        rows[number] = [split[1] if split else cells[0], *times]
    width = max(map(len, parameters.values()), default=0)
    for number, own in parameters.items():
        rows[number] += [*own, *[""] * (width - len(own))]
    rows[start] = [*names, *(f"param:{i + 1}" for i in range(width))]
    return rows


def _rows_of_google(lines: Sequence[str], start: int) -> Rows:
    """Return the rows of Google Benchmark's table, without counters that are rates.

    A counter is `name=value`, or a cell under its name in the last header.
    """
    runs: dict[int, re.Match[str]] = {}
    counters: dict[int, dict[str, str]] = {}
    tabular: list[str] = []
    for i, line in enumerate(lines):
        if _OF_GOOGLE.match(line):
            tabular = [name for name in line.split()[4:] if not name.endswith("...")]
        elif run := _RUN_OF_GOOGLE.fullmatch(line):
            values = run[5].split()
            is_tabular = len(values) == len(tabular)
            pairs = zip(tabular, values, strict=True) if is_tabular else _COUNTER.findall(run[5])
            runs[i], counters[i] = run, dict(pairs)
    names = dict.fromkeys(
        name for own in counters.values() for name, cell in own.items() if not cell.endswith("/s")
    )
    rows: Rows = [[] for _ in lines]
    rows[start] = ["name", "real_time", "cpu_time", "iterations", *names]
    for i, run in runs.items():
        rows[i] = [*run.groups()[:4], *(counters[i].get(name, "") for name in names)]
    return rows


def with_times_of_llama(rows: Rows) -> tuple[Rows, tuple[str, ...]]:
    """Return llama-bench's table in Markdown with the columns of its CSV, and a remark.

    It has tokens a second of tests such as `pp512`, `tg128` and `pp512+tg128 @ d4096`. Any other
    table is returned as it is.
    """
    header = next((row for row in rows if row), [])
    if not {"test", "t/s", "params"} <= set(header):
        return rows, ()
    test, rate = header.index("test"), header.index("t/s")
    wider: Rows = []
    for row in rows:
        match = _LLAMA_TEST.fullmatch(row[test]) if len(row) == len(header) else None
        if row == header:
            wider.append([*(_OF_LLAMA.get(x, x) for x in row), "n_prompt", "n_gen", "n_depth", _NS])
        elif match is None or not is_number(speed := row[rate].partition(" ")[0]):
            wider.append(row)
        else:
            sizes = [int(x or 0) for x in match.groups()]
            time = 1e9 * (sizes[0] + sizes[1]) / float(speed)
            wider.append([*row, *map(str, sizes), f"{time:.0f}"])
    return wider, ("the latency is the tokens of a test, such as pp512, over t/s",)
