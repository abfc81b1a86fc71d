"""This module is the format of a shared log, one file without names: it reads and checks one."""

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from devices.files import write_json
from devices.shown import Shown
from devices.spec import SIMULATED
from devices.yaml_json import parse_json
from profilers.log.conditions import DETAILS
from profilers.log.identities import Kind, identity_in, names_here
from profilers.log.records import number
from profilers.log.rows import (
    METER_COLUMNS,
    NUMBER_COLUMNS,
    OPTIONAL_NUMBER_COLUMNS,
    REQUIRED_COLUMNS,
    LogError,
    require_columns,
)
from profilers.log.shared_device import SharedDevice

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
POINTS: Final = ("point_id", "sentinel")
_NAMELESS: Final = re.compile(r"(?:(.*)-)?[0-9a-f]{12}(?: .*)?")
_AGAIN: Final = "Make it with `automoe log share`."


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
        points = (str(row[name]) for row in self.rows for name in POINTS)
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
                    dropped = "model" if column in POINTS and "model" in row else column
                    remedy = f"Leave the column out with --drop {dropped}."
                    raise LogError(
                        f"Row {place}, column '{column}': {why}. "
                        f"{'Correct the log.' if dropped in REQUIRED_COLUMNS else remedy}"
                    )


_SHARED: Final = TypeAdapter(SharedLog)


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
    require_measured(device, path)
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


def require_measured(device: SharedDevice, path: Path) -> None:
    """Check that the times are not computed.

    Raises:
        LogError: They are.
    """
    if SIMULATED in (device.name, device.kind):
        raise LogError(f"{path} holds computed times. Share what was measured.")


def schema() -> dict[str, Any]:
    """Return the JSON schema of a shared log."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_SHARED.json_schema()}


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
