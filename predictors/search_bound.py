"""This module computes an upper bound that also holds for the candidates that a search picks.

A search returns the best candidate whose bound is within the budget. Among candidates with equal
predictions, the model underestimates the larger ones. These are often better, so the search picks
them. A bound that covers 95 % of all rows therefore covers fewer of the picks. How many fewer
depends on how many candidates the search tries, and on how the model's errors are related to what
the search maximises. The latter is unknown here, so each column of the features is tried in its
place, and the column that needs the widest bound decides.

For a column, let the surplus of a row be what it has more of that column than rows of the same
prediction. The logarithm of actual over predicted is regressed on the surplus. Then searches are
simulated (a semi-parametric bootstrap; Efron & Tibshirani 1993, ch. 9): candidates are drawn around
the rows of the log, with a surplus that may be larger than any in the log, and each search picks
the largest one that fits. The error of the pick is its expectation from the regression and a
residual. The parameters of the regression are known as well as the log tells: each simulated
search draws them anew from their normal posterior (Gelman et al. 2013, "Bayesian Data Analysis",
section 14.2). So few rows make a wide bound.

What holds. At confidence 0.95, at most 5 % of searches among up to 3000 candidates exceed their
budget, on average over logs, when the errors are linear in the surplus and the candidates are like
the rows of the log. A search among many more candidates, errors that bend, and candidates outside
of the log or unlike any of its rows may exceed it more often. So a winner is measured before it is
certified.

All rows of a group, such as one architecture, count together as one.

Legend: R rows, P simulated searches, C candidates, B budgets, E errors.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.conformal import group_weights, ratio_bounds

_SEARCHES = 60
_CANDIDATES = 3000  # a search with default settings tries 125 + 29 x 100 architectures
_BUDGETS = np.linspace(0.1, 0.9, 20)
_ERRORS = 10
_LEAST_SURPLUS = 1e-9  # of a column's standard deviation; below, predictions determine the column

Floats = NDArray[np.float64]


def search_factor(
    ratios: Floats,
    unseen_ms: Floats,
    rows: Floats,
    *,
    confidence: float,
    groups: NDArray[np.int64] | None = None,
) -> float:
    """Return the factor from a prediction to an upper bound that holds for a search's pick.

    Args:
        ratios: The actual over the predicted latency of unseen rows, shape (rows,).
        unseen_ms: The predictions for unseen rows in milliseconds, shape (rows,).
        rows: The features, shape (rows, columns).
        confidence: The share of picks that shall be within the budget.
        groups: The group of every row, shape (rows,); None when each row is a group by itself.

    Returns:
        A factor that is at least the plain upper bound.

    Raises:
        ValueError: The confidence is not between 0 and 1, or too high for so few ratios.
    """
    _, plain = ratio_bounds(ratios, confidence, groups)
    weights_R = group_weights(np.arange(len(ratios)) if groups is None else groups)
    errors_R, log_ms_R = np.log(ratios), np.log(unseen_ms)
    searches = _Searches.drawn(log_ms_R, weights_R, np.random.default_rng(0))
    needed = [
        np.quantile(searches.excess(errors_R, column), confidence)
        for column in _columns(log_ms_R, rows)
    ]
    return max(plain, float(np.exp(max(needed, default=0.0))))


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """A column that a search might maximise, in units of its standard deviation.

    Attributes:
        surplus_R: The values of the rows less what is usual for their predictions.
        usual: The coefficients of the parabola in the log prediction that is usual.
        levels: The only values that candidates may have, sorted. They are empty for a continuous
            column, in which most rows have a value of their own.
    """

    surplus_R: Floats
    usual: Floats
    levels: Floats


def _columns(log_ms_R: Floats, rows: Floats) -> Iterator[_Column]:
    """Yield the columns that vary among rows of the same prediction."""
    powers = _powers(log_ms_R - log_ms_R.mean())
    for column in rows.T:
        if np.ptp(column) == 0:
            continue
        values_R = (column - column.mean()) / column.std()
        usual = np.linalg.lstsq(powers, values_R, rcond=None)[0]
        surplus_R = values_R - powers @ usual
        if surplus_R.std() > _LEAST_SURPLUS:
            levels = np.unique(values_R)
            is_continuous = 2 * len(levels) > len(values_R)
            yield _Column(surplus_R, usual, np.empty(0) if is_continuous else levels)


@dataclass(frozen=True, slots=True, eq=False)
class _Searches:
    """Simulated searches, which have the same candidates and budgets for every column.

    Candidates of a search are in the order of their prediction. Parameters of the regression are
    drawn as standard deviates, one for each search.

    Attributes:
        weights_R: The weights of the rows. Those of a group add up to 1.
        resembled_PC: The row of the log that each candidate resembles.
        level_PC: The log prediction of each candidate, less the mean of the log.
        deviates_PC: Standard normal deviates for the surplus of each candidate.
        last_B: The index of the last candidate that fits each budget.
        slope_P1: A deviate of the slope.
        mean_P1: A deviate of the mean error.
        residual_P1: The factor of the residuals' standard deviation.
        surplus_P1: The factor of the surplus' standard deviation.
        residuals_PBE: The row of the residual of each error.
        smooth_PBE: Standard normal deviates that smooth the residuals.
        bandwidth: The width of the kernel that smooths, in standard deviations.
    """

    weights_R: Floats
    resembled_PC: NDArray[np.int64]
    level_PC: Floats
    deviates_PC: Floats
    last_B: NDArray[np.int64]
    slope_P1: Floats
    mean_P1: Floats
    residual_P1: Floats
    surplus_P1: Floats
    residuals_PBE: NDArray[np.int64]
    smooth_PBE: Floats
    bandwidth: float

    @classmethod
    def drawn(cls, log_ms_R: Floats, weights_R: Floats, rng: np.random.Generator) -> "_Searches":
        """Return searches whose candidates are drawn around the rows of a log."""
        n, shape = round(weights_R.sum()), (_SEARCHES, _CANDIDATES)
        shares_R = weights_R / weights_R.sum()
        bandwidth = 1.06 * n**-0.2  # Silverman 1986, equation 3.28
        resembled_PC = rng.choice(len(shares_R), shape, p=shares_R)
        level_PC = (log_ms_R - log_ms_R.mean())[resembled_PC]
        level_PC += bandwidth * log_ms_R.std() * rng.standard_normal(shape)
        order_PC = np.argsort(level_PC, axis=1)
        freedom, surplus_freedom = _freedom(n, 2), _freedom(n, 3)
        one, errors = (_SEARCHES, 1), (_SEARCHES, len(_BUDGETS), _ERRORS)
        return cls(
            weights_R=weights_R,
            resembled_PC=np.take_along_axis(resembled_PC, order_PC, axis=1),
            level_PC=np.take_along_axis(level_PC, order_PC, axis=1),
            deviates_PC=rng.standard_normal(shape),
            last_B=(_BUDGETS * (_CANDIDATES - 1)).astype(np.int64),
            slope_P1=rng.standard_t(freedom, one),
            mean_P1=rng.standard_t(freedom, one),
            residual_P1=np.sqrt(freedom / rng.chisquare(freedom, one)),
            surplus_P1=np.sqrt(surplus_freedom / rng.chisquare(surplus_freedom, one)),
            residuals_PBE=rng.choice(len(shares_R), errors, p=shares_R),
            smooth_PBE=rng.standard_normal(errors),
            bandwidth=bandwidth,
        )

    def excess(self, errors_R: Floats, column: _Column) -> Floats:
        """Return the logarithm of actual over budget of the picks without any bound, flat.

        Args:
            errors_R: The logarithm of actual over predicted of the rows.
            column: The column that the searches maximise.
        """
        weights_R, n = self.weights_R, round(self.weights_R.sum())
        mean_surplus = weights_R @ column.surplus_R / n
        surplus_R = column.surplus_R - mean_surplus
        mean = weights_R @ errors_R / n
        squares = weights_R @ surplus_R**2
        slope = (weights_R * surplus_R) @ errors_R / squares
        residuals_R = errors_R - mean - slope * surplus_R
        spread = np.sqrt(weights_R @ residuals_R**2 / _freedom(n, 2))
        values_PC, surplus_PC = self._candidates(column)
        picked_PB = self._picks(values_PC)
        slope_P1 = slope + spread / np.sqrt(squares) * self.slope_P1
        picked_surplus_PB = np.take_along_axis(surplus_PC, picked_PB, axis=1) - mean_surplus
        mean_P1 = mean + spread / np.sqrt(n) * self.mean_P1
        expected_PB = mean_P1 + slope_P1 * picked_surplus_PB
        slack_PB = np.take_along_axis(self.level_PC, picked_PB, axis=1)
        slack_PB -= self.level_PC[:, self.last_B]
        residuals_PBE = residuals_R[self.residuals_PBE]
        residuals_PBE += self.bandwidth * spread * self.smooth_PBE
        residuals_PBE *= self.residual_P1[:, :, None]
        excess_PBE: Floats = (slack_PB + expected_PB)[:, :, None] + residuals_PBE
        return excess_PBE.ravel()

    def _candidates(self, column: _Column) -> tuple[Floats, Floats]:
        """Return the values and the surplus of the candidates, both with shape (P, C)."""
        constant, linear, square = column.usual
        usual_PC = constant + self.level_PC * (linear + self.level_PC * square)
        surplus_PC = column.surplus_R[self.resembled_PC]
        surplus_PC += self.bandwidth * column.surplus_R.std() * self.deviates_PC
        surplus_PC *= self.surplus_P1
        values_PC = usual_PC + surplus_PC
        if len(column.levels):
            middles = (column.levels[1:] + column.levels[:-1]) / 2
            values_PC = column.levels[np.searchsorted(middles, values_PC)]
            surplus_PC = values_PC - usual_PC
        return values_PC, surplus_PC

    def _picks(self, values_PC: Floats) -> NDArray[np.int64]:
        """Return the index of the largest value within each budget, shape (P, B).

        Of equal values the one with the largest prediction is picked.
        """
        is_largest_PC = values_PC >= np.maximum.accumulate(values_PC, axis=1)
        indices_PC = np.where(is_largest_PC, np.arange(_CANDIDATES), 0)
        return np.maximum.accumulate(indices_PC, axis=1)[:, self.last_B]


def _powers(level: Floats) -> Floats:
    return np.column_stack([np.ones_like(level), level, level**2])


def _freedom(n_rows: int, n_parameters: int) -> int:
    return max(n_rows - n_parameters, 1)
