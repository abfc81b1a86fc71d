"""Measuring architectures: each becomes a translated sentence, a point, and a row of the log."""

import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from random import Random
from typing import NotRequired, TypedDict, Unpack

from automoe.architecture.architecture import Architecture
from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace
from automoe.architecture.workload import TranslationWorkload
from automoe.export import WorkloadWriter
from automoe.latency.features import features
from automoe.progress import OnProgress, no_progress
from devices import Device, DeviceInfo
from devices.runtimes import ONNXRUNTIME, runtime_of
from profilers import (
    SCHEMA_VERSION,
    FailedPoint,
    LatencyLog,
    LogError,
    Measurement,
    Point,
    Progress,
    Protocol,
    Sentinel,
    measure_on_several,
    measure_points,
    reference_level_ms,
    require_conditions,
    workload_for_onnx,
)

# The sentinel is to feel what the points feel, so it is one of them, on a shorter sentence.
_TYPICAL = 7
_SHORTER = 5

Outcomes = Generator[Measurement | FailedPoint]
OnFailed = Callable[[FailedPoint], None]


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """The outcome of a profiling session.

    Attributes:
        n_measured: Rows appended.
        n_skipped: Architectures that the log held already.
        n_flagged: Rows appended with at least one flag.
        failed: Architectures that could not be measured, with the reason.
        quality: Rows appended, by their grade.
        repaired: What was wrong with the log and has been mended.
    """

    n_measured: int
    n_skipped: int
    n_flagged: int
    failed: tuple[FailedPoint, ...]
    quality: Mapping[str, int]
    repaired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilingSession:
    """The settings with which architectures are measured into a log.

    Attributes:
        device: Where they are measured.
        protocol: How each is measured.
        workload: The sentence that is timed.
        log: The CSV that rows are appended to.
        graphs: A folder for the graphs; each is removed once its row is written, and the folder
            when the session ends.
        space: Gives the sentinel, always the same of its architectures; without one it is the
            first architecture. A fifth of the sentence suffices for it.
        reference: A log of the same conditions. Latencies are corrected to the state the machine
            was in then, so that the two logs can be compared.
        more_devices: Devices like ``device``, which share the work with it.
        on_progress: Called after every block, in units of architectures.
        on_failed: Called with each architecture that could not be measured.
        on_lost: Called with the reason when one of several devices goes away.
    """

    device: Device
    protocol: Protocol
    workload: TranslationWorkload
    log: Path
    graphs: Path
    space: SearchSpace | None = None
    reference: Path | None = None
    more_devices: Sequence[Device] = ()
    on_progress: OnProgress = no_progress
    on_failed: OnFailed = lambda point: None
    on_lost: Callable[[str], None] = lambda message: None

    def measure(self, architectures: Sequence[Architecture]) -> ProfileSummary:
        """Do what `profile_architectures` says."""
        is_tensorrt = runtime_of(self.device) != ONNXRUNTIME
        # It refuses a precision, before anything is locked or made.
        writer = WorkloadWriter(self.graphs, self.workload, tensorrt=is_tensorrt)
        log = _opened_log(
            self.log, self.device, self.protocol, str(self.workload), reference=self.reference
        )
        with log.measuring(), _removed_at_the_end(self.graphs):
            distinct, done = list(dict.fromkeys(architectures)), log.done()
            left = [architecture for architecture in distinct if architecture.id not in done]
            n_skipped = len(distinct) - len(left)
            if not left:
                self.on_progress(n_skipped, n_skipped, "all measured before")
                return ProfileSummary(0, n_skipped, 0, (), {}, log.repaired)
            # Not left[0]: a resumed session must compare itself with the same sentinel.
            typical = self.space.sample(Random(_TYPICAL)) if self.space else distinct[0]
            sentinel = self._sentinel(typical, writer, log)
            points = [self._point(architecture, writer) for architecture in left]
            outcomes = self._outcomes(points, sentinel, n_skipped)
            return _append_all(outcomes, log, n_skipped, self.on_failed)

    def _sentinel(self, typical: Architecture, writer: WorkloadWriter, log: LatencyLog) -> Sentinel:
        whole = self.workload
        src_len, tgt_len = (ceil(n / _SHORTER) for n in (whole.src_len, whole.tgt_len))
        short = replace(whole, src_len=src_len, tgt_len=tgt_len, routing=RoutingPattern())
        name = f"{typical.id} src={src_len} tgt={tgt_len}"
        path = replace(writer, sentence=short, prefix="sentinel-").write(typical)
        return Sentinel(name=name, workload=path, reference_ms=_level(log, self.reference, name))

    def _point(self, architecture: Architecture, writer: WorkloadWriter) -> Point:
        return Point(
            point_id=architecture.id,
            prepare=lambda: writer.write(architecture),
            columns={
                "workload": str(self.workload),
                **_content_of(self.workload),
                "space": self.space.name if self.space else "",
                "architecture": architecture.to_json(),
                **features(architecture, self.workload),
            },
        )

    def _outcomes(self, points: Sequence[Point], sentinel: Sentinel, n_skipped: int) -> Outcomes:
        """Measure the points; remove the files of each once the caller is done with it."""
        measure = partial(measure_points, device=self.device)
        if self.more_devices:
            devices = [self.device, *self.more_devices]
            measure = partial(measure_on_several, devices=devices, on_lost=self.on_lost)
        told = _SessionProgress(self.on_progress, n_skipped)
        with closing(
            measure(points, protocol=self.protocol, sentinel=sentinel, on_progress=told)
        ) as outcomes:
            for outcome in outcomes:
                yield outcome
                for file in self.graphs.glob(f"{outcome.point_id}.*"):
                    file.unlink()


class SessionFields(TypedDict):
    """The attributes of a `ProfilingSession`, as keyword arguments."""

    device: Device
    protocol: Protocol
    workload: TranslationWorkload
    log: Path
    graphs: Path
    space: NotRequired[SearchSpace | None]
    reference: NotRequired[Path | None]
    more_devices: NotRequired[Sequence[Device]]
    on_progress: NotRequired[OnProgress]
    on_failed: NotRequired[OnFailed]
    on_lost: NotRequired[Callable[[str], None]]


def profile_architectures(
    architectures: Sequence[Architecture], **session: Unpack[SessionFields]
) -> ProfileSummary:
    """Append a row to a log for each architecture that it does not hold yet.

    Args:
        architectures: What to measure; one that is given twice is measured once.
        session: How, by keyword arguments: those that `ProfilingSession` describes.

    Raises:
        DeviceUnavailableError: The device cannot be used.
        LogError: The log is damaged or holds measurements of other conditions.
        ProfilingError: Nothing can be measured.
        ValueError: ``more_devices`` are not like ``device``.
    """
    return ProfilingSession(**session).measure(architectures)


def profile_model(
    model: Path,
    *,
    point_id: str,
    device: Device,
    protocol: Protocol,
    log: Path,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    on_progress: OnProgress = no_progress,
) -> ProfileSummary:
    """Append a row to ``log`` for any ONNX file, unless it is there already.

    Args:
        model: The file; it is also the session's sentinel.
        point_id: Its identity in the log.
        device: Where.
        protocol: How.
        log: The CSV.
        input_shapes: By input; symbolic dimensions that are not given are 1.
        on_progress: Called after every block.

    Raises:
        WorkloadError: The file is not ONNX or a shape does not suit it.
        DeviceUnavailableError, LogError, ProfilingError: As ``profile_architectures``.
    """
    shapes = dict(input_shapes or {})
    sizes = " ".join(f"{name}={'x'.join(map(str, shapes[name]))}" for name in sorted(shapes))
    columns = {"workload": sizes or "as declared", "model": model.name}
    opened = _opened_log(log, device, protocol, columns["workload"])
    if point_id in opened.done():
        return ProfileSummary(0, 1, 0, (), {}, opened.repaired)
    path = log.with_name(f"{log.name}.workload.json")
    workload_for_onnx(model, shapes=shapes).save(path)
    point = Point(point_id=point_id, workload=path, columns=columns)
    told = _SessionProgress(on_progress, 0)
    try:
        with opened.measuring():
            outcomes = measure_points([point], device=device, protocol=protocol, on_progress=told)
            return _append_all(outcomes, opened, 0)
    finally:
        path.unlink(missing_ok=True)


def _opened_log(
    path: Path, device: Device, protocol: Protocol, workload: str, *, reference: Path | None = None
) -> LatencyLog:
    """Open a log that rows of these conditions may be appended to.

    Raises:
        LogError: It is damaged, or it or ``reference`` holds measurements of other conditions.
    """
    log = LatencyLog(path)
    conditions = conditions_of(device.info(), protocol, workload)
    log.require(conditions)
    log.require_runtime(runtime_of(device))
    if reference is not None:
        require_conditions(reference, conditions)
    return log


def conditions_of(info: DeviceInfo, protocol: Protocol, workload: str) -> dict[str, object]:
    """Return the conditions that a log must share before anything is added to it.

    Args:
        info: Of the device.
        protocol: How it is measured.
        workload: What is timed, as the log names it.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "device": info.name,
        "device_fingerprint": info.fingerprint,
        "power_mode": info.power_mode,
        "threads": protocol.threads,
        "workload": workload,
    }


def _level(log: LatencyLog, reference: Path | None, sentinel: str) -> float | None:
    """The sentinel's level that rows are to be corrected to, when there is one already."""
    own_ms = log.sentinel_reference_ms(sentinel)
    if reference is None:
        return own_ms
    wanted_ms = reference_level_ms(reference, sentinel)
    if own_ms is not None and own_ms != wanted_ms:
        raise LogError(
            f"'reference' must have the level that {log.path} is corrected to, {own_ms:g} ms. "
            f"Got {reference} with {wanted_ms:g} ms. Use another log."
        )
    return wanted_ms


@contextmanager
def _removed_at_the_end(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _append_all(
    outcomes: Outcomes,
    log: LatencyLog,
    n_skipped: int,
    on_failed: OnFailed = lambda point: None,
) -> ProfileSummary:
    """Write each row as soon as it stands; when that fails, nothing more is measured."""
    failed, n_flagged, n_measured = [], 0, 0
    quality: Counter[str] = Counter()
    with closing(outcomes):
        for outcome in outcomes:
            if isinstance(outcome, FailedPoint):
                failed.append(outcome)
                on_failed(outcome)
                continue
            log.append(outcome)
            n_measured += 1
            n_flagged += bool(outcome.flags)
            quality[outcome.quality] += 1
    grades = dict(sorted(quality.items()))
    return ProfileSummary(n_measured, n_skipped, n_flagged, tuple(failed), grades, log.repaired)


def _content_of(workload: TranslationWorkload) -> dict[str, str]:
    """A column for what the workload's text leaves out: the counts of a routing trace."""
    return {"workload_json": workload.to_json()} if workload.routing.trace else {}


class _SessionProgress:
    """A profiler's events as pieces of work done."""

    def __init__(self, on_progress: OnProgress, n_skipped: int) -> None:
        self._on_progress = on_progress
        self._n_skipped = n_skipped

    def __call__(self, event: Progress) -> None:
        note = f"{event.point_id} {event.event}"
        if event.median_ms is not None:
            note += f" {event.median_ms:.3g} ms"
        self._on_progress(self._n_skipped + event.done, self._n_skipped + event.total, note)
