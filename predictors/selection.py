"""The competition: repeated K-fold cross-validation on relative error."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import KFold

from predictors.models import LatencyModel
from predictors.scores import ModelScore, mean_score, score

_FOLDS = 10
_REPEATS = 3
_REPEAT_MAX_ROWS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The outcome of a competition.

    Attributes:
        scores: Of every model, best first.
        ratios: Actual over predicted of the winner, shape (rows,), in the order of the log; each
            row predicted by a model fitted without its fold.
    """

    scores: tuple[ModelScore, ...]
    ratios: NDArray[np.float64]

    @property
    def winner(self) -> str:
        """The name of the model with the smallest MAPE."""
        return self.scores[0].name


def select(
    models: Mapping[str, LatencyModel],
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    seed: int = 0,
) -> Selection:
    """The models ranked by MAPE on rows they had not seen; the earlier wins a tie.

    All models see the same folds: 10, drawn 3 times up to 200 rows and once above. The ratios
    are those of the first draw only, because the bound needs one error per row.

    Args:
        models: Unfitted models by name.
        X: Features, shape (rows, features).
        y: Latency in milliseconds, shape (rows,).
        seed: Of the folds.
    """
    repeats = _REPEATS if len(y) <= _REPEAT_MAX_ROWS else 1
    unseen = {
        name: [_unseen(model, X, y, seed=seed + repeat) for repeat in range(repeats)]
        for name, model in models.items()
    }
    scores = [mean_score([score(name, p, y) for p in unseen[name]]) for name in models]
    ranked = tuple(sorted(scores, key=lambda each: each.mape))
    return Selection(ranked, y / unseen[ranked[0].name][0])


def _unseen(
    model: LatencyModel, X: NDArray[np.float64], y: NDArray[np.float64], *, seed: int
) -> NDArray[np.float64]:
    """Each row's prediction by a clone fitted without the row's fold."""
    predicted = np.empty_like(y)
    folds = KFold(min(_FOLDS, len(y)), shuffle=True, random_state=seed)
    for train, test in folds.split(X):
        predicted[test] = clone(model).fit(X[train], y[train]).predict(X[test])
    return predicted
