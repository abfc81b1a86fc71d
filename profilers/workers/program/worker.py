"""A worker carries out the operations of the protocol, whatever the runtime is."""

from __future__ import annotations

import abc
import json
import os
import sys
import time
import traceback
from typing import Any, Dict, List, Optional

from devices.sensors.energy import Meter
from devices.sensors.nvml import Gpu
from profilers.workers.program.machine_state import (
    THIS_MACHINE,
    busy_ms_of_threads,
    count_busy,
    read_sensors,
)
from profilers.workers.program.tensors import describe_tensor
from profilers.workers.program.timing import has_settled, median, samples_for

Request = Dict[str, Any]
Reply = Dict[str, Any]

# The methods of a worker that a request may name.
OPERATIONS = ("hello", "load", "warmup", "block", "routing", "outputs", "unload", "quit")


class Worker(abc.ABC):
    """A worker that answers requests while `running`. A subclass for each runtime opens workloads.

    Args:
        meter: The meter of the energy of samples; None without a meter.
        gpu: The GPU that the models run on; None for a processor.

    Attributes:
        loaded: The loaded workloads by their ids; see `LoadedWorkload`.
        running: Whether the worker waits for another request.
        on_gpu: Whether something else than the processor runs the models.
    """

    on_gpu = False

    def __init__(self, meter: Optional[Meter] = None, gpu: Optional[Gpu] = None) -> None:
        self.meter = meter
        self.gpu = gpu
        self.loaded: Dict[str, Any] = {}
        self.running = True

    def answer(self, line: bytes) -> Reply:
        """Return the reply to one request line, or {"error": ...} when it cannot be served.

        It has the number `seq` of its request, when that has one.
        """
        reply: Reply
        seq = None
        try:
            request = json.loads(line)
            seq = request.get("seq")
            op = request.get("op")
            if op not in OPERATIONS:
                raise ValueError("Unknown op %r. Known: %s." % (op, sorted(OPERATIONS)))
            reply = getattr(self, op)(request)
        except Exception as error:  # the client gets it and decides what it means
            message = "%s: %s" % (type(error).__name__, error)
            reply = {"error": message, "traceback": traceback.format_exc()}
        return reply if seq is None else dict(reply, seq=seq)

    def hello(self, request: Request) -> Reply:
        """Return the versions of everything that changes a timing."""
        import numpy

        return {
            **self.describe_runtime(),
            "python": sys.version.split()[0],
            "numpy": numpy.__version__,
            "pid": os.getpid(),
            "cores": len(os.sched_getaffinity(0)),
            "energy_meter": self.meter.name if self.meter else "",
            "on_gpu": self.on_gpu,
        }

    def load(self, request: Request) -> Reply:
        """Open a workload's sessions and make its inputs. `load_ms` is how long this took."""
        start = self.clock_ms()
        self.loaded.pop(request["id"], None)
        threads, options = int(request["threads"]), dict(request.get("options") or {})
        self.loaded[request["id"]] = self.open_workload(request["workload"], threads, options)
        return {"load_ms": self.clock_ms() - start}

    def warmup(self, request: Request) -> Reply:
        """Run a workload until it has settled, or until `max_seconds` are over.

        It runs at least `min_seconds` long. It has settled when a run takes no longer than
        `usual_ms`, its time in earlier processes, by more than `tolerance`. Without `usual_ms`,
        or when runs stay above it, it runs at least `min_runs` times. It has settled then when the
        last quarter of the runs is not faster than the quarter before it by more than `tolerance`.
        `run_ms` is the median of the last quarter.
        """
        workload = self.workload_of(request)
        usual_ms = (1 + request["tolerance"]) * (request.get("usual_ms") or 0.0)
        start = self.clock_ms()
        runs_ms: List[float] = []
        settled = False
        seconds = 0.0
        while not runs_ms or (seconds < request["max_seconds"] and not settled):
            runs_ms.append(workload.sample()["wall_ms"])
            seconds = (self.clock_ms() - start) / 1000
            if seconds >= request["min_seconds"]:
                settled = runs_ms[-1] <= usual_ms
                if len(runs_ms) >= request["min_runs"]:
                    settled = settled or has_settled(runs_ms, request["tolerance"])
        return {
            "runs": len(runs_ms),
            "seconds": seconds,
            "settled": settled,
            "first_ms": runs_ms[0],
            "run_ms": median(runs_ms[-max(1, len(runs_ms) // 4) :]),
        }

    def block(self, request: Request) -> Reply:
        """Take samples in groups between readings of the sentinel, and read the sensors around all.

        Groups and readings take turns, and each ends after `group_ms`. Each sample has the number
        of its group: group g lies between the entries g and g + 1 of `sentinel_ms`, and each entry
        holds the runs of one reading. Without a sentinel there is one group.
        `energy_mj` is the energy within groups per run, or None without a meter.
        """
        workload = self.workload_of(request)
        sentinel = self.loaded[request["sentinel"]] if "sentinel" in request else None
        samples: List[Dict[str, Any]] = []
        readings_ms: List[List[float]] = []

        def read_sentinel() -> None:
            if sentinel is not None:
                taken = samples_for(sentinel, request["group_ms"])
                readings_ms.append([sample["wall_ms"] for sample in taken])

        before, busy_before = self.sensors(), self.busy_ms()
        read_sentinel()
        group, n_runs, energy_mj = 0, workload.n_runs, 0.0
        while len(samples) < request["samples"]:
            group_ms = request["group_ms"] if sentinel is not None else float("inf")
            if self.meter:
                self.meter.start()
            taken = samples_for(workload, group_ms, request["samples"] - len(samples))
            energy_mj += self.meter.stop_mj() if self.meter else 0.0
            samples += [dict(sample, group=group) for sample in taken]
            read_sentinel()
            group += 1
        busy = self.busy_ms()
        return {
            "samples": samples,
            "sentinel_ms": readings_ms,
            "before": before,
            "after": self.sensors(),
            "busy_threads": count_busy(busy_before, busy),
            "energy_mj": energy_mj / (workload.n_runs - n_runs) if self.meter else None,
        }

    def routing(self, request: Request) -> Reply:
        """Return how many tokens each expert received in one untimed sample."""
        return {"tokens_per_expert": self.workload_of(request).tokens_per_expert()}

    def outputs(self, request: Request) -> Reply:
        """Return the shape, type, sums and finiteness of each call's outputs after a sample."""
        produced = self.workload_of(request).run()
        described = {
            call: {name: describe_tensor(value) for name, value in values.items()}
            for call, values in produced.items()
        }
        return {"outputs": described}

    def unload(self, request: Request) -> Reply:
        """Forget a workload, and let the runtime free it."""
        self.workload_of(request)
        del self.loaded[request["id"]]
        return {}

    def quit(self, request: Request) -> Reply:
        """End the worker after this answer."""
        self.running = False
        return {}

    @abc.abstractmethod
    def describe_runtime(self) -> Reply:
        """Return the name, version and providers of the runtime, for `hello`."""

    @abc.abstractmethod
    def open_workload(self, path: str, threads: int, options: Dict[str, Any]) -> Any:
        """Return a workload that is ready to be sampled, from its file."""

    def clock_ms(self) -> float:
        """Return the time of the clock by which everything here is measured."""
        return time.perf_counter() * 1000

    def sensors(self) -> Dict[str, Any]:
        """Return the present readings of the sensors."""
        return read_sensors(THIS_MACHINE, self.gpu)

    def busy_ms(self) -> Dict[str, float]:
        """Return the CPU time of every thread so far."""
        return busy_ms_of_threads(THIS_MACHINE)

    def workload_of(self, request: Request) -> Any:
        """Return the workload that a request names.

        Raises:
            KeyError: It is not loaded.
        """
        if request["id"] not in self.loaded:
            raise KeyError("no workload %r is loaded; send load first" % request["id"])
        return self.loaded[request["id"]]
