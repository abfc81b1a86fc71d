"""The competition: repeated, grouped K-fold cross-validation on relative error."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold

from predictors.models import LatencyModel, RooflineBlend
from predictors.models.blend import blended
from predictors.scores import ModelScore, mean_score, score

_FOLDS = 10
_REPEATS = 3
_REPEAT_MAX_ROWS = 150


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The outcome of a competition.

    Attributes:
        scores: Of every model, best first.
        unseen_ms: Predictions of the winner, shape (rows,), in the order of the log; each row by
            a model fitted without its fold.
    """

    scores: tuple[ModelScore, ...]
    unseen_ms: NDArray[np.float64]

    @property
    def winner(self) -> str:
        """The name of the model with the smallest MAPE."""
        return self.scores[0].name


def select(
    models: Mapping[str, LatencyModel],
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Selection:
    """The models ranked by MAPE on rows they had not seen; the earlier wins a tie.

    All models see the same folds: 10, drawn 3 times up to 150 rows and once above. The predictions
    kept are those of the first draw only, because the bound needs one error per row.

    Args:
        models: Unfitted models by name.
        X: Features, shape (rows, features).
        y: Latency in milliseconds, shape (rows,).
        groups: Of every row, shape (rows,); a group is in one fold as a whole.
        seed: Of the folds.
    """
    repeats = _REPEATS if len(y) <= _REPEAT_MAX_ROWS else 1
    predicted: dict[str, list[NDArray[np.float64]]] = {}
    for name, model in models.items():
        if isinstance(model, RooflineBlend) and set(model.PARTS) <= predicted.keys():
            # Its parts have been fitted to these very folds.
            parts = [predicted[part] for part in model.PARTS]
            predicted[name] = [blended(several) for several in zip(*parts, strict=True)]
        else:
            predicted[name] = [
                unseen(model, X, y, groups=groups, seed=seed + repeat) for repeat in range(repeats)
            ]
    scores = [mean_score([score(name, p, y) for p in predicted[name]]) for name in models]
    ranked = tuple(sorted(scores, key=lambda each: each.mape))
    return Selection(ranked, predicted[ranked[0].name][0])


def unseen(
    model: LatencyModel,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Each row's prediction by a clone fitted without the row's fold; arguments as `select`."""
    predicted = np.empty_like(y)
    if groups is None:
        folds = KFold(min(_FOLDS, len(y)), shuffle=True, random_state=seed)
    else:
        n_groups = len(np.unique(groups))
        folds = GroupKFold(min(_FOLDS, n_groups), shuffle=True, random_state=seed)
    for train, test in folds.split(X, groups=groups):
        predicted[test] = clone(model).fit(X[train], y[train]).predict(X[test])
    return predicted
