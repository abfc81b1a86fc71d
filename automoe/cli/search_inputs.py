"""Complete a predictor by the trace that its log was measured with, before a search uses it."""

from dataclasses import replace

from automoe.architecture.routing_pattern import RoutingPattern
from automoe.latency.model import LatencyModel


def with_trace(latency: LatencyModel, routing: str | None, *, is_measured: bool) -> LatencyModel:
    """Return the model with the routing trace, of which its log may hold only the digest.

    Args:
        latency: The model of a predictor.
        routing: The option, ``trace:FILE``; None when it was not given.
        is_measured: Whether architectures will be measured, which needs the trace.

    Raises:
        ValueError: The routing is not the log's, or the trace is needed and was not given.
        OSError: The file cannot be read.
    """
    known = latency.workload.routing
    if routing is None:
        if known.kind == "trace" and known.trace is None and is_measured:
            raise ValueError(
                f"'--routing' must give the trace that the predictor's log was measured with, "
                f"'{known}', to measure candidates like it. Give '--routing trace:FILE'."
            )
        return latency
    given = RoutingPattern.open(routing)
    if str(given) != str(known):
        raise ValueError(
            f"'--routing' must be '{known}', with which the predictor's log was measured. "
            f"Got '{given}'; "
            + ("give the file of that trace" if known.kind == "trace" else "leave it out")
            + ", or fit a log measured so."
        )
    return LatencyModel(latency.predictor, replace(latency.workload, routing=given))
