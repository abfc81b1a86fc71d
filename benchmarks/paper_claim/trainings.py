"""This module makes the tasks of single models: short trainings for settings, and final ones."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paper_claim.baselines import baseline
from paper_claim.clock import Clock
from paper_claim.config import BASELINES, Experiment, Final, asked_fields
from paper_claim.routing import routed
from paper_claim.tasks import Task, read_result
from paper_claim.translations import scored

from automoe.architecture.architecture import Architecture
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import ParallelText
from automoe.training import (
    ONNX,
    TrainingData,
    TrainingResult,
    TrainingSettings,
    finetune,
    train,
)
from automoe.training.model_folder import VOCABULARY, WEIGHTS, TrainedModel
from automoe.translation import Translator


def trained_alone(task: Task, settings: TrainingSettings, clock: Clock) -> TrainingResult:
    """Train the architecture that a task asks for from new weights."""
    experiment = task.experiment
    architecture = Architecture.from_dict(task.asked["architecture"])
    vocabulary = experiment.vocabulary
    data = TrainingData.prepare(experiment.corpus, vocabulary, max_sentence=settings.max_sentence)
    config = TransformerConfig.of(architecture, vocab_size=vocabulary.size, **settings.for_model())
    model = Transformer(config, seed=settings.seed)
    return train(model, data, settings, folder=task.folder, on_progress=clock)


def tuning_tasks(experiment: Experiment) -> list[Task]:
    """Return the short trainings after which the settings of the final ones were chosen."""
    tuning = experiment.config.tuning
    if tuning is None:
        return []
    manual = baseline("manual", experiment.config.space).to_dict()
    tasks = []
    for candidate in tuning.candidates:
        settings = tuning.settings(candidate)
        asked = {
            "architecture": manual,
            "settings": asked_settings(settings),
            "text": text_digest(experiment),
        }
        every = settings.save_every
        tasks.append(Task(experiment, "tuning", candidate.name, asked, _tuned, every=every))
    return tasks


def _tuned(task: Task, clock: Clock) -> dict[str, Any]:
    tuning = task.experiment.config.tuning
    assert tuning is not None
    candidate = next(each for each in tuning.candidates if each.name == task.name)
    return history_of(trained_alone(task, tuning.settings(candidate), clock))


def final_tasks(experiment: Experiment, *, of_baselines: bool) -> list[Task]:
    """Return the tasks of the final trainings: those of the baselines, or those of winners."""
    config = experiment.config.final
    finals = [final for final in config.models if (final.of in BASELINES) == of_baselines]
    tasks = []
    for final in finals:
        architecture = architecture_of(experiment, final.of)
        if architecture is not None:  # a search may find nothing within its budget
            seeds = final.seeds or config.seeds
            tasks += [_final_task(experiment, final, architecture, seed) for seed in seeds]
    # First one training of each model, then the others, and remedies last.
    remedies = {final.name for final in finals if final.changes}
    return sorted(tasks, key=lambda task: (task.asked["model"] in remedies, task.asked["seed"]))


def _final_task(
    experiment: Experiment, final: Final, architecture: Architecture, seed: int
) -> Task:
    settings = experiment.config.final.settings(final, seed)
    evaluated = asked_fields(experiment.config.evaluate)
    asked = {
        "model": final.name,
        "of": final.of,
        "architecture": architecture.to_dict(),
        "start": final.start,
        "seed": seed,
        "settings": asked_settings(settings),
        "evaluate": evaluated,
        "text": text_digest(experiment),
    }
    if final.start == "supernet":
        asked["supernet"] = supernet_digest(experiment)
    name = f"{final.name}-{seed}"
    return Task(experiment, "training", name, asked, _final, every=settings.save_every)


def _final(task: Task, clock: Clock) -> dict[str, Any]:
    experiment, asked = task.experiment, task.asked
    config = experiment.config
    final = next(final for final in config.final.models if final.name == asked["model"])
    supernet = None
    if final.start == "supernet":
        require_supernet(experiment)
        supernet = TrainedModel.load(experiment.supernet)
    vocabulary = experiment.vocabulary
    vocabulary.save(task.folder / VOCABULARY)  # the same one for every model
    result = finetune(
        Architecture.from_dict(asked["architecture"]),
        experiment.corpus,
        config.final.settings(final, asked["seed"]),
        folder=task.folder,
        supernet=supernet,
        vocab_size=vocabulary.size,
        on_progress=clock,
    )
    trained_s = clock.seconds()
    return {
        **history_of(result),
        "trained": trained_s,
        "test": scored(translator(experiment, task.folder / ONNX), test_text(experiment)),
        "routing": routed(task.folder, experiment.corpus),
    }


def architecture_of(experiment: Experiment, of: str) -> Architecture | None:
    """Return a baseline, or the winner of a search; None when nothing fits the search's budget.

    Raises:
        FileNotFoundError: The search has no result yet.
    """
    if of in BASELINES:
        return baseline(of, experiment.config.space)
    search = experiment.config.search
    method, _, budget = of.partition(":")
    name = search_name(method, budget or budget_name(search.main), search.seeds[0])
    result = read_result(experiment.results / "search" / f"{name}.json")
    return None if "infeasible" in result else Architecture.from_dict(result["architecture"])


def search_name(method: str, budget: str, seed: int) -> str:
    """Return the name of a search's result."""
    return f"{method}-{budget}-{seed}"


def budget_name(share: float) -> str:
    """Return the name of a budget in names of results: its share in percent."""
    return f"{100 * share:g}".replace(".", "_")


def translator(experiment: Experiment, bundle: Path) -> Translator:
    """Return the translator of an exported model, with the decoding of the experiment."""
    decoding = experiment.config.evaluate
    return Translator.open(bundle, beam=decoding.beam, length_penalty=decoding.length_penalty)


def test_text(experiment: Experiment) -> ParallelText:
    """Return the sentences of the test split that are translated."""
    return experiment.corpus.split("test").first(experiment.config.evaluate.sentences)


def weights_digest(folder: Path) -> str:
    """Return the digest of a model's weights."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def supernet_digest(experiment: Experiment) -> str:
    """Return the digest of the supernet's weights, which its raw result holds."""
    digest: str = read_result(experiment.results / "supernet.json")["weights_sha256"]
    return digest


def require_supernet(experiment: Experiment) -> None:
    """Check that the work folder has the weights that the raw result names.

    Raises:
        FileNotFoundError: The weights are missing, or others.
    """
    folder = experiment.supernet
    if (folder / WEIGHTS).exists() and weights_digest(folder) == supernet_digest(experiment):
        return
    raise FileNotFoundError(
        f"'{folder}' lacks the weights that '{experiment.results / 'supernet.json'}' names. Give "
        "the work folder that has them. If they are lost, move the results 'supernet.json', "
        "'ranking', 'search' and 'inherited' away to compute them again."
    )


def asked_settings(settings: TrainingSettings) -> dict[str, Any]:
    """Return what a training's result depends on, which is not how often it is saved."""
    return {key: value for key, value in asked_fields(settings).items() if key != "save_every"}


def text_digest(experiment: Experiment) -> str:
    """Return the digest of the vocabulary, which the raw result of the text holds."""
    digest: str = read_result(experiment.results / "text.json")["vocabulary_sha256"]
    return digest


def history_of(result: TrainingResult) -> dict[str, Any]:
    """Return the losses, and which weights went on."""
    final = asdict(result.final)
    final["updates"] = list(final["updates"])
    return {"history": [record.to_dict() for record in result.history], "weights": final}
