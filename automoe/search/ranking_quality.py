"""Check whether a supernet ranks its subnets in the same order as training each of them alone.

A search relies on the losses that subnets have with shared weights. Their quality is the rank
correlation with the losses of the same subnets trained alone (Yu et al., 2020, "Evaluating the
search phase of neural architecture search").

Legend: N subnets, S samples.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import asin, pi, sqrt
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from automoe.architecture.architecture import Architecture
from automoe.architecture.sampling import draw_distinct
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
_SAMPLES = 2000
_STEPS = 12  # the limits are known to 0.0005
_ROUNDING = 1e-9

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
    """A rank correlation and its interval.

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
        left_out = self.settings.outside_fingerprint() | {"norm"}
        settings = self.settings.model_dump_json(exclude=left_out)
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
        own = {**settings.for_model(), "pre_norm": trained.model.config.pre_norm}
        config = replace(trained.model.config, architecture=architecture, **own)
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
        seed: The seed of the subnets that are drawn.
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
        spearman(shared_N, alone_N),
        kendall(shared_N, alone_N),
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


def spearman(first_N: Losses, second_N: Losses) -> Correlation:
    """Return Spearman's rank correlation with its interval, see `_interval`."""
    value = _known_value(first_N, second_N, spearmanr)
    low, high = _interval(_spearman_of_ranks, value, len(first_N))
    # The population's value for a normal relation with correlation r (Kruskal 1958).
    return Correlation(value, 6 / pi * asin(low / 2), 6 / pi * asin(high / 2))


def kendall(first_N: Losses, second_N: Losses) -> Correlation:
    """Return Kendall's tau-b with its interval, see `_interval`."""
    value = _known_value(first_N, second_N, kendalltau)
    low, high = _interval(_kendall_of_ranks, value, len(first_N))
    return Correlation(value, 2 / pi * asin(low), 2 / pi * asin(high))


def _known_value(first_N: Losses, second_N: Losses, of: Callable[..., Any]) -> float:
    if not (np.ptp(first_N) and np.ptp(second_N)):
        raise ValueError(
            f"The losses of {len(first_N)} subnets must differ. Got the same for all; "
            "train longer, or draw more subnets."
        )
    return float(of(first_N, second_N).statistic)


def _interval(of: Callable[[Losses, Losses], Losses], value: float, n: int) -> tuple[float, float]:
    """Return the correlations r for which a rank correlation is neither too small nor too large.

    This inverts a test (Neyman 1937). The test draws samples from a normal relation with
    correlation r. Ranks are the same for any monotone scale of the losses, so only the form of
    the relation is assumed. The interval is valid for few subnets, and is wide where all agree.
    Where outliers are common (t with 3 degrees of freedom) it covers 91 % of 20 subnets.

    Args:
        of: The function that computes the rank correlations of samples.
        value: The rank correlation that was observed.
        n: The number of subnets.
    """
    return -_highest(of, -value, n), _highest(of, value, n)


def _highest(of: Callable[[Losses, Losses], Losses], value: float, n: int) -> float:
    """Return the largest correlation for which a value as small as this is not too rare."""
    first_SN, other_SN = np.random.default_rng(0).standard_normal((2, _SAMPLES, n))
    possible, impossible = -1.0, 1.0
    for _ in range(_STEPS):
        r = (possible + impossible) / 2
        values_S = of(first_SN, r * first_SN + sqrt(1 - r * r) * other_SN)
        if np.mean(values_S <= value + _ROUNDING) >= (1 - CONFIDENCE) / 2:
            possible = r
        else:
            impossible = r
    return impossible


def _spearman_of_ranks(first_SN: Losses, second_SN: Losses) -> Losses:
    n = first_SN.shape[1]
    first_ranks, second_ranks = (x.argsort(axis=1).argsort(axis=1) for x in (first_SN, second_SN))
    values_S: Losses = 1 - 6 * ((first_ranks - second_ranks) ** 2).sum(axis=1) / (n**3 - n)
    return values_S


def _kendall_of_ranks(first_SN: Losses, second_SN: Losses) -> Losses:
    n = first_SN.shape[1]
    agreeing_S = np.zeros(len(first_SN))
    for i in range(n - 1):
        first_steps = first_SN[:, i + 1 :] - first_SN[:, [i]]
        second_steps = second_SN[:, i + 1 :] - second_SN[:, [i]]
        agreeing_S += np.sign(first_steps * second_steps).sum(axis=1)
    values_S: Losses = agreeing_S / (n * (n - 1) / 2)
    return values_S


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
