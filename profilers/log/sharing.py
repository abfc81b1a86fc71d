"""This module makes a log without names, to share it."""

from collections.abc import Collection, Mapping
from math import isnan
from pathlib import Path

from devices.spec import DeviceInfo
from profilers.log.conditions import ONE_PER_LOG
from profilers.log.latency_log import read_log
from profilers.log.records import number
from profilers.log.rows import REQUIRED_COLUMNS, LogError, require_same
from profilers.log.shared_device import SharedDevice, digest
from profilers.log.shared_log import FORMAT, POINTS, SharedLog, require_measured


def share_log(
    path: Path,
    *,
    device: DeviceInfo | None = None,
    drop: Collection[str] = (),
    destinations: Collection[str] = (),
) -> SharedLog:
    """Return a log without what tells whose machine it is. Nothing is written.

    Raw samples are left out. The fingerprint of the machine becomes one of its description.

    Args:
        path: A log of ``automoe profile``.
        device: The machine that was measured, for its description; None when it is not at hand.
        drop: Columns to leave out. Without ``model``, points have digests for names.
        destinations: Machines whose names must not be there either: ``alice@board``.

    Raises:
        LogError: It is not such a log, it has no row, a column to leave out is needed or not
            there, the machine is another one, its times are computed, or a cell may tell whose
            machine it is.
    """
    if path.is_file() and FORMAT.encode() in path.read_bytes():
        raise LogError(f"{path} is a shared log already. Give it to others as it is.")
    rows = read_log(path)
    if not rows:
        raise LogError(f"{path} has no row to share. `automoe profile --log {path}` measures some.")
    for row in rows:
        require_same(rows[0], {name: row[name] for name in ONE_PER_LOG if name in row}, path)
    _require_may_be_left_out(drop, rows[0], path)
    if device is not None and device.fingerprint != rows[0]["device_fingerprint"]:
        raise LogError(
            f"{path} was measured on a machine with fingerprint {rows[0]['device_fingerprint']}. "
            f"The machine that you name has {device.fingerprint} now; name the other one, or none."
        )
    description = SharedDevice.of(rows[0], device)
    require_measured(description, path)
    if "model" in drop:
        rows = [row | {name: digest(row[name]) for name in POINTS} for row in rows]
    kept = [name for name in rows[0] if name not in drop]
    shared = SharedLog(
        format=FORMAT,
        shared_version=1,
        device=description,
        rows=tuple(
            {name: _cell(name, row[name]) for name in kept}
            | {"device_fingerprint": description.fingerprint}
            for row in rows
        ),
    )
    shared.require_anonymous(destinations)
    return shared


def _require_may_be_left_out(drop: Collection[str], row: Mapping[str, str], path: Path) -> None:
    for name in drop:
        if name not in row:
            raise LogError(f"{path} has no column '{name}' to leave out. Got {', '.join(row)}.")
        if name in REQUIRED_COLUMNS:
            raise LogError(f"'{name}' must stay: a log without it cannot be read. Do not drop it.")


def _cell(column: str, text: str) -> str | int | float:
    """Return a cell as a number where it is written back in the same form."""
    value = number(text)
    if column in ("point_id", "measured_at") or isnan(value):
        return text
    return next((x for x in (int(value), value) if str(x) == text), text)
