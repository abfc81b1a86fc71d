"""Evolution under a latency budget, and the check on the device that keeps its promise."""

from automoe.search.bench import Bench, Measured
from automoe.search.bleu_fitness import BleuFitness
from automoe.search.budget_search import Candidate, SearchOutcome, search
from automoe.search.cluster_backend import WorkersUnavailableError
from automoe.search.evaluation import Evaluator
from automoe.search.evolution import Evolution
from automoe.search.fingerprint import search_fingerprint
from automoe.search.fitness import (
    Fitness,
    SupernetFitness,
    ValidationFitness,
    supernet_fitness,
)
from automoe.search.fitness_cache import FitnessCache
from automoe.search.objective import ImportedFitness, ObjectiveError
from automoe.search.preflight import preflight_line, require_feasible, surveyed
from automoe.search.result import (
    SCHEMA_VERSION,
    describe,
    feasibility_of,
    front_of,
    result_of,
    write_result,
)
from automoe.search.settings import EvolutionSettings, SearchSettings
from automoe.search.state import SearchStateError
from automoe.search.verification import Verification, verify
from automoe.search.verified_search import VerifiedSearch, verified_search
from automoe.search.workers import Workers, workers

__all__ = [
    "SCHEMA_VERSION",
    "Bench",
    "BleuFitness",
    "Candidate",
    "Evaluator",
    "Evolution",
    "EvolutionSettings",
    "Fitness",
    "FitnessCache",
    "ImportedFitness",
    "Measured",
    "ObjectiveError",
    "SearchOutcome",
    "SearchSettings",
    "SearchStateError",
    "SupernetFitness",
    "ValidationFitness",
    "Verification",
    "VerifiedSearch",
    "Workers",
    "WorkersUnavailableError",
    "describe",
    "feasibility_of",
    "front_of",
    "preflight_line",
    "require_feasible",
    "result_of",
    "search",
    "search_fingerprint",
    "supernet_fitness",
    "surveyed",
    "verified_search",
    "verify",
    "workers",
    "write_result",
]
