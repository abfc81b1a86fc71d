import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau
from support.small_text import small_space, write_corpus

from automoe.architecture.space import SearchSpace
from automoe.cli.main import main
from automoe.search import ranking_quality as module
from automoe.search.ranking_quality import (
    LOSSES,
    AloneFitness,
    Correlation,
    kendall,
    ranking_quality,
    spearman,
)
from automoe.text import Corpus
from automoe.training import TrainingSettings, finetune, train_supernet

Measure = Callable[[np.ndarray, np.ndarray], Correlation]

SETTINGS = TrainingSettings.of(
    updates=6,
    max_tokens=120,
    learning_rate=0.01,
    warmup_updates=2,
    max_sentence=40,
    save_every=2,
    seed=3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranking")
    train_supernet(small_space(), write_corpus(folder / "text"), SETTINGS, folder=folder / "net")
    return folder


@pytest.fixture
def corpus(folder: Path) -> Corpus:
    return write_corpus(folder / "text")


def test_rank_correlations_are_those_of_a_hand_calculation() -> None:
    # Ranks 1 2 3 4 5 against 2 1 4 3 5: squared differences sum to 4, so rho = 1 - 6*4/(5*24);
    # two of ten pairs are in the other order, so tau = (8 - 2)/10.
    first, second = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([20.0, 10.0, 40.0, 30.0, 50.0])
    assert spearman(first, second).value == pytest.approx(0.8)
    assert kendall(first, second).value == pytest.approx(0.6)


@pytest.mark.parametrize("of", [spearman, kendall])
def test_full_agreement_of_few_does_not_mean_full_agreement_of_all(of: Measure) -> None:
    same = np.arange(8.0)
    agreed, turned = of(same, same**3), of(same, -same)
    assert (agreed.value, agreed.high) == pytest.approx((1, 1))
    assert 0.6 < agreed.low < 0.95
    assert (turned.low, turned.value) == pytest.approx((-1, -1))
    assert turned.high == pytest.approx(-agreed.low)


def test_four_in_order_may_still_be_chance() -> None:
    # One order of 24 agrees in full, which is more often than in 2.5 % of cases.
    assert spearman(np.arange(4.0), np.arange(4.0)).low < 0


@lru_cache
def limits_of_tau(value: float, n: int) -> tuple[float, float]:
    return module._interval(module._kendall_of_ranks, value, n)


@pytest.mark.parametrize("n", [4, 8, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("r", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("is_normal", [True, False])
def test_the_interval_covers_as_often_as_it_says(n: int, r: float, is_normal: bool) -> None:
    # Losses with outliers (t with 3 degrees of freedom) are not of the assumed form: a little less.
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        pairs = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], size=n)
        if not is_normal:
            pairs /= np.sqrt(rng.chisquare(3, (n, 1)) / 3)
        value = round(float(kendalltau(*pairs.T).statistic), 9)
        low, high = limits_of_tau(value, n)
        covered.append(low <= r <= high)  # tau is 2 / pi asin(r) here as well (Lindskog 2003)
    assert np.mean(covered) >= (0.93 if is_normal else 0.9)


@pytest.mark.slow
@pytest.mark.parametrize("n", [4, 8, 20])
def test_the_interval_of_spearman_covers_as_well(n: int) -> None:
    rng = np.random.default_rng(0)
    truth = 6 / np.pi * np.arcsin(0.8 / 2)
    covered = []
    for _ in range(150):
        interval = spearman(*rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=n).T)
        covered.append(interval.low <= truth <= interval.high)
    assert np.mean(covered) >= 0.93


def test_losses_that_are_all_the_same_have_no_order() -> None:
    with pytest.raises(ValueError, match="losses of 4 subnets must differ. Got the same for all"):
        spearman(np.ones(4), np.arange(4.0))


def test_a_subnet_alone_has_the_loss_of_the_same_training_elsewhere(
    folder: Path, corpus: Corpus, tmp_path: Path
) -> None:
    largest = small_space().largest()
    fitness = AloneFitness(folder / "net", corpus, SETTINGS, tmp_path / "alone")
    found = fitness(largest)
    # The supernet's vocabulary has its size, its text and its seed, and so is the same.
    result = finetune(largest, corpus, SETTINGS, folder=tmp_path / "model", vocab_size=40)
    assert found == pytest.approx(result.history[-1].valid_loss, rel=1e-5)


def test_an_interrupted_ranking_trains_nothing_again(
    folder: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ranking_quality(folder / "net", corpus, SETTINGS, folder=tmp_path / "whole", n=4)
    trained: list[str] = []
    real = module.train

    def stops(model: Any, data: Any, settings: Any, *, folder: Path) -> Any:
        trained.append(folder.name)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return real(model, data, settings, folder=folder)

    monkeypatch.setattr(module, "train", stops)
    with pytest.raises(KeyboardInterrupt):
        ranking_quality(folder / "net", corpus, SETTINGS, folder=tmp_path / "cut", n=4)
    assert len((tmp_path / "cut" / LOSSES).read_bytes().splitlines()) == 4 + 2
    told: list[tuple[int, int]] = []
    again = ranking_quality(
        folder / "net",
        corpus,
        SETTINGS,
        folder=tmp_path / "cut",
        n=4,
        on_progress=lambda done, total, note="": told.append((done, total)),
    )
    assert again == whole
    ids = [subnet.architecture.id for subnet in whole.subnets]
    assert trained == [*ids[:3], *ids[2:]]
    assert told == [(n, 4) for n in range(1, 5)]


def test_another_training_does_not_take_the_losses(
    folder: Path, corpus: Corpus, tmp_path: Path
) -> None:
    longer = SETTINGS.model_copy(update={"updates": 12})
    short, long = (
        ranking_quality(folder / "net", corpus, each, folder=tmp_path, n=3)
        for each in (SETTINGS, longer)
    )
    assert [s.supernet_loss for s in short.subnets] == [s.supernet_loss for s in long.subnets]
    assert all(
        b.alone_loss < a.alone_loss for a, b in zip(short.subnets, long.subnets, strict=True)
    )


def test_the_command_prints_both_losses_and_both_correlations(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.json"  # JSON is YAML
    file.write_text(SETTINGS.model_dump_json())
    flags = ["ranking", str(folder / "net"), "-o", str(tmp_path / "r"), "-n", "4"]
    flags += ["--updates", "4", "--settings", str(file)]
    assert main([*flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["updates"], found["confidence"]) == (4, 4, 0.95)
    for name in ("spearman", "kendall"):
        assert -1 <= found[name]["low"] <= found[name]["high"] <= 1
    shared, alone = (
        np.array([subnet[name] for subnet in found["subnets"]])
        for name in ("supernet_loss", "alone_loss")
    )
    # Without ties, Spearman's rho is the correlation of the ranks.
    ranks = [np.argsort(np.argsort(losses)) for losses in (shared, alone)]
    assert found["spearman"]["value"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert main(flags) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[1:5]] == [
        found["subnets"][i]["architecture_id"] for i in np.argsort(shared)
    ]
    assert printed[-1].startswith("Spearman ")


def test_two_subnets_have_no_ranking(folder: Path, corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'n' must be at least 3. Got 2"):
        ranking_quality(folder / "net", corpus, SETTINGS, folder=tmp_path, n=2)


def test_a_space_that_has_too_few_subnets_is_told(
    folder: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SearchSpace, "sample", lambda self, rng: self.largest())
    with pytest.raises(ValueError, match="'n' must be at most 1, the subnets of 'small'. Got 3"):
        ranking_quality(folder / "net", corpus, SETTINGS, folder=tmp_path, n=3)
