"""This module is the command line of the experiment: its steps, and all of them in order."""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from paper_claim.config import ClaimConfig, Experiment
from paper_claim.measuring import measure_tasks, profile_task
from paper_claim.plan import plan_task
from paper_claim.report import write_report
from paper_claim.searches import (
    inherited_tasks,
    parity_tasks,
    predictor_task,
    remedy_tasks,
    search_tasks,
)
from paper_claim.supernets import (
    alone_tasks,
    other_supernet_tasks,
    repeated_tasks,
    supernet_task,
)
from paper_claim.tasks import Task, run_all
from paper_claim.trainings import final_tasks, tuning_tasks
from paper_claim.vocabularies import text_task

from automoe.search.workers.pool import HERE, workers

FOLDER = Path(__file__).parent
_TIME_IS_UP = 3  # the exit code of a partial answer, as those of automoe


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        tasks: A function that returns the step's tasks. The stages before it are done.
        is_quiet: Whether nothing else may run meanwhile, because latencies or speeds are measured.
    """

    tasks: Callable[[Experiment], list[Task]]
    is_quiet: bool = False


def _one(task: Callable[[Experiment], Task]) -> Callable[[Experiment], list[Task]]:
    return lambda experiment: [task(experiment)]


STEPS = {
    "text": Step(_one(text_task)),
    "plan": Step(_one(plan_task), is_quiet=True),
    "profile": Step(_one(profile_task), is_quiet=True),
    "predictor": Step(_one(predictor_task)),
    "tuning": Step(tuning_tasks),
    "supernet": Step(_one(supernet_task)),
    "baselines": Step(partial(final_tasks, of_baselines=True)),
    "ranking": Step(alone_tasks),
    "search": Step(search_tasks),
    "parity": Step(parity_tasks),
    "remedies": Step(remedy_tasks),
    "inherited": Step(inherited_tasks),
    "measure": Step(measure_tasks, is_quiet=True),
    "final": Step(partial(final_tasks, of_baselines=False)),
    "repeats": Step(repeated_tasks),
    "supernets": Step(other_supernet_tasks),
}
# The steps of a stage do not depend on each other and run side by side. What needs the supernet's
# weights comes soon after it, in case they are lost.
STAGES = (
    ("text",),
    ("plan",),
    ("profile",),
    ("predictor",),
    ("tuning",),
    ("supernet", "baselines"),
    ("ranking",),
    ("search",),
    ("parity", "remedies"),
    ("inherited",),
    ("measure",),
    ("final",),
    ("repeats", "supernets"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step or all of them, write the report, and return the exit code.

    It is 0 when everything that was asked for is done, 2 for wrong input, 3 when the time is up,
    and 130 after an interruption.
    """
    given = _parser().parse_args(arguments)
    try:
        config = ClaimConfig.load(_existing(given.config))
        experiment = Experiment(
            config,
            given.text or config.text.folder,
            given.work,
            given.results or FOLDER / "results" / config.name,
        )
        stages = STAGES if given.step == "run" else [(given.step,)]
        is_done = given.step == "report" or _run(
            experiment, stages, jobs=given.jobs, until=time.time() + 60 * given.minutes
        )
        write_report(experiment, given.report)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on.", file=sys.stderr)
        return 130
    print(given.report)
    return 0 if is_done else _TIME_IS_UP


def _run(
    experiment: Experiment, stages: Sequence[Sequence[str]], *, jobs: int, until: float
) -> bool:
    with workers(jobs) as pool:
        for stage in stages:
            steps = [STEPS[name] for name in stage]
            tasks = [task for step in steps for task in step.tasks(experiment)]
            is_quiet = any(step.is_quiet for step in steps)
            if not run_all(tasks, pool=HERE if is_quiet else pool, until=until):
                print("Time is up. The same command goes on.", file=sys.stderr)
                return False
    return True


def _existing(name: Path) -> Path:
    """Return a configuration by its path, or by the name of a file beside this one."""
    return name if name.exists() else FOLDER / name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/paper_claim",
        description="Run the experiment on the paper's claim. The same command goes on.",
    )
    parser.add_argument("step", choices=["run", *STEPS, "report"])
    parser.add_argument("--work", type=Path, default=Path("runs/paper-claim"), help="weights")
    parser.add_argument("--config", type=Path, default=Path("office.yaml"))
    parser.add_argument("--text", type=Path, help="folder of the corpus")
    parser.add_argument("--results", type=Path, help="folder of the raw results")
    parser.add_argument("--report", type=Path, default=Path("docs/results.md"))
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side")
    return parser
