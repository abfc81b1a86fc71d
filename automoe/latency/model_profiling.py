"""This module measures any ONNX file. Each shape of its inputs becomes a point and then a row."""

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from automoe.latency.architecture_profiling import (
    ProfileSummary,
    append_all,
    opened_log,
)
from automoe.latency.told_progress import ToldProgress
from automoe.progress import OnProgress, no_progress
from devices import Device
from profilers import (
    GivenValues,
    LatencyLog,
    OnnxWorkload,
    Point,
    Protocol,
    Sentinel,
    costs_of_opened,
    deciding_inputs,
    measure_points,
    open_onnx_workload,
    require_measurable,
    sentinel_of_log,
)
from profilers.measuring.protocol import NO_SENTINEL
from profilers.workload.declared_inputs import declared_inputs
from profilers.workload.from_onnx import load_sound_onnx
from profilers.workload.sweep import ShapeGrid, Sweep, SweepPoint, sweep_of

SIZE = "feature_"  # the columns of the sizes that vary begin so
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """The shapes and values that a user gives for the inputs of a model.

    Attributes:
        shapes: The shape of each input, by name; an axis with several sizes is measured for each.
            A symbolic dimension that is not given is 1.
        values: The values of inputs, by name. Others are chosen.
    """

    shapes: Mapping[str, ShapeGrid] = field(default_factory=dict)
    values: Mapping[str, GivenValues] = field(default_factory=dict)


def profile_model(
    model: Path,
    *,
    point_id: str,
    device: Device,
    protocol: Protocol,
    log: Path,
    inputs: ModelInputs = ModelInputs(),
    on_progress: OnProgress = no_progress,
    on_note: Callable[[str], None] = lambda note: None,
) -> ProfileSummary:
    """Append a row to ``log`` for any ONNX file, or for each of its shapes.

    A point that the log holds already is left out. The sizes that vary are features of the rows.
    The workload in the log names the shapes that stay, the axes that vary and all values.

    Args:
        model: The file. One of its points is also the session's sentinel.
        point_id: The identity of the file in the log. The sizes that vary are added to it.
        device: The device that it is measured on.
        protocol: The measuring protocol.
        log: The CSV to which rows are appended.
        inputs: The shapes and values of the inputs.
        on_progress: A function that is called after every block.
        on_note: A function that is called with each sentence about the inputs.

    Raises:
        WorkloadError: The file is not ONNX, its weights are missing, or a shape or a value does
            not suit it.
        DeviceUnavailableError: The device cannot be used.
        LogError: The log is damaged or holds measurements of other conditions.
        ProfilingError: The file cannot be measured.
    """
    session = _ModelSession(model, point_id, inputs, log)
    first = session.first()
    text = _workload_text(session.sweep, first)
    opened = opened_log(log, device, protocol, text)
    done = opened.done()
    points = session.sweep.points()
    places = [place for place, each in enumerate(points) if session.name(each) not in done]
    left = [points[place] for place in places]
    n_skipped = len(points) - len(left)
    if not left:
        return ProfileSummary(0, n_skipped, 0, (), {}, opened.repaired)
    for sentence in first.sentences:  # they also explain why the graph cannot be computed
        on_note(sentence)
    for sentence in _from_costs(first, model, device):
        on_note(sentence)
    folder = log.with_name(f"{log.name}.workloads")
    with opened.measuring(), ExitStack() as at_the_end:
        at_the_end.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        columns = {"workload": text, "model": model.name}
        outcomes = measure_points(
            [session.point(point, folder, columns) for point in left],
            device=device,
            protocol=protocol,
            sentinel=session.sentinel(folder, opened),
            on_progress=ToldProgress(on_progress, n_skipped),
            places=places,
        )
        return append_all(outcomes, opened, n_skipped)


class _ModelSession:
    """The grid of one model, and the points that are made of it."""

    def __init__(self, model: Path, point_id: str, inputs: ModelInputs, log: Path) -> None:
        self._model = model
        self._graph = load_sound_onnx(model)
        self._point_id = point_id
        self._values = inputs.values
        self._log = log
        self.sweep = sweep_of(inputs.shapes, declared_inputs(self._graph.graph))

    def first(self) -> OnnxWorkload:
        """Return the workload of the smallest point, after a check that it can be measured.

        The data of large weights is let go, because a session may be long.
        """
        from profilers.workload.subgraphs import without_large_weights  # onnx is slow to import

        smallest = self.sweep.points()[0]
        require_measurable(self.workload(smallest), self._model)
        self._graph = without_large_weights(self._graph)
        return self.workload(smallest)

    def workload(self, point: SweepPoint) -> OnnxWorkload:
        """Return the workload of a point."""
        return open_onnx_workload(
            self._model, shapes=point.shapes, values=self._values, model=self._graph
        )

    def name(self, point: SweepPoint) -> str:
        """Return the identity of a point in the log."""
        return f"{self._point_id} {point.text}".rstrip()

    def point(self, point: SweepPoint, folder: Path, columns: Mapping[str, str]) -> Point:
        """Return a point to measure, with its sizes as features."""
        sizes = {f"{SIZE}{name}": size for name, size in point.sizes.items()}
        return Point(
            point_id=self.name(point),
            prepare=partial(self._write, point, folder),
            columns={**columns, **sizes},
        )

    def sentinel(self, folder: Path, log: LatencyLog) -> Sentinel:
        """Return the sentinel of a sweep: its middle point, or that of a log that is resumed.

        A model without sizes that vary is its own sentinel.
        """
        if not self.sweep.sizes:
            return NO_SENTINEL
        points = self.sweep.points()
        point = points[(len(points) - 1) // 2]
        name = sentinel_of_log(log.path)
        if name is not None:
            pairs = dict(re.findall(r"(\w+)=(\d+)", name.removeprefix(self._point_id)))
            if name.startswith(self._point_id) and pairs.keys() == self.sweep.sizes.keys():
                point = self.sweep.point({axis: int(size) for axis, size in pairs.items()})
        level_ms = log.sentinel_reference_ms(self.name(point))
        return Sentinel(
            name=self.name(point), workload=self._write(point, folder), reference_ms=level_ms
        )

    def _write(self, point: SweepPoint, folder: Path) -> Path:
        sizes = "-".join(map(str, point.sizes.values()))
        path = folder / f"{self._log.name}{sizes and '-'}{sizes}.workload.json"
        self.workload(point).workload.save(path)
        return path


def _workload_text(sweep: Sweep, first: OnnxWorkload) -> str:
    """Return the condition that all rows share: the shapes that stay, and the values.

    A value that depends on a size that varies is written as the rule by which it is chosen.
    """
    values = {
        **{name: given.text for name, given in first.given.items()},
        **{
            name: each.rule.replace(" ", "_") if sweep.sizes else each.text
            for name, each in first.chosen.items()
        },
    }
    shapes = sweep.text or "as declared"
    text = " ".join([shapes, *(f"{name}:={text}" for name, text in sorted(values.items()))])
    return " ".join(text.split())  # a name may hold a line break


def _from_costs(opened: OnnxWorkload, model: Path, device: Device) -> list[str]:
    """Return what the costs tell a user: which values decide them, and what they leave in doubt."""
    from profilers.costs.shapes import OpenedGraph  # onnx is slow to import

    graph = OpenedGraph(model, opened.model)
    costs, info = costs_of_opened(opened, model, graph=graph), device.info()
    names = deciding_inputs(opened, model, graph=graph)
    sentences = []
    if names:
        listed = ", ".join(f"'{name}'" for name in names)
        verb = "decides" if len(names) == 1 else "decide"
        sentences = [
            f"The value of {listed} {verb} what the graph computes: its FLOPs, or its branch."
        ]
    if costs.unknown_nodes and info.is_simulated:
        sentences.append(
            f"The simulated times are lower bounds, because they come from the graph's costs. "
            f"Unknown nodes: {len(costs.unknown_nodes)}, the first is {costs.unknown_nodes[0]}."
        )
    needed, present = costs.peak_memory_bytes / _GIB, info.memory_mb / 1024
    if 0 < present < needed and not info.is_simulated:  # 0 is unknown
        sentences.append(
            f"One run takes about {needed:.3g} GiB of memory, and the machine has {present:.3g} "
            "GiB: the system may end the worker. Measure smaller shapes, or on a larger machine."
        )
    return sentences
