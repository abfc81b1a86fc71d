"""This module measures architectures. Each becomes a point and then a row of a log."""

import shutil
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NotRequired, Self, TypedDict, Unpack

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export import WorkloadWriter
from automoe.latency.features import features
from automoe.latency.sentinel import translation_sentinel, typical_architecture
from automoe.latency.told_progress import ToldProgress
from automoe.progress import OnProgress, no_progress
from devices import Device, DeviceInfo
from devices.runtimes import ONNXRUNTIME, runtime_of
from devices.shown import Shown
from profilers import (
    SCHEMA_VERSION,
    FailedPoint,
    LatencyLog,
    Measurement,
    Point,
    Protocol,
    Sentinel,
    measure_on_several,
    measure_points,
    require_conditions,
)
from profilers.measuring.disturbance import DISTURBANCES

Outcomes = Generator[Measurement | FailedPoint]
OnFailed = Callable[[FailedPoint], None]


@dataclass(frozen=True, slots=True, repr=False)
class ProfileSummary(Shown):
    """The outcome of a profiling session.

    Attributes:
        n_measured: The number of rows that were appended.
        n_skipped: The number of architectures that the log held already.
        n_flagged: The number of appended rows with at least one flag.
        failed: The architectures that could not be measured, with the reasons.
        quality: The number of appended rows of each quality.
        repaired: Sentences about what was wrong with the log and was repaired.
        n_disturbed: The number of appended rows that something disturbed.
        flags: The number of appended rows with each flag.
    """

    n_measured: int
    n_skipped: int
    n_flagged: int
    failed: tuple[FailedPoint, ...]
    quality: Mapping[str, int]
    repaired: tuple[str, ...] = ()
    n_disturbed: int = 0
    flags: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, later: Self) -> Self:
        """Return the outcome of two sessions, one after the other."""
        return type(self)(
            n_measured=self.n_measured + later.n_measured,
            n_skipped=self.n_skipped + later.n_skipped,
            n_flagged=self.n_flagged + later.n_flagged,
            failed=(*self.failed, *later.failed),
            quality=_added(self.quality, later.quality),
            repaired=(*self.repaired, *later.repaired),
            n_disturbed=self.n_disturbed + later.n_disturbed,
            flags=_added(self.flags, later.flags),
        )

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return {
            "measured": self.n_measured,
            "held already": self.n_skipped,
            "failed": len(self.failed),
            "rows of each quality": dict(self.quality),
            "rows with each flag": dict(self.flags),
            "repaired": self.repaired,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilingSession:
    """The settings with which architectures are measured into a log.

    Attributes:
        device: The device that they are measured on.
        protocol: The measuring protocol.
        workload: The sentence that is timed.
        log: The CSV to which rows are appended.
        graphs: A folder for the graphs. The graphs of an architecture are removed once its row is
            written, and the folder is removed when the session ends.
        space: The space that gives the sentinel, which is always the same of its architectures.
            Without a space the first architecture is the sentinel.
        reference: A log of the same conditions. Latencies are corrected to that log's level, so
            that the two logs can be compared.
        more_devices: Devices like ``device``, which share the work with it.
        on_progress: A function that is called after every block, in units of architectures.
        on_failed: A function that is called with each architecture that could not be measured.
        on_lost: A function that is called with the reason when one of several devices is lost.
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
        """Append a row for each architecture that the log does not hold yet.

        See `profile_architectures`.
        """
        is_tensorrt = runtime_of(self.device) != ONNXRUNTIME
        # The writer checks the precision, so it is made before the log is opened and locked.
        writer = WorkloadWriter(self.graphs, self.workload, tensorrt=is_tensorrt)
        log = opened_log(
            self.log, self.device, self.protocol, str(self.workload), reference=self.reference
        )
        with log.measuring(), ExitStack() as at_the_end:
            at_the_end.callback(shutil.rmtree, self.graphs, ignore_errors=True)
            distinct, done = list(dict.fromkeys(architectures)), log.done()
            places = [place for place, each in enumerate(distinct) if each.id not in done]
            left = [distinct[place] for place in places]
            n_skipped = len(distinct) - len(left)
            if not left:
                self.on_progress(n_skipped, n_skipped, "all measured before")
                return ProfileSummary(0, n_skipped, 0, (), {}, log.repaired)
            typical = typical_architecture(self.space, distinct)
            sentinel = translation_sentinel(typical, writer, log, reference=self.reference)
            points = [self._point(architecture, writer) for architecture in left]
            outcomes = self._outcomes(points, places, sentinel, n_skipped)
            return append_all(outcomes, log, n_skipped, self.on_failed)

    def _point(self, architecture: Architecture, writer: WorkloadWriter) -> Point:
        return Point(
            point_id=architecture.id,
            prepare=lambda: writer.write(architecture),
            columns={
                "workload": str(self.workload),
                "workload_json": self.workload.to_json(),
                "space": self.space.name if self.space else "",
                "architecture": architecture.to_json(),
                **features(architecture, self.workload),
            },
        )

    def _outcomes(
        self, points: Sequence[Point], places: Sequence[int], sentinel: Sentinel, n_skipped: int
    ) -> Outcomes:
        """Measure the points and remove the files of each after the caller has used its outcome."""
        measure = partial(measure_points, device=self.device, places=places)
        if self.more_devices:
            devices = [self.device, *self.more_devices]
            measure = partial(measure_on_several, devices=devices, on_lost=self.on_lost)
        report = ToldProgress(self.on_progress, n_skipped)
        with closing(
            measure(points, protocol=self.protocol, sentinel=sentinel, on_progress=report)
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
        architectures: The architectures. One that is given twice is measured once.
        session: The attributes of a `ProfilingSession` as keyword arguments.

    Raises:
        DeviceUnavailableError: The device cannot be used.
        LogError: The log is damaged or holds measurements of other conditions.
        ProfilingError: Nothing can be measured.
        ValueError: ``more_devices`` are not like ``device``.
    """
    return ProfilingSession(**session).measure(architectures)


def opened_log(
    path: Path, device: Device, protocol: Protocol, workload: str, *, reference: Path | None = None
) -> LatencyLog:
    """Open a log to which rows of these conditions may be appended.

    Raises:
        LogError: The log is damaged, or it or ``reference`` has rows of other conditions.
    """
    log = LatencyLog(path)
    conditions = conditions_of(device.info(), protocol, workload)
    log.require(conditions)
    log.require_runtime(runtime_of(device))
    if reference is not None:
        require_conditions(reference, conditions)
    return log


def conditions_of(info: DeviceInfo, protocol: Protocol, workload: str) -> dict[str, object]:
    """Return the conditions that the rows of a log must have before others are appended.

    Args:
        info: The description of the device.
        protocol: The measuring protocol.
        workload: The text that describes the workload in the log.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "device": info.name,
        "device_fingerprint": info.fingerprint,
        "power_mode": info.power_mode,
        "threads": protocol.threads,
        "workload": workload,
    }


def append_all(
    outcomes: Outcomes,
    log: LatencyLog,
    n_skipped: int,
    on_failed: OnFailed = lambda point: None,
) -> ProfileSummary:
    """Write each row as soon as it is final. When writing fails, the measuring ends."""
    failed: list[FailedPoint] = []
    rows: list[Measurement] = []
    with closing(outcomes):
        for outcome in outcomes:
            if isinstance(outcome, FailedPoint):
                failed.append(outcome)
                on_failed(outcome)
                continue
            log.append(outcome)
            rows.append(outcome)
    return ProfileSummary(
        n_measured=len(rows),
        n_skipped=n_skipped,
        n_flagged=sum(bool(row.flags) for row in rows),
        failed=tuple(failed),
        quality=dict(sorted(Counter(row.quality for row in rows).items())),
        repaired=log.repaired,
        n_disturbed=sum(not set(DISTURBANCES).isdisjoint(row.flags) for row in rows),
        flags=dict(Counter(flag for row in rows for flag in row.flags)),
    )


def _added(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted((Counter(first) + Counter(second)).items()))
