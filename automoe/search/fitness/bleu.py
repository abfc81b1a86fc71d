"""BLEU as a search's objective: every candidate translates."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from automoe.architecture.architecture import Architecture
from automoe.export import export_model
from automoe.search.fitness.validation import Version, loaded_supernet, version_of
from automoe.supernet.extract import extract
from automoe.text import Corpus, ParallelText
from automoe.training.model_folder import VOCABULARY, WEIGHTS
from automoe.translation import Translator, evaluate


@dataclass(frozen=True, slots=True)
class BleuFitness:
    """Minus the corpus BLEU of a subnet with the supernet's weights, exported as it would ship.

    Attributes:
        supernet: Folder of `automoe train`.
        corpus: Whose valid split is translated.
        sentences: Of it, evenly spaced.
        beam: Hypotheses followed at the same time.
    """

    supernet: Path
    corpus: Corpus
    sentences: int = 100
    beam: int = 1

    def __call__(self, architecture: Architecture) -> float:
        """Minus BLEU, from -100 to 0.

        Raises:
            ModelFolderError: The folder holds no supernet.
            CorpusError: The text cannot be read.
        """
        trained = loaded_supernet(self.supernet)
        with TemporaryDirectory(prefix="automoe-bleu-") as name:
            folder = Path(name)
            export_model(extract(trained.model, architecture), folder)
            trained.vocabulary.save(folder / VOCABULARY)
            translator = Translator.open(folder, beam=self.beam)
            return -evaluate(translator, self.text()).bleu

    @property
    def digest(self) -> str:
        """What the scores depend on besides the architecture."""
        return f"bleu/{self.beam}/{_content(self, version_of(self.supernet, self.corpus))}"

    def text(self) -> ParallelText:
        """The sentences that are translated."""
        text = self.corpus.split("valid")
        step = max(1, len(text) // self.sentences)
        return ParallelText(
            text.source[::step][: self.sentences], text.target[::step][: self.sentences]
        )


@lru_cache(maxsize=8)
def _content(described: BleuFitness, _of: Version) -> str:
    digest = hashlib.sha256((described.supernet / WEIGHTS).read_bytes())
    digest.update(described.text().digest.encode())
    return digest.hexdigest()
