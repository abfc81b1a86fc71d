"""This module makes the tasks that measure latencies. Nothing else may run meanwhile."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from paper_claim.baselines import baseline
from paper_claim.clock import Clock
from paper_claim.config import BASELINES, KINDS, Experiment, asked_fields
from paper_claim.searches import chosen
from paper_claim.tasks import Task

from automoe.architecture.architecture import Architecture
from automoe.architecture.sampling import draw_distinct
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.architecture_profiling import profile_architectures
from automoe.progress import OnProgress, no_progress
from devices.opening import opened_device
from profilers import Protocol


def profile_task(experiment: Experiment) -> Task:
    """Return the task that measures the log for the predictor."""
    config = experiment.config
    asked = {
        "space": asked_fields(config.space),
        "workload": str(config.workload),
        "device": config.device,
        "seed": config.seed,
        **asked_fields(config.profile),
    }
    return Task(experiment, "", "profile", asked, _profiled)


def _profiled(task: Task, clock: Clock) -> dict[str, Any]:
    config = task.experiment.config
    protocol = config.profile.protocol(seed=config.seed)
    architectures = profiled_architectures(task.experiment)
    return _measured(task, architectures, protocol, on_progress=clock)


def profiled_architectures(experiment: Experiment) -> list[Architecture]:
    """Return the corners of the space, the baselines, and random architectures of each kind."""
    config = experiment.config
    corners = [config.space.smallest(), config.space.largest()]
    first = dict.fromkeys([*corners, *(baseline(name, config.space) for name in BASELINES)])
    n_drawn = config.profile.architectures - len(first)
    n_each = -(-n_drawn // len(KINDS))
    drawn = (
        draw_distinct(config.space_of(kind), n_each, f"profile {kind} {config.seed}")
        for kind in KINDS
    )
    interleaved = (architecture for each in zip(*drawn, strict=True) for architecture in each)
    return list(dict.fromkeys([*first, *interleaved]))[: config.profile.architectures]


def measure_tasks(experiment: Experiment) -> list[Task]:
    """Return the tasks that measure every baseline and winner, one session for each precision."""
    config = experiment.config
    distinct = dict.fromkeys(chosen(experiment).values())
    tasks = []
    for precision in config.measure.precisions:
        asked = {
            "architectures": [architecture.to_dict() for architecture in distinct],
            "workload": str(replace(config.workload, precision=precision)),
            "device": config.device,
            "threads": config.profile.threads,
            "half_width": config.measure.half_width,
            "seed": config.seed,
        }
        tasks.append(Task(experiment, "", f"measured-{precision}", asked, _session))
    return tasks


def _session(task: Task, clock: Clock) -> dict[str, Any]:
    asked = task.asked
    clock.require(task.experiment.config.measure.minutes)
    architectures = [Architecture.from_dict(each) for each in asked["architectures"]]
    protocol = Protocol(
        threads=asked["threads"],
        target_half_width=asked["half_width"],
        max_rounds=10,
        chunk_size=len(architectures),  # all of them are interleaved
        seed=asked["seed"],
    )
    return _measured(task, architectures, protocol)


def _measured(
    task: Task,
    architectures: Sequence[Architecture],
    protocol: Protocol,
    *,
    on_progress: OnProgress = no_progress,
) -> dict[str, Any]:
    """Measure into a log of the work folder, and copy it to the results when it is whole."""
    experiment, log = task.experiment, task.folder / f"{task.name}.csv"
    reasons: dict[str, str] = {}
    opened = partial(opened_device, experiment.config.device)
    with opened() as device:
        profile_architectures(
            architectures,
            device=device,
            protocol=protocol,
            workload=TranslationWorkload.parse(task.asked["workload"]),
            log=log,
            space=experiment.config.space,
            graphs=task.folder / "graphs",
            on_progress=on_progress,
            on_failed=lambda point: reasons.update({point.point_id: point.reason}),
        )
    shutil.copyfile(log, task.path.with_suffix(".csv"))
    return {"failed": reasons}
