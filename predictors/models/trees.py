"""This module predicts with boosted trees that XGBoost has fitted, without importing XGBoost.

XGBoost imports scikit-learn, which takes longer than a prediction.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from devices.yaml_json import parse_json
from predictors.models.base import Matrix, Vector


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """The nodes of all trees, one tree after another, each array of shape (nodes,).

    Attributes:
        roots: The node at which each tree begins, shape (trees,).
        column: The column that a node compares; 0 in a leaf.
        value: The value that the column is compared with; in a leaf, what the leaf adds.
        lower: The node for smaller values of the column; in a leaf, the leaf itself.
        other: The node for all other values; in a leaf, the leaf itself.
    """

    roots: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray[np.float32]
    lower: NDArray[np.int64]
    other: NDArray[np.int64]

    @classmethod
    def of(cls, json_text: str) -> Self:
        """Return the trees of a booster in XGBoost's JSON."""
        trees = parse_json(json_text)["learner"]["gradient_booster"]["model"]["trees"]
        sizes = [len(tree["left_children"]) for tree in trees]
        roots = np.cumsum([0, *sizes[:-1]])
        start = np.repeat(roots, sizes)
        lower, other = (
            np.concatenate([np.array(tree[key], dtype=np.int64) for tree in trees])
            for key in ("left_children", "right_children")
        )
        is_leaf, itself = lower < 0, np.arange(len(start))
        return cls(
            roots=roots,
            column=np.concatenate([tree["split_indices"] for tree in trees]).astype(np.int64),
            value=np.concatenate([tree["split_conditions"] for tree in trees]).astype(np.float32),
            lower=np.where(is_leaf, itself, start + lower),
            other=np.where(is_leaf, itself, start + other),
        )

    def total(self, X: Matrix) -> Vector:
        """Return the sum of what the trees add for every row, shape (rows,)."""
        cells = X.astype(np.float32)  # XGBoost compares in this precision
        rows = np.arange(len(X))[:, None]
        node = np.broadcast_to(self.roots, (len(X), len(self.roots)))
        while True:
            is_lower = cells[rows, self.column[node]] < self.value[node]
            reached = np.where(is_lower, self.lower[node], self.other[node])
            if np.array_equal(reached, node):
                return np.asarray(self.value[node].sum(axis=1, dtype=np.float64))
            node = reached


@lru_cache(maxsize=8)  # a search predicts hundreds of times with the same trees
def trees_of(json_text: str) -> Trees:
    """Return `Trees.of` of the text, which is read once."""
    return Trees.of(json_text)
