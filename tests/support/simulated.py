"""A machine that is simulated in this process: its truth is known and its noise is made to order.

Time on it passes with every sample, so that noise can depend on when something is measured.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

TRUTH_MS = {"sentinel": 4.0, "a": 10.0, "b": 14.0, "c": 20.0, "d": 28.0, "e": 40.0, "f": 56.0}


@dataclass
class SimulatedMachine:
    """Opens workers that answer like `profilers/workers/program/worker.py`.

    Attributes:
        rng: Draws all noise.
        noise: Relative noise of one sample.
        process_noise: Relative offset of everything one process measures of one workload.
        process_draw: How such an offset scatters, with a standard deviation near 1.
        process_noise_of: The same for some workloads, by name, in place of `process_noise`.
        correlation: How much of a sample's noise is left in the next one.
        slow_share: The share of samples that are slow by `slow_factor`.
        slow_factor: How much slower they are.
        drift: The machine's slowness at a time in seconds; 1 is its true speed.
        throttled: Whether it throttles itself at a time in seconds, which costs 30 %.
    """

    rng: np.random.Generator
    noise: float = 0.0
    process_noise: float = 0.0
    process_draw: Callable[[np.random.Generator], float] = lambda rng: rng.standard_normal()
    process_noise_of: Mapping[str, float] = field(default_factory=dict)
    correlation: float = 0.0
    slow_share: float = 0.0
    slow_factor: float = 1.0
    drift: Callable[[float], float] = lambda seconds: 1.0
    throttled: Callable[[float], bool] = lambda seconds: False
    seconds: float = 0.0
    throttle_events: int = 0
    n_processes: int = 0
    _state: float = 0.0

    @contextmanager
    def open(self) -> Iterator["SimulatedWorker"]:
        """A fresh worker."""
        self.n_processes += 1
        yield SimulatedWorker(self, self.n_processes)

    def sample_ms(self, level_ms: float) -> float:
        """The time of one sample of something that truly takes `level_ms`."""
        fresh = self.rng.standard_normal() * self.noise
        self._state = self.correlation * self._state
        self._state += np.sqrt(1 - self.correlation**2) * fresh
        is_slow = self.rng.random() < self.slow_share
        is_throttled = self.throttled(self.seconds)
        self.throttle_events += is_throttled
        factor = self.drift(self.seconds) * (self.slow_factor if is_slow else 1.0)
        wall_ms = float(level_ms * np.exp(self._state) * factor * (1.3 if is_throttled else 1.0))
        self.seconds += wall_ms / 1000
        return wall_ms


@dataclass
class SimulatedWorker:
    """One process on the machine."""

    machine: SimulatedMachine
    pid: int
    hello: dict[str, Any] = field(init=False)
    _levels_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hello = {"runtime": "simulated", "runtime_version": "1", "pid": self.pid}

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """The answer to one request."""
        if op == "load":
            name = Path(fields["workload"]).stem
            noise = self.machine.process_noise_of.get(name, self.machine.process_noise)
            offset = self.machine.process_draw(self.machine.rng) * noise
            self._levels_ms[fields["id"]] = TRUTH_MS[name] * float(np.exp(offset))
            return {"load_ms": 1.0}
        if op == "warmup":
            run_ms = [self._sample(fields["id"]) for _ in range(2)]
            times = {"seconds": 0.3, "first_ms": run_ms[0], "run_ms": run_ms[1]}
            return {"runs": 2, "settled": True, **times}
        if op == "block":
            before = {"throttle_events": self.machine.throttle_events}
            samples, readings_ms = self._groups(**fields)
            return {
                "samples": samples,
                "sentinel_ms": readings_ms,
                "before": before,
                "after": {"throttle_events": self.machine.throttle_events},
                "busy_threads": 1,
            }
        return {}

    def _groups(
        self, *, id: str, sentinel: str, samples: int, group_ms: float
    ) -> tuple[list[dict[str, Any]], list[list[float]]]:
        taken: list[dict[str, Any]] = []
        readings_ms = [self._burst(sentinel, group_ms)]
        while len(taken) < samples:
            walls_ms = self._burst(id, group_ms, samples - len(taken))
            group = len(readings_ms) - 1
            taken += [
                {"wall_ms": x, "cpu_ms": x, "call_ms": {"model": x}, "group": group}
                for x in walls_ms
            ]
            readings_ms.append(self._burst(sentinel, group_ms))
        return taken, readings_ms

    def _burst(self, workload_id: str, at_least_ms: float, most: int = 1000) -> list[float]:
        walls_ms: list[float] = []
        while sum(walls_ms) < at_least_ms and len(walls_ms) < most:
            walls_ms.append(self._sample(workload_id))
        return walls_ms

    def _sample(self, workload_id: str) -> float:
        return self.machine.sample_ms(self._levels_ms[workload_id])
