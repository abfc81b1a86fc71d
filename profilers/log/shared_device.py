"""This module describes the machine of a shared log without telling whose machine it is."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Final, Self

from pydantic import ConfigDict, Field, with_config

from devices.spec import DeviceInfo
from profilers.log.identities import Kind, identity_in
from profilers.log.rows import LogError

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
        return digest(json.dumps(stable, sort_keys=True))

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


def digest(text: str) -> str:
    """Return twelve hexadecimal digits for a text, and nothing for none."""
    return text and hashlib.sha256(text.encode()).hexdigest()[:12]
