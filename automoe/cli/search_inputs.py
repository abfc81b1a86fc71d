"""Check that a predictor and a supernet belong together, before a search uses them."""

from dataclasses import replace

from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
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


def require_same_vocabulary(workload: TranslationWorkload, space: SearchSpace) -> None:
    """Refuse a predictor of models with another vocabulary than the supernet's.

    Raises:
        ValueError: The predictor's log is of another vocabulary than the supernet's space.
    """
    timed = (workload.vocab_size, workload.shared_embeddings)
    wanted = (space.vocab_size, space.shared_embeddings)
    if timed != wanted:
        raise ValueError(
            f"'--predictor' must be of the supernet's vocabulary, {_vocabulary(*wanted)}. "
            f"Its log was measured with {_vocabulary(*timed)}; measure the space of the supernet."
        )


def _vocabulary(vocab_size: int, is_shared: bool) -> str:
    return f"{vocab_size} pieces in {1 if is_shared else 2} table{'' if is_shared else 's'}"
