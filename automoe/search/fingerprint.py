"""What tells one search from another: it may go on only from what it would find itself."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from automoe.search.fitness.validation import Fitness
from automoe.settings.search import VERIFICATION_FIELDS, SearchSettings
from automoe.training.model_folder import WEIGHTS


def search_fingerprint(
    settings: SearchSettings, fitness: Sequence[Fitness], *, predictor: Path, supernet: Path
) -> str:
    """A digest of settings, objective, text, predictor and supernet.

    Args:
        settings: Of the search; how long it may measure does not count.
        fitness: What it minimises, one for each stage of halving.
        predictor: File of the latency model.
        supernet: Folder of the supernet.
    """
    asked = settings.model_dump_json(exclude=set(VERIFICATION_FIELDS))
    digest = hashlib.sha256(f"{asked} {[_identity(each) for each in fitness]}".encode())
    for path in (predictor, supernet / WEIGHTS):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _identity(fitness: Fitness) -> str:
    """What its values depend on; of a function of the user at least its name and source."""
    name, source = getattr(fitness, "name", ""), getattr(fitness, "source_digest", "")
    return getattr(fitness, "digest", None) or f"{name} {source}"
