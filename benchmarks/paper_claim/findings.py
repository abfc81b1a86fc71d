"""This module computes every figure of the report from the raw results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from paper_claim.baselines import baseline
from paper_claim.bootstrap import Estimate, Statistics, difference, mean_bleu
from paper_claim.config import BASELINES, KINDS, Experiment, Final, changed
from paper_claim.tasks import read_result, results_of
from paper_claim.trainings import budget_name, search_name

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import Cost, routed_ffn_flops
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.search.ranking_quality import spearman
from profilers import read_log

NOT_YET = "not yet computed"
_FEWEST_RANKED = 3


@dataclass(frozen=True, slots=True)
class Latency:
    """A measured latency in milliseconds, with its 95 % interval."""

    ms: float
    low_ms: float
    high_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of one kind of final model.

    Attributes:
        final: Its entry in the configuration.
        architecture: The architecture, or None before its search.
        cost: The true cost for the sentence that is timed; None before the search.
        flops: The FLOPs of that sentence under the routing that was learned, in the mean over the
            trainings, without the vocabulary projection. Without a training, experts serve equal
            shares.
        latency: The latency by precision, as far as it was measured.
        trainings: The raw results of its trainings by seed.
        seeds: The seeds that it needs.
    """

    final: Final
    architecture: Architecture | None
    cost: Cost | None
    flops: float | None
    latency: Mapping[str, Latency]
    trainings: Mapping[int, Mapping[str, Any]]
    seeds: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """Whether it is trained from scratch with the settings of all final trainings."""
        return self.final.start == "scratch" and not self.final.changes

    @property
    def is_complete(self) -> bool:
        """Whether every training is done."""
        return self.architecture is not None and set(self.seeds) <= self.trainings.keys()

    def statistics(
        self, first: int | None = None, *, seeds: Sequence[int] | None = None
    ) -> list[Statistics]:
        """Return the sentence statistics of trainings.

        Args:
            first: The number of the first sentences that count; None for all.
            seeds: The seeds of the trainings; None for all that are done.
        """
        chosen = self.trainings if seeds is None else seeds
        return [_statistics(self.trainings[seed]["test"], first) for seed in chosen]

    def bleu(self, first: int | None = None) -> Estimate | None:
        """Return the mean BLEU over the trainings that are done; None without one."""
        return mean_bleu(self.statistics(first)) if self.trainings else None


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """The winner of one search, or a baseline.

    Attributes:
        method: The method or the name of the baseline.
        budget: The name of the budget; empty for a baseline.
        architecture: The architecture.
        cost: Its cost.
        loss: The validation loss with inherited weights; None for a baseline.
        upper_ms: The predicted upper bound; None for a baseline.
        latency: The measured latency, or None when it is not measured yet.
        bleu: The BLEU with inherited weights, or None when it is not computed yet.
    """

    method: str
    budget: str
    architecture: Architecture
    cost: Cost
    loss: float | None
    upper_ms: float | None
    latency: Latency | None
    bleu: Estimate | None


class Findings:
    """All figures of an experiment, as far as its raw results go.

    Args:
        experiment: The experiment. Its work folder and its corpus are not read.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.config = experiment.config
        self.folder = experiment.results
        single = ("text", "plan", "profile", "predictor", "supernet")
        self.single = {
            name: read_result(path)
            for name in single
            if (path := experiment.results / f"{name}.json").exists()
        }
        self.tuning, self.ranking, self.repeats, self.supernets = (
            results_of(experiment, kind) for kind in ("tuning", "ranking", "repeats", "supernets")
        )
        self.searches, self.inherited, self.trainings = (
            results_of(experiment, kind) for kind in ("search", "inherited", "training")
        )
        self.sessions = {
            precision: read_result(path)
            for precision in self.config.measure.precisions
            if (path := self.folder / f"measured-{precision}.json").exists()
        }
        self.measured = {
            precision: _latencies(self.folder / f"measured-{precision}.csv")
            for precision in self.sessions
        }

    @cached_property
    def models(self) -> dict[str, Model]:
        """The final models by name, in the order of the configuration."""
        return {final.name: self._model(final) for final in self.config.final.models}

    def _model(self, final: Final) -> Model:
        seeds = final.seeds or self.config.final.seeds
        done = {
            seed: self.trainings[name]
            for seed in seeds
            if (name := f"{final.name}-{seed}") in self.trainings
        }
        architecture = self._architecture(final, done)
        if architecture is None:
            return Model(
                final=final,
                architecture=None,
                cost=None,
                flops=None,
                latency={},
                trainings={},
                seeds=seeds,
            )
        workload = self.config.workload
        cost = workload.cost(architecture)
        extra = [learned_extra(architecture, r["routing"], workload) for r in done.values()]
        return Model(
            final=final,
            architecture=architecture,
            cost=cost,
            flops=cost.flops + (mean(extra) if extra else 0.0),
            latency=self._latency(architecture),
            trainings=done,
            seeds=seeds,
        )

    def _architecture(
        self, final: Final, done: Mapping[int, Mapping[str, Any]]
    ) -> Architecture | None:
        if final.of in BASELINES:
            return baseline(final.of, self.config.space)
        for result in done.values():
            return Architecture.from_dict(result["asked"]["architecture"])
        search = self.config.search
        method, _, budget = final.of.partition(":")
        name = search_name(method, budget or budget_name(search.main), search.seeds[0])
        winner = self.searches.get(name, {})
        return Architecture.from_dict(winner["architecture"]) if "architecture" in winner else None

    def _latency(self, architecture: Architecture) -> dict[str, Latency]:
        return {
            precision: rows[architecture.id]
            for precision, rows in self.measured.items()
            if architecture.id in rows
        }

    def loss_of_search(self, name: str, seed: int) -> str:
        """Return the loss of a winner at the main budget, as far as it was searched for."""
        result = self.searches.get(search_name(name, budget_name(self.config.search.main), seed))
        if result is None:
            return NOT_YET
        return f"{result['fitness']:.4f}" if "fitness" in result else "nothing fits"

    @cached_property
    def front(self) -> list[FrontPoint]:
        """The baselines, and the winners of all searches with the first seed."""
        search = self.config.search
        budgets = [*(budget_name(share) for share in search.budgets), "parity"]
        points = []
        for name in BASELINES:
            architecture = baseline(name, self.config.space)
            if architecture.id in self.inherited or self._latency(architecture):
                points.append(self._point(name, "", architecture))
        for method in search.methods:
            for budget in budgets:
                result = self.searches.get(search_name(method.name, budget, search.seeds[0]), {})
                if "architecture" in result:
                    winner = Architecture.from_dict(result["architecture"])
                    points.append(self._point(method.name, budget, winner, result))
        return points

    def _point(
        self,
        method: str,
        budget: str,
        architecture: Architecture,
        result: Mapping[str, Any] | None = None,
    ) -> FrontPoint:
        test = self.inherited.get(architecture.id)
        return FrontPoint(
            method=method,
            budget=budget,
            architecture=architecture,
            cost=self.config.workload.cost(architecture),
            loss=result["fitness"] if result else None,
            upper_ms=result["latency_ms"]["upper"] if result else None,
            latency=self._latency(architecture).get("fp32"),
            bleu=mean_bleu([_statistics(test["test"])]) if test else None,
        )

    def supernet_losses(self, other: str | None = None) -> dict[str, float]:
        """Return the loss of each ranked subnet with the weights of a supernet.

        Args:
            other: The name of a supernet with other settings; None for the one of the searches.
        """
        if other is None:
            return {name: result["supernet_loss"] for name, result in self.ranking.items()}
        return dict(self.supernets[other]["losses"]) if other in self.supernets else {}

    def alone_losses(self, repeat: str | None = None) -> dict[str, float]:
        """Return the loss of each ranked subnet after a training alone.

        Args:
            repeat: The name of repeated trainings with other settings; None for the first ones.
        """
        if repeat is None:
            return {name: result["alone_loss"] for name, result in self.ranking.items()}
        return {
            name: self.repeats[done]["alone_loss"]
            for name in self.ranking
            if (done := f"{name}-{repeat}") in self.repeats
        }

    @property
    def judges(self) -> list[str | None]:
        """The trainings alone that all subnets have had, as names of repeats, longest first."""
        ranking = self.config.ranking
        updates = {None: ranking.train.updates} | {
            each.name: changed(ranking.train, each.changes).updates for each in ranking.repeats
        }
        n_ranked = len(KINDS) * ranking.of_each_kind
        complete = [name for name in updates if len(self.alone_losses(name)) == n_ranked]
        return sorted(complete, key=lambda name: -updates[name])

    def compared(self, first: str, second: str) -> Estimate | None:
        """Return the BLEU of one model less that of another; None before both are complete.

        Trainings with the seeds that both have are compared, or all when there are none.
        """
        a, b = (self.models.get(name) for name in (first, second))
        if a is None or b is None or not (a.is_complete and b.is_complete):
            return None
        seeds = [seed for seed in a.seeds if seed in b.seeds] or None
        return difference(a.statistics(seeds=seeds), b.statistics(seeds=seeds))

    def unchanged(self, name: str) -> str | None:
        """Return the model that a remedy changes: of one architecture, trained as all others."""
        of = self.models[name].final.of
        plain = [m.final.name for m in self.models.values() if m.final.of == of and m.is_plain]
        return plain[0] if plain and not self.models[name].is_plain else None


def rank_correlation(
    losses: Mapping[str, float], judges: Mapping[str, float], kind: str = ""
) -> Estimate | None:
    """Return Spearman's correlation of two losses over the subnets of a kind that have both.

    None stands for fewer than three of them.
    """
    names = sorted(n for n in losses.keys() & judges.keys() if n.startswith(kind))
    if len(names) < _FEWEST_RANKED:
        return None
    correlation = spearman(*np.array([(losses[n], judges[n]) for n in names]).T)
    return Estimate(correlation.value, correlation.low, correlation.high)


def _statistics(test: Mapping[str, Any], first: int | None = None) -> Statistics:
    return np.array(test["statistics"], dtype=np.int64)[:first]


def _latencies(log: Path) -> dict[str, Latency]:
    names = ("latency_ms", "ci_low_ms", "ci_high_ms")
    return {
        row["point_id"]: Latency(*(float(row[name]) for name in names)) for row in read_log(log)
    }


def learned_extra(
    architecture: Architecture,
    routing: Mapping[str, Sequence[Mapping[str, Any]]],
    workload: TranslationWorkload,
) -> float:
    """Return the FLOPs that learned routing takes beyond equal shares of the experts."""
    stacks = {
        "encoder": (architecture.encoder, workload.src_len),
        "decoder": (architecture.decoder, workload.tgt_len),
    }
    extra = 0.0
    for name, (stack, n_tokens) in stacks.items():
        for layer in routing[name]:
            widths, counts = stack.layers[layer["layer"]].experts, layer["tokens"]
            served = [n_tokens * count / max(sum(counts), 1) for count in counts]
            equal = [n_tokens / len(widths)] * len(widths)
            for tokens, sign in ((served, 1), (equal, -1)):
                extra += sign * routed_ffn_flops(widths, tokens, stack.embed_dim)
    return extra


def experts_of(architecture: Architecture) -> str:
    """Return the number of experts of each layer, such as ``1-3-2 / 1-1``."""
    stacks = (architecture.encoder.layers, architecture.decoder.layers)
    return " / ".join("-".join(str(len(layer.experts)) for layer in each) for each in stacks)
