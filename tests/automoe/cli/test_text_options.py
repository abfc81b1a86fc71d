from pathlib import Path

import pytest
from support.small_text import write_corpus

from automoe.cli.text_options import TextOptions, chosen_text, model_text
from automoe.text import CorpusError, open_corpus
from automoe.training.supernet_run import remember_corpus

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that remembers text from German to English."""
    folder = tmp_path / "model"
    folder.mkdir()
    write_corpus(tmp_path / "text")
    remember_corpus(folder, open_corpus(tmp_path / "text", source="de", target="en"))
    return folder


def test_a_model_is_scored_on_the_text_it_was_trained_on(
    capsys: Capture, tmp_path: Path, model: Path
) -> None:
    corpus = chosen_text(model, TextOptions())
    assert corpus.folder == (tmp_path / "text").resolve()
    assert (corpus.source, corpus.target) == ("de", "en")
    assert capsys.readouterr().err == f"Text: {corpus.folder}, de to en.\n"
    turned = chosen_text(model, TextOptions(source="en", target="de"))
    assert (turned.folder, turned.source, turned.target) == (corpus.folder, "en", "de")


def test_text_that_is_asked_for_comes_first(tmp_path: Path, model: Path) -> None:
    other = write_corpus(tmp_path / "other")
    corpus = chosen_text(model, TextOptions(data=other.folder))
    assert (corpus.folder, corpus.source, corpus.target) == (other.folder, "de", "en")
    corpus = chosen_text(model, TextOptions(data=other.folder, source="en", target="de"))
    assert (corpus.folder, corpus.source, corpus.target) == (other.folder, "en", "de")


def test_other_text_is_read_in_the_models_direction(
    capsys: Capture, tmp_path: Path, model: Path
) -> None:
    other = write_corpus(tmp_path / "other")
    corpus = model_text(model, TextOptions(data=other.folder))
    assert (corpus.folder, corpus.source, corpus.target) == (other.folder, "de", "en")
    assert capsys.readouterr().err == f"Text: {other.folder}, de to en.\n"


@pytest.mark.parametrize("folder", [None, Path("remembers/nothing")])
def test_else_the_one_that_is_shipped(folder: Path | None) -> None:
    assert chosen_text(folder, TextOptions()) == open_corpus()


def test_text_that_is_gone_is_not_replaced(tmp_path: Path, model: Path) -> None:
    (tmp_path / "text/test.de").unlink()
    with pytest.raises(CorpusError):
        chosen_text(model, TextOptions())
