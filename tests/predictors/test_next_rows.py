import numpy as np

from predictors.next_rows import most_informative


def test_the_ends_of_a_line_teach_most() -> None:
    pool = np.linspace(0, 10, 21)[:, None]
    chosen = most_informative(pool, np.empty((0, 1)), 2)
    assert sorted(pool[chosen, 0]) == [0, 10]


def test_what_is_known_is_not_asked_again() -> None:
    # Column 0 is known at both ends; column 1 was never varied.
    known = np.array([[0.0, 5], [10, 5], [0, 5], [10, 5]])
    pool = np.array([[0.0, 5], [10, 5], [5, 0], [5, 5]])
    assert most_informative(pool, known, 1).tolist() == [2]


def test_a_row_is_chosen_once_and_no_more_than_there_are() -> None:
    pool = np.random.default_rng(0).normal(size=(6, 3))
    chosen = most_informative(pool, np.empty((0, 3)), 10)
    assert sorted(chosen.tolist()) == list(range(6))


def test_fewer_rows_are_needed_than_at_random() -> None:
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(300, 6))

    def variance(rows: np.ndarray) -> float:
        design = np.column_stack([np.ones(len(rows)), rows])
        inverse = np.linalg.inv(design.T @ design)
        ones = np.column_stack([np.ones(len(pool)), pool])
        return float(np.einsum("ij,jk,ik->i", ones, inverse, ones).max())

    chosen = pool[most_informative(pool, np.empty((0, 6)), 20)]
    at_random = [variance(pool[rng.choice(300, 20, replace=False)]) for _ in range(20)]
    assert variance(chosen) < np.min(at_random)
