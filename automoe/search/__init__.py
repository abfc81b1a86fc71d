"""Search by evolution under a latency budget, and measure the winner on the device."""

from automoe.search.assembly import (
    SearchFiles,
    SearchRequest,
    TargetDevice,
    run_search,
    runtime_of,
)
from automoe.search.budget_search import Candidate, SearchOutcome, search
from automoe.search.certify.measuring import Bench, Measured
from automoe.search.certify.search_rounds import VerifiedSearch, verified_search
from automoe.search.certify.verification import Verification, verify
from automoe.search.evolution import Evolution
from automoe.search.fingerprint import search_fingerprint
from automoe.search.fitness.bleu import BleuFitness
from automoe.search.fitness.cache import FitnessCache
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.fitness.imported import ImportedFitness, ObjectiveError
from automoe.search.fitness.objective import OF_TEXT, objective_fitness
from automoe.search.fitness.validation import (
    Fitness,
    SupernetFitness,
    ValidationFitness,
    supernet_fitness,
)
from automoe.search.in_one_call import search_under_budget
from automoe.search.preflight import (
    Preflight,
    feasibility_of,
    preflight_check,
    preflight_line,
    require_feasible,
    require_same_vocabulary,
    settings_of,
    surveyed,
)
from automoe.search.result import (
    SCHEMA_VERSION,
    describe,
    front_of,
    require_no_certificate,
    result_of,
)
from automoe.search.state import RoundKind, SearchStateError
from automoe.search.workers.cluster import WorkersUnavailableError
from automoe.search.workers.pool import Workers, workers
from automoe.settings.search import EvolutionSettings, SearchSettings
from devices.files import write_json as write_result

__all__ = [
    "OF_TEXT",
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
    "Preflight",
    "RoundKind",
    "SearchFiles",
    "SearchOutcome",
    "SearchRequest",
    "SearchSettings",
    "SearchStateError",
    "SupernetFitness",
    "TargetDevice",
    "ValidationFitness",
    "Verification",
    "VerifiedSearch",
    "Workers",
    "WorkersUnavailableError",
    "describe",
    "feasibility_of",
    "front_of",
    "objective_fitness",
    "preflight_check",
    "preflight_line",
    "require_feasible",
    "require_no_certificate",
    "require_same_vocabulary",
    "result_of",
    "run_search",
    "runtime_of",
    "search",
    "search_fingerprint",
    "search_under_budget",
    "settings_of",
    "supernet_fitness",
    "surveyed",
    "verified_search",
    "verify",
    "workers",
    "write_result",
]
