"""Grids of shapes."""

import pytest
from onnx import TensorProto

from profilers import WorkloadError
from profilers.workload.declared_inputs import DeclaredInput
from profilers.workload.sweep import sweep_of

IDS = DeclaredInput("ids", TensorProto.INT64, ("batch", "length"))
MASK = DeclaredInput("mask", TensorProto.INT64, ("batch", "length"))
ODD = DeclaredInput("past.0", TensorProto.FLOAT, ("?", "?", 4))


def test_axes_with_one_symbol_change_together() -> None:
    sizes = (64, 128)
    sweep = sweep_of({"ids": (1, sizes), "mask": (1, sizes)}, [IDS, MASK])
    assert sweep.text == "ids=1x{length} mask=1x{length}"
    assert [point.shapes for point in sweep.points()] == [
        {"ids": (1, 64), "mask": (1, 64)},
        {"ids": (1, 128), "mask": (1, 128)},
    ]


def test_several_braces_are_a_grid_and_the_smallest_comes_first() -> None:
    sweep = sweep_of({"ids": ((2, 1), (8, 4))}, [IDS])
    assert [point.text for point in sweep.points()] == [
        "batch=1 length=4",
        "batch=2 length=4",
        "batch=1 length=8",
        "batch=2 length=8",
    ]


def test_axes_without_a_name_of_their_own_are_named_by_their_place() -> None:
    sweep = sweep_of({"past.0": ((1, 2), (1, 2), 4)}, [ODD])
    assert sweep.text == "past.0={past_0_0}x{past_0_1}x4"
    assert len(sweep.points()) == 4


def test_one_symbol_with_other_sizes_is_refused() -> None:
    with pytest.raises(WorkloadError, match="'length' must have the same sizes everywhere. Got"):
        sweep_of({"ids": (1, (64, 128)), "mask": (1, (64, 256))}, [IDS, MASK])


def test_a_grid_has_a_limit() -> None:
    sizes = tuple(range(1, 102))
    with pytest.raises(WorkloadError, match="may have 10000 points. Got 10201"):
        sweep_of({"ids": (sizes, sizes)}, [IDS])


def test_without_braces_there_is_one_point() -> None:
    sweep = sweep_of({"ids": (1, 30)}, [IDS])
    assert (sweep.text, len(sweep.points()), sweep.points()[0].text) == ("ids=1x30", 1, "")
