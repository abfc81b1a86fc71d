"""This module runs the graphs of a bundle. What a run gives to the next one is never copied here.

Legend: B sentences, R hypotheses of all sentences, N best tokens of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np

from automoe.deployed.beam_search import BOS, PAD
from automoe.deployed.packing import packed
from automoe.deployed.sessions import tensor
from automoe.deployed.shortlist import Shortlist

_N_NEVER = 2  # the targets of training do not contain PAD and BOS
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def opened_graphs(encoder: Any, decoder: Any, candidates: Candidates | None = None) -> Graphs:
    """Return the graphs of two sessions, which may be those for TensorRT.

    Args:
        encoder: The session of the encoder.
        decoder: The session of one decoder step.
        candidates: What chooses the target pieces, for a decoder that needs it.
    """
    is_whole = any(output.name == "best_token" for output in decoder.get_outputs())
    return (Graphs if is_whole else PlainGraphs)(encoder, decoder, candidates)


class Candidates:
    """The candidates of sentences, and their rows of the vocabulary projection.

    Args:
        session: The session of the shortlist's graph.
        shortlist: The shortlist.
        vocab_size: The number of pieces.
        is_exact: Whether all pieces are candidates.
    """

    def __init__(
        self, session: Any, shortlist: Shortlist, *, vocab_size: int, is_exact: bool
    ) -> None:
        self._session = session
        self._shortlist = shortlist
        self._outputs = [output.name for output in session.get_outputs()]
        self._of_all = self._feeds(np.arange(vocab_size)) if is_exact else None

    def of(self, sentences: Sequence[Sequence[int]]) -> tuple[dict[str, Any], int]:
        """Return the inputs of the decoder, and the number of candidates."""
        if self._of_all is not None:
            return self._of_all
        return self._feeds(self._shortlist.candidates(sentences))

    def _feeds(self, candidate_C: Any) -> tuple[dict[str, Any], int]:
        given = {"candidates": tensor(candidate_C)}
        rows = self._session.run_with_ort_values(self._outputs, given)
        return given | dict(zip(self._outputs, rows, strict=True)), len(candidate_C)


class Graphs:
    """The two sessions of a bundle for ONNX Runtime.

    Attributes:
        takes_several: Whether sentences can be translated together.
        number: Returns a whole number as a tensor; those of steps are asked for again and again.
        runtime_s: The seconds that the runtime has computed so far.
        tokens_of_experts: The tokens that each expert of each sparse layer has served so far, by
            ``encoder.expert_i`` and ``decoder.expert_i``; None while they are not counted.

    Args:
        encoder: The session of the encoder.
        decoder: The session of one decoder step.
        candidates: What chooses the target pieces, or None when all may follow.
    """

    takes_several = True

    def __init__(self, encoder: Any, decoder: Any, candidates: Candidates | None) -> None:
        self.number = cache(_number)
        self.runtime_s = 0.0
        self.tokens_of_experts: dict[str, Any] | None = None
        self._candidates = candidates
        self._encoder = encoder
        self._decoder = decoder
        self._crossed = [x.name for x in encoder.get_outputs() if x.name.startswith("cross_")]
        self._presents = [x.name for x in decoder.get_outputs() if x.name.startswith("present_")]
        self._pasts = [f"past_{name.partition('_')[2]}" for name in self._presents]
        shapes = {x.name: x.shape for x in decoder.get_inputs()}
        # The dimensions are hypotheses, heads, cached positions and the width of a head.
        self._past_shapes = {name: (shapes[name][1], 0, shapes[name][3]) for name in self._pasts}
        self._n_pieces = next(x.shape[-1] for x in decoder.get_outputs() if x.name == "logits")

    def begin(self, sentences: Sequence[Sequence[int]]) -> Steps:
        """Run the encoder, and return the steps of the decoder."""
        feeds = {name: tensor(array) for name, array in packed(sentences).items()}
        encoded = self._run("encoder", self._encoder, self._crossed, feeds)
        crossed = dict(zip(self._crossed, encoded, strict=True))
        past = {
            name: tensor(np.zeros((len(sentences), *shape), np.float32))
            for name, shape in self._past_shapes.items()
        }
        fixed, n_pieces = self._fixed(sentences)
        return Steps(self, crossed, past, fixed, n_pieces)

    def _fixed(self, sentences: Sequence[Sequence[int]]) -> tuple[dict[str, Any], int]:
        """Return further inputs of the decoder, and the number of pieces that may follow."""
        return ({}, self._n_pieces) if self._candidates is None else self._candidates.of(sentences)

    def step(self, feeds: dict[str, Any], n_best: int) -> tuple[Any, Any, dict[str, Any]]:
        """Return the best log-probabilities and tokens, and the cache of the next step."""
        feeds["n_best"] = self.number(n_best)
        names = ["best_log_probability", "best_token", *self._presents]
        best, token, *presents = self._run("decoder", self._decoder, names, feeds)
        return best.numpy(), token.numpy(), dict(zip(self._pasts, presents, strict=True))

    def _run(self, name: str, session: Any, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
        """Run a session, and take note of its time and, on request, of the experts it chose."""
        experts: list[str] = []
        if self.tokens_of_experts is not None:
            experts = [x.name for x in session.get_outputs() if x.name.startswith("expert_")]
        start = perf_counter()
        # `run_with_ort_values` takes up to 30 us longer to return its outputs.
        binding = session.io_binding()
        for given, value in feeds.items():
            binding.bind_ortvalue_input(given, value)
        for output in (*outputs, *experts):
            binding.bind_output(output)
        session.run_with_iobinding(binding)
        values: list[Any] = binding.get_outputs()
        self.runtime_s += perf_counter() - start
        for expert, value in zip(experts, values[len(outputs) :], strict=True):
            assert self.tokens_of_experts is not None
            key, served = f"{name}.{expert}", np.bincount(value.numpy())
            before = self.tokens_of_experts.get(key, np.zeros(0, np.int64))
            total = np.zeros(max(len(before), len(served)), np.int64)
            total[: len(before)] += before
            total[: len(served)] += served
            self.tokens_of_experts[key] = total
        return values[: len(outputs)]


class PlainGraphs(Graphs):
    """Graphs for TensorRT on a processor, which judges them. They read one sentence at a time.

    They have neither parents nor best tokens, so the cache is reordered and the best tokens are
    chosen here.
    """

    takes_several = False

    def begin(self, sentences: Sequence[Sequence[int]]) -> Steps:
        """See `Graphs`."""
        (sentence,) = sentences
        feeds = {"source": tensor(np.asarray(sentence, np.int64))}
        encoded = self._run("encoder", self._encoder, self._crossed, feeds)
        types = {x.name: x.type for x in self._decoder.get_inputs()}
        past = {
            name: tensor(np.zeros((1, *shape), _DTYPES[types[name]]))
            for name, shape in self._past_shapes.items()
        }
        crossed = dict(zip(self._crossed, encoded, strict=True))
        return Steps(self, crossed, past, *self._fixed(sentences))

    def step(self, feeds: dict[str, Any], n_best: int) -> tuple[Any, Any, dict[str, Any]]:
        """See `Graphs`."""
        parent_R = feeds.pop("parent").numpy()
        feeds.pop("n_sentences")
        for name in self._pasts:
            feeds[name] = tensor(feeds[name].numpy()[parent_R])
        names = ["logits", *self._presents]
        logits, *presents = self._run("decoder", self._decoder, names, feeds)
        logits_RV = logits.numpy()
        shifted_RV = logits_RV - logits_RV.max(axis=1, keepdims=True)
        log_probability_RV = shifted_RV - np.log(np.exp(shifted_RV).sum(axis=1, keepdims=True))
        token_RN = np.argsort(-log_probability_RV, axis=1, kind="stable")[:, :n_best]
        best_RN = np.take_along_axis(log_probability_RV, token_RN, axis=1)
        return best_RN, token_RN, dict(zip(self._pasts, presents, strict=True))


class Steps:
    """The exported decoder as a `Step` of a beam search.

    Args:
        graphs: The graphs.
        crossed: What the decoder reads of the encoder, by input.
        past: The decoder's cache before its first step, with a row for each sentence.
        fixed: Further inputs of the decoder, which are the same in every step.
        n_pieces: The number of pieces of which the best are chosen.
    """

    def __init__(
        self,
        graphs: Graphs,
        crossed: dict[str, Any],
        past: dict[str, Any],
        fixed: dict[str, Any],
        n_pieces: int,
    ) -> None:
        self._graphs = graphs
        self._crossed = tuple(crossed)
        self._feeds = {**fixed, **crossed, **past}
        self._n_pieces = n_pieces
        self._n_read = 0
        self._n_sentences = 0

    def __call__(self, token_R: Any, parent_R: Any, kept_B: Any, n_best: int) -> tuple[Any, Any]:
        """See `automoe.deployed.beam_search.Step`."""
        feeds = self._feeds
        if len(kept_B) < self._n_sentences:
            for name in self._crossed:
                feeds[name] = tensor(feeds[name].numpy()[kept_B])
        self._n_sentences = len(kept_B)
        feeds["token"], feeds["parent"] = tensor(token_R), tensor(parent_R)
        number = self._graphs.number
        feeds["position"], feeds["n_sentences"] = number(self._n_read), number(len(kept_B))
        n_asked = min(n_best + _N_NEVER, self._n_pieces)
        best_RN, token_RN, past = self._graphs.step(feeds, n_asked)
        feeds.update(past)
        self._n_read += 1
        is_never_RN = (token_RN == PAD) | (token_RN == BOS)
        return np.where(is_never_RN, -np.inf, best_RN), token_RN


def _number(value: int) -> Any:
    return tensor(np.array([value]))
