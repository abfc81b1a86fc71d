"""This module puts a latency log that a spreadsheet saved back into the form in which it is kept.

A spreadsheet may separate cells with semicolons, write decimal commas, a byte-order mark and other
line ends, and turn the identity of a point into a number: `00123` into `123`, `12e7` into `1.2e8`.
"""

import re
from dataclasses import replace
from math import isclose, isnan
from pathlib import Path

from devices.files import replacing
from profilers.log.any_log import AnyLog, log_in
from profilers.log.log_rows import Rows
from profilers.log.long_log import read_long
from profilers.log.records import number
from profilers.log.rows import NUMBER_COLUMNS, format_line
from profilers.log.table_forms import content_of, delimiter_of

_SAMPLES = re.compile(rb'\{"point_id": "([^"\\]*)", "measured_at": "([^"\\]*)"')
_NAMES = {";": "semicolons between the cells", "\t": "tabs between the cells"}
_NEEDED = ("point_id", "measured_at")
_FEW_DECIMALS = 3
_SHOWN = 3


def put_back(path: Path, samples: Path) -> str | None:
    """Put a log back into its own form, and return a message that says what had changed.

    The saved file is kept beside it as `<log>.resaved`. Return None when the log is missing, empty
    or in its own form, or the file is not a latency log.

    Args:
        path: The log.
        samples: Its sidecar, which tells the identities of its points.

    Raises:
        LogError: The file is not a CSV.
    """
    long = read_long(path, _NEEDED)
    if long is not None and not _identities(long.rows, samples):
        return None
    data = path.read_bytes() if path.is_file() else b""
    if not data.strip():
        return None
    decoded = content_of(path)
    content = decoded.text
    changed = _form(data, delimiter_of(content))
    if changed and not content.endswith(("\n", "\r")):  # some programs do not end the last line
        content += "\n"
    log = log_in(replace(decoded, text=content), path)
    if not log.is_ours or log.malformed or log.torn is not None:
        return None
    originals = _identities(log.rows, samples)
    if not changed and not originals:
        return None
    changed += _rounded(log)
    shown = [f"line {line}: {new!r} was {old!r}" for line, (new, old) in originals.items()]
    if shown:
        more = ", ..." if len(shown) > _SHOWN else ""
        changed.append(f"point_id in {len(shown)} rows ({', '.join(shown[:_SHOWN])}{more})")
    rows = [
        {**row.cells, "point_id": originals.get(row.line, ("", row.cells["point_id"]))[1]}
        for row in log.rows
    ]
    aside = path.with_name(f"{path.name}.resaved")
    aside.write_bytes(data)
    lines = [list(log.columns), *([row[name] for name in log.columns] for row in rows)]
    with replacing(path) as complete:
        complete.write_bytes(b"".join(map(format_line, lines)))
    return (
        f"{path}: another program saved this log and changed: {'; '.join(changed)}. It has its own "
        f"form again; what was saved is in {aside}."
    )


def _form(data: bytes, delimiter: str) -> list[str]:
    """Return what the form of a file has that no log of ours has."""
    has_mark = data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
    return [
        *(["a byte-order mark"] if has_mark else []),
        *([_NAMES.get(delimiter, f"{delimiter!r} between the cells")] if delimiter != "," else []),
        *(["the line ends"] if b"\r" in data else []),
    ]


def _rounded(log: AnyLog) -> list[str]:
    """Return a sentence when the numbers have so few decimals that something rounded them."""
    cells = [row.cells[name] for row in log.rows for name in NUMBER_COLUMNS]
    decimals = max((len(cell.partition(".")[2]) for cell in cells), default=_FEW_DECIMALS + 1)
    if decimals > _FEW_DECIMALS:
        return []
    return [f"the numbers, which are rounded to {decimals} decimals and stay so"]


def _identities(rows: Rows, samples: Path) -> dict[int, tuple[str, str]]:
    """Return the changed and the original identity of a point, by line."""
    if not samples.is_file():
        return {}
    with samples.open("rb") as file:
        heads = [match.groups() for line in file if (match := _SAMPLES.match(line))]
    by_time = {at.decode(): point.decode() for point, at in heads}
    known = set(by_time.values())
    originals = {}
    for line, own, at in zip(rows.lines(), *map(rows.texts, _NEEDED), strict=True):
        if own in known or isnan(value := number(own)):
            continue
        same = [x for x in known if isclose(number(x), value, rel_tol=1e-4)]
        original = by_time.get(at, same[0] if len(same) == 1 else None)
        if original in same:
            originals[int(line)] = (own, str(original))
    return originals
