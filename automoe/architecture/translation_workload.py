"""This module describes the sentence whose translation is timed: its sizes and its routing."""

import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from automoe.architecture.architecture import MOST, Architecture
from automoe.architecture.cost import Cost, cost
from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace

_NUMBERS = {"src": "src_len", "tgt": "tgt_len", "vocab": "vocab_size", "beam": "beam"}
PRECISIONS = ("fp32", "fp16", "int8", "int8-weights", "int4-weights")
_FORM = "src=30 tgt=30 vocab=32768 tables=1 beam=1 routing=balanced"


class WorkloadTextError(ValueError):
    """A text that does not describe a translation workload."""


@dataclass(frozen=True, slots=True)
class TranslationWorkload:
    """The sentence whose translation is timed.

    Attributes:
        src_len: The number of source tokens, which the encoder reads at once.
        tgt_len: The number of target tokens. Each takes one decoder step.
        vocab_size: The number of rows of each embedding table and of every step's projection.
        shared_embeddings: Whether source and target use one table.
        beam: The number of hypotheses of each sentence that the decoder extends together.
        batch: The number of sentences of these lengths that are translated together.
        routing: The rule that sends tokens to experts.
        precision: The precision of the matrix products: ``fp32``, ``int8`` (in ONNX Runtime by
            dynamic quantisation), ``int8-weights`` or ``int4-weights`` (in ONNX Runtime), or
            ``fp16`` (in TensorRT, except for delicate steps).
        shortlist: The number of pieces that a step predicts, in ONNX Runtime; 0 for all.

    Raises:
        ValueError: A number is below one or above 10**9, the precision does not exist, or the
            shortlist is longer than the vocabulary.
    """

    src_len: int
    tgt_len: int
    vocab_size: int
    shared_embeddings: bool = True
    beam: int = 1
    batch: int = 1
    routing: RoutingPattern = field(default_factory=RoutingPattern)
    precision: str = "fp32"
    shortlist: int = 0

    def __post_init__(self) -> None:
        for name in (*_NUMBERS.values(), "batch"):
            if not 1 <= getattr(self, name) <= MOST:
                bound = "at least 1" if getattr(self, name) < 1 else f"at most {MOST}"
                raise ValueError(f"'{name}' must be {bound}. Got {getattr(self, name)!r:.40}.")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"'precision' must be one of {', '.join(PRECISIONS)}. Got '{self.precision}'."
            )
        if not 0 <= self.shortlist <= self.vocab_size:
            raise ValueError(
                f"'shortlist' must be at most {self.vocab_size}, the vocabulary. "
                f"Got {self.shortlist}."
            )

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        *,
        beam: int = 1,
        batch: int = 1,
        routing: RoutingPattern | None = None,
    ) -> Self:
        """Return a sentence of the space's own lengths and vocabulary."""
        return cls(
            src_len=space.src_len,
            tgt_len=space.tgt_len,
            vocab_size=space.vocab_size,
            shared_embeddings=space.shared_embeddings,
            beam=beam,
            batch=batch,
            routing=routing or RoutingPattern(),
        )

    def cost(self, architecture: Architecture) -> Cost:
        """Return the cost of an architecture for this sentence."""
        whole = cost(
            architecture,
            src_len=self.src_len,
            tgt_len=self.tgt_len,
            vocab_size=self.vocab_size,
            shared_embeddings=self.shared_embeddings,
            beam=self.beam,
            batch=self.batch,
            shares=self.routing.shares,
        )
        if not self.shortlist:
            return whole
        share = self.shortlist / self.vocab_size
        return replace(whole, projection_flops=round(share * whole.projection_flops))

    def to_json(self) -> str:
        """Return the whole workload as JSON, with the counts of a routing trace."""
        return json.dumps(asdict(self))

    @classmethod
    def restore(cls, text: str, content: Any = None) -> Self:
        """Read a workload as a log and its predictor store it.

        Args:
            text: The text that ``str`` wrote.
            content: The parsed JSON that ``to_json`` wrote. It is None in logs of 0.1.0.
                Without it only the digest of a routing trace is known.

        Raises:
            WorkloadTextError: The arguments are something else, or are of two workloads.
        """
        if content is None:
            return cls.parse(text)
        try:
            workload = TypeAdapter(cls).validate_python(content)
        except ValidationError:
            raise WorkloadTextError(f"The content of the workload '{text}' is damaged.") from None
        trace = workload.routing.trace
        if str(workload) != text or (trace and trace.digest != workload.routing.digest):
            raise WorkloadTextError(f"The content of the workload '{text}' is of another one.")
        return workload

    def __str__(self) -> str:
        """Return one line for a log, which ``parse`` reads."""
        tables = 1 if self.shared_embeddings else 2
        batch = f"batch={self.batch} " if self.batch > 1 else ""
        precision = f"precision={self.precision} " if self.precision != "fp32" else ""
        shortlist = f"shortlist={self.shortlist} " if self.shortlist else ""
        return (
            f"src={self.src_len} tgt={self.tgt_len} vocab={self.vocab_size} tables={tables} "
            f"beam={self.beam} {batch}{precision}{shortlist}routing={self.routing}"
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote.

        Raises:
            WorkloadTextError: The text is something else.
        """
        fields = dict(part.partition("=")[::2] for part in text.split())
        expected = {*_NUMBERS, "tables", "routing"}
        numbers = {name: fields.get(key, "") for key, name in _NUMBERS.items()}
        numbers["batch"] = fields.pop("batch", "1")
        numbers["shortlist"] = fields.pop("shortlist", "0")
        precision = fields.pop("precision", "fp32")
        refusal = WorkloadTextError(f"A workload must read like '{_FORM}'. Got '{text}'.")
        if (
            fields.keys() != expected
            or fields["tables"] not in ("1", "2")
            or not all(re.fullmatch(r"\d+", value) for value in numbers.values())
        ):
            raise refusal
        try:
            return cls(
                **{name: int(value) for name, value in numbers.items()},
                shared_embeddings=fields["tables"] == "1",
                routing=RoutingPattern.parse(fields["routing"]),
                precision=precision,
            )
        except ValueError:
            raise refusal from None
