"""This module writes a log as one file without names, to share it, and reads such a file."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import isnan
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from devices.files import write_json
from devices.shown import Shown
from devices.spec import SIMULATED, DeviceInfo
from devices.yaml_json import parse_json
from profilers.log.any_log import number
from profilers.log.conditions import DETAILS, ONE_PER_LOG
from profilers.log.identities import Kind, identity_in, names_here
from profilers.log.latency_log import read_log
from profilers.log.rows import (
    METER_COLUMNS,
    NUMBER_COLUMNS,
    OPTIONAL_NUMBER_COLUMNS,
    REQUIRED_COLUMNS,
    LogError,
    require_columns,
    require_same,
)

FORMAT: Final = "automoe-shared-log"

_TEXTS: Final = frozenset(
    {*REQUIRED_COLUMNS, *METER_COLUMNS, *DETAILS, "workload", "space", "architecture", "model"}
    | {"runtime_version", "precision"}
)
_NUMBERS: Final = frozenset(
    {*NUMBER_COLUMNS, *OPTIONAL_NUMBER_COLUMNS, "energy_mj", "threads", "schema_version"}
    | {"drift_share"}
)
_VERSIONS: Final = frozenset({"runtime", "runtime_version"})
_PRODUCTS: Final = frozenset({"device", "device_model", "power_mode", "energy_meter", "space"})
_SHOWN: Final = ("runtime", "space", "workload", "model", "energy_meter")
# `automoe profile --model` names a point after the model's file and content: stem-digest sizes.
_POINTS: Final = ("point_id", "sentinel")
_NAMELESS: Final = re.compile(r"(?:(.*)-)?[0-9a-f]{12}(?: .*)?")
_AGAIN: Final = "Make it with `automoe log share`."
_KERNEL: Final = re.compile(r"[A-Za-z]+(?: \d+(?:\.\d+)*)?")

_Text = Annotated[str, Field(min_length=1)]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDevice:
    """The description of the machine in a shared log.

    Attributes:
        name: The name of its plugin.
        model: The processor's own name.
        power_mode: The governor or the board's mode; "unknown" when nobody knows.
        fingerprint: Twelve hexadecimal digits made of the other fields, except the power mode.
            Machines of one description have the same ones.
        kind: The sort of processor. It and the fields below are None when only the log was known.
        machine: The instruction set.
        cores: The number of usable cores.
        memory_gib: The physical memory, rounded to GiB.
        system: The operating system and the number of its kernel's release, without what is
            attached to the number.
        traits: The other facts that timings depend on, such as a driver.
    """

    name: _Text
    model: _Text
    power_mode: str
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
    kind: str | None = None
    machine: str | None = None
    cores: Annotated[int, Field(ge=1)] | None = None
    memory_gib: Annotated[int, Field(ge=0)] | None = None
    system: str | None = None
    traits: dict[str, str] | None = None

    @classmethod
    def of(cls, row: Mapping[str, str], info: DeviceInfo | None) -> Self:
        """Return the description of the machine of a row.

        Args:
            row: A row of the log.
            info: The machine; None when only the row is known.
        """
        known: dict[str, Any] = {}
        if info is not None:
            system = _KERNEL.match(info.system)
            known = {
                "kind": info.kind,
                "machine": info.machine,
                "cores": info.cores,
                "memory_gib": round(info.memory_mb / 1024),
                "system": system[0] if system else "unknown",
                "traits": dict(info.traits),
            }
        device = cls(
            name=row["device"],
            model=row["device_model"],
            power_mode=row["power_mode"],
            fingerprint="0" * 12,
            **known,
        )
        return replace(device, fingerprint=device.computed_fingerprint())

    def computed_fingerprint(self) -> str:
        """Return the fingerprint of the other fields."""
        stable = {x: y for x, y in asdict(self).items() if x not in ("fingerprint", "power_mode")}
        return _digest(json.dumps(stable, sort_keys=True))

    def require_anonymous(self, names: Collection[Kind]) -> None:
        """Check that no field tells whose machine it is, by its form or one of these names.

        Raises:
            LogError: A field does. The message names it.
        """
        texts = {x.name: getattr(self, x.name) for x in fields(self) if x.name != "traits"}
        texts |= {f"traits: {name}": f"{name} {text}" for name, text in (self.traits or {}).items()}
        for name, text in texts.items():
            is_product = not name.startswith(("traits", "fingerprint"))
            what = identity_in(str(text), names, is_version=not is_product, is_name=is_product)
            if what is not None:
                raise LogError(
                    f"The device's {name} must tell nothing about you, and {text!r:.60} holds "
                    f"{what}. Share without the device's description, or correct the file."
                )


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SharedLog(Shown):
    """A log that can be given to others: one JSON file, which every command reads as a log.

    Attributes:
        format: The name of the format.
        shared_version: The version of this layout.
        device: The machine.
        rows: The cells of each row by column, as they are in the log but for the fingerprint.
    """

    format: Literal["automoe-shared-log"]
    shared_version: Literal[1]
    device: SharedDevice
    rows: Annotated[tuple[dict[str, str | int | float], ...], Field(min_length=1)]

    def texts(self) -> dict[str, tuple[str, ...]]:
        """Return the texts in which a name may hide that nobody can recognise, by column.

        Of the points it is the part before the digest. The names of other columns are texts, too.
        """
        given = {name: dict.fromkeys(str(x.get(name, "")) for x in self.rows) for name in _SHOWN}
        points = (str(row[name]) for row in self.rows for name in _POINTS)
        given["points"] = dict.fromkeys(_NAMELESS.sub(r"\1", point) for point in points)
        given["columns"] = dict.fromkeys(x for x in self.rows[0] if x not in _TEXTS | _NUMBERS)
        return {name: tuple(filter(None, values)) for name, values in given.items() if any(values)}

    def shown(self) -> dict[str, object]:
        """Return what the file tells about a machine and its user."""
        device = {x: y for x, y in asdict(self.device).items() if y not in (None, {})}
        return {"rows": len(self.rows), "device": device, **self.texts()}

    def write(self, path: Path) -> None:
        """Write the file. An old one is replaced as a whole or not at all."""
        write_json(path, asdict(self), indent=1)

    def require_anonymous(self, destinations: Collection[str] = ()) -> None:
        """Check that no cell tells whose machine it is.

        Args:
            destinations: Machines whose names must not be there either: ``alice@board``.

        Raises:
            LogError: A cell may. The message names the row, the column and the remedy.
        """
        names = names_here(destinations)
        self.device.require_anonymous(names)
        for place, row in enumerate(self.rows, start=1):
            for column, cell in row.items():
                if (why := _objection(column, str(cell), names)) is not None:
                    dropped = "model" if column in _POINTS and "model" in row else column
                    remedy = f"Leave the column out with --drop {dropped}."
                    raise LogError(
                        f"Row {place}, column '{column}': {why}. "
                        f"{'Correct the log.' if dropped in REQUIRED_COLUMNS else remedy}"
                    )


_SHARED: Final = TypeAdapter(SharedLog)


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
    _require_measured(description, path)
    if "model" in drop:
        rows = [row | {name: _digest(row[name]) for name in _POINTS} for row in rows]
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


def read_shared_log(path: Path) -> SharedLog:
    """Read a file of ``automoe log share``, and check that it may be published.

    Raises:
        LogError: The file is not of that format, its rows are not those of its description, its
            times are computed, or a cell may tell whose machine it is.
    """
    try:
        shared = _SHARED.validate_python(parse_json(path.read_bytes()))
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise LogError(f"{path}, {place}: {first['msg']}. {_AGAIN}") from None
    except ValueError as error:
        raise LogError(f"{path} is not JSON: {error}. {_AGAIN}") from None
    require_columns(list(shared.rows[0]), path)
    _require_consistent(shared, path)
    shared.require_anonymous()
    return shared


def _require_consistent(shared: SharedLog, path: Path) -> None:
    """Check that the rows are measurements of the machine in the description.

    Raises:
        LogError: They are not.
    """
    device = shared.device
    _require_measured(device, path)
    if device.fingerprint != (computed := device.computed_fingerprint()):
        raise LogError(
            f"{path}: 'fingerprint' must be that of the description, {computed}. "
            f"Got {device.fingerprint}. {_AGAIN}"
        )
    expected = {"device": device.name, "device_model": device.model}
    expected |= {"device_fingerprint": device.fingerprint, "power_mode": device.power_mode}
    for place, row in enumerate(shared.rows, start=1):
        other = [f"'{name}'" for name, value in expected.items() if row.get(name) != value]
        if other or row.keys() != shared.rows[0].keys():
            what = other[0] if other else "the columns"
            raise LogError(f"{path}, row {place}: {what} must be as described above. {_AGAIN}")


def _require_measured(device: SharedDevice, path: Path) -> None:
    """Check that the times are not computed.

    Raises:
        LogError: They are.
    """
    if SIMULATED in (device.name, device.kind):
        raise LogError(f"{path} holds computed times. Share what was measured.")


def schema() -> dict[str, Any]:
    """Return the JSON schema of a shared log."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_SHARED.json_schema()}


def _digest(text: str) -> str:
    """Return twelve hexadecimal digits for a text, and nothing for none."""
    return text and hashlib.sha256(text.encode()).hexdigest()[:12]


def _objection(column: str, cell: str, names: Collection[Kind]) -> str | None:
    """Return why a cell must not be shared; None when it may."""
    is_number = column in _NUMBERS or column.startswith("feature_")
    is_number = is_number or (column.endswith("_ms") and column not in _TEXTS)
    if is_number and (what := identity_in(column, names)) is not None:
        return f"its name holds {what}"
    if is_number:
        if cell in ("", "nan") or not isnan(number(cell)):
            return None
        return f"{cell!r:.60} must be a number to be shared"
    if column not in _TEXTS:
        return "`automoe profile` writes no such column, so nobody knows what it tells about you"
    is_version, is_name = column in _VERSIONS, column in _PRODUCTS
    what = identity_in(cell, names, is_version=is_version, is_name=is_name)
    return None if what is None else f"{cell!r:.60} holds {what}"


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
