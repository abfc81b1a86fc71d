"""This module makes the tasks of supernets, and of the subnets that judge their losses."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from paper_claim.clock import Clock
from paper_claim.config import KINDS, ClaimConfig, Experiment, Kind, asked_fields, changed
from paper_claim.tasks import Task
from paper_claim.trainings import (
    asked_settings,
    history_of,
    require_supernet,
    supernet_digest,
    text_digest,
    trained_alone,
    weights_digest,
)

from automoe.architecture.architecture import Architecture
from automoe.architecture.sampling import draw_distinct
from automoe.search import SupernetFitness
from automoe.supernet import Transformer, TransformerConfig
from automoe.training import SubnetsOfUpdate, TrainingData, TrainingSettings, sampled, train
from automoe.training.model_folder import TrainedModel
from automoe.training.subnets import validated
from automoe.training.supernet_run import remember_corpus, remember_training


def of_all_kinds(config: ClaimConfig, settings: TrainingSettings) -> SubnetsOfUpdate:
    """Return the subnets of an update: dense ones, standard ones and fractional ones in turn.

    Uniform draws of the fractional space hold next to no dense architecture, and a search among
    dense ones would rely on weights that were hardly trained for them.
    """
    each = [sampled(config.space_of(kind), settings) for kind in KINDS]
    return lambda update: each[update % len(each)](update)


def supernet_task(experiment: Experiment) -> Task:
    """Return the task that trains the supernet, which serves all three kinds of experts."""
    settings = experiment.config.train
    asked = _asked_supernet(experiment, settings)
    return Task(experiment, "", "supernet", asked, _supernet, every=settings.save_every)


def _supernet(task: Task, clock: Clock) -> dict[str, Any]:
    experiment = task.experiment
    return _trained_supernet(experiment, experiment.config.train, experiment.supernet, clock)


def other_supernet_tasks(experiment: Experiment) -> list[Task]:
    """Return the tasks that train supernets with other settings, and let them rank the subnets."""
    tasks = []
    for candidate in experiment.config.ranking.supernets:
        settings = changed(experiment.config.train, candidate.changes)
        asked = _asked_supernet(experiment, settings) | {
            "subnets": [subnet_name(*each) for each in ranked_subnets(experiment.config)]
        }
        every = settings.save_every
        task = Task(experiment, "supernets", candidate.name, asked, _other_supernet, every=every)
        tasks.append(task)
    return tasks


def _other_supernet(task: Task, clock: Clock) -> dict[str, Any]:
    experiment, ranking = task.experiment, task.experiment.config.ranking
    candidate = next(each for each in ranking.supernets if each.name == task.name)
    settings = changed(experiment.config.train, candidate.changes)
    trained = _trained_supernet(experiment, settings, task.folder, clock)
    fitness = SupernetFitness(task.folder, experiment.corpus)
    subnets = ranked_subnets(experiment.config)
    return {**trained, "losses": {subnet_name(kind, each): fitness(each) for kind, each in subnets}}


def _asked_supernet(experiment: Experiment, settings: TrainingSettings) -> dict[str, Any]:
    return {
        "space": asked_fields(experiment.config.space),
        "settings": asked_settings(settings),
        "text": text_digest(experiment),
    }


def _trained_supernet(
    experiment: Experiment, settings: TrainingSettings, folder: Path, clock: Clock
) -> dict[str, Any]:
    space, vocabulary, corpus = experiment.config.space, experiment.vocabulary, experiment.corpus
    data = TrainingData.prepare(corpus, vocabulary, max_sentence=settings.max_sentence)
    model = Transformer(
        TransformerConfig.for_space(space, **settings.for_model()), seed=settings.seed
    )
    result = train(
        model,
        data,
        settings,
        folder=folder,
        subnets=of_all_kinds(experiment.config, settings),
        validated=validated(space, settings),
        on_progress=clock,
    )
    remember_corpus(folder, corpus, max_sentence=settings.max_sentence)
    remember_training(folder, result)
    TrainedModel(model, vocabulary, space).save(folder)
    return {**history_of(result), "weights_sha256": weights_digest(folder)}


def ranked_subnets(config: ClaimConfig) -> list[tuple[Kind, Architecture]]:
    """Return the subnets that are trained alone, and the kind of experts of each."""
    n, seed = config.ranking.of_each_kind, config.seed
    return [
        (kind, architecture)
        for kind in KINDS
        for architecture in draw_distinct(config.space_of(kind), n, f"ranking {kind} {seed}")
    ]


def alone_tasks(experiment: Experiment) -> list[Task]:
    """Return the tasks that train subnets of each kind alone, to judge the supernet's losses."""
    judged = {"supernet": supernet_digest(experiment)}
    return _subnet_tasks(experiment, "ranking", experiment.config.ranking.train, _alone, judged)


def _alone(task: Task, clock: Clock) -> dict[str, Any]:
    experiment = task.experiment
    require_supernet(experiment)
    result = trained_alone(task, experiment.config.ranking.train, clock)
    fitness = SupernetFitness(experiment.supernet, experiment.corpus)
    return {
        "supernet_loss": fitness(Architecture.from_dict(task.asked["architecture"])),
        "alone_loss": result.final.valid_loss,
    }


def repeated_tasks(experiment: Experiment) -> list[Task]:
    """Return the tasks that train the same subnets alone with other settings."""
    ranking, tasks = experiment.config.ranking, []
    for repeat in ranking.repeats:
        settings = changed(ranking.train, repeat.changes)
        compute = partial(_repeated, settings)
        after = f"-{repeat.name}"
        tasks += _subnet_tasks(experiment, "repeats", settings, compute, {}, after=after)
    return tasks


def _repeated(settings: TrainingSettings, task: Task, clock: Clock) -> dict[str, Any]:
    return {"alone_loss": trained_alone(task, settings, clock).final.valid_loss}


def _subnet_tasks(
    experiment: Experiment,
    folder: str,
    settings: TrainingSettings,
    compute: Callable[[Task, Clock], dict[str, Any]],
    further: Mapping[str, Any],
    *,
    after: str = "",
) -> list[Task]:
    """Return a task for each ranked subnet, with ``after`` behind its name."""
    tasks = []
    for kind, architecture in ranked_subnets(experiment.config):
        asked = {
            "kind": kind,
            "architecture": architecture.to_dict(),
            "settings": asked_settings(settings),
            "text": text_digest(experiment),
            **further,
        }
        name = f"{subnet_name(kind, architecture)}{after}"
        tasks.append(Task(experiment, folder, name, asked, compute, every=settings.save_every))
    return tasks


def subnet_name(kind: Kind, architecture: Architecture) -> str:
    """Return the name of a subnet that is trained alone."""
    return f"{kind}-{architecture.id}"
