"""This package translates with an exported model and scores the translations."""

from automoe.deployed.beam_search import BeamSearch, Hypothesis, Step
from automoe.deployed.description import BundleError
from automoe.deployed.translator import Translation, TranslationError, Translator
from automoe.translation.evaluation import Evaluation, Translates, evaluate

__all__ = [
    "BeamSearch",
    "BundleError",
    "Evaluation",
    "Hypothesis",
    "Step",
    "Translates",
    "Translation",
    "TranslationError",
    "Translator",
    "evaluate",
]
