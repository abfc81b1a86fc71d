"""A loaded workload is ready to be sampled, whatever runtime computes it."""

from __future__ import annotations

import abc
import json
import os
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from profilers.workers.program.tensors import count_choices
from profilers.workers.program.timing import median

Feeds = Dict[str, Any]

PARENT = os.getppid()


class PreparedCall(abc.ABC):
    """One call of a workload, with its inputs made. A subclass for each runtime computes it.

    Args:
        spec: The call as in the workload file.
        outputs: The names of the graph's outputs, in their order.

    Attributes:
        gpu_ms: The time that the GPU took for all runs of the last sample; None when it is not
            measured.
    """

    def __init__(self, spec: Dict[str, Any], outputs: List[str]) -> None:
        self.name = spec["name"]
        self.outputs = outputs
        self.gpu_ms: Optional[float] = None
        self.inputs = {name: self.tensor(name, item) for name, item in spec["inputs"].items()}
        # A list of {input: tensor}, one per run.
        self.steps = [
            {name: self.tensor(name, items[step]) for name, items in spec["step_inputs"].items()}
            for step in range(spec["repeat"])
        ]
        self.from_calls = [
            (name, source[0], source[1]) for name, source in spec["from_calls"].items()
        ]
        self.carry = list(spec["carry"].items())
        self.routing_outputs = spec.get("routing_outputs", [])

    @abc.abstractmethod
    def tensor(self, name: str, spec: Dict[str, Any]) -> Any:
        """Return the runtime's tensor for an input."""

    @abc.abstractmethod
    def outputs_of(self, feeds: Feeds) -> Sequence[Any]:
        """Return the outputs of one run, in the memory of the processor that made them."""

    def run(self, produced: Dict[str, Feeds], see: Any = None, laps_ns: Any = None) -> Feeds:
        """Return the outputs of the last run. Values stay where the runtime put them.

        Args:
            produced: The outputs of the earlier calls.
            see: The function that gets the outputs of every run; None while timing.
            laps_ns: The list to which the time at the end of each run is appended.
        """
        feeds = dict(self.inputs)
        for name, call, output in self.from_calls:
            feeds[name] = produced[call][output]
        named: Feeds = {}
        for step in self.steps:
            feeds.update(step)
            named = dict(zip(self.outputs, self.outputs_of(feeds)))
            if see is not None:
                see(named)
            for output, name in self.carry:
                feeds[name] = named[output]
            if laps_ns is not None:
                laps_ns.append(time.perf_counter_ns())
        return named


class LoadedWorkload:
    """The calls of a workload in their order.

    Attributes:
        n_runs: The number of samples that were taken.
    """

    def __init__(self, calls: Sequence[Any]) -> None:
        self.calls = calls
        self.n_runs = 0

    def run(self) -> Dict[str, Feeds]:
        """Return the outputs of every call, by call."""
        produced: Dict[str, Feeds] = {}
        for call in self.calls:
            produced[call.name] = call.run(produced)
        return produced

    def tokens_per_expert(self) -> Dict[str, Any]:
        """Return how often each expert was chosen in one sample, by "call.output" of its router."""
        counts: Dict[str, Any] = {}
        produced: Dict[str, Feeds] = {}
        for call in self.calls:

            def see(named: Feeds, call: PreparedCall = call) -> None:
                for output in call.routing_outputs:
                    key = "%s.%s" % (call.name, output)
                    counts[key] = count_choices(counts.get(key, ()), named[output])

            produced[call.name] = call.run(produced, see)
        return {key: total.tolist() for key, total in counts.items()}

    def sample(self) -> Dict[str, Any]:
        """Return the times of one run in milliseconds: wall time, CPU time, and wall time per call.

        A call that is repeated has a second entry "NAME_step", the median of its runs. When the
        GPU's time is measured, "NAME_gpu" is its time for a call and "gpu" its time for all.
        """
        if os.getppid() != PARENT:
            os._exit(1)  # the client has gone, and a new session must not be disturbed
        call_ms: Dict[str, float] = {}
        produced: Dict[str, Feeds] = {}
        cpu_before = time.process_time_ns()
        start = before = time.perf_counter_ns()
        for call in self.calls:
            laps_ns = [before]
            produced[call.name] = call.run(produced, laps_ns=laps_ns)
            after = laps_ns[-1]
            call_ms[call.name] = (after - before) / 1e6
            if len(call.steps) > 1:
                steps = range(len(call.steps))
                step_ms = [(laps_ns[i + 1] - laps_ns[i]) / 1e6 for i in steps]
                call_ms[call.name + "_step"] = median(step_ms)
            before = after
        self.n_runs += 1
        cpu_ns = time.process_time_ns() - cpu_before
        gpu_ms = {call.name: call.gpu_ms for call in self.calls if call.gpu_ms is not None}
        if gpu_ms:
            call_ms.update((name + "_gpu", value) for name, value in gpu_ms.items())
            call_ms["gpu"] = sum(gpu_ms.values())
        return {"wall_ms": (before - start) / 1e6, "cpu_ms": cpu_ns / 1e6, "call_ms": call_ms}


def read_document(path: str) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """Return the content of a workload file, and the file of each of its graphs."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    folder = os.path.dirname(os.path.abspath(path))
    files = {name: os.path.join(folder, graph) for name, graph in document["graphs"].items()}
    return document, files
