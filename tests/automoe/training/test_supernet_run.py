import json
from pathlib import Path

import pytest
import yaml
from support.small_text import small_space, write_corpus

from automoe.architecture.space import SearchSpace
from automoe.text import Corpus, CorpusError, open_corpus
from automoe.training import TrainingSettings, remembered_corpus, train_supernet
from automoe.training.model_folder import TrainedModel
from automoe.training.supernet_run import remember_corpus, remembered_max_sentence


@pytest.fixture
def short(settings: TrainingSettings) -> TrainingSettings:
    return settings.model_copy(update={"updates": 4})


def test_a_space_from_a_file_trains_into_a_folder_that_loads(
    corpus: Corpus, short: TrainingSettings, tmp_path: Path
) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(small_space().model_dump(mode="json")))
    space = SearchSpace.load(str(path))
    seen: list[tuple[int, int]] = []
    result = train_supernet(
        space,
        corpus,
        short,
        folder=tmp_path / "supernet",
        on_progress=lambda done, total, note="": seen.append((done, total)),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    trained, its_space = TrainedModel.load_supernet(tmp_path / "supernet")
    assert its_space == space
    assert trained.vocabulary.size == space.vocab_size == 40
    assert trained.model.config.architecture == space.largest()
    history = json.loads((tmp_path / "supernet" / "history.json").read_text())
    assert [record["update"] for record in history] == [r.update for r in result.history]
    assert history[-1]["update"] == 4
    assert history[-1]["valid_loss"] > 0


def test_a_finished_supernet_is_not_trained_again(
    space: SearchSpace, corpus: Corpus, short: TrainingSettings, tmp_path: Path
) -> None:
    train_supernet(space, corpus, short, folder=tmp_path / "s")
    weights = (tmp_path / "s" / "model.safetensors").read_bytes()
    assert train_supernet(space, corpus, short, folder=tmp_path / "s").resumed_at == 4
    assert (tmp_path / "s" / "model.safetensors").read_bytes() == weights


def test_a_text_that_has_gone_is_named(
    space: SearchSpace, short: TrainingSettings, tmp_path: Path
) -> None:
    train_supernet(space, write_corpus(tmp_path / "here"), short, folder=tmp_path / "s")
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(CorpusError, match="/here' does not exist"):
        remembered_corpus(tmp_path / "s")


def test_a_folder_without_a_note_about_its_text_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is missing, which names the text. Give --data"):
        remembered_corpus(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"folder": "here"}', '{"folder": 3}'])
def test_a_damaged_note_about_the_text_says_what_to_give(text: str, tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text(text)
    with pytest.raises(CorpusError, match="corpus.json' is damaged .* Delete it and give --data"):
        remembered_corpus(tmp_path)


def test_text_that_is_gone_is_told_by_where_that_is_noted(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "text")
    remember_corpus(tmp_path, corpus)
    (tmp_path / "text").rename(tmp_path / "elsewhere")
    message = "/text' does not exist .* the text that '.*corpus.json' names; or give --data"
    with pytest.raises(CorpusError, match=message):
        remembered_corpus(tmp_path)


def test_the_text_that_is_shipped_is_found_wherever_it_is_installed(tmp_path: Path) -> None:
    remember_corpus(tmp_path, open_corpus())
    assert str(open_corpus().folder) not in (tmp_path / "corpus.json").read_text()
    assert remembered_corpus(tmp_path) == open_corpus()


def test_a_cut_of_no_tokens_is_damage(tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text('{"max_sentence": 0}')
    with pytest.raises(CorpusError, match="'max_sentence' must be at least 1. Got 0"):
        remembered_max_sentence(tmp_path)
