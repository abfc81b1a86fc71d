"""This module turns shapes with several sizes into the points of a grid."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from profilers.workload.declared_inputs import DeclaredInput, Shape
from profilers.workload.fields import WorkloadError

Sizes = int | tuple[int, ...]
"""The size of one axis, or all sizes that it takes in turn."""
ShapeGrid = tuple[Sizes, ...]

MOST_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One point of a grid.

    Attributes:
        sizes: The size of each axis that varies, by the axis's name.
        shapes: The shapes that are given, by the input's name.
    """

    sizes: Mapping[str, int]
    shapes: Mapping[str, Shape]

    @property
    def text(self) -> str:
        """The sizes as a text, such as "batch=1 length=64"."""
        return " ".join(f"{name}={size}" for name, size in self.sizes.items())


@dataclass(frozen=True, slots=True)
class Sweep:
    """A grid of shapes. Without axes that vary it has one point.

    Attributes:
        shapes: The shape of each given input; an axis that varies is its name.
        sizes: All sizes of each axis that varies, by the axis's name.
    """

    shapes: Mapping[str, tuple[int | str, ...]]
    sizes: Mapping[str, tuple[int, ...]]

    @property
    def text(self) -> str:
        """The shapes as a text, such as "x=1x{length}x64"; axes that vary are in braces."""
        return " ".join(
            f"{name}={'x'.join(f'{{{x}}}' if isinstance(x, str) else str(x) for x in shape)}"
            for name, shape in sorted(self.shapes.items())
        )

    def point(self, sizes: Mapping[str, int]) -> SweepPoint:
        """Return the point with these sizes."""
        shapes = {
            name: tuple(sizes[axis] if isinstance(axis, str) else axis for axis in shape)
            for name, shape in self.shapes.items()
        }
        return SweepPoint(dict(sizes), shapes)

    def points(self) -> list[SweepPoint]:
        """Return all points, the smallest first."""
        every = [
            self.point(dict(zip(self.sizes, each, strict=True)))
            for each in product(*self.sizes.values())
        ]
        return sorted(every, key=lambda point: prod(point.sizes.values()))


def sweep_of(grids: Mapping[str, ShapeGrid], inputs: Iterable[DeclaredInput]) -> Sweep:
    """Return the grid of shapes with several sizes.

    Axes with one symbol change together. An axis is named by its symbol, or by its input and its
    place when the graph gives it no name that can be a column.

    Args:
        grids: The shapes, by the input's name.
        inputs: The inputs that the graph declares.

    Raises:
        WorkloadError: Two axes with one symbol have other sizes, or there are too many points.
    """
    declared = {each.name: each for each in inputs}
    sizes: dict[str, tuple[int, ...]] = {}
    shapes: dict[str, tuple[int | str, ...]] = {}
    for name, grid in grids.items():
        axes: list[int | str] = []
        for place, axis_sizes in enumerate(grid):
            if isinstance(axis_sizes, int):
                axes.append(axis_sizes)
                continue
            axis = _axis_name(declared.get(name), name, place)
            if sizes.setdefault(axis, axis_sizes) != axis_sizes:
                raise WorkloadError(
                    f"Dimension {axis!r} must have the same sizes everywhere. Got "
                    f"{_listed(sizes[axis])} and {_listed(axis_sizes)}."
                )
            axes.append(axis)
        shapes[name] = tuple(axes)
    if (n_points := prod(map(len, sizes.values()))) > MOST_POINTS:
        raise WorkloadError(f"A grid may have {MOST_POINTS} points. Got {n_points}.")
    return Sweep(shapes, sizes)


def _axis_name(declared: DeclaredInput | None, name: str, place: int) -> str:
    dims = declared.dims if declared and declared.dims else ()
    dim = dims[place] if place < len(dims) else ""
    if isinstance(dim, str) and re.fullmatch(r"[A-Za-z_]\w*", dim):
        return dim
    return f"{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{place}"


def _listed(sizes: Sequence[int]) -> str:
    return f"{{{','.join(map(str, sizes))}}}"
