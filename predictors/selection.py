"""This module lets models compete in repeated, grouped K-fold cross-validation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold

from predictors.models import LatencyModel, RooflineBlend
from predictors.models.blend import blended
from predictors.scores import ModelScore, mean_score, score

OnCompared = Callable[[int, str], None]

_FOLDS = 10
_REPEATS = 3
_REPEAT_MAX_ROWS = 150
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The outcome of a competition.

    Attributes:
        scores: The score of every model: the winner's, then the others', best first.
        unseen_ms: The winner's prediction for each row in milliseconds, by a model fitted without
            the row's fold, shape (rows,).
    """

    scores: tuple[ModelScore, ...]
    unseen_ms: NDArray[np.float64]

    @property
    def winner(self) -> str:
        """The name of the model that was selected."""
        return self.scores[0].name


def select(
    models: Mapping[str, LatencyModel],
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
    on_compared: OnCompared = lambda n_compared, name: None,
) -> Selection:
    """Let the models compete on unseen rows.

    The winner is the earliest of the models whose MAPE exceeds the smallest one by at most two
    standard errors of the difference (after Breiman et al. 1984, section 3.4.3). With few rows,
    the smallest MAPE is often that of a complex model by chance. With groups, the model with the
    smallest MAPE wins, because a few groups do not tell their standard error.

    All models see the same 10 folds. Up to 150 rows, folds are drawn 3 times, with more rows once.
    The predictions of the first repetition are kept, because the bound needs one error per row.

    Args:
        models: The unfitted models by name.
        X: The features, shape (rows, features).
        y: The latency in milliseconds, shape (rows,).
        groups: The group of every row, shape (rows,). A group is in one fold as a whole.
        seed: The seed of the folds.
        on_compared: A function that is called after each model as `on_compared(n, name)`.
    """
    predicted = cross_validated(models, X, y, groups=groups, seed=seed, on_compared=on_compared)
    return ranked(predicted, y, standard_errors=_STANDARD_ERRORS if groups is None else 0.0)


def cross_validated(
    models: Mapping[str, LatencyModel],
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
    on_compared: OnCompared = lambda n_compared, name: None,
) -> dict[str, list[NDArray[np.float64]]]:
    """Return each model's predictions of unseen rows, one array for each repetition of the folds.

    The arguments are those of `select`.
    """
    repeats = _REPEATS if len(y) <= _REPEAT_MAX_ROWS else 1
    predicted: dict[str, list[NDArray[np.float64]]] = {}
    for name, model in models.items():
        if isinstance(model, RooflineBlend) and set(model.parts) <= predicted.keys():
            # The blended models have been fitted to the same folds already.
            parts = [predicted[part] for part in model.parts]
            predicted[name] = [blended(several) for several in zip(*parts, strict=True)]
        else:
            predicted[name] = [
                unseen(model, X, y, groups=groups, seed=seed + repeat) for repeat in range(repeats)
            ]
        on_compared(len(predicted), name)
    return predicted


def ranked(
    predicted: Mapping[str, list[NDArray[np.float64]]],
    y: NDArray[np.float64],
    *,
    standard_errors: float,
) -> Selection:
    """Return the outcome of a competition.

    Args:
        predicted: The predictions from `cross_validated`, simplest model first.
        y: The latency in milliseconds, shape (rows,).
        standard_errors: The number of standard errors by which the winner's MAPE may exceed the
            smallest one. With 0 the smallest MAPE wins.
    """
    scores = [mean_score([score(name, p, y) for p in each]) for name, each in predicted.items()]
    errors = [np.mean([np.abs(p / y - 1) for p in each], axis=0) for each in predicted.values()]
    first = scores[_simplest(np.array(errors), standard_errors)]
    best_first = sorted(scores, key=lambda each: (each is not first, each.mape))
    return Selection(tuple(best_first), predicted[first.name][0])


def _simplest(errors: NDArray[np.float64], standard_errors: float) -> int:
    """Return the index of the earliest model that is as good as the best one.

    Args:
        errors: The relative error of each model and row, shape (models, rows).
        standard_errors: The number of standard errors by which it may be worse.
    """
    excess = errors - errors[errors.mean(axis=1).argmin()]
    allowed = standard_errors * excess.std(axis=1) / np.sqrt(excess.shape[1])
    return int((excess.mean(axis=1) <= allowed).argmax())


def unseen(
    model: LatencyModel,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return each row's prediction by a clone of the model that is fitted without the row's fold.

    The arguments are those of `select`.
    """
    predicted = np.empty_like(y)
    if groups is None:
        folds = KFold(min(_FOLDS, len(y)), shuffle=True, random_state=seed)
    else:
        n_groups = len(np.unique(groups))
        folds = GroupKFold(min(_FOLDS, n_groups), shuffle=True, random_state=seed)
    for train, test in folds.split(X, groups=groups):
        predicted[test] = clone(model).fit(X[train], y[train]).predict(X[test])
    return predicted
