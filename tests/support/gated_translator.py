"""A translator that waits until it may go on, so that tests know what waits behind it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from automoe.deployed.translator import Translation

BROKEN = "broken"


class Words:
    """A vocabulary with a piece for each word."""

    def encode(self, sentence: str) -> list[str]:
        return sentence.split()


@dataclass
class GatedTranslator:
    """Its translation of a sentence is the sentence in capital letters.

    Attributes:
        batches: The sentences of each call that has begun.
        gate: What every call waits for.
    """

    batches: list[list[str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    vocabulary: Any = field(default_factory=Words)
    description: Any = field(
        default_factory=lambda: SimpleNamespace(
            max_positions=40, architecture_id="gated", precision="fp32"
        )
    )

    def translate_all(self, sentences: Sequence[str], *, batch_tokens: int = 1) -> list[Any]:
        self.batches.append(list(sentences))
        assert self.gate.wait(60), "the gate was never opened"
        if BROKEN in sentences:
            raise ValueError("the scores\nare not finite")
        return [
            Translation(x.upper(), -float(len(x)), 1.0, len(x.split()) + 1, 2, truncated=False)
            for x in sentences
        ]
