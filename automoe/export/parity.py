"""Does an exported model compute what torch computes, down to each token's expert?

Legend: S source tokens, T target tokens, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automoe.architecture import Architecture
from automoe.export.bundle import Bundle, ExportError
from automoe.export.replay import replayed
from automoe.export.runtime import open_session
from automoe.supernet import Transformer
from automoe.text.pairs import Pair
from automoe.text.special_tokens import BOS, UNK

TOLERANCE = 1e-3  # on logits; float32 sums in another order differ by about 1e-5
# Where numbers are rounded a token between two experts may go to the other, and all that attends
# to it then differs; so the typical logit is compared, and a few choices may differ. Seen in a tiny
# model, whose logits spread by 1.4: 0.0003 in float16, 0.012 in 8-bit integers.
ROUNDED_TOLERANCES = {"fp16": 0.05, "int8": 0.2}
_ROUNDED_CHOICES = {"fp16": 0.05, "int8": 0.1}


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest differences between torch and the exported graphs.

    Attributes:
        max_difference: Of any logit.
        n_choices: Expert choices compared.
        n_different_choices: Choices that differ.
        median_difference: Of the logits.
        precision: The exported graphs'.
    """

    max_difference: float
    n_choices: int
    n_different_choices: int
    median_difference: float = 0.0
    precision: str = "fp32"

    @property
    def holds(self) -> bool:
        """Logits agree within the tolerance and every token goes to the same expert.

        In float16 the median of the logits' differences and 95 % of the choices; in 8-bit
        integers the median and 90 %.
        """
        if self.precision in ROUNDED_TOLERANCES:
            few = self.n_different_choices <= _ROUNDED_CHOICES[self.precision] * self.n_choices
            return few and self.median_difference <= self.tolerance
        return self.max_difference <= self.tolerance and not self.n_different_choices

    @property
    def tolerance(self) -> float:
        """Of the logits' largest difference, or of its median where numbers are rounded."""
        return ROUNDED_TOLERANCES.get(self.precision, TOLERANCE)


def check_parity(
    model: Transformer,
    bundle: Bundle,
    *,
    src_len: int = 9,
    tgt_len: int = 7,
    seed: int = 0,
    pair: Pair | None = None,
) -> Parity:
    """Run one sentence through both, step by step in the exported decoder.

    Args:
        model: What was exported.
        bundle: What it was exported to.
        src_len: Tokens of a random source.
        tgt_len: Tokens of a random target.
        seed: Of both.
        pair: The sentence, in place of a random one; int8 is calibrated for real ones.

    Raises:
        ExportError: They disagree; a graph that computes something else must not be used.
    """
    if pair is None:
        pair = random_pair(model.config.vocab_size, src_len, tgt_len, seed)
    source_1S, target_1T = torch.tensor([pair.source]), torch.tensor([(BOS, *pair.target)])
    was_training = model.training
    with torch.no_grad():
        output = model.eval()(source_1S, target_1T)
    model.train(was_training)
    exported = _run(bundle, source_1S[0], target_1T[0])
    expected = [routing.expert_TK[:, 0].numpy() for routing in output.routing]
    different = [int((a != b).sum()) for a, b in zip(expected, exported.experts, strict=True)]
    differences_TV = np.abs(output.logits_BTV[0].numpy() - exported.logits_TV)
    parity = Parity(
        max_difference=float(differences_TV.max()),
        n_choices=sum(a.size for a in expected),
        n_different_choices=sum(different),
        median_difference=float(np.median(differences_TV)),
        precision=bundle.precision,
    )
    if not parity.holds:
        raise ExportError(
            f"The exported graphs in '{bundle.folder}' differ from torch: logits by "
            f"{parity.max_difference:.2g}, {parity.median_difference:.2g} in the median (tolerance "
            f"{parity.tolerance:g}), "
            f"{parity.n_different_choices} of {parity.n_choices} expert choices. Do not use them."
        )
    return parity


def random_pair(vocab_size: int, src_len: int, tgt_len: int, seed: int) -> Pair:
    """A sentence of ordinary tokens; the decoder reads ``tgt_len`` tokens, BOS among them."""
    rng = np.random.default_rng(seed)
    source, target = (rng.integers(UNK + 1, vocab_size, n) for n in (src_len, tgt_len - 1))
    return Pair(tuple(source.tolist()), tuple(target.tolist()))


@dataclass(frozen=True, slots=True)
class _Exported:
    logits_TV: NDArray[np.float32]
    experts: list[NDArray[np.int64]]


def _run(bundle: Bundle, source_S: Tensor, target_T: Tensor) -> _Exported:
    architecture = bundle.config.architecture
    sessions = (open_session(bundle.encoder), open_session(bundle.decoder))
    encoded, *steps = replayed(sessions, architecture, source_S.numpy(), target_T.numpy())
    choices = [_experts(step, architecture, side="decoder") for step in steps]
    by_layer = [np.concatenate(of_steps) for of_steps in zip(*choices, strict=True)]
    logits_TV = np.concatenate([step["logits"] for step in steps])
    return _Exported(logits_TV, _experts(encoded, architecture, side="encoder") + by_layer)


def _experts(
    outputs: dict[str, NDArray[Any]], architecture: Architecture, *, side: str
) -> list[NDArray[np.int64]]:
    stack = architecture.encoder if side == "encoder" else architecture.decoder
    return [outputs[f"expert_{i}"] for i, layer in enumerate(stack.layers) if layer.is_sparse]
