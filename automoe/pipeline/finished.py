"""Count what the run in a folder has finished; nothing is written there."""

from pathlib import Path

from automoe.architecture.space import SearchSpace
from automoe.pipeline.config import RunConfig
from automoe.pipeline.profiled_architectures import profiled_architectures
from automoe.run_files import (
    LATENCY_LOG,
    MODELS,
    PREDICTOR,
    REPORT,
    RESULT,
    SEARCH_STATE,
    SUPERNET,
    WINNER,
)
from automoe.search.state import begun_with
from automoe.training import updates_done
from automoe.training.supernet_run import FINAL_WEIGHTS
from profilers import read_log


def pieces_done(config: RunConfig, space: SearchSpace) -> dict[str, tuple[int, int]]:
    """Return the pieces of work that are done, and all of them, for each stage in order.

    Raises:
        LogError, CheckpointError: A file of the run is damaged.
    """
    folder = config.folder
    begun = begun_with(folder / SEARCH_STATE)
    search = config.search.suited(space.count, begun=begun)
    n_generations = min(_lines(folder / SEARCH_STATE) - 1, search.generations)
    n_evaluated, n_evaluations = (
        min(search.evaluations(n), space.count) for n in (n_generations, search.generations)
    )
    is_verified = (folder / WINNER).exists()
    return {
        "profile": n_profiled(config, space),
        "fit": (int((folder / PREDICTOR).exists()), 1),
        "supernet": updates_of(folder / SUPERNET, config.train.updates),
        "search": (n_evaluations if is_verified else n_evaluated, n_evaluations),
        "verify": (int(is_verified), 1),
        **{
            f"finetune {name}": updates_of(folder / name, config.finetune.updates)
            for name in MODELS
        },
        **{
            f"evaluate {name}": (int((folder / name / "evaluation.json").exists()), 1)
            for name in MODELS
        },
        "report": (int((folder / RESULT).exists() and (folder / REPORT).exists()), 1),
    }


def n_profiled(config: RunConfig, space: SearchSpace) -> tuple[int, int]:
    """Return the number of architectures in the log, and of all that the run measures.

    Raises:
        LogError: The log is damaged.
    """
    wanted = {architecture.id for architecture in profiled_architectures(config, space)}
    log = config.folder / LATENCY_LOG
    measured = {row["point_id"] for row in read_log(log)} if log.exists() else set()
    return len(wanted & measured), len(wanted)


def updates_of(folder: Path, n_updates: int) -> tuple[int, int]:
    """Return the updates that are done, and all of them, which are fewer after an early stop.

    Args:
        folder: The folder of a training.
        n_updates: The number of updates of its settings.

    Raises:
        CheckpointError: The checkpoint is damaged.
    """
    done = updates_done(folder)
    is_finished = done and (folder / FINAL_WEIGHTS).exists()
    return done, done if is_finished else n_updates


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
