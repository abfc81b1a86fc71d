"""Predict the fitness of architectures from those that a search has evaluated.

The predictor is a ridge regression on the logarithms of the architectures' features. A ranking by
such a predictor needs far fewer evaluations than a search without one (BRP-NAS, arXiv 2007.08668).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture

Features = Callable[[Sequence[Architecture]], pd.DataFrame]
PredictFitness = Callable[
    [Mapping[Architecture, float], Sequence[Architecture]], NDArray[np.float64]
]

_PENALTIES = np.logspace(-2, 4, 13)


def ridge_predictions(features: Features) -> PredictFitness:
    """Return a function that predicts the fitness of architectures from that of others.

    Args:
        features: A function that returns a table of numbers that are not negative, with a row for
            each architecture.
    """
    rows: dict[Architecture, NDArray[np.float64]] = {}

    def log_features(architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        fresh = [a for a in architectures if a not in rows]
        if fresh:
            rows.update(zip(fresh, np.log1p(features(fresh).to_numpy(np.float64)), strict=True))
        return np.stack([rows[a] for a in architectures])

    def predict(
        known: Mapping[Architecture, float], candidates: Sequence[Architecture]
    ) -> NDArray[np.float64]:
        from sklearn.linear_model import RidgeCV  # takes a moment to import
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES))
        model.fit(log_features(list(known)), np.fromiter(known.values(), np.float64))
        return np.asarray(model.predict(log_features(candidates)))

    return predict
