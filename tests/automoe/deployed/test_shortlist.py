from pathlib import Path

import numpy as np
import pytest

from automoe.deployed.description import BundleError
from automoe.deployed.shortlist import Shortlist
from automoe.export import ExportError, check_parity, export_model
from automoe.supernet import Transformer
from automoe.text import Vocabulary
from automoe.translation import Translator

VOCAB_SIZE = 26
SENTENCES = ["the old tree", "das alte Haus ist hoch", "is the house tall", "der Baum", "alt"]


def shortlist(n_best: int = 3) -> Shortlist:
    rng = np.random.default_rng(0)
    return Shortlist(rng.integers(-1, VOCAB_SIZE, (VOCAB_SIZE, n_best)), np.array([5, -1, 7]))


def test_candidates_by_hand() -> None:
    best = np.full((10, 2), -1)
    best[4] = 8, 3
    best[5] = 9, -1
    best[6] = 1, 0  # BOS and PAD never follow
    few = Shortlist(best, np.array([3, 7]))
    assert few.candidates([[4, 2], [6, 5, 5, 2]]).tolist() == [2, 3, 7, 8, 9]
    assert few.candidates([[2]]).tolist() == [2, 3, 7]


def test_a_file_is_read_back(tmp_path: Path) -> None:
    shortlist().write(tmp_path / "s.bin")
    read = Shortlist.read(tmp_path / "s.bin", n_best=3, vocab_size=VOCAB_SIZE)
    assert read.candidates([[4, 9, 2]]).tolist() == shortlist().candidates([[4, 9, 2]]).tolist()
    with pytest.raises(BundleError, match="must have 432 bytes. Export the model again"):
        Shortlist.read(tmp_path / "s.bin", n_best=4, vocab_size=VOCAB_SIZE)
    for piece in (VOCAB_SIZE, -2):
        Shortlist(np.full((VOCAB_SIZE, 3), piece), np.zeros(3)).write(tmp_path / "s.bin")
        with pytest.raises(BundleError, match="names pieces that do not exist"):
            Shortlist.read(tmp_path / "s.bin", n_best=3, vocab_size=VOCAB_SIZE)


@pytest.mark.parametrize(("beam", "precision"), [(1, "fp32"), (4, "fp32"), (4, "int8")])
def test_an_exact_translation_is_that_without_a_shortlist(
    tmp_path: Path, model: Transformer, vocabulary: Vocabulary, beam: int, precision: str
) -> None:
    whole, short = (
        export_model(
            model,
            tmp_path / str(few is None),
            vocabulary=vocabulary,
            max_positions=40,
            precision=precision,
            shortlist=few,
        )
        for few in (None, shortlist())
    )
    assert check_parity(model, short).max_difference < (1e-4 if precision == "fp32" else 0.1)
    exact = Translator.open(short.folder, beam=beam, exact=True)
    for sentence in SENTENCES:
        expected = Translator.open(whole.folder, beam=beam).translate(sentence)
        translated = exact.translate(sentence)
        assert translated.text == expected.text
        assert translated.score == pytest.approx(expected.score, abs=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_only_candidates_are_predicted(
    tmp_path: Path, model: Transformer, vocabulary: Vocabulary, precision: str
) -> None:
    few = shortlist()
    export_model(
        model,
        tmp_path,
        vocabulary=vocabulary,
        max_positions=40,
        precision=precision,
        shortlist=few,
    )
    translator = Translator.open(tmp_path, beam=2)
    seen: set[int] = set()
    for sentence in SENTENCES:
        source = [*vocabulary.encode(sentence), 2]
        steps = translator.graphs.begin([source])
        (found,) = translator.search.best(steps, max_tokens=[12])
        allowed = set(few.candidates([source]).tolist())
        assert set(found.tokens) <= allowed
        assert len(allowed) < VOCAB_SIZE
        seen |= set(found.tokens)
    assert len(seen) > 2
    together = translator.translate_all(SENTENCES, batch_tokens=100)
    assert len(together) == len(SENTENCES)


def test_there_is_none_in_blocks_or_for_tensorrt(tmp_path: Path, model: Transformer) -> None:
    for options in ({"precision": "int8-weights"}, {"form": "tensorrt"}):
        with pytest.raises(ExportError, match="A shortlist needs the form onnx and the precision"):
            export_model(model, tmp_path / "b", shortlist=shortlist(), **options)
    assert not (tmp_path / "b").exists()
