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
from automoe.export.runtime import open_session
from automoe.supernet import Transformer

TOLERANCE = 1e-3  # on logits; float32 sums in another order differ by about 1e-5
# In float16 a token between two experts may go to the other one, and all that attends to it then
# differs; so the typical logit is compared, and a few choices may differ.
HALF_TOLERANCE = 0.05
_HALF_CHOICES = 0.05


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

        In float16, the median of the logits' differences and 95 % of the choices.
        """
        if self.precision == "fp16":
            few = self.n_different_choices <= _HALF_CHOICES * self.n_choices
            return few and self.median_difference <= HALF_TOLERANCE
        return self.max_difference <= TOLERANCE and not self.n_different_choices


def check_parity(
    model: Transformer, bundle: Bundle, *, src_len: int = 9, tgt_len: int = 7, seed: int = 0
) -> Parity:
    """Run one random sentence through both, step by step in the exported decoder.

    Raises:
        ExportError: They disagree; a graph that computes something else must not be used.
    """
    rng = torch.Generator().manual_seed(seed)
    source_1S = torch.randint(4, model.config.vocab_size, (1, src_len), generator=rng)
    target_1T = torch.randint(4, model.config.vocab_size, (1, tgt_len), generator=rng)
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
        tolerance = HALF_TOLERANCE if bundle.precision == "fp16" else TOLERANCE
        raise ExportError(
            f"The exported graphs in '{bundle.folder}' differ from torch: logits by "
            f"{parity.max_difference:.2g} (tolerance {tolerance:g}), "
            f"{parity.n_different_choices} of {parity.n_choices} expert choices. Do not use them."
        )
    return parity


@dataclass(frozen=True, slots=True)
class _Exported:
    logits_TV: NDArray[np.float32]
    experts: list[NDArray[np.int64]]


def _run(bundle: Bundle, source_S: Tensor, target_T: Tensor) -> _Exported:
    architecture = bundle.config.architecture
    encoded = run_named(open_session(bundle.encoder), {"source": source_S.numpy()})
    experts = _experts(encoded, architecture, side="encoder")
    state = {k: v for k, v in encoded.items() if k.startswith("cross_")}
    state |= empty_cache(architecture)
    session, logits, choices = open_session(bundle.decoder), [], []
    for t, token in enumerate(target_T.numpy()):
        feeds = {"token": np.array([token]), "position": np.array([t]), **state}
        step = run_named(session, feeds)
        logits.append(step["logits"][0])
        choices.append(_experts(step, architecture, side="decoder"))
        state |= carried(step)
    by_layer = [np.concatenate(steps) for steps in zip(*choices, strict=True)]
    return _Exported(np.stack(logits), experts + by_layer)


def run_named(session: Any, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Run a session and name its outputs; numbers are given as it wants them, float16 or 32."""
    names = [output.name for output in session.get_outputs()]
    halves = {value.name for value in session.get_inputs() if value.type == "tensor(float16)"}
    given = {k: v.astype(np.float16) if k in halves else v for k, v in feeds.items()}
    return dict(zip(names, session.run(names, given), strict=True))


def empty_cache(architecture: Architecture, beam: int = 1) -> dict[str, NDArray[np.float32]]:
    """The decoder's ``past_*`` inputs before its first step."""
    return {
        f"past_{part}_{i}": np.zeros(
            (beam, layer.heads, 0, architecture.qkv_dim // layer.heads), dtype=np.float32
        )
        for i, layer in enumerate(architecture.decoder.layers)
        for part in ("key", "value")
    }


def carried(step: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The ``present_*`` outputs of one step as the ``past_*`` inputs of the next."""
    prefix = "present_"
    return {
        f"past_{name.removeprefix(prefix)}": value
        for name, value in step.items()
        if name.startswith(prefix)
    }


def _experts(
    outputs: dict[str, NDArray[Any]], architecture: Architecture, *, side: str
) -> list[NDArray[np.int64]]:
    stack = architecture.encoder if side == "encoder" else architecture.decoder
    return [outputs[f"expert_{i}"] for i, layer in enumerate(stack.layers) if layer.is_sparse]
