from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import automoe.deployed.translator
from automoe.deployed.description import BundleError
from automoe.export import export_model
from automoe.supernet import Transformer
from automoe.text import Vocabulary
from automoe.text.special_tokens import BOS, EOS, PAD
from automoe.translation import BeamSearch, TranslationError, Translator

SENTENCES = ["the old tree", "das alte Haus ist hoch", "is the house tall", "der Baum", "alt"]


@dataclass(frozen=True)
class Numbers:
    """A vocabulary whose text is the ids, so that tests see what was decoded."""

    size: int

    def encode(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(str(token) for token in ids)


class TorchStep:
    """Reads every hypothesis from its beginning at each step: no cache that could be wrong."""

    def __init__(self, model: Transformer, source: list[int]) -> None:
        self.model = model
        self.source = source
        self.rows: list[list[int]] = [[]]
        self.n_reordered = 0

    def __call__(
        self, token_R: np.ndarray, parent_R: np.ndarray, kept_B: np.ndarray, n_best: int
    ) -> tuple[np.ndarray, np.ndarray]:
        parents = parent_R.tolist()
        self.n_reordered += parents != list(range(len(self.rows)))
        pairs = zip(parents, token_R.tolist(), strict=True)
        self.rows = [[*self.rows[parent], token] for parent, token in pairs]
        log_probability_RV = next_tokens(self.model, self.source, self.rows)[:, -1]
        token_RN = np.argsort(-log_probability_RV, axis=1, kind="stable")[:, :n_best]
        return np.take_along_axis(log_probability_RV, token_RN, axis=1), token_RN


def next_tokens(model: Transformer, source: list[int], targets: list[list[int]]) -> np.ndarray:
    """Log-probabilities `[B, T, V]` of what follows each token; PAD and BOS cannot."""
    with torch.no_grad():
        output = model(torch.tensor([source] * len(targets)), torch.tensor(targets))
    log_probability_BTV = output.logits_BTV.double().log_softmax(dim=-1).numpy()
    log_probability_BTV[:, :, [PAD, BOS]] = -np.inf
    return log_probability_BTV


def as_ids(translator: Translator) -> Translator:
    return replace(translator, vocabulary=Numbers(26))  # type: ignore[arg-type]


def random_source(seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return [int(token) for token in rng.integers(4, 26, size=rng.integers(1, 9))]


def test_greedy_equals_torch(folder: Path, model: Transformer, vocabulary: Vocabulary) -> None:
    translator = Translator.open(folder, beam=1)
    lengths = set()
    for sentence in SENTENCES:
        source, target = [*vocabulary.encode(sentence), EOS], [BOS]
        while target[-1] != EOS and len(target) < min(40, 2 * len(source) + 10) + 1:
            target.append(int(next_tokens(model, source, [target])[0, -1].argmax()))
        translation = translator.translate(sentence)
        assert translation.text == vocabulary.decode(target)
        assert translation.target_tokens == len(target) - 1
        assert translation.source_tokens == len(source)
        assert not translation.truncated
        lengths.add(len(target))
    assert len(lengths) > 1


@pytest.mark.parametrize("beam", [1, 2, 4, 7])
def test_hypotheses_keep_their_own_cache(folder: Path, model: Transformer, beam: int) -> None:
    translator = as_ids(Translator.open(folder, beam=beam))
    n_reordered = 0
    for seed in range(4):
        source = random_source(seed)
        translation = translator.translate(" ".join(map(str, source)))
        step = TorchStep(model, [*source, EOS])
        search = BeamSearch(beam)
        (best,) = search.best(step, max_tokens=[min(40, 2 * (len(source) + 1) + 10)])
        assert best.is_complete or len(best.tokens) > 10
        assert translation.text == " ".join(str(token) for token in best.tokens if token != EOS)
        assert translation.score == pytest.approx(search.score(best), abs=1e-4)
        n_reordered += step.n_reordered
    assert n_reordered > 4 or beam == 1


def test_score_is_the_penalised_sum(folder: Path, model: Transformer) -> None:
    translator = as_ids(Translator.open(folder, beam=4, length_penalty=0.8))
    for seed in range(3):
        source = random_source(seed)
        translation = translator.translate(" ".join(map(str, source)))
        tokens = [int(token) for token in translation.text.split()]
        tokens += [EOS] * (translation.target_tokens - len(tokens))
        scored_TV = next_tokens(model, [*source, EOS], [[BOS, *tokens[:-1]]])[0]
        total = sum(scored_TV[t, token] for t, token in enumerate(tokens))
        expected = total / ((5 + len(tokens)) / 6) ** 0.8
        assert translation.score == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("sentence", ["", "   "])
def test_no_words_give_no_words(folder: Path, sentence: str) -> None:
    translation = Translator.open(folder).translate(sentence)
    assert translation.text == ""
    assert (translation.source_tokens, translation.target_tokens) == (0, 0)
    assert not translation.truncated


def test_a_long_sentence_loses_its_end(folder: Path) -> None:
    translator = as_ids(Translator.open(folder))
    fits = " ".join("5" for _ in range(39))
    whole, cut = translator.translate(fits), translator.translate(f"{fits} 6 7")
    assert (whole.source_tokens, whole.truncated) == (40, False)
    assert (cut.source_tokens, cut.truncated) == (40, True)
    assert (cut.text, cut.score) == (whole.text, whole.score)


# 2 * 5 + 10 for four tokens and EOS; no more than the model has positions
@pytest.mark.parametrize(("max_positions", "n_tokens"), [(40, 20), (12, 12)])
def test_an_endless_translation_is_cut_off(
    folder: Path,
    model: Transformer,
    vocabulary: Vocabulary,
    max_positions: int,
    n_tokens: int,
) -> None:
    with torch.no_grad():
        model.target_embedding[EOS] = 0  # its logit is 0, and some other is always higher
    export_model(model, folder, vocabulary=vocabulary, max_positions=max_positions)
    translation = as_ids(Translator.open(folder, beam=1)).translate("4 5 6 7")
    assert translation.target_tokens == n_tokens
    assert str(EOS) not in translation.text.split()


def test_never_gives_padding(folder: Path, model: Transformer, vocabulary: Vocabulary) -> None:
    with torch.no_grad():
        model.target_embedding[BOS] = -model.target_embedding[4]
        model.target_embedding[PAD] = model.target_embedding[4]
        model.target_embedding[2:] = 0  # so that either PAD or BOS has the highest logit
    export_model(model, folder, vocabulary=vocabulary, max_positions=40)
    translation = as_ids(Translator.open(folder, beam=1)).translate("4 5")
    assert (translation.text, translation.target_tokens) == ("", 1)  # EOS, the first of the others


def test_time_is_measured(folder: Path) -> None:
    assert Translator.open(folder).translate("the tree").latency_ms > 0


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No exported model in .* Make one with"):
        Translator.open(tmp_path)


def test_a_folder_without_a_vocabulary_is_refused(folder: Path, model: Transformer) -> None:
    bare = export_model(model, folder / "bare").folder
    match = r"^No vocabulary in '.*' \(vocabulary.model is missing\). Copy the one that the model"
    with pytest.raises(TranslationError, match=match):
        Translator.open(bare)


def test_another_vocabulary_is_refused(folder: Path, model: Transformer) -> None:
    other = Vocabulary.train(SENTENCES, size=28, model_path=folder / "other.model")
    export_model(model, folder, vocabulary=other)
    match = r"vocabulary.model' must have 26 pieces, as the model has. Got 28; copy the one"
    with pytest.raises(TranslationError, match=match):
        Translator.open(folder)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 100])
def test_what_is_no_vocabulary_is_refused(
    folder: Path, model: Transformer, capfd: pytest.CaptureFixture[str], content: bytes
) -> None:
    bare = export_model(model, folder / "bare").folder
    (bare / "vocabulary.model").write_bytes(content)
    match = rf"vocabulary.model' of {len(content)} bytes is not a SentencePiece model. Copy the one"
    with pytest.raises(TranslationError, match=match):
        Translator.open(bare)
    assert capfd.readouterr().err == ""


def test_a_huge_vocabulary_is_not_read(folder: Path, model: Transformer) -> None:
    bare = export_model(model, folder / "bare").folder
    with (bare / "vocabulary.model").open("wb") as file:
        file.truncate(10**11)
    with pytest.raises(TranslationError, match=f"of {10**11} bytes is not a SentencePiece model"):
        Translator.open(bare)


@pytest.mark.parametrize("beam", [1, 4])
def test_sentences_together_get_what_they_get_alone(folder: Path, beam: int) -> None:
    translator = as_ids(Translator.open(folder, beam=beam))
    texts = [" ".join(map(str, random_source(seed))) for seed in range(9)]
    texts[3] = ""
    done: list[int] = []
    together = translator.translate_all(
        texts, batch_tokens=24, on_progress=lambda n, n_all: done.append(n)
    )
    for text, translation in zip(texts, together, strict=True):
        alone = translator.translate(text)
        assert translation.text == alone.text
        assert translation.score == pytest.approx(alone.score, abs=1e-5)
    assert done[-1] == 9
    assert len(done) < 9  # some went together


def test_refuses_options_out_of_range(folder: Path) -> None:
    with pytest.raises(ValueError, match="^'threads' must be at least 1. Got 0.$"):
        Translator.open(folder, threads=0)
    with pytest.raises(ValueError, match="^'beam' must be at least 1. Got 0.$"):
        Translator.open(folder, beam=0)


def test_what_the_runtime_refuses_is_told_as_a_terminal_may_show_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *, threads: int) -> None:
        raise RuntimeError("\x1b[2J\x9b2J is not a registered\n operator\u202e.")

    monkeypatch.setattr(automoe.deployed.translator, "open_session", refuse)
    told = r"encoder.onnx' cannot be loaded: \[2J 2J is not a registered operator . Export the mod"
    with pytest.raises(TranslationError, match=told):
        Translator.open(folder)
