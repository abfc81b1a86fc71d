"""Groups of settings that the options of commands and the sections of a run share."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.settings.search import Count

if TYPE_CHECKING:
    from profilers import Protocol

_LENGTH, _VOCAB_SIZE = 30, 32768  # without a space


class SpaceSettings(BaseModel):
    """The experts of a search space.

    Attributes:
        max_experts: Most experts in a layer; default: the space's.
        fractional: Whether each expert has its own width; default: the space's.
    """

    max_experts: Count | None = None
    fractional: bool | None = None

    def load(self, name_or_file: str) -> SearchSpace:
        """Return a preset, or the space of a YAML file, with these experts.

        Raises:
            SpaceError: There is no such space, or it cannot have such experts.
        """
        return SearchSpace.load(
            name_or_file, max_experts=self.max_experts, fractional=self.fractional
        )


class SentenceSettings(BaseModel):
    """The sentence that is timed.

    Attributes:
        src_len: Source tokens; default: the space's.
        tgt_len: Target tokens; default: the space's.
        beam: Number of hypotheses.
        batch: Number of sentences that are translated together.
        routing: Routing of tokens: balanced, worst, best, skewed:ALPHA or trace:FILE.
        precision: Number format: fp32, int8, int8-weights or int4-weights; for tensorrt fp32, fp16
            or int8.
    """

    src_len: Count | None = None
    tgt_len: Count | None = None
    beam: Count = 1
    batch: Count = 1
    routing: str = "balanced"
    precision: str = "fp32"

    def sentence(self, space: SearchSpace | None) -> TranslationWorkload:
        """Return the sentence. A length that is not given is the space's, or 30 without a space.

        Raises:
            ValueError: There is no such routing or precision.
            OSError: The trace of the routing cannot be read.
        """
        default = (
            TranslationWorkload.of(space)
            if space
            else TranslationWorkload(_LENGTH, _LENGTH, _VOCAB_SIZE)
        )
        return replace(
            default,
            src_len=self.src_len or default.src_len,
            tgt_len=self.tgt_len or default.tgt_len,
            beam=self.beam,
            batch=self.batch,
            routing=RoutingPattern.open(self.routing),
            precision=self.precision,
        )


class PrecisionSettings(BaseModel):
    """The precision of measuring, and the threads.

    Attributes:
        threads: Threads of the runtime.
        fast: Measure to an interval of 5 % instead of 2 %, with two or three short blocks.
    """

    threads: Count = 1
    fast: bool = False

    def protocol(self, *, seed: int) -> "Protocol":
        """Return the protocol of a session; the seed is that of the order of measuring."""
        from profilers import Protocol  # scipy takes a moment to import

        return (Protocol.fast if self.fast else Protocol)(threads=self.threads, seed=seed)


class DecodingSettings(BaseModel):
    """The decoding of a translation.

    Attributes:
        beam: Number of hypotheses.
        length_penalty: Exponent of the length; 0 prefers short translations.
    """

    beam: Count = 4
    length_penalty: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
