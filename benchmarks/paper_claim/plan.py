"""This module plans the hours of the experiment from a few updates that are timed here."""

import time
from collections.abc import Callable, Mapping
from random import Random
from statistics import mean
from typing import Any

from paper_claim.baselines import baseline
from paper_claim.clock import Clock
from paper_claim.config import BASELINES, KINDS, ClaimConfig, Experiment, asked_fields, changed
from paper_claim.supernets import of_all_kinds
from paper_claim.tasks import Task

from automoe.architecture.architecture import Architecture
from automoe.pipeline.throughput import seconds_per_token, seconds_per_update
from automoe.settings.search import EvolutionSettings
from automoe.supernet import TransformerConfig
from automoe.training import TrainingSettings, full_shape

_DRAWS = 3  # of each kind
_SANDWICH = 4  # subnets of an update under the sandwich rule
_HOUR = 3600


def plan_task(experiment: Experiment) -> Task:
    """Return the task that times updates of this machine, one thread each."""
    config = experiment.config
    asked = {
        "space": asked_fields(config.space),
        "max_tokens": {"train": config.train.max_tokens, "final": config.final.train.max_tokens},
    }
    return Task(experiment, "", "plan", asked, _timed)


def _timed(task: Task, clock: Clock) -> dict[str, Any]:
    config, rng = task.experiment.config, Random("plan")
    space, vocab_size = config.space, config.space.vocab_size

    def alone(architecture: Architecture) -> float:
        shape = TransformerConfig.of(architecture, vocab_size=vocab_size)
        return _of_processor(seconds_per_update, shape, config.final.train, space, full_shape)

    drawn = [config.space_of(kind).sample(rng) for kind in KINDS for _ in range(_DRAWS)]
    supernet = TransformerConfig.for_space(space)
    subnets = of_all_kinds(config, config.train)
    every_kind = [
        # A call leaves out the time of its first update and times the three after it.
        _of_processor(
            seconds_per_update,
            supernet,
            config.train,
            space,
            lambda update, first=first: subnets(first + update),
        )
        for first in range(0, 4 * _DRAWS, 4)
    ]
    return {
        "supernet_update_s": mean(every_kind),
        "subnet_update_s": mean(map(alone, drawn)),
        **{f"{name}_update_s": alone(baseline(name, space)) for name in BASELINES},
        "loss_token_s": mean(
            _of_processor(seconds_per_token, supernet, space, each) for each in drawn
        ),
    }


def _of_processor(timed: Callable[..., float], *arguments: object) -> float:
    """Return the seconds that a function timed, less the share that other programs had the core."""
    wall, own = time.perf_counter(), time.process_time()
    seconds = timed(*arguments)
    return seconds * (time.process_time() - own) / (time.perf_counter() - wall)


def planned_hours(
    config: ClaimConfig, timed: Mapping[str, float], text: Mapping[str, Any]
) -> dict[str, float]:
    """Return the hours of one processor core that each step takes.

    Args:
        config: The configuration.
        timed: The raw result of `plan_task`.
        text: The raw result of the text.
    """
    search = config.search
    n_repeated = sum(method.repeated for method in search.methods)
    n_searches = len(search.methods) * len(search.budgets) + n_repeated * (len(search.seeds) - 1)
    n_searches += len(search.parity.methods) if search.parity else 0
    n_evaluations = n_searches * evaluations(search.evolution) + sum(
        len(search.seeds) * evaluations(search.evolution.model_copy(update=remedy.changes))
        for remedy in search.remedies
    )
    valid_tokens = text["tokens_of_valid"]
    evaluation_s = valid_tokens * timed["loss_token_s"]
    n_alone = len(KINDS) * config.ranking.of_each_kind
    token_s = timed["subnet_update_s"] / config.final.train.max_tokens  # whose batches were timed

    def alone_s(settings: TrainingSettings) -> float:
        return n_alone * settings.updates * settings.max_tokens * token_s

    others = [changed(config.train, each.changes) for each in config.ranking.supernets]
    updates_of_others = sum(
        each.updates
        * (each.max_tokens / config.train.max_tokens)
        * (_SANDWICH if each.sampling == "sandwich" else 1)
        for each in others
    )
    seconds = {
        "supernet": config.train.updates * timed["supernet_update_s"],
        "ranking": alone_s(config.ranking.train),
        "search": n_evaluations * evaluation_s,
        "baselines": _final_s(config, timed, of_baselines=True),
        "final": _final_s(config, timed, of_baselines=False),
        "repeats": sum(
            alone_s(changed(config.ranking.train, each.changes)) for each in config.ranking.repeats
        ),
        "supernets": updates_of_others * timed["supernet_update_s"],
    }
    return {name: each_s / _HOUR for name, each_s in seconds.items()}


def evaluations(evolution: EvolutionSettings) -> int:
    """Return the number of evaluations of one search."""
    later = (evolution.generations - 1) * (evolution.mutants + evolution.crossovers)
    return evolution.population + later


def _final_s(config: ClaimConfig, timed: Mapping[str, float], *, of_baselines: bool) -> float:
    total_s = 0.0
    for final in config.final.models:
        if (final.of in BASELINES) == of_baselines:
            each_s = timed[f"{final.of if of_baselines else 'subnet'}_update_s"]
            for seed in final.seeds or config.final.seeds:
                total_s += each_s * config.final.settings(final, seed).updates
    return total_s
