"""This module makes the sentinel of architectures: what shows how fast the machine is now."""

from dataclasses import replace
from math import ceil
from pathlib import Path

from automoe.architecture.architecture import Architecture
from automoe.architecture.routing_pattern import RoutingPattern
from automoe.export import WorkloadWriter
from profilers import LatencyLog, LogError, Sentinel, reference_level_ms, sentinel_of_log

_SHORTER = 5  # an earlier version's sentence was so many times shorter than that of the points


def translation_sentinel(
    typical: Architecture,
    writer: WorkloadWriter,
    log: LatencyLog,
    *,
    reference: Path | None = None,
) -> Sentinel:
    """Write the workload of the sentinel of a log, and return the sentinel.

    What slows the points down must slow the sentinel down as well, and as much. So it is an
    architecture of the points' space that translates their sentence, one hypothesis at a time.
    A fifth of the sentence does not do: fewer decoder steps read each weight again, so it reacts
    less to a lack of cache (docs/adr/0022). A log, or its reference, from an earlier version keeps
    the sentinel of that version.

    Args:
        typical: The architecture.
        writer: The writer of the points' workloads.
        log: The log that the points are measured into.
        reference: A log whose level the points are corrected to.

    Raises:
        LogError: The log or the reference has another sentinel, or they have different levels.
    """
    whole = writer.sentence
    src_len, tgt_len = (ceil(n / _SHORTER) for n in (whole.src_len, whole.tgt_len))
    sentences = {
        f"{typical.id} src={whole.src_len} tgt={whole.tgt_len} beam=1": replace(
            whole, beam=1, batch=1
        ),
        f"{typical.id} src={src_len} tgt={tgt_len}": replace(
            whole, src_len=src_len, tgt_len=tgt_len
        ),
    }
    earlier = {sentinel_of_log(path) for path in (log.path, reference) if path is not None}
    name = next((name for name in sentences if name in earlier), next(iter(sentences)))
    sentence = replace(sentences[name], routing=RoutingPattern())
    return Sentinel(
        name=name,
        workload=replace(writer, sentence=sentence, prefix="sentinel-").write(typical),
        reference_ms=_level(log, reference, name),
    )


def _level(log: LatencyLog, reference: Path | None, sentinel: str) -> float | None:
    """Return the sentinel's level that rows are corrected to, or None when there is none yet."""
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
