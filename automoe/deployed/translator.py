"""This module translates text with an exported model, in this process, on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import sentencepiece

from automoe.deployed.batches import by_length
from automoe.deployed.beam_search import EOS, BeamSearch
from automoe.deployed.description import (
    DECODER,
    ENCODER,
    SHORTLIST,
    SHORTLIST_GRAPH,
    VOCABULARY,
    BundleError,
    Description,
    in_one_line,
    require_plain_file,
)
from automoe.deployed.graph_files import check_graph
from automoe.deployed.graphs import Candidates, Graphs, opened_graphs
from automoe.deployed.sessions import open_session
from automoe.deployed.shortlist import Shortlist

_LARGEST_VOCABULARY = 64 << 20  # bytes; one of 32 000 pieces has less than 1 MB
OnTranslated = Callable[[int, int], None]


class TranslationError(ValueError):
    """A folder whose files cannot be used to translate."""


@dataclass(frozen=True)
class Translation:
    """The translation of one sentence, with its latency and its sizes.

    Attributes:
        text: The translation, which is empty for a sentence without words.
        score: The log-probability of the translation over the length penalty.
        latency_ms: The time of encoder, decoder steps and search. Splitting the text into pieces
            and joining them is not timed. Sentences that are translated together share the time.
        source_tokens: The number of tokens that the encoder read, EOS included.
        target_tokens: The number of tokens of the translation. EOS counts if the model gave it.
        truncated: Whether the sentence was too long for the model and its end was cut off.
    """

    text: str
    score: float
    latency_ms: float
    source_tokens: int
    target_tokens: int
    truncated: bool


@dataclass(frozen=True)
class Translator:
    """An exported model with its vocabulary. `open` returns one.

    Attributes:
        description: What the bundle says of itself.
        vocabulary: The pieces of the vocabulary.
        search: The search for the best translation.
        graphs: The graphs.
    """

    description: Description
    vocabulary: Any = field(repr=False)
    search: BeamSearch
    graphs: Graphs = field(repr=False)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        beam: int = 4,
        length_penalty: float = 0.6,
        threads: int = 1,
        exact: bool = False,
    ) -> Translator:
        """Open the exported model in `folder`, which must hold its vocabulary too.

        Args:
            folder: The folder of the bundle, or of a model that has its bundle in `onnx`.
            beam: The number of hypotheses that are extended together; 1 is greedy decoding.
            length_penalty: The length penalty, as in `BeamSearch`.
            threads: The number of threads of each ONNX Runtime session.
            exact: Whether all pieces are candidates, in a bundle with a shortlist.

        Raises:
            BundleError: The folder holds no exported model, or a file of it was changed.
            TranslationError: The folder lacks the vocabulary or has that of another model, or a
                graph cannot be loaded.
            ValueError: `beam`, `length_penalty` or `threads` is out of range.
        """
        if threads < 1:
            raise ValueError(f"'threads' must be at least 1. Got {threads}.")
        search = BeamSearch(beam, length_penalty)
        folder = bundle_folder(Path(folder))
        description = Description.read(folder)
        description.check_files(folder)
        graphs = [ENCODER, DECODER, *([SHORTLIST_GRAPH] if description.n_best else [])]
        for name in graphs:
            check_graph(folder / name)
        vocabulary = _vocabulary(folder / VOCABULARY, description.vocab_size)
        encoder, decoder = (_session(folder / name, threads) for name in (ENCODER, DECODER))
        candidates = None
        if description.n_best:
            candidates = Candidates(
                _session(folder / SHORTLIST_GRAPH, threads),
                Shortlist.read(
                    folder / SHORTLIST,
                    n_best=description.n_best,
                    vocab_size=description.vocab_size,
                ),
                vocab_size=description.vocab_size,
                is_exact=exact,
            )
        return cls(description, vocabulary, search, opened_graphs(encoder, decoder, candidates))

    def translate(self, sentence: str) -> Translation:
        """Translate one sentence.

        The translation has at most `2 * source_tokens + 10` tokens, and never more than the
        model has positions.

        Raises:
            ValueError: The model's scores are not finite.
        """
        return self.translate_all([sentence])[0]

    def translate_all(
        self,
        sentences: Sequence[str],
        *,
        batch_tokens: int = 1,
        on_progress: OnTranslated | None = None,
    ) -> list[Translation]:
        """Translate sentences, in their order.

        Args:
            sentences: The sentences.
            batch_tokens: The most source tokens, with padding, of sentences that are translated
                together. Sentences of similar lengths go together. With 1 each goes alone.
            on_progress: A function that is called with the number of sentences done and of all.

        Raises:
            ValueError: The model's scores are not finite.
        """
        translations = [Translation("", 0.0, 0.0, 0, 0, truncated=False)] * len(sentences)
        sources: list[tuple[int, list[int], bool]] = []
        for number, sentence in enumerate(sentences):
            pieces = self.vocabulary.encode(sentence)
            kept = pieces[: self.description.max_positions - 1]
            if pieces:
                sources.append((number, [*kept, EOS], len(kept) < len(pieces)))
        done = len(sentences) - len(sources)
        n_together = batch_tokens if self.graphs.takes_several else 1
        for batch in by_length([len(source) for _, source, _ in sources], n_together):
            chosen = [sources[i] for i in batch]
            start = perf_counter()
            found = self._best([source for _, source, _ in chosen])
            latency_ms = (perf_counter() - start) * 1000 / len(chosen)
            for (number, source, truncated), best in zip(chosen, found, strict=True):
                translations[number] = Translation(
                    text=self.vocabulary.decode([x for x in best.tokens if x != EOS]),
                    score=self.search.score(best),
                    latency_ms=latency_ms,
                    source_tokens=len(source),
                    target_tokens=len(best.tokens),
                    truncated=truncated,
                )
            done += len(chosen)
            if on_progress is not None:
                on_progress(done, len(sentences))
        return translations

    def _best(self, sources: Sequence[Sequence[int]]) -> list[Any]:
        # The step that reads the last position gives one more token.
        longest = [min(self.description.max_positions, 2 * len(x) + 10) for x in sources]
        return self.search.best(self.graphs.begin(sources), max_tokens=longest)


def bundle_folder(folder: Path) -> Path:
    """Return the folder of a bundle: the given one, or the one in the folder of its model.

    Raises:
        BundleError: The one in the folder of its model is a link to another folder.
    """
    inner = folder / "onnx"
    if inner.is_symlink():
        raise BundleError(
            f"'{inner}' must be a folder, and is a link. Copy the folder itself there."
        )
    return inner if inner.is_dir() else folder


def _vocabulary(path: Path, n_pieces: int) -> Any:
    if not path.is_file():
        raise TranslationError(
            f"No vocabulary in '{path.parent}' ({path.name} is missing). "
            "Copy the one that the model was trained with there."
        )
    n_bytes = require_plain_file(path)
    try:
        if not 0 < n_bytes <= _LARGEST_VOCABULARY:  # SentencePiece takes an empty one
            raise RuntimeError
        pieces = sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
        size = pieces.get_piece_size()
    except RuntimeError:
        raise TranslationError(
            f"'{path}' of {n_bytes} bytes is not a SentencePiece model. Copy the one that the "
            "model was trained with there."
        ) from None
    if size != n_pieces:
        raise TranslationError(
            f"'{path}' must have {n_pieces} pieces, as the model has. "
            f"Got {size}; copy the one that the model was trained with there."
        )
    return pieces


def _session(path: Path, threads: int) -> Any:
    try:
        return open_session(path, threads=threads)
    except Exception as error:  # ONNX Runtime's exceptions share no other base class
        raise TranslationError(
            f"'{path}' cannot be loaded: {in_one_line(str(error)):.300} Export the model again."
        ) from None
