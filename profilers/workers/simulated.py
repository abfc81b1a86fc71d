"""The worker of a simulated device serves the same protocol, with times from static costs.

Nothing runs. The worker has a clock of its own, which advances by the time that each sample would
have taken. What is read of a workload in a round follows from the settings, its costs, the seed of
the session and the number of the round, whatever the worker measured before. So a session that was
interrupted gives the same numbers. Only a drift follows from the worker's number.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from devices.sensors.energy import CountedEnergy
from devices.simulated_roofline import Simulation
from profilers.costs.graph import GraphCosts
from profilers.costs.workload import costs_of_runs
from profilers.workers.program.serving import serve
from profilers.workers.program.worker import Worker

VERSION = "1"
METER = "SIMULATED"
_PICOJOULES_PER_FLOP = 50.0
_PICOJOULES_PER_BYTE = 100.0
_LOAD_MS = 1.0


class SimulatedWorkload:
    """A workload that says how long one sample takes.

    Attributes:
        n_runs: The number of samples that were taken.
        noise: What its noise follows from.
    """

    def __init__(
        self, machine: "SimulatedWorker", runs: Mapping[str, tuple[GraphCosts, ...]], threads: int
    ) -> None:
        self.n_runs = 0
        self._machine = machine
        self._runs_ms = {
            call: [machine.run_ms(costs, threads) for costs in of_call]
            for call, of_call in runs.items()
        }
        if not sum(map(sum, self._runs_ms.values())):
            raise ValueError(
                "a sample takes no time: the graph costs nothing, and the simulated device has no "
                "overhead. Set overhead_us in AUTOMOE_SIMULATED"
            )
        self.noise = f"{self._runs_ms} {threads}"
        self._energy_mj = sum(map(_energy_mj, (x for of_call in runs.values() for x in of_call)))

    def sample(self) -> dict[str, Any]:
        """Return the times that a sample of the real worker's workload has."""
        factor = self._machine.disturbance()
        call_ms = {}
        for call, runs_ms in self._runs_ms.items():
            call_ms[call] = factor * sum(runs_ms)
            if len(runs_ms) > 1:
                call_ms[f"{call}_step"] = factor * sorted(runs_ms)[len(runs_ms) // 2]
        wall_ms = factor * sum(map(sum, self._runs_ms.values()))
        self.n_runs += 1
        self._machine.advance(wall_ms, self._energy_mj)
        return {"wall_ms": wall_ms, "cpu_ms": wall_ms, "call_ms": call_ms}

    def tokens_per_expert(self) -> dict[str, Any]:
        """Return no counts: a simulated device routes no tokens."""
        return {}

    def run(self) -> dict[str, Any]:
        """Return no outputs: a simulated device computes none."""
        return {}


class SimulatedWorker(Worker):
    """A worker process on the simulated machine.

    Args:
        simulation: The settings of the machine.
        number: The worker's number in the session, from 1.
    """

    def __init__(self, simulation: Simulation, number: int) -> None:
        # Its energy only grows, so it never starts again from 0.
        super().__init__(meter=CountedEnergy(METER, [(lambda: self.energy_mj, 0.0)]))
        self.energy_mj = 0.0
        self._simulation = simulation
        self._number = number
        self._now_ms = 0.0
        self._session: tuple[object, object] = (0, number)
        self._begin("")

    def run_ms(self, costs: GraphCosts, threads: int) -> float:
        """Return the milliseconds of one run when nothing disturbs it."""
        return self._simulation.run_ms(
            flops=costs.flops,
            n_bytes=costs.touched_weight_bytes + costs.activation_bytes,
            n_operators=max(1, sum(costs.operators.values())),  # a call takes time by itself
            threads=threads,
        )

    def disturbance(self) -> float:
        """Return the factor by which a sample is slower than an undisturbed one."""
        drifted = (1 + self._simulation.drift) ** (self._number - 1)
        return drifted * max(0.1, 1 + self._simulation.noise * self._random.gauss(0, 1))

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Open a workload, see `Worker`. Its warm-up follows."""
        self._session = (request.get("seed", 0), request.get("round", self._number))
        self._begin("")
        reply = super().load(request)
        self._begin(f"warm-up {self.workload_of(request).noise}")
        return reply

    def block(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take a block, see `Worker`."""
        self._begin(f"block {self.workload_of(request).noise}")
        return super().block(request)

    def _begin(self, what: str) -> None:
        """Begin something whose numbers do not depend on what was before."""
        self._random = Random(f"{self._simulation.seed} {self._session} {what}")
        self._now_ms = self.energy_mj = 0.0

    def advance(self, milliseconds: float, energy_mj: float) -> None:
        """Advance the clock and the meter."""
        self._now_ms += milliseconds
        self.energy_mj += energy_mj

    def hello(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer that the runtime is SIMULATED.

        The process id is the worker's number, so that a repeated session gives the same rows.
        """
        return {
            **self.describe_runtime(),
            "python": sys.version.split()[0],
            "pid": self._number,
            "cores": 1,
            "energy_meter": METER,
        }

    def describe_runtime(self) -> dict[str, Any]:
        """Return the name and version of what computes the times, see `Worker`."""
        return {"runtime": "SIMULATED roofline", "runtime_version": VERSION, "providers": []}

    def open_workload(self, path: str, threads: int, options: dict[str, Any]) -> Any:
        """Return a workload whose times come from its costs."""
        self.advance(_LOAD_MS, 0.0)
        return SimulatedWorkload(self, costs_of_runs(Path(path)), threads)

    def clock_ms(self) -> float:
        """Return the time that would have passed."""
        return self._now_ms

    def sensors(self) -> dict[str, Any]:
        """Return only the clock: nothing of the real machine disturbs what is computed."""
        return {"clock_ms": self._now_ms}

    def busy_ms(self) -> dict[str, float]:
        """Return no times: there are no threads."""
        return {}


def _energy_mj(costs: GraphCosts) -> float:
    n_bytes = costs.touched_weight_bytes + costs.activation_bytes
    return (costs.flops * _PICOJOULES_PER_FLOP + n_bytes * _PICOJOULES_PER_BYTE) / 1e9


if __name__ == "__main__":
    serve(lambda: SimulatedWorker(Simulation.parse(sys.argv[2]), int(sys.argv[1])))
