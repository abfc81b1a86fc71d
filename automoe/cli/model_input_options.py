"""Read the options that describe the inputs of a model."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from automoe.cli.named_values import by_name
from automoe.cli.options import Options, grouped

if TYPE_CHECKING:
    from profilers import GivenValues
    from profilers.workload.sweep import ShapeGrid, Sizes

_AXIS = re.compile(r"\d+|\{\d+(,\d+)*\}")
_SIZES = re.compile(r"(\d+|\{[^}]*\})(x|$)")


@grouped("The inputs of a model")
class ModelInputOptions(Options):
    """The inputs of a model.

    Attributes:
        input_shape: For a model: shape of an input, such as x=1x30; x=1x{30,60} is measured for
            each size.
        input: For a model: values of an input, such as length=400, mask=true or ids=1,2,3.
        input_file: For a model: values of an input from a file of numpy.save, such as ids=a.npy.
    """

    input_shape: tuple[str, ...] = ()
    input: tuple[str, ...] = ()
    input_file: tuple[str, ...] = ()

    def grids(self) -> "dict[str, ShapeGrid]":
        """Return the shapes of `--input-shape`, by the input's name."""
        return by_name("--input-shape", map(parse_shape_grid, self.input_shape))

    def values(self) -> "Mapping[str, GivenValues]":
        """Return the values of `--input` and `--input-file`, by the input's name.

        Raises:
            ValueError: A text or a file gives no values, or an input has two sources.
        """
        from profilers import GivenValues

        values: dict[str, GivenValues] = {}
        for flag, texts in (("--input", self.input), ("--input-file", self.input_file)):
            for text in texts:
                name, _, source = text.partition("=")
                if not name or not source:
                    example = "length=400" if flag == "--input" else "ids=ids.npy"
                    raise ValueError(f"'{flag}' must read like {example}. Got '{text}'.")
                if name in values:
                    raise ValueError(f"'{flag}' gives values for '{name}' again. Give them once.")
                is_file = flag == "--input-file"
                read = GivenValues.read(Path(source)) if is_file else GivenValues.parse(source)
                values[name] = read
        return values


def parse_shape_grid(text: str) -> "tuple[str, ShapeGrid]":
    """Return the name of an input and its shape, with all sizes of an axis in braces.

    Raises:
        ValueError: The text does not read like name=1x30 or name=1x{30,60}.
    """
    name, _, sizes = text.rpartition("=")
    parts = [match.group(1) for match in _SIZES.finditer(sizes)]
    is_whole = bool(parts) and "x".join(parts) == sizes
    longest = max(map(len, re.findall(r"\d+", sizes)), default=0)
    if not name or not is_whole or longest > 18 or not all(map(_AXIS.fullmatch, parts)):
        raise ValueError(
            f"'--input-shape' must read like name=1x30 or name=1x{{30,60}}. Got '{text:.80}'."
        )
    return name, tuple(map(_axis, parts))


def _axis(part: str) -> "Sizes":
    if not part.startswith("{"):
        return int(part)
    sizes = [int(size) for size in part[1:-1].split(",")]
    if len(set(sizes)) < len(sizes):
        raise ValueError(f"'--input-shape' must not repeat a size. Got '{part}'.")
    return tuple(sizes)
