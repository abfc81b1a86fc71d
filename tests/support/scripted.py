"""Devices whose workers do as they are told, so that a session can be tested to the block."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devices import DeviceInfo, Finding, HardwareRuns

INFO = DeviceInfo(
    name="scripted",
    kind="cpu",
    model="Scripted CPU",
    machine="x86_64",
    cores=2,
    memory_mb=4096,
    system="Linux 6.1",
    power_mode="performance",
)
_WORKER = Path(__file__).with_name("scripted_worker.py")


class CommandDevice:
    """A device whose worker is any Python program, given as its source."""

    name = "scripted"
    run_on_hardware: HardwareRuns = "simulated"

    def __init__(self, source: str) -> None:
        self.command = [sys.executable, "-I", "-S", "-c", source]
        self.environment = {"ORT_DISABLE_TELEMETRY": "1"}

    def unavailable_reason(self) -> str | None:
        return None

    def info(self) -> DeviceInfo:
        return INFO

    def worker_command(self, worker: Path) -> list[str]:
        return self.command

    def worker_environment(self) -> dict[str, str]:
        return self.environment

    def sensors(self) -> dict[str, float]:
        return {}

    def doctor(self) -> tuple[Finding, ...]:
        return ()


class ScriptedDevice(CommandDevice):
    """A device whose workloads say what is measured, and which journals every request.

    Args:
        folder: Where workloads and the journal are written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("")
        self._folder = folder
        self._journal = folder / "journal.jsonl"
        self.command = [sys.executable, "-I", "-S", str(_WORKER), str(self._journal)]

    def workload(
        self,
        name: str,
        wall_ms: Sequence[float] = (10.0,),
        *,
        contention: Sequence[float] = (1.0,),
        faults: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Path:
        """A workload that does as it is told.

        Args:
            name: Its name in the journal.
            wall_ms: What every sample of its n-th block takes; the last value holds on. Of a
                sentinel: its n-th reading, one before and one after every block.
            contention: The same for wall over CPU time.
            faults: "crash", "hang" or "refuse" by request: "load" for every one, "block 0" for
                the first. Turns are counted over all processes.
            more: `before` and `after`, the sensors around each block; `settled` and `run_ms` of
                every warm-up; `tokens_per_expert`.
        """
        path = self._folder / f"{name}.json"
        script = {"wall_ms": list(wall_ms), "contention": list(contention), "faults": faults or {}}
        script |= more
        path.write_text(json.dumps(script))
        return path

    def journal(self, *ops: str) -> list[dict[str, Any]]:
        """Every request of these kinds so far, with the workload's name and the worker's pid."""
        if not self._journal.exists():
            return []
        records = [json.loads(line) for line in self._journal.read_text().splitlines()]
        return [record for record in records if record["op"] in ops]

    def blocks(self) -> list[str]:
        """The name of the workload of every block, in order."""
        return [record["workload"] for record in self.journal("block")]

    def pids(self) -> list[int]:
        """The workers started, in order."""
        return [record["pid"] for record in self.journal("hello")]
