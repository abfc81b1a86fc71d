import numpy as np
import pandas as pd
import pytest

from predictors import TableError
from predictors.grouping import group_columns, groups_of, joined

FRAME = pd.DataFrame({"a": [1, 1, 2, 2, 3, 3, 4, 5, 6], "b": [0] * 9, "id": range(9)})


def test_rows_alike_in_the_named_columns_are_one_group() -> None:
    codes = groups_of(FRAME, ["a", "b"])
    assert codes is not None
    assert codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 5]


def test_an_architecture_groups_only_when_there_are_enough_of_it() -> None:
    codes = groups_of(FRAME, None, ["a"])
    assert codes is not None
    assert codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 5]
    assert groups_of(FRAME[:7], None, ["a"]) is None  # four groups
    assert groups_of(FRAME, None, ["id"]) is None  # every row by itself
    assert groups_of(FRAME, None) is None
    assert group_columns(FRAME, None, ["a"]) == ("a",)
    assert group_columns(FRAME[:7], None, ["a"]) == ()


def test_a_column_that_cannot_group_is_refused() -> None:
    with pytest.raises(TableError, match="no column 'c'"):
        groups_of(FRAME, ["c"])
    with pytest.raises(TableError, match=r"the columns \['b'\] make one group"):
        groups_of(FRAME, ["b"])
    with pytest.raises(TableError, match="'a' is a target and cannot group rows too. Name a"):
        groups_of(FRAME, ["a"], targets=["a"])


def test_repeated_measurements_are_one_group() -> None:
    X = np.repeat(np.arange(6.0), 3)[:, None]
    frame = pd.DataFrame({"x": X[:, 0]})
    codes = groups_of(frame, None, X=X)
    assert codes is not None
    assert codes.tolist() == np.repeat(np.arange(6), 3).tolist()
    assert groups_of(frame, None, X=np.arange(18.0)[:, None]) is None


def test_even_two_points_measured_repeatedly_are_groups() -> None:
    X = np.repeat([[1.0], [2.0]], 10, axis=0)
    codes = groups_of(pd.DataFrame({"x": X[:, 0]}), None, X=X)
    assert codes is not None
    assert codes.tolist() == [0] * 10 + [1] * 10


def test_new_rows_join_the_groups_of_rows_like_them() -> None:
    known = np.array([[1.0], [2.0], [3.0]])
    fresh = np.array([[2.0], [4.0], [4.0], [5.0]])
    codes = joined(np.array([0, 7, 7]), known, fresh)
    assert codes is not None
    assert codes[:4].tolist() == [0, 7, 7, 7]
    assert codes[4] == codes[5]
    assert len({*codes.tolist()}) == 4
    assert joined(None, known, np.array([[4.0]])) is None
