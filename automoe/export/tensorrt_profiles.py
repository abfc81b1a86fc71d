"""This module writes the smallest, typical and largest shapes that an engine is built for.

TensorRT calls them an optimisation profile. Engines are built on the device that runs them and are
never shipped, because loading an engine runs native code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from automoe.architecture.architecture import Architecture
from automoe.export.graph import GraphBuilder, Range, ShapeRange
from devices.files import write_json

PROFILES = "tensorrt.json"
SCHEMA_VERSION = 1
_TYPICAL_LENGTH = 30
_TYPICAL_BEAM, _MAX_BEAM = 4, 8


@dataclass(frozen=True, slots=True)
class BundleSizes:
    """The sizes with which a deployed bundle translates one sentence.

    Attributes:
        max_positions: The length of the longest source and target, in tokens.
    """

    max_positions: int

    def typical_tokens(self, graph: str) -> int:
        """Return the number of tokens of a typical run of the encoder or the decoder."""
        return self._length()[1] if graph == "encoder" else _TYPICAL_BEAM

    def dimensions(self, architecture: Architecture) -> dict[str, Range]:
        """Return the range of each symbolic dimension of the graphs."""
        length = self._length()
        cached = (0, min(length[1], self.max_positions - 1), self.max_positions - 1)
        return open_dimensions(architecture, length, cached, (1, _TYPICAL_BEAM, _MAX_BEAM))

    def _length(self) -> Range:
        return (1, min(_TYPICAL_LENGTH, self.max_positions), self.max_positions)


def open_dimensions(
    architecture: Architecture, length: Range, cached: Range, beam: Range, batch: int = 1
) -> dict[str, Range]:
    """Return the range of each symbolic dimension of the graphs.

    Args:
        architecture: The architecture, whose spans decide how many encoder positions a decoder
            layer attends to.
        length: The range of the number of source tokens of a sentence.
        cached: The range of the number of target tokens before a step.
        beam: The range of the number of hypotheses of a sentence.
        batch: The number of sentences that are translated together.
    """
    attended = {
        f"attended_{i}": _times(length, layer.cross_span)
        for i, layer in enumerate(architecture.decoder.layers)
    }
    of_all = {"source_length": _times(length, batch), "beam": _times(beam, batch)}
    return {**attended, **of_all, "cached": cached}


def write_profiles(
    folder: Path,
    graphs: Mapping[str, GraphBuilder],
    sizes: BundleSizes,
    architecture: Architecture,
) -> None:
    """Write ``tensorrt.json`` with the shapes of every graph, also as arguments of ``trtexec``."""
    dimensions = sizes.dimensions(architecture)
    ranges = {file: graph.shape_ranges(dimensions) for file, graph in graphs.items()}
    document = {
        "schema_version": SCHEMA_VERSION,
        "graphs": {
            file: {
                "inputs": {
                    name: dict(zip(("min", "opt", "max"), shapes, strict=True))
                    for name, shapes in of_graph.items()
                },
                "trtexec": trtexec_arguments(file, of_graph),
            }
            for file, of_graph in ranges.items()
        },
    }
    write_json(folder / PROFILES, document)


def trtexec_arguments(file: str, ranges: Mapping[str, ShapeRange]) -> list[str]:
    """Return the arguments of ``trtexec`` for a graph and its shapes."""

    def listed(index: int) -> str:
        return ",".join(
            f"{name}:{'x'.join(map(str, shapes[index]))}" for name, shapes in ranges.items()
        )

    flags = ("--minShapes", "--optShapes", "--maxShapes")
    return [f"--onnx={file}", *(f"{flag}={listed(i)}" for i, flag in enumerate(flags))]


def _times(span: Range, factor: int) -> Range:
    return (span[0] * factor, span[1] * factor, span[2] * factor)
