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


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """What a profiling session did.

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


def profile_architectures(
    architectures: Sequence[Architecture],
    *,
    device: Device,
    protocol: Protocol,
    workload: TranslationWorkload,
    log: Path,
    graphs: Path,
    space: SearchSpace | None = None,
    reference: Path | None = None,
    more_devices: Sequence[Device] = (),
    on_progress: OnProgress = no_progress,
    on_failed: Callable[[FailedPoint], None] = lambda point: None,
    on_lost: Callable[[str], None] = lambda message: None,
) -> ProfileSummary:
    """Append a row to ``log`` for each architecture that it does not hold yet.

    Args:
        architectures: What to measure; one that is given twice is measured once.
        device: Where.
        protocol: How.
        workload: The sentence that is timed.
        log: The CSV.
        graphs: A folder for the graphs; each is removed once its row is written, and the folder
            when the session ends.
        space: Gives the sentinel, always the same of its architectures; without one it is the
            first of ``architectures``. A fifth of the sentence suffices for it.
        reference: A log of the same conditions. Latencies are corrected to the state the machine
            was in then, so that the two logs can be compared.
        more_devices: Devices like ``device``, which share the work with it.
        on_progress: Called after every block, in units of architectures.
        on_failed: Called with each architecture that could not be measured.
        on_lost: Called with the reason when one of several devices goes away.

    Raises:
        DeviceUnavailableError: The device cannot be used.
        LogError: The log is damaged or holds measurements of other conditions.
        ProfilingError: Nothing can be measured.
        ValueError: ``more_devices`` are not like ``device``.
    """
    _writer(graphs, workload, device)  # refuses a precision before anything is locked or made
    opened = LatencyLog(log)
    conditions = conditions_of(device.info(), protocol, str(workload))
    opened.require(conditions)
    opened.require_runtime(runtime_of(device))
    if reference is not None:
        require_conditions(reference, conditions)
    with opened.measuring(), _removed_at_the_end(graphs):
        distinct = list(dict.fromkeys(architectures))
        done = opened.done()
        left = [architecture for architecture in distinct if architecture.id not in done]
        n_skipped = len(distinct) - len(left)
        if not left:
            on_progress(n_skipped, n_skipped, "all measured before")
            return ProfileSummary(0, n_skipped, 0, (), {}, opened.repaired)
        writer = _writer(graphs, workload, device)
        # Not left[0]: a resumed session must compare itself with the same sentinel.
        typical = space.sample(Random(_TYPICAL)) if space else distinct[0]
        sentinel = _sentinel(typical, writer, level_of=partial(_level, opened, reference))
        points = [_point(architecture, writer, space) for architecture in left]
        told = _SessionProgress(on_progress, n_skipped)
        measure = partial(measure_points, device=device)
        if more_devices:
            measure = partial(measure_on_several, devices=[device, *more_devices], on_lost=on_lost)
        outcomes = measure(points, protocol=protocol, sentinel=sentinel, on_progress=told)
        return _append_all(_tidied(outcomes, graphs), opened, n_skipped, on_failed)


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
    opened = LatencyLog(log)
    shapes = dict(input_shapes or {})
    sizes = " ".join(f"{name}={'x'.join(map(str, shapes[name]))}" for name in sorted(shapes))
    workload = sizes or "as declared"
    opened.require(conditions_of(device.info(), protocol, workload))
    opened.require_runtime(runtime_of(device))
    if point_id in opened.done():
        return ProfileSummary(0, 1, 0, (), {}, opened.repaired)
    path = log.with_name(f"{log.name}.workload.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    workload_for_onnx(model, shapes=shapes).save(path)
    columns = {"workload": workload, "model": model.name}
    try:
        with opened.measuring():
            outcomes = measure_points(
                [Point(point_id=point_id, workload=path, columns=columns)],
                device=device,
                protocol=protocol,
                on_progress=_SessionProgress(on_progress, 0),
            )
            return _append_all(outcomes, opened, 0)
    finally:
        path.unlink(missing_ok=True)


def conditions_of(info: DeviceInfo, protocol: Protocol, workload: str) -> dict[str, object]:
    """What must be as in a log, before anything is measured or taken for measured.

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


def _writer(graphs: Path, workload: TranslationWorkload, device: Device) -> WorkloadWriter:
    return WorkloadWriter(graphs, workload, tensorrt=runtime_of(device) != ONNXRUNTIME)


def _sentinel(
    architecture: Architecture, writer: WorkloadWriter, *, level_of: Callable[[str], float | None]
) -> Sentinel:
    src_len, tgt_len = (
        ceil(n / _SHORTER) for n in (writer.sentence.src_len, writer.sentence.tgt_len)
    )
    short = replace(writer.sentence, src_len=src_len, tgt_len=tgt_len, routing=RoutingPattern())
    name = f"{architecture.id} src={src_len} tgt={tgt_len}"
    path = replace(writer, sentence=short, prefix="sentinel-").write(architecture)
    return Sentinel(name=name, workload=path, reference_ms=level_of(name))


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


def _tidied(outcomes: Outcomes, graphs: Path) -> Outcomes:
    """The outcomes; the files of each are removed once the caller is done with it."""
    with closing(outcomes):
        for outcome in outcomes:
            yield outcome
            for file in graphs.glob(f"{outcome.point_id}.*"):
                file.unlink()


def _append_all(
    outcomes: Outcomes,
    log: LatencyLog,
    n_skipped: int,
    on_failed: Callable[[FailedPoint], None] = lambda point: None,
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


def _point(architecture: Architecture, writer: WorkloadWriter, space: SearchSpace | None) -> Point:
    return Point(
        point_id=architecture.id,
        prepare=lambda: writer.write(architecture),
        columns={
            "workload": str(writer.sentence),
            **_content_of(writer.sentence),
            "space": space.name if space else "",
            "architecture": architecture.to_json(),
            **features(architecture, writer.sentence),
        },
    )


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
