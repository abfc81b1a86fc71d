"""This module checks that exported graphs compute what torch computes, each token's expert too.

Legend: S source tokens, T target tokens, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture, EncoderLayer
from automoe.deployed.sessions import open_session
from automoe.export.bundle import Bundle, ExportError
from automoe.export.integer_weights import INTEGERS
from automoe.export.replay import Outputs, replayed, run_named
from automoe.supernet import Transformer
from automoe.text.pairs import Pair
from automoe.text.special_tokens import BOS, UNK

TOLERANCE = 1e-3  # of logits; float32 sums in another order differ by about 1e-5
# In float16 and int8 a token whose two best experts are nearly equal may go to the other one, and
# everything that attends to it differs. Therefore the median difference of the logits is compared,
# as a share of their standard deviation, and some choices may differ. A tiny trained supernet has
# 0.0002 in float16 and 0.009 in 8-bit integers.
_TYPICAL_SHARE = {"fp16": 0.03, "int8": 0.1, "int8-weights": 0.1, "int4-weights": 0.3}
_CHOICES_SHARE = {"fp16": 0.05, "int8": 0.1, "int8-weights": 0.1, "int4-weights": 0.3}
_REMEDIES = {
    ("tensorrt", "fp16"): "; use '--precision fp32'",
    ("tensorrt", "int8"): "; calibrate with text nearer to what it translates (--data), or use "
    "another precision",
    **{("onnx", precision): "; use another precision" for precision in INTEGERS},
}


@dataclass(frozen=True, slots=True)
class Parity:
    """The differences between torch and the exported graphs.

    Attributes:
        max_difference: The largest difference of a logit.
        n_choices: The number of experts chosen for tokens that were compared.
        n_different_choices: The number of these choices that differ.
        median_difference: The median difference of the logits.
        spread: The standard deviation of torch's logits.
        precision: The precision of the exported graphs.
    """

    max_difference: float
    n_choices: int
    n_different_choices: int
    median_difference: float = 0.0
    spread: float = 1.0
    precision: str = "fp32"

    @property
    def holds(self) -> bool:
        """Return whether logits agree within the tolerance and tokens go to the same experts.

        In float16 the median difference must be within 3 % of the spread, and 95 % of the choices
        must agree. In 8-bit integers these are 10 % and 90 %, with weights of 4 bits 30 % and 70 %.
        """
        if self.precision in _CHOICES_SHARE:
            few = self.n_different_choices <= _CHOICES_SHARE[self.precision] * self.n_choices
            return few and self.median_difference <= self.tolerance
        return self.max_difference <= self.tolerance and not self.n_different_choices

    @property
    def tolerance(self) -> float:
        """Return the largest allowed difference of logits, or in float16 and int8 of its median."""
        share = _TYPICAL_SHARE.get(self.precision)
        return TOLERANCE if share is None else share * self.spread


def check_parity(
    model: Transformer,
    bundle: Bundle,
    *,
    src_len: int = 9,
    tgt_len: int = 7,
    seed: int = 0,
    pairs: Sequence[Pair] = (),
) -> Parity:
    """Compare torch with the exported graphs on sentences, step by step in the decoder.

    A bundle that differs loses its description, so that no command opens it.

    Args:
        model: The model that was exported.
        bundle: The bundle that it was exported to.
        src_len: The number of tokens of a random source.
        tgt_len: The number of tokens of a random target.
        seed: The seed of both.
        pairs: Sentences in place of a random one. Integers need several, because a token whose two
            best experts are nearly equal may go to the other one.

    Raises:
        ExportError: The graphs do not agree with torch and must not be used.
    """
    pairs = pairs or (random_pair(model.config.vocab_size, src_len, tgt_len, seed),)
    sessions = (open_session(bundle.encoder), open_session(bundle.decoder))
    fixed = _all_candidates(bundle)
    was_training = model.training
    model.eval()
    expected = [_run_torch(model, pair) for pair in pairs]
    model.train(was_training)
    exported = [_run(sessions, bundle.config.architecture, pair, fixed) for pair in pairs]
    parity = _compared(expected, exported, bundle.precision)
    if not parity.holds:
        bundle.remove_description()
        raise ExportError(
            f"The exported graphs in '{bundle.folder}' differ from torch: logits by "
            f"{parity.max_difference:.2g}, {parity.median_difference:.2g} in the median (tolerance "
            f"{parity.tolerance:.2g}), {parity.n_different_choices} of {parity.n_choices} expert "
            f"choices. Do not use them{_REMEDIES.get((bundle.form, bundle.precision), '')}."
        )
    return parity


def random_pair(vocab_size: int, src_len: int, tgt_len: int, seed: int) -> Pair:
    """Return a random pair of ordinary tokens. ``tgt_len`` counts BOS, which the decoder reads."""
    rng = np.random.default_rng(seed)
    source, target = (rng.integers(UNK + 1, vocab_size, n) for n in (src_len, tgt_len - 1))
    return Pair(tuple(source.tolist()), tuple(target.tolist()))


@dataclass(frozen=True, slots=True)
class _Run:
    """The logits of one sentence and the experts of its tokens in each sparse layer."""

    logits_TV: NDArray[np.float32]
    experts: list[NDArray[np.int64]]


def _compared(expected: Sequence[_Run], exported: Sequence[_Run], precision: str) -> Parity:
    """Compare the runs of torch with those of the exported graphs, sentence by sentence."""
    different = [
        int((exported_T != expected_T).sum())
        for run, other in zip(exported, expected, strict=True)
        for exported_T, expected_T in zip(run.experts, other.experts, strict=True)
    ]
    logits_TV = np.concatenate([run.logits_TV for run in expected])
    differences_TV = np.abs(logits_TV - np.concatenate([run.logits_TV for run in exported]))
    return Parity(
        max_difference=float(differences_TV.max()),
        n_choices=sum(experts.size for run in expected for experts in run.experts),
        n_different_choices=sum(different),
        median_difference=float(np.median(differences_TV)),
        spread=float(logits_TV.std()),
        precision=precision,
    )


def _run_torch(model: Transformer, pair: Pair) -> _Run:
    with torch.no_grad():
        output = model(torch.tensor([pair.source]), torch.tensor([(BOS, *pair.target)]))
    experts = [routing.expert_TK[:, 0].numpy() for routing in output.routing]
    return _Run(output.logits_BTV[0].numpy(), experts)


def _all_candidates(bundle: Bundle) -> Outputs:
    """Return the inputs of the decoder with which every piece is a candidate."""
    if bundle.shortlist is None:
        return {}
    candidates = {"candidates": np.arange(bundle.config.vocab_size)}
    return candidates | run_named(open_session(bundle.shortlist), candidates)


def _run(sessions: tuple[Any, Any], architecture: Architecture, pair: Pair, fixed: Outputs) -> _Run:
    runs = replayed(sessions, architecture, pair.source, (BOS, *pair.target), fixed=fixed)
    of_encoder = _experts(next(runs), architecture.encoder.layers)
    logits, choices = [], []
    for step in runs:
        logits.append(step["logits"])
        choices.append(_experts(step, architecture.decoder.layers))
    of_decoder = [np.concatenate(of_steps) for of_steps in zip(*choices, strict=True)]
    return _Run(np.concatenate(logits), of_encoder + of_decoder)


def _experts(outputs: Outputs, layers: Sequence[EncoderLayer]) -> list[NDArray[np.int64]]:
    return [outputs[f"expert_{i}"] for i, layer in enumerate(layers) if layer.is_sparse]
