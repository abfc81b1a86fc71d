"""Rank trade-offs between two quantities; a smaller value of each is better.

The ranking is that of NSGA-II (Deb et al. 2002, "A fast and elitist multiobjective genetic
algorithm", sections III.A and III.B).

Legend: N points, 2 objectives.
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def front(points_N2: Points) -> NDArray[np.int64]:
    """Return the points that no other one dominates, by the first objective.

    Of equal points only the first is returned.
    """
    order = np.lexsort((points_N2[:, 1], points_N2[:, 0]))
    second = points_N2[order, 1]
    least_before = np.minimum.accumulate(np.concatenate([[np.inf], second[:-1]]))
    return np.asarray(order[second < least_before], dtype=np.int64)


def ranked(points_N2: Points) -> NDArray[np.int64]:
    """Return all points, the best first: front by front, and by falling crowding distance."""
    left = np.arange(len(points_N2))
    order: list[NDArray[np.int64]] = []
    while left.size:
        chosen = front(points_N2[left])
        lonely = np.argsort(-crowding_distance(points_N2[left[chosen]]), kind="stable")
        order.append(left[chosen[lonely]])
        left = np.delete(left, chosen)
    return np.concatenate([np.empty(0, dtype=np.int64), *order])


def crowding_distance(front_N2: Points) -> NDArray[np.float64]:
    """Return how far apart the neighbours of each point of a front are; infinity at its ends."""
    distance_N = np.zeros(len(front_N2))
    for value_N in front_N2.T:
        order = np.argsort(value_N, kind="stable")
        span = value_N[order[-1]] - value_N[order[0]]
        distance_N[order[[0, -1]]] = np.inf
        if span > 0:
            distance_N[order[1:-1]] += (value_N[order[2:]] - value_N[order[:-2]]) / span
    return distance_N


def hypervolume(points_N2: Points, reference_2: Points) -> float:
    """Return the area that the points dominate, up to a reference point (Zitzler & Thiele 1998).

    Args:
        points_N2: The points. Those beyond the reference add nothing.
        reference_2: A point that is worse than all those of interest.
    """
    within = points_N2[(points_N2 < reference_2).all(axis=1)]
    if not len(within):
        return 0.0
    best = within[front(within)]
    widths = np.append(best[1:, 0], reference_2[0]) - best[:, 0]
    return float(np.sum(widths * (reference_2[1] - best[:, 1])))
