"""This module runs tasks side by side, each of which ends with a raw result, one JSON file."""

import platform
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import torch
from paper_claim.clock import Clock, TimeIsUp
from paper_claim.config import Experiment

from automoe import __version__
from automoe.search.workers.pool import Workers
from devices import get_device
from devices.files import write_json
from devices.yaml_json import parse_json

SCHEMA_VERSION = 1


class Outcome(StrEnum):
    """How a task ended in this call."""

    DONE = "done"
    OUT_OF_TIME = "out of time"
    FAILED = "failed"


class FailedTaskError(ValueError):
    """A task could not be carried out, such as a training that diverged."""


class OtherResultError(ValueError):
    """A raw result answers another question than the configuration asks now."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One thing to compute.

    Attributes:
        experiment: The experiment.
        kind: The folder of its result below that of all results; empty for none.
        name: The name of its result.
        asked: Everything in the configuration that the result depends on, as JSON types.
        compute: A function of the task and its clock that returns the result as JSON types. It
            goes on from what an earlier call left in the work folder.
        every: The number of pieces of work between two states on disk, see `Clock`.
    """

    experiment: Experiment
    kind: str
    name: str
    asked: Mapping[str, Any]
    compute: Callable[["Task", Clock], dict[str, Any]]
    every: int = 1

    @property
    def path(self) -> Path:
        """The file of the result."""
        return self.experiment.results / self.kind / f"{self.name}.json"

    @property
    def folder(self) -> Path:
        """The folder for what is in progress."""
        return self.experiment.work / self.kind / self.name

    @property
    def is_done(self) -> bool:
        """Whether the result is there.

        Raises:
            OtherResultError: The result is of another configuration.
        """
        if not self.path.exists():
            return False
        before = read_result(self.path)["asked"]
        if before != self.asked:
            keys = before.keys() | self.asked.keys()
            key = min(key for key in keys if before.get(key) != self.asked.get(key))
            raise OtherResultError(
                f"'{self.path}' was computed with another '{key}': {before.get(key)!r:.200}. "
                f"The configuration asks for {self.asked.get(key)!r:.200}. Move the file away to "
                "compute it again, or change the configuration back."
            )
        return True


def read_result(path: Path) -> dict[str, Any]:
    """Return a raw result."""
    content: dict[str, Any] = parse_json(path.read_bytes())
    return content


def results_of(experiment: Experiment, kind: str) -> dict[str, dict[str, Any]]:
    """Return all raw results of one kind by their names, sorted."""
    files = sorted((experiment.results / kind).glob("*.json"))
    return {file.stem: read_result(file) for file in files}


def run_all(tasks: Sequence[Task], *, pool: Workers, until: float) -> bool:
    """Run the tasks without a result, and return whether all have one now.

    Args:
        tasks: The tasks. They do not depend on each other.
        pool: The processes that compute, with one thread each.
        until: The time at which every task has to end, in seconds since 1970.

    Raises:
        OtherResultError: A result is of another configuration.
        FailedTaskError: A task failed. The other tasks were carried out nevertheless.
    """
    left = [task for task in tasks if not task.is_done]
    outcomes = [outcome for _, outcome in pool.run_all(partial(_carried_out, until), left)]
    if Outcome.FAILED in outcomes:
        raise FailedTaskError("A task failed, see above. The same command tries it again.")
    return Outcome.OUT_OF_TIME not in outcomes


def _carried_out(until: float, task: Task) -> Outcome:
    """Compute and write a result. An error is shown, so that other tasks go on."""
    name = f"{task.kind}/{task.name}".strip("/")
    if time.time() >= until:
        return Outcome.OUT_OF_TIME
    torch.set_num_threads(1)
    clock = Clock(name, until, task.folder / "seconds.jsonl", every=task.every)
    try:
        content = task.compute(task, clock)
    except TimeIsUp as reason:
        print(f"{reason} Time is up.", file=sys.stderr, flush=True)
        return Outcome.OUT_OF_TIME
    except Exception:  # days of other tasks must not end with one of them
        print(f"{name} failed: {traceback.format_exc()}", file=sys.stderr, flush=True)
        return Outcome.FAILED
    result = {
        "schema_version": SCHEMA_VERSION,
        "asked": dict(task.asked),
        **content,
        **clock.seconds(),
        "machine": _machine(task.experiment.config.device),
    }
    # One line: with a line for each number, a file of sentence statistics would have 14 000.
    write_json(task.path, result, indent=None)
    print(f"{name}: done in {result['wall_s']:.0f} s", file=sys.stderr, flush=True)
    return Outcome.DONE


def _machine(device: str) -> dict[str, Any]:
    info = get_device(device).info()
    return {
        "device": info.model,
        "cores": info.cores,
        "fingerprint": info.fingerprint,
        "automoe": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
