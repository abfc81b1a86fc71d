"""This module computes the fingerprint of a run, by which a run knows its own checkpoint."""

import hashlib
import json

from automoe.settings.training import TrainingSettings
from automoe.supernet import Transformer
from automoe.training.data import TrainingData
from automoe.training.subnets import SubnetsOfUpdate

_COMPARED = 20  # spaces with the same largest architecture differ in the subnets of some updates


def fingerprint(
    model: Transformer, data: TrainingData, settings: TrainingSettings, subnets: SubnetsOfUpdate
) -> str:
    """Return a digest of everything that a resumed run must share.

    Training with another supernet's weights is another run. How often a run saves and validates
    may differ.
    """
    pairs, first_weights = hashlib.sha256(), hashlib.sha256()
    for pair in data.train:
        pairs.update(repr((pair.source, pair.target)).encode())
    for weight in model.state_dict().values():
        first_weights.update(weight.detach().cpu().numpy().tobytes())
    content = {
        "config": model.config.to_dict(),
        "settings": settings.model_dump(exclude=settings.outside_fingerprint()),
        "vocabulary": data.vocabulary.sha256,
        "pairs": pairs.hexdigest(),
        "first_weights": first_weights.hexdigest(),
        "subnets": [[x and x.id for x in subnets(update)] for update in range(_COMPARED)],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
