"""Train the final models of a run: side by side where the processor has the cores for it.

Two small trainings with half of the cores each may be done sooner than one after the other with all
cores, because threads of one training wait for each other. No benchmark here has measured it.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from loky import ProcessPoolExecutor

from automoe.architecture.architecture import Architecture, ArchitectureError
from automoe.parent_process import end_with
from automoe.pipeline.finished import updates_of
from automoe.progress import OnProgress
from automoe.run_files import ARCHITECTURE
from automoe.settings.training import TrainingSettings
from automoe.text import Corpus
from automoe.training import finetune
from automoe.training.kept_weights import FinalWeights
from automoe.training.model_folder import TrainedModel
from automoe.training.processes import processes
from devices.files import write_json
from devices.host import LocalHost
from devices.linux.cores import usable_cores
from devices.yaml_json import FileContentError, parse_json

_LOOK_S = 0.5  # between two looks at the progress of the processes
_STOP = "stop"  # the file that asks the processes to save their checkpoints and to end


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalModel:
    """A final model of a run, with all that its training needs.

    Attributes:
        name: The name of the model, for the user.
        architecture: The architecture.
        corpus: The corpus to train on.
        settings: The settings of the training.
        supernet: The folder of the supernet.
        folder: The folder of the model.
        searched: The result of the search that found the architecture, or None.
    """

    name: str
    architecture: Architecture
    corpus: Corpus
    settings: TrainingSettings
    supernet: Path
    folder: Path
    searched: Mapping[str, Any] | None = None

    @property
    def is_trained(self) -> bool:
        """Whether no update is left to do."""
        done, total = updates_of(self.folder, self.settings.updates)
        return done >= total

    def train(self, on_progress: OnProgress) -> FinalWeights:
        """Train and export the model, or resume. Return which weights it has.

        Raises:
            As `finetune`.
        """
        return finetune(
            self.architecture,
            self.corpus,
            self.settings,
            folder=self.folder,
            supernet=TrainedModel.load(self.supernet),
            searched=self.searched,
            on_progress=on_progress,
        ).final


def claimed_folder(architecture: Architecture, folder: Path) -> Path:
    """Return the folder for this architecture. A model of another architecture is moved aside."""
    note = folder / ARCHITECTURE
    other = _noted(note) if note.exists() else architecture
    if other != architecture:
        folder.rename(folder.with_name(f"{folder.name}-{other.id}"))
    before = folder.with_name(f"{folder.name}-{architecture.id}")
    if before.exists() and not folder.exists():
        before.rename(folder)
    write_json(note, architecture.to_dict())
    return folder


def _noted(note: Path) -> Architecture:
    try:
        return Architecture.from_dict(parse_json(note.read_bytes()))
    except (ArchitectureError, FileContentError) as error:
        raise ArchitectureError(
            f"'{note}' does not tell the architecture that is trained there. {error} "
            f"To train again, delete '{note.parent}'."
        ) from None


def can_train_together(models: Sequence[FinalModel], *, jobs: int | None) -> bool:
    """Return whether models are trained side by side here: more than one, and a core for each.

    Args:
        models: The models of a run.
        jobs: The most processes that the user allows; None for one on each usable core.
    """
    n_left = sum(not model.is_trained for model in models)
    return n_left > 1 and have_cores(len(models), jobs=jobs)


def have_cores(n_models: int, *, jobs: int | None) -> bool:
    """Return whether this machine trains models side by side.

    Args:
        n_models: The number of models.
        jobs: The most processes that the user allows; None for one on each usable core.
    """
    if jobs == 1:
        return False
    state = processes()
    is_alone_on_cpu = state.num_processes == 1 and state.device.type == "cpu"
    return is_alone_on_cpu and n_cores() >= n_models


def threads_of_each(n_models: int) -> int:
    """Return the threads of each of several models that are trained side by side."""
    return max(1, n_cores() // n_models)


def n_cores() -> int:
    """Return the number of cores that trainings may use; `OMP_NUM_THREADS` limits it as well."""
    return min(usable_cores(LocalHost()), torch.get_num_threads())


def train_together(
    models: Sequence[FinalModel], on_progress: OnProgress
) -> dict[str, FinalWeights] | None:
    """Train models in a process each. Return which weights each one has, by the models' names.

    Return None when a process died, such as without memory: then train them one after the other.

    After an interruption each training saves a checkpoint of the update that it is at, however long
    the update takes. A second interruption stops them at once.

    Raises:
        As `FinalModel.train`. The other trainings are stopped, and resume from their checkpoints.
    """
    threads = str(threads_of_each(len(models)))
    environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    executor = ProcessPoolExecutor(
        max_workers=len(models), env=environment, initializer=end_with, initargs=(os.getpid(),)
    )
    futures: list[Future[FinalWeights]] = []
    with TemporaryDirectory(prefix="automoe-training-") as folder:
        files = {model.name: Path(folder) / str(n) for n, model in enumerate(models)}
        try:
            futures.extend(executor.submit(_trained, each, files[each.name]) for each in models)
            _follow(futures, files, on_progress)
            trained = [future.result() for future in futures]
            return dict(zip(files, trained, strict=True))
        except BrokenProcessPool:
            return None
        except KeyboardInterrupt:
            (Path(folder) / _STOP).touch()
            wait(futures)
            raise
        finally:
            executor.shutdown(kill_workers=True)


def _trained(model: FinalModel, file: Path) -> FinalWeights:
    """Train a model in a process of its own, and write its progress into a file.

    The file `stop` beside it stands for a Ctrl-C, which need not reach this process.
    """

    def write(done: int, total: int, note: str = "") -> None:
        file.write_text(f"{done} {total} {note}", encoding="utf-8")
        # Python's own handler is back when a Ctrl-C has reached the training: it saves already.
        is_waiting = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        if is_waiting and file.with_name(_STOP).exists():
            signal.raise_signal(signal.SIGINT)

    return model.train(write)


def _follow(
    futures: Sequence["Future[FinalWeights]"], files: Mapping[str, Path], on_progress: OnProgress
) -> None:
    """Report the progress of processes until all are finished or one has failed."""
    while True:
        done, left = wait(futures, timeout=_LOOK_S, return_when=FIRST_EXCEPTION)
        _report(files, on_progress)
        if not left or any(future.exception() for future in done):
            return


def _report(files: Mapping[str, Path], on_progress: OnProgress) -> None:
    """Report the updates of the process that is furthest behind, with the loss of each."""
    counts, texts = [], []
    for name, file in files.items():
        with suppress(OSError, ValueError):  # it does not exist yet, or is being written
            done, total, text = file.read_text(encoding="utf-8").split(" ", 2)
            counts.append((int(done), int(total)))
            texts.append(f"{name}: {text}")
    if len(texts) == len(files):
        on_progress(*min(counts), ", ".join(texts))
