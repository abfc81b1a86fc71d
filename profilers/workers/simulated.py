"""The worker of a simulated device: it serves the same protocol, with times from static costs.

Nothing runs. A clock of its own goes on by the time that each sample would have taken, and every
figure follows from the settings, the number of the process and the requests.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from devices.simulation import Simulation
from profilers.costs.graph import GraphCosts
from profilers.costs.workload import costs_of_runs
from profilers.workers.program.serving import serve
from profilers.workers.program.worker import Worker

VERSION = "1"
_PICOJOULES_PER_FLOP = 50.0
_PICOJOULES_PER_BYTE = 100.0
_LOAD_MS = 1.0


class SimulatedWorkload:
    """Says how long one sample takes; `n_runs` counts them."""

    def __init__(
        self, machine: "SimulatedWorker", runs: Mapping[str, tuple[GraphCosts, ...]], threads: int
    ) -> None:
        self.n_runs = 0
        self._machine = machine
        self._runs_ms = {
            call: [machine.run_ms(costs, threads) for costs in of_call]
            for call, of_call in runs.items()
        }
        self._energy_mj = sum(map(_energy_mj, (x for of_call in runs.values() for x in of_call)))

    def sample(self) -> dict[str, Any]:
        """What a run of the true worker's workload says."""
        factor = self._machine.disturbance()
        call_ms = {}
        for call, runs_ms in self._runs_ms.items():
            call_ms[call] = factor * sum(runs_ms)
            if len(runs_ms) > 1:
                call_ms[f"{call}_step"] = factor * sorted(runs_ms)[len(runs_ms) // 2]
        wall_ms = factor * sum(map(sum, self._runs_ms.values()))
        self.n_runs += 1
        self._machine.pass_time(wall_ms, self._energy_mj)
        return {"wall_ms": wall_ms, "cpu_ms": wall_ms, "call_ms": call_ms}

    def tokens_per_expert(self) -> dict[str, Any]:
        """Nothing was routed."""
        return {}

    def run(self) -> dict[str, Any]:
        """Nothing was put out."""
        return {}


class SimulatedWorker(Worker):
    """One process on the simulated machine.

    Args:
        simulation: Its settings.
        number: How many processes the session has started, this one counted.
    """

    def __init__(self, simulation: Simulation, number: int) -> None:
        self._meter = _Meter(self)
        super().__init__(meter=self._meter)
        self.energy_mj = 0.0
        self._simulation = simulation
        self._number = number
        self._now_ms = 0.0
        self._random = Random(f"{simulation.seed} {number}")

    def run_ms(self, costs: GraphCosts, threads: int) -> float:
        """The milliseconds of one run, undisturbed."""
        return self._simulation.run_ms(
            flops=costs.flops,
            n_bytes=costs.touched_weight_bytes + costs.activation_bytes,
            n_operators=sum(costs.operators.values()),
            threads=threads,
        )

    def disturbance(self) -> float:
        """What a sample's time is multiplied by."""
        drifted = (1 + self._simulation.drift) ** (self._number - 1)
        return drifted * max(0.1, 1 + self._simulation.noise * self._random.gauss(0, 1))

    def pass_time(self, milliseconds: float, energy_mj: float) -> None:
        """Let the clock and the meter go on."""
        self._now_ms += milliseconds
        self.energy_mj += energy_mj

    def hello(self, request: dict[str, Any]) -> dict[str, Any]:
        """A runtime that says SIMULATED; the process id is the number of the worker."""
        return {
            "runtime": "SIMULATED roofline",
            "runtime_version": VERSION,
            "providers": [],
            "python": sys.version.split()[0],
            "pid": self._number,
            "cores": 1,
            "energy_meter": self._meter.name,
        }

    def open_workload(self, path: str, threads: int, options: dict[str, Any]) -> Any:
        """The workload's costs as times."""
        self.pass_time(_LOAD_MS, 0.0)
        return SimulatedWorkload(self, costs_of_runs(Path(path)), threads)

    def clock_ms(self) -> float:
        """The time that would have passed."""
        return self._now_ms

    def sensors(self) -> dict[str, Any]:
        """Nothing but the clock: nothing of the real machine disturbs what is computed."""
        return {"clock_ms": self._now_ms}

    def busy_ms(self) -> dict[str, float]:
        """It has no threads."""
        return {}


class _Meter:
    """The energy of what was sampled."""

    name = "SIMULATED"

    def __init__(self, machine: SimulatedWorker) -> None:
        self._machine = machine
        self._started_mj = 0.0

    def start(self) -> None:
        self._started_mj = self._machine.energy_mj

    def stop_mj(self) -> float:
        return self._machine.energy_mj - self._started_mj


def _energy_mj(costs: GraphCosts) -> float:
    n_bytes = costs.touched_weight_bytes + costs.activation_bytes
    return (costs.flops * _PICOJOULES_PER_FLOP + n_bytes * _PICOJOULES_PER_BYTE) / 1e9


if __name__ == "__main__":
    serve(lambda: SimulatedWorker(Simulation.parse(sys.argv[2]), int(sys.argv[1])))
