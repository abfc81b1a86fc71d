"""Answers requests: what the operations of the protocol do, whatever the runtime."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from typing import Any, Callable, Dict, List, Optional

from devices.sensors.energy import Meter
from devices.sensors.nvml import Gpu
from profilers.workers.program.sensors import (
    THIS_MACHINE,
    busy_ms_of_threads,
    count_busy,
    read_sensors,
)
from profilers.workers.program.tensors import describe_tensor
from profilers.workers.program.timing import burst, has_settled, median

Request = Dict[str, Any]
Reply = Dict[str, Any]


class Worker:
    """Answers requests while `running`; a runtime's subclass opens the workloads.

    Args:
        meter: Counts the energy of what is sampled; None where there is none.
        gpu: The GPU that the models run on; None on a processor.

    Attributes:
        loaded: The loaded workloads by id; see `LoadedWorkload`.
    """

    def __init__(self, meter: Optional[Meter] = None, gpu: Optional[Gpu] = None) -> None:
        self.meter = meter
        self.gpu = gpu
        self.loaded: Dict[str, Any] = {}
        self.operations: Dict[str, Callable[[Request], Reply]] = {
            "hello": self.hello,
            "load": self.load,
            "warmup": self.warmup,
            "block": self.block,
            "routing": self.routing,
            "outputs": self.outputs,
            "unload": self.unload,
            "quit": self.quit,
        }
        self.running = True

    def answer(self, line: bytes) -> Reply:
        """The reply to one request line, an {"error": ...} when it cannot be served."""
        try:
            request = json.loads(line)
            if request.get("op") not in self.operations:
                raise ValueError(
                    "Unknown op %r. Known: %s." % (request.get("op"), sorted(self.operations))
                )
            return self.operations[request["op"]](request)
        except Exception as error:  # reported to the host, which decides what it means
            message = "%s: %s" % (type(error).__name__, error)
            return {"error": message, "traceback": traceback.format_exc()}

    def hello(self, request: Request) -> Reply:
        """The versions of everything that moves a timing."""
        import numpy

        return {
            **self.describe_runtime(),
            "python": sys.version.split()[0],
            "numpy": numpy.__version__,
            "pid": os.getpid(),
            "cores": len(os.sched_getaffinity(0)),
            "energy_meter": self.meter.name if self.meter else "",
        }

    def load(self, request: Request) -> Reply:
        """Open a workload's sessions and make its inputs; `load_ms` is the time that took."""
        start = self.clock_ms()
        self.loaded.pop(request["id"], None)
        threads, options = int(request["threads"]), dict(request.get("options") or {})
        self.loaded[request["id"]] = self.open_workload(request["workload"], threads, options)
        return {"load_ms": self.clock_ms() - start}

    def warmup(self, request: Request) -> Reply:
        """Run until both minima are reached and runs no longer get faster, or time is up.

        They have settled when the last quarter of the runs is not faster than the quarter before
        it by more than `tolerance`; `run_ms` is the median of the last quarter.
        """
        workload = self.find(request)
        start = self.clock_ms()
        runs_ms: List[float] = []
        settled = False
        seconds = 0.0
        while not runs_ms or (seconds < request["max_seconds"] and not settled):
            runs_ms.append(workload.sample()["wall_ms"])
            seconds = (self.clock_ms() - start) / 1000
            if len(runs_ms) >= request["min_runs"] and seconds >= request["min_seconds"]:
                settled = has_settled(runs_ms, request["tolerance"])
        return {
            "runs": len(runs_ms),
            "seconds": seconds,
            "settled": settled,
            "first_ms": runs_ms[0],
            "run_ms": median(runs_ms[-max(1, len(runs_ms) // 4) :]),
        }

    def block(self, request: Request) -> Reply:
        """Samples in groups between readings of the sentinel, all between readings of the sensors.

        A group ends after `group_ms`, a reading after `burst_ms`. Group g, to be found in every
        sample, lies between the entries g and g + 1 of `sentinel_ms`, each the runs of a reading.
        Without a sentinel all is one group. `energy_mj` is what the meter saw within groups, per
        run; None without a meter.
        """
        workload = self.find(request)
        sentinel = self.loaded[request["sentinel"]] if "sentinel" in request else None
        samples: List[Dict[str, Any]] = []
        readings_ms: List[List[float]] = []

        def read_sentinel() -> None:
            if sentinel is not None:
                taken = burst(sentinel, request["burst_ms"])
                readings_ms.append([sample["wall_ms"] for sample in taken])

        before, busy_before = self.sensors(), self.busy_ms()
        read_sentinel()
        group, n_runs, energy_mj = 0, workload.n_runs, 0.0
        while len(samples) < request["samples"]:
            group_ms = request["group_ms"] if sentinel is not None else float("inf")
            if self.meter:
                self.meter.start()
            taken = burst(workload, group_ms, request["samples"] - len(samples))
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
        """The tokens that each expert received in one untimed sample."""
        return {"tokens_per_expert": self.find(request).tokens_per_expert()}

    def outputs(self, request: Request) -> Reply:
        """Shape, type, sum and finiteness of what each call puts out at the end of a sample."""
        produced = self.find(request).run()
        described = {
            call: {name: describe_tensor(value) for name, value in values.items()}
            for call, values in produced.items()
        }
        return {"outputs": described}

    def unload(self, request: Request) -> Reply:
        """Forget a workload, and let the runtime free it."""
        self.find(request)
        del self.loaded[request["id"]]
        return {}

    def quit(self, request: Request) -> Reply:
        """Make this the last answer."""
        self.running = False
        return {}

    def describe_runtime(self) -> Reply:
        """The name, version and providers of the runtime, as `hello` tells them."""
        raise NotImplementedError

    def open_workload(self, path: str, threads: int, options: Dict[str, Any]) -> Any:
        """What is sampled for a workload file."""
        raise NotImplementedError

    def clock_ms(self) -> float:
        """The time by which everything here is measured."""
        return time.perf_counter() * 1000

    def sensors(self) -> Dict[str, Any]:
        """The sensors at this moment."""
        return read_sensors(THIS_MACHINE, self.gpu)

    def busy_ms(self) -> Dict[str, float]:
        """The CPU time of every thread so far."""
        return busy_ms_of_threads(THIS_MACHINE)

    def find(self, request: Request) -> Any:
        """The workload that a request is about."""
        if request["id"] not in self.loaded:
            raise KeyError("no workload %r is loaded; send load first" % request["id"])
        return self.loaded[request["id"]]
