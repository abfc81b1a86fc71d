"""This module lists the files of a workload, under their names on another machine."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from devices.yaml_json import parse_json
from profilers.workload.fields import WorkloadError
from profilers.workload.from_onnx import load_onnx

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, slots=True)
class WorkloadFiles:
    """The files that a worker on another machine needs to load a workload.

    Attributes:
        document: The workload's JSON, with the graphs under their new names.
        files: Every other file by its new name: the graphs and their external weights.
    """

    document: bytes
    files: Mapping[str, Path]


def workload_files(path: Path) -> WorkloadFiles:
    """Return the files that belong to the workload at `path`.

    Graphs of one folder remain in one folder, so that they still share their weights.

    Raises:
        WorkloadError: A graph is not an ONNX file, or keeps data outside its own folder.
        OSError: A file cannot be read.
    """
    document = parse_json(path.read_bytes())
    files: dict[str, Path] = {}
    graphs = {}
    for name, file in document["graphs"].items():
        graph = (path.parent / file).absolute()  # its weights may be beside a link
        folder = hashlib.sha256(str(graph.parent).encode()).hexdigest()[:12]
        graphs[name] = f"{folder}/{graph.name}"
        files[graphs[name]] = graph
        for location in external_locations(graph):
            files[f"{folder}/{location}"] = _inside(graph, location)
    return WorkloadFiles(json.dumps({**document, "graphs": graphs}).encode(), files)


def external_locations(graph: Path) -> tuple[str, ...]:
    """Return the files in which a graph keeps its weights, relative to its folder, sorted.

    Raises:
        WorkloadError: The graph is not an ONNX file.
        OSError: The graph cannot be read.
    """
    return tuple(sorted(set(_locations(load_onnx(graph)))))


def _locations(model: "ModelProto") -> Iterator[str]:
    from profilers.workload.subgraphs import constants, initialisers  # onnx is slow to import

    for tensor in (*initialisers(model.graph), *constants(model.graph)):
        for entry in tensor.external_data:
            if entry.key == "location":
                yield entry.value


def _inside(graph: Path, location: str) -> Path:
    """Return the path of a graph's data.

    A model from somebody else must not make AutoMoE send a file of another folder.
    """
    from profilers.workload.stored_weights import lies_beside  # onnx is slow to import

    relative, file = PurePosixPath(location), graph.parent / location
    if relative.is_absolute() or ".." in relative.parts or not lies_beside(file, graph):
        raise WorkloadError(
            f"{graph} must keep its data in its own folder. Got {location!r}. "
            f"Save it again with its data beside it."
        )
    return file
