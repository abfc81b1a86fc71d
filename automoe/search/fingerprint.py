"""Tell one search from another: a search resumes only from files that it wrote itself."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from automoe.search.fitness.validation import Fitness
from automoe.settings.search import VERIFICATION_FIELDS, SearchSettings
from automoe.training.model_folder import WEIGHTS


def search_fingerprint(
    settings: SearchSettings, fitness: Sequence[Fitness], *, predictor: Path, supernet: Path
) -> str:
    """Return a digest of settings, objective, text, predictor and supernet.

    Args:
        settings: The settings of the search. Those that limit measuring do not count.
        fitness: The fitness functions, one for each stage of halving.
        predictor: The file of the predictor.
        supernet: The folder of the supernet.
    """
    excluded = set(VERIFICATION_FIELDS)
    if settings.prescreen == 1:  # as in releases without this field
        excluded.add("prescreen")
    asked = settings.model_dump_json(exclude=excluded)
    digest = hashlib.sha256(f"{asked} {[_identity(each) for each in fitness]}".encode())
    for path in (predictor, supernet / WEIGHTS):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _identity(fitness: Fitness) -> str:
    """Return what a fitness depends on; for a function without a digest, its name and source."""
    name, source = getattr(fitness, "name", ""), getattr(fitness, "source_digest", "")
    return getattr(fitness, "digest", None) or f"{name} {source}"
