"""The options that describe the inputs of a model."""

import re

import pytest

from automoe.cli.model_input_options import ModelInputOptions, parse_shape_grid


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=1x30", ("x", (1, 30))),
        ("x=1x{64,128}x3", ("x", (1, (64, 128), 3))),
        ("a=b={1,2}x{0}", ("a=b", ((1, 2), (0,)))),
    ],
)
def test_a_shape_reads_as_it_is_written(text: str, expected: object) -> None:
    assert parse_shape_grid(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x=",
        "=1x2",
        "x=1xx2",
        "x=1x",
        "x=1x{}",
        "x=1x{64,}",
        "x={1 2}",
        "x=-1",
        "x=1x{2",
        "x=a",
    ],
)
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must read like name=1x30 or name=1x\{30,60\}. Got"):
        parse_shape_grid(text)


def test_a_size_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("must not repeat a size. Got '{3,3}'")):
        parse_shape_grid("x=1x{3,3}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": ("len",)}, "'--input' must read like length=400. Got 'len'"),
        ({"input_file": ("len=",)}, "'--input-file' must read like ids=ids.npy. Got 'len='"),
        ({"input": ("n=1", "n=2")}, "'--input' gives values for 'n' again"),
    ],
)
def test_values_that_cannot_be_read_are_refused(
    options: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ModelInputOptions(**options).values()
