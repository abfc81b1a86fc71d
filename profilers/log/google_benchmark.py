"""This module reads what Google Benchmark alone writes: names with sizes, lines above the header.

`BM_Gemm/64/k:8/threads:2` becomes the benchmark `BM_Gemm` with the columns `argument_1`, `k` and
`threads`. Aggregates such as `BM_Gemm/64_stddev` are no measurements. They are left out, except
that the median stands for repetitions that are not in the table.

What other programs write as well is read elsewhere: a column of units, such as its `time_unit`, in
`profilers.log.unit_column`, and JSON in `profilers.log.json_tables`. Which of its columns are
results is in `profilers.log.known_tables`.
"""

import re
from collections.abc import Sequence
from typing import Final

from devices.rounding import counted
from profilers.log.absent_sizes import with_absent_sizes

COLUMNS: Final = frozenset({"name", "iterations", "real_time", "cpu_time"})

_HEADER: Final = re.compile(r"^name,iterations,real_time,cpu_time,", re.M)
_AGGREGATE: Final = re.compile(r"(.*)_(mean|median|stddev|cv|BigO|RMS|min|max)")
_SWITCHES: Final = frozenset({"real_time", "process_time", "manual_time"})
_PROTOCOL: Final = frozenset({"iterations", "repeats", "min_time", "min_warmup_time", "warmup"})
_ARGUMENT: Final = re.compile(r"(?:([^:/]+):)?([+-]?\d+(?:\.\d+)?)")
_FALSE: Final = frozenset({"", "false", "0"})

Cells = tuple[str, ...]


def without_context(content: str) -> str:
    """Return a text with blank lines for those about the machine above the header of its CSV."""
    if (header := _HEADER.search(content)) is None:
        return content
    return "\n" * content.count("\n", 0, header.start()) + content[header.start() :]


def with_sizes(
    columns: Sequence[str], rows: Sequence[Cells]
) -> tuple[tuple[str, ...], list[Cells | None], tuple[str, ...]]:
    """Return the columns and rows with the sizes of each name, and remarks.

    A row that is no measurement becomes None. Any other table is returned as it is.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
    """
    if not set(columns) >= COLUMNS or not rows:
        return tuple(columns), list(rows), ()
    cells = [dict(zip(columns, row, strict=True)) for row in rows]
    names = {row.get("run_name") or row["name"] for row in cells}
    kinds = [_kind(row, names) for row in cells]
    bases = [
        row.get("run_name") or (row["name"].removesuffix(f"_{kind}") if kind else row["name"])
        for row, kind in zip(cells, kinds, strict=True)
    ]
    measured = {base for base, kind in zip(bases, kinds, strict=True) if not kind}
    failed = [
        any(row.get(name, "").lower() not in _FALSE for name in ("error_occurred", "skipped"))
        for row in cells
    ]
    is_kept = [
        not is_failed and (not kind or (kind == "median" and base not in measured))
        for is_failed, kind, base in zip(failed, kinds, bases, strict=True)
    ]
    split = [_split(base) for base in bases]
    sizes = dict.fromkeys(name for _, own in split for name in own if name not in columns)
    added = [*{"benchmark"}.difference(columns), *sizes]
    wider = [
        (*row, *({"benchmark": family, **own}.get(name, "") for name in added))
        for row, (family, own) in zip(rows, split, strict=True)
    ]
    columns = (*columns, *added)
    filled, of_absent = with_absent_sizes(columns, wider, sizes)
    kept = [row if keeps else None for row, keeps in zip(filled, is_kept, strict=True)]
    return columns, kept, _remarks(kept, failed, bool(sizes)) + of_absent


def _kind(row: dict[str, str], names: set[str]) -> str:
    """Return the kind of an aggregate, such as `median`; empty for a measurement."""
    if row.get("aggregate_name"):
        return row["aggregate_name"]
    match = _AGGREGATE.fullmatch(row["name"])
    if "run_type" in row or match is None:
        return ""
    others = sum(f"{match[1]}_{kind}" in names for kind in ("mean", "median", "stddev"))
    return match[2] if match[1] in names or others > 1 else ""


def _split(name: str) -> tuple[str, dict[str, str]]:
    """Return the benchmark and the sizes in the name of a run."""
    family, *parts = name.split("/")
    sizes: dict[str, str] = {}
    n_unnamed = 0
    for part in parts:
        match = _ARGUMENT.fullmatch(part)
        if match is None:
            family += "" if part in _SWITCHES else f"/{part}"
        elif match[1] is None:
            n_unnamed += 1
            sizes[f"argument_{n_unnamed}"] = match[2]
        elif match[1] not in _PROTOCOL:
            sizes[match[1]] = match[2]
    return family, sizes


def _remarks(
    kept: Sequence[Cells | None], failed: Sequence[bool], has_sizes: bool
) -> tuple[str, ...]:
    n_out, n_failed = sum(row is None for row in kept), sum(failed)
    out = counted(n_out, "row of Google Benchmark is", "rows of Google Benchmark are")
    left_out = f"{out} left out: {n_failed} failed, the others are"
    said = [f"{left_out} aggregates of other rows"] if n_out else []
    if has_sizes:
        said.append("the sizes in the names of Google Benchmark's runs became columns")
    return tuple(said)
