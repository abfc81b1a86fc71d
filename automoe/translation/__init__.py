"""This package translates with an exported model and scores the translations."""

from automoe.translation.beam_search import BeamSearch, Hypothesis, Step
from automoe.translation.evaluation import Evaluation, Translates, evaluate
from automoe.translation.translator import (
    VOCABULARY_FILE,
    Translation,
    TranslationError,
    Translator,
)

__all__ = [
    "VOCABULARY_FILE",
    "BeamSearch",
    "Evaluation",
    "Hypothesis",
    "Step",
    "Translates",
    "Translation",
    "TranslationError",
    "Translator",
    "evaluate",
]
