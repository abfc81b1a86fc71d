"""Evaluate BLEU as the objective of a search: every candidate translates."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from automoe.architecture.architecture import Architecture
from automoe.export import export_model
from automoe.search.fitness.validation import TextFitness, content_digest, loaded_supernet
from automoe.supernet.extract import extract
from automoe.text import ParallelText
from automoe.translation import Translator, evaluate


@dataclass(frozen=True, slots=True)
class BleuFitness(TextFitness):
    """Minus the corpus BLEU of a subnet with the supernet's weights, as an exported model.

    Attributes:
        sentences: The number of sentences of the valid split, evenly spaced.
        beam: The number of hypotheses.
    """

    sentences: int = 100
    beam: int = 1

    def __call__(self, architecture: Architecture) -> float:
        """Return minus BLEU, from -100 to 0.

        Raises:
            ModelFolderError: The folder holds no supernet.
            CorpusError: The corpus cannot be read.
        """
        trained = loaded_supernet(self.supernet)
        with TemporaryDirectory(prefix="automoe-bleu-") as name:
            folder = Path(name)
            export_model(
                extract(trained.model, architecture), folder, vocabulary=trained.vocabulary
            )
            translator = Translator.open(folder, beam=self.beam)
            return -evaluate(translator, self.text()).bleu

    @property
    def digest(self) -> str:
        """A digest of everything besides the architecture that the values depend on."""
        return f"bleu/{self.beam}/{content_digest(self)}"

    def text(self) -> ParallelText:
        """Return the sentences that are translated."""
        text = self.corpus.split("valid")
        step = max(1, len(text) // self.sentences)
        return ParallelText(
            text.source[::step][: self.sentences], text.target[::step][: self.sentences]
        )
