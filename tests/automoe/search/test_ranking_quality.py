import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.small_text import small_space, write_corpus

from automoe.architecture.space import SearchSpace
from automoe.cli.main import main
from automoe.search import ranking_quality as module
from automoe.search.ranking_quality import (
    LOSSES,
    AloneFitness,
    correlation,
    kendall,
    ranking_quality,
    spearman,
)
from automoe.text import Corpus
from automoe.training import TrainingSettings, finetune, train_supernet

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
    assert correlation(spearman, first, second).value == pytest.approx(0.8)
    assert correlation(kendall, first, second).value == pytest.approx(0.6)


def test_the_interval_is_all_of_it_where_the_order_is_the_same() -> None:
    same = np.arange(8.0)
    found = correlation(spearman, same, same**3)
    assert (found.low, found.value, found.high) == pytest.approx((1, 1, 1))
    turned = correlation(kendall, same, -same)
    assert (turned.low, turned.value, turned.high) == pytest.approx((-1, -1, -1))


def test_the_interval_is_as_wide_as_theory_says() -> None:
    def pearson(first: np.ndarray, second: np.ndarray) -> float:
        return float(np.corrcoef(first, second)[0, 1])

    rng = np.random.default_rng(0)
    n_covered, widths, fishers = 0, [], []
    for seed in range(20):
        pairs = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=40)
        found = correlation(pearson, pairs[:, 0], pairs[:, 1], seed=seed)
        n_covered += found.low <= 0.8 <= found.high
        widths.append(found.high - found.low)
        # Fisher's z, for normal pairs: atanh(r) has a standard deviation of 1 / sqrt(n - 3).
        ends = np.tanh(np.arctanh(found.value) + np.array([-1.96, 1.96]) / np.sqrt(37))
        fishers.append(ends[1] - ends[0])
    assert np.mean(widths) == pytest.approx(np.mean(fishers), rel=0.2)
    assert n_covered >= 16  # 95 % of 20 is 19; fewer than 16 happen once in 400


def test_losses_that_are_all_the_same_have_no_order() -> None:
    with pytest.raises(ValueError, match="losses of 4 subnets must differ. Got the same for all"):
        correlation(spearman, np.ones(4), np.arange(4.0))


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
