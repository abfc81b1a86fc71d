"""Evolution under a latency budget, and the check on the device that keeps its promise."""

from automoe.search.budget_search import Candidate, SearchOutcome, search
from automoe.search.evolution import Evolution
from automoe.search.fitness import Fitness, ValidationFitness
from automoe.search.result import SCHEMA_VERSION, describe, result_of, write_result
from automoe.search.settings import EvolutionSettings, SearchSettings
from automoe.search.state import SearchStateError
from automoe.search.verification import Measured, Verification, verify

__all__ = [
    "SCHEMA_VERSION",
    "Candidate",
    "Evolution",
    "EvolutionSettings",
    "Fitness",
    "Measured",
    "SearchOutcome",
    "SearchSettings",
    "SearchStateError",
    "ValidationFitness",
    "Verification",
    "describe",
    "result_of",
    "search",
    "verify",
    "write_result",
]
