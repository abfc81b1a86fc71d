"""Check whether a supernet ranks its subnets in the same order as training each of them alone.

A search relies on the losses that subnets have with shared weights. Their quality is the rank
correlation with the losses of the same subnets trained alone (Yu et al., 2020, "Evaluating the
search phase of neural architecture search").

Legend: N subnets.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import rmtree

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from automoe.architecture.architecture import Architecture
from automoe.architecture.draws import draw_distinct
from automoe.architecture.space import SearchSpace
from automoe.progress import OnProgress, no_progress
from automoe.search.fitness.cache import FitnessCache
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.fitness.validation import SupernetFitness, ValidationFitness, validation_batches
from automoe.supernet import Transformer
from automoe.text import Corpus
from automoe.training import TrainingData, TrainingSettings, train
from automoe.training.model_folder import TrainedModel

LOSSES = "losses.jsonl"
CONFIDENCE = 0.95
_FEWEST = 3
_RESAMPLES = 1000

Losses = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RankedSubnet:
    """One subnet and its two losses, in nats per target token.

    Attributes:
        architecture: The architecture of the subnet.
        supernet_loss: The loss with the supernet's weights.
        alone_loss: The loss after a training of its own.
    """

    architecture: Architecture
    supernet_loss: float
    alone_loss: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rank correlation and its bootstrap interval.

    Attributes:
        value: The correlation: 1 for the same order, -1 for the reversed one.
        low: The lower end of the 95 % interval over subnets.
        high: The upper end of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RankingQuality:
    """The answer to how well a supernet ranks.

    Attributes:
        subnets: The subnets in the order in which they were drawn.
        spearman: The correlation of the ranks.
        kendall: The pairs in the same order minus the pairs in the other, as a share (tau-b).
    """

    subnets: tuple[RankedSubnet, ...]
    spearman: Correlation
    kendall: Correlation


@dataclass(frozen=True, slots=True)
class AloneFitness:
    """The loss of a subnet that is trained alone from new weights, on the supernet's valid split.

    Attributes:
        supernet: The folder of the supernet, which gives shape and vocabulary but no weights.
        corpus: The corpus to train and to validate on.
        settings: The settings of the training. The place of the norm is the supernet's.
        folder: The folder of the checkpoints.
    """

    supernet: Path
    corpus: Corpus
    settings: TrainingSettings
    folder: Path

    @property
    def digest(self) -> str:
        """A digest of everything besides the architecture that the losses depend on."""
        settings = self.settings.model_dump_json(exclude={"save_every", "validate_every", "norm"})
        digest = hashlib.sha256(settings.encode())
        digest.update(self.corpus.split("train").digest.encode())
        return f"alone/{digest.hexdigest()}/{SupernetFitness(self.supernet, self.corpus).digest}"

    def __call__(self, architecture: Architecture) -> float:
        """Return the loss of one subnet. A killed training is resumed.

        Raises:
            ModelFolderError: The folder holds no supernet.
            CorpusError: The corpus cannot be used.
            CheckpointError: A checkpoint is damaged or of another training.
        """
        trained, settings = TrainedModel.load(self.supernet), self.settings
        config = replace(
            trained.model.config,
            architecture=architecture,
            dropout=settings.dropout,
            attention_dropout=settings.attention_dropout,
            router_jitter=settings.router_jitter,
        )
        model = Transformer(config, seed=settings.seed)
        data = TrainingData.prepare(
            self.corpus, trained.vocabulary, max_sentence=settings.max_sentence
        )
        folder = self.folder / architecture.id
        train(model, data, settings, folder=folder)
        batches = validation_batches(self.corpus, trained.vocabulary, supernet=self.supernet)
        return ValidationFitness(model.cpu(), batches)(architecture)


def ranking_quality(
    supernet: Path,
    corpus: Corpus,
    settings: TrainingSettings,
    *,
    folder: Path,
    n: int = 8,
    seed: int = 0,
    on_progress: OnProgress = no_progress,
) -> RankingQuality:
    """Train random subnets alone and compare their order with the supernet's.

    Losses are kept in ``folder``: the same call resumes, and a larger ``n`` adds subnets.

    Args:
        supernet: The folder of `automoe train`.
        corpus: The corpus to train and to validate on.
        settings: The settings of each subnet's training.
        folder: The folder for losses and checkpoints.
        n: The number of subnets, at least 3.
        seed: The seed of the subnets that are drawn and of the bootstrap.
        on_progress: Called after each subnet.

    Raises:
        ValueError: There are fewer than three subnets, or all have the same loss.
        ModelFolderError: The folder holds no supernet.
        CorpusError: The corpus cannot be used.
    """
    if n < _FEWEST:
        raise ValueError(f"'n' must be at least {_FEWEST}. Got {n}.")
    _, space = TrainedModel.load_supernet(supernet)
    subnets = _ranked_subnets(
        _drawn(space, n, seed),
        SupernetFitness(supernet, corpus),
        AloneFitness(supernet, corpus, settings, folder),
        on_progress,
    )
    shared_N = np.array([subnet.supernet_loss for subnet in subnets])
    alone_N = np.array([subnet.alone_loss for subnet in subnets])
    return RankingQuality(
        subnets,
        correlation(spearman, shared_N, alone_N, seed=seed),
        correlation(kendall, shared_N, alone_N, seed=seed),
    )


def _ranked_subnets(
    drawn: Sequence[Architecture],
    shared: SupernetFitness,
    alone: AloneFitness,
    on_progress: OnProgress,
) -> tuple[RankedSubnet, ...]:
    """Return both losses of each architecture. A loss is on disk as soon as it is known."""
    cache = FitnessCache(alone.folder / LOSSES)
    shared_losses = Evaluator(shared, cache=cache)(drawn)
    evaluator = Evaluator(alone, cache=cache)
    alone_losses: dict[Architecture, float | None] = {}
    for architecture in drawn:
        alone_losses |= evaluator([architecture])
        rmtree(alone.folder / architecture.id, ignore_errors=True)
        note = f"{architecture.id} {alone_losses[architecture]:.3f}"
        on_progress(len(alone_losses), len(drawn), note)
    return tuple(RankedSubnet(a, _known(shared_losses[a]), _known(alone_losses[a])) for a in drawn)


def spearman(first_N: Losses, second_N: Losses) -> float:
    """Return Spearman's rank correlation."""
    return float(spearmanr(first_N, second_N).statistic)


def kendall(first_N: Losses, second_N: Losses) -> float:
    """Return Kendall's tau-b."""
    return float(kendalltau(first_N, second_N).statistic)


def correlation(
    of: Callable[[Losses, Losses], float], first_N: Losses, second_N: Losses, *, seed: int = 0
) -> Correlation:
    """Return a rank correlation with its percentile bootstrap over pairs (Efron, 1979).

    A resample in which all values of one side are equal has no ranks and is left out.

    Raises:
        ValueError: All values of one side are equal.
    """
    if not (np.ptp(first_N) and np.ptp(second_N)):
        raise ValueError(
            f"The losses of {len(first_N)} subnets must differ. Got the same for all; "
            "train longer, or draw more subnets."
        )
    rng = np.random.default_rng(seed)
    rows_RN = rng.integers(len(first_N), size=(_RESAMPLES, len(first_N)))
    values = [
        of(first_N[rows], second_N[rows])
        for rows in rows_RN
        if np.ptp(first_N[rows]) and np.ptp(second_N[rows])
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Correlation(of(first_N, second_N), float(low), float(high))


def report(quality: RankingQuality) -> dict[str, object]:
    """Return the answer as JSON types; losses are in nats per target token."""
    return {
        "n": len(quality.subnets),
        "confidence": CONFIDENCE,
        "spearman": asdict(quality.spearman),
        "kendall": asdict(quality.kendall),
        "subnets": [
            {
                "architecture_id": subnet.architecture.id,
                "architecture": subnet.architecture.to_dict(),
                "supernet_loss": subnet.supernet_loss,
                "alone_loss": subnet.alone_loss,
            }
            for subnet in quality.subnets
        ],
    }


def _drawn(space: SearchSpace, n: int, seed: int) -> list[Architecture]:
    """Return ``n`` distinct architectures; a larger ``n`` adds some at the end."""
    distinct = draw_distinct(space, n, f"ranking {seed}")
    if len(distinct) < n:
        raise ValueError(
            f"'n' must be at most {len(distinct)}, the subnets of '{space.name}'. Got {n}."
        )
    return distinct


def _known(loss: float | None) -> float:
    assert loss is not None  # only halving gives None
    return loss
