import hashlib
import io
import os
import re
from pathlib import Path

import pytest
import sentencepiece

import automoe.text.vocabulary
from automoe.text import Corpus, Vocabulary, VocabularyError
from automoe.text.special_tokens import BOS, EOS, PAD, UNK

SENTENCES = ["the house is old", "das Haus ist alt", "the tree is tall", "der Baum ist hoch"] * 5


def test_gives_back_what_it_encoded(vocabulary: Vocabulary, shipped: Corpus) -> None:
    train = shipped.split("train")
    for text in (*train.source, *train.target):
        assert vocabulary.decode(vocabulary.encode(text)) == " ".join(text.split(" "))


def test_encodes_many_texts_as_one(
    vocabulary: Vocabulary, shipped: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = shipped.split("valid").target
    monkeypatch.setattr(automoe.text.vocabulary, "_CHUNK", 7)
    assert list(vocabulary.encode_all(texts)) == [vocabulary.encode(text) for text in texts]
    assert list(vocabulary.encode_all(())) == []


def test_adds_no_special_tokens(vocabulary: Vocabulary) -> None:
    ids = vocabulary.encode("could not read the file")
    assert ids
    assert not {PAD, BOS, EOS, UNK} & set(ids)


def test_decodes_without_the_special_tokens(vocabulary: Vocabulary) -> None:
    ids = vocabulary.encode("Setzt das Format.")
    assert vocabulary.decode([BOS, *ids, EOS, PAD, PAD]) == "Setzt das Format."
    assert vocabulary.decode([]) == ""


def test_marks_unknown_characters(vocabulary: Vocabulary) -> None:
    assert UNK in vocabulary.encode("漢")
    assert "⁇" in vocabulary.decode([UNK])


def test_does_not_read_control_symbols_in_text(vocabulary: Vocabulary) -> None:
    assert not {PAD, BOS, EOS} & set(vocabulary.encode("<s> </s> <pad>"))


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_has_the_size_asked_for(tmp_path: Path, shipped: Corpus, algorithm: str) -> None:
    vocabulary = Vocabulary.train(
        shipped.split("valid").source,
        size=150,
        model_path=tmp_path / "v.model",
        algorithm=algorithm,  # type: ignore[arg-type]
    )
    assert vocabulary.size == 150


def test_same_arguments_give_the_same_bytes(
    tmp_path: Path, shipped: Corpus, vocabulary: Vocabulary
) -> None:
    again = Vocabulary.train(shipped, size=400, model_path=tmp_path / "v.model")
    assert again.model == vocabulary.model
    assert again.sha256 == hashlib.sha256(vocabulary.model).hexdigest()
    assert again == vocabulary


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are chosen on Linux only")
def test_one_core_gives_the_same_bytes(
    tmp_path: Path, shipped: Corpus, vocabulary: Vocabulary
) -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        again = Vocabulary.train(shipped, size=400, model_path=tmp_path / "v.model")
    finally:
        os.sched_setaffinity(0, cores)
    assert again.model == vocabulary.model


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "new" / "v.model"
    trained = Vocabulary.train(SENTENCES, size=26, model_path=path)
    assert Vocabulary.load(path) == trained
    assert [entry.name for entry in path.parent.iterdir()] == ["v.model"]


def test_replaces_an_older_model(tmp_path: Path) -> None:
    path = tmp_path / "v.model"
    path.write_bytes(b"old")
    trained = Vocabulary.train(SENTENCES, size=26, model_path=path)
    assert path.read_bytes() == trained.model


def test_failed_training_leaves_the_older_model(tmp_path: Path) -> None:
    path = tmp_path / "v.model"
    path.write_bytes(b"old")
    with pytest.raises(VocabularyError):
        Vocabulary.train(SENTENCES, size=9999, model_path=path)
    assert path.read_bytes() == b"old"


def test_is_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Vocabulary.train([*SENTENCES, "\u2581 reserved", "\0"], size=26, model_path=tmp_path / "v")
    with pytest.raises(VocabularyError):
        Vocabulary.train(SENTENCES, size=9999, model_path=tmp_path / "v")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_names_the_largest_size(tmp_path: Path, algorithm: str) -> None:
    train = {"model_path": tmp_path / "v.model", "algorithm": algorithm}
    pattern = r"^'size' must be at most (\d+) for this text. Got 9999; lower it or add text.$"
    with pytest.raises(VocabularyError, match=pattern) as caught:
        Vocabulary.train(SENTENCES, size=9999, **train)  # type: ignore[arg-type]
    largest = int(re.match(pattern, str(caught.value))[1])  # type: ignore[index]
    assert Vocabulary.train(SENTENCES, size=largest, **train).size == largest  # type: ignore[arg-type]


def test_names_the_smallest_size(tmp_path: Path) -> None:
    # 4 special tokens, the mark of a blank, and the letters a to e
    match = r"^'size' must be at least 10, .* Got 6; raise it or lower 'character_coverage' \(1.0\)"
    with pytest.raises(VocabularyError, match=match):
        Vocabulary.train(["ab cd e"], size=6, model_path=tmp_path / "v.model")


def test_lower_coverage_leaves_out_rare_characters(tmp_path: Path) -> None:
    text = [*SENTENCES, "ß"]
    path = tmp_path / "v.model"
    assert UNK not in Vocabulary.train(text, size=26, model_path=path).encode("ß")
    lower = Vocabulary.train(text, size=26, model_path=path, character_coverage=0.99)
    assert UNK in lower.encode("ß")


def test_explains_other_failures_on_one_line(tmp_path: Path) -> None:
    match = "^SentencePiece could not train with .*'vocab_size': 0.*Change these or the text.$"
    with pytest.raises(VocabularyError, match=match):
        Vocabulary.train(SENTENCES, size=0, model_path=tmp_path / "v.model")


def test_refuses_sentences_that_are_all_too_long(tmp_path: Path) -> None:
    with pytest.raises(
        VocabularyError, match=r"at most 65536 bytes. Got longer ones only; put one"
    ):
        Vocabulary.train(["word " * 20_000] * 3, size=26, model_path=tmp_path / "v.model")


@pytest.mark.parametrize("text", [[], ["", "  "]])
def test_refuses_no_text(tmp_path: Path, text: list[str]) -> None:
    with pytest.raises(VocabularyError, match="'text' must hold at least one sentence. Got none"):
        Vocabulary.train(text, size=26, model_path=tmp_path / "v.model")


def test_samples_a_large_text_by_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automoe.text.vocabulary, "_MAX_SENTENCES", 3)
    text = [f"{letter}{letter} {letter}" for letter in "abcdefghijklmnop"]

    def letters(seed: int) -> bytes:
        # 4 special tokens, the mark of a blank, 16 letters, and 3 of them behind a blank
        return Vocabulary.train(text, size=24, model_path=tmp_path / "v", seed=seed).model

    assert letters(1) == letters(1)
    assert letters(1) != letters(2)


def test_knows_the_characters_of_sentences_that_were_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automoe.text.vocabulary, "_MAX_SENTENCES", 20)
    rare = ["\0", "\u2581", "\u2585", "漢", "é"]  # the first three are SentencePiece's own
    for seed in range(3):
        text = [*SENTENCES, *rare]
        vocabulary = Vocabulary.train(text, size=30, model_path=tmp_path / "v", seed=seed)
        assert UNK not in vocabulary.encode("漢é")
    lower = Vocabulary.train(text, size=26, model_path=tmp_path / "v", character_coverage=0.98)
    assert UNK in lower.encode("漢é")


@pytest.mark.parametrize("token", [-1, 400])
def test_refuses_ids_of_another_vocabulary(vocabulary: Vocabulary, token: int) -> None:
    with pytest.raises(VocabularyError, match=rf"'ids' must be in \[0, size=400\). Got {token};"):
        vocabulary.decode([token])


@pytest.mark.parametrize("content", [b"", b"not a model at all"])
def test_refuses_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.model"
    path.write_bytes(content)
    with pytest.raises(VocabularyError, match=r"v.model': Not a SentencePiece model \(\d+ bytes\)"):
        Vocabulary.load(path)


def test_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"'.*none' cannot be read: No such file.* train one"):
        Vocabulary.load(tmp_path / "none")


def test_refuses_other_special_tokens() -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, vocab_size=26, minloglevel=2
    )
    with pytest.raises(VocabularyError, match=r"special tokens must have the ids .* Got .*-1"):
        Vocabulary(model.getvalue())
