"""This module writes workloads of architectures, with random weights and a given routing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture, EncoderLayer
from automoe.architecture.routing_pattern import StackName, router_bias
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.deployed.packing import packed
from automoe.export.decoder_graph import decoder_graph
from automoe.export.encoder_graph import encoder_graph
from automoe.export.graph import Range, TensorRtForm
from automoe.export.shortlist_graph import PRECISIONS as SHORTLISTED
from automoe.export.shortlist_graph import STEPS, WEIGHTS, shortlist_graph
from automoe.export.tensorrt_profiles import open_dimensions
from automoe.export.weights import PRECISIONS, RandomBlob, stored_precision
from automoe.supernet import TransformerConfig
from automoe.text.special_tokens import UNK
from profilers.workload.workload import Call, TensorSpec, Workload

# Random weights, those of norms included, have a standard deviation of 0.02. Therefore no
# activation and no weight exceeds 127 of these steps.
_ACTIVATION_STEP, _WEIGHT_STEP = 0.5 / 127, 0.1 / 127
_REMEDIES = {
    "onnx": "; processors have no kernels for fp16, '--runtime tensorrt' on a GPU has",
    "tensorrt": "; '--runtime onnxruntime' rounds weights alone",
}


@dataclass(frozen=True, slots=True)
class WorkloadWriter:
    """A writer of workloads, each of which translates one sentence with an architecture.

    The encoder reads the source at once. Then the decoder makes one step for each target token,
    with the projection to the vocabulary.

    Attributes:
        folder: The folder of the graphs, the workloads and the shared weights.
        sentence: The sentence that is translated.
        prefix: The prefix of the names of graphs and workloads. Writers that share the weights
            need different ones.
        tensorrt: Whether the graphs are for TensorRT instead of ONNX Runtime.

    Raises:
        ValueError: The runtime does not have the sentence's precision.
    """

    folder: Path
    sentence: TranslationWorkload
    prefix: str = ""
    tensorrt: bool = False

    def __post_init__(self) -> None:
        runtime = "tensorrt" if self.tensorrt else "onnxruntime"
        choices = PRECISIONS[self._form]
        if self.sentence.precision not in choices:
            raise ValueError(
                f"'precision' with runtime {runtime} must be one of {', '.join(choices)}. "
                f"Got '{self.sentence.precision}'{_REMEDIES[self._form]}."
            )
        if self.sentence.shortlist and (
            self.tensorrt or self.sentence.precision not in SHORTLISTED
        ):
            raise ValueError(
                f"'shortlist' needs runtime onnxruntime and precision {' or '.join(SHORTLISTED)}. "
                f"Got {runtime} and {self.sentence.precision}; leave it out."
            )

    @property
    def _form(self) -> str:
        return "tensorrt" if self.tensorrt else "onnx"

    def write(self, architecture: Architecture) -> Path:
        """Write the graphs and the workload, and return the workload's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = TransformerConfig.of(
            architecture,
            vocab_size=self.sentence.vocab_size,
            shared_embeddings=self.sentence.shared_embeddings,
        )
        precision = stored_precision(self._form, self.sentence.precision)
        # Graphs of integers read the bytes of the same file.
        file = "weights.fp16.bin" if precision == "fp16" else "weights.bin"
        blob = RandomBlob(self.folder / file, precision=precision)
        weights = blob.graph_weights()
        sizes = self._dimensions(architecture)
        graphs, ranges, calls = {}, {}, [self._encoder_call(architecture)]
        step_graph = partial(
            decoder_graph,
            publishes_logits=self.tensorrt,
            is_shortlisted=self.sentence.shortlist > 0,
        )
        if self.sentence.shortlist:
            graphs["shortlist"] = f"{self.prefix}{architecture.id}.shortlist.onnx"
            shortlist_graph(config, weights).save(self.folder / graphs["shortlist"])
            calls.append(self._shortlist_call())
        for name, build, length, n_tokens in (
            ("encoder", encoder_graph, self.sentence.src_len, sizes["source_length"][1]),
            ("decoder", step_graph, self.sentence.tgt_len, sizes["beam"][1]),
        ):
            graph = build(
                config,
                weights,
                max_positions=length,
                forced_routing=True,
                batch=self.sentence.batch,
                tensorrt=self._tensorrt_form(n_tokens),
            )
            if self.tensorrt:
                ranges[name] = graph.shape_ranges(sizes)
            graphs[name] = f"{self.prefix}{architecture.id}.{name}.onnx"
            graph.save(self.folder / graphs[name])
            weights = blob.graph_weights(weights.end)
        path = self.folder / f"{self.prefix}{architecture.id}.workload.json"
        calls.append(self._decoder_call(architecture))
        Workload(graphs, tuple(calls), ranges).save(path)
        return path

    def _tensorrt_form(self, n_tokens: int) -> TensorRtForm | None:
        int8 = _random_steps if self.sentence.precision == "int8" else None
        return TensorRtForm(n_tokens, int8) if self.tensorrt else None

    def _dimensions(self, architecture: Architecture) -> dict[str, Range]:
        """Return the range of each dimension. Only the cache grows from step to step."""
        sentence, last = self.sentence, self.sentence.tgt_len - 1
        length, beam = (sentence.src_len,) * 3, (sentence.beam,) * 3
        cached = (0, last // 2, last)
        return open_dimensions(architecture, length, cached, beam, batch=sentence.batch)

    def _encoder_call(self, architecture: Architecture) -> Call:
        n_tokens = self.sentence.src_len * self.sentence.batch
        routes = self._routes(architecture.encoder.layers, n_tokens, stack="encoder")
        tokens = _any_tokens(n_tokens, self.sentence.vocab_size)
        inputs = {"source": TensorSpec("int64", (n_tokens,), values=tokens)}
        if not self.tensorrt:
            length = self.sentence.src_len
            sentences = [tokens[i : i + length] for i in range(0, n_tokens, length)]
            inputs = {name: _given(array) for name, array in packed(sentences).items()}
        return Call(
            "encoder",
            "encoder",
            inputs={**inputs, **{name: steps[0] for name, steps in routes.items()}},
            routing_outputs=_routers(architecture.encoder.layers),
        )

    def _shortlist_call(self) -> Call:
        return Call("shortlist", "shortlist", inputs={"candidates": self._candidates()})

    def _candidates(self) -> TensorSpec:
        """Return pieces that lie as far apart in the vocabulary as those of a real sentence."""
        size, n = self.sentence.vocab_size, self.sentence.shortlist
        return _given(np.arange(n) * size // n)

    def _decoder_call(self, architecture: Architecture) -> Call:
        n_steps, layers = self.sentence.tgt_len, architecture.decoder.layers
        n_hypotheses = self.sentence.batch * self.sentence.beam
        past, crossed, carried = {}, {}, {}
        for i, layer in enumerate(layers):
            empty = (n_hypotheses, layer.heads, 0, architecture.qkv_dim // layer.heads)
            for part in ("key", "value"):
                dtype = "float16" if self.sentence.precision == "fp16" else "float32"
                past[f"past_{part}_{i}"] = TensorSpec(dtype, empty, values=())
                crossed[f"cross_{part}_{i}"] = ("encoder", f"cross_{part}_{i}")
                carried[f"present_{part}_{i}"] = f"past_{part}_{i}"
        n_pieces = self.sentence.shortlist or self.sentence.vocab_size
        if not self.tensorrt:
            past |= {
                "parent": _given(np.arange(n_hypotheses)),
                "n_sentences": _given(np.array([self.sentence.batch])),
                "n_best": _given(np.array([min(self.sentence.beam, n_pieces)])),
            }
            barred = {f"cross_barred_{layer.cross_span}" for layer in layers}
            crossed |= {name: ("encoder", name) for name in sorted(barred)}
        if self.sentence.shortlist:
            past["candidates"] = self._candidates()
            names = (WEIGHTS, STEPS) if self.sentence.precision == "int8" else (WEIGHTS,)
            crossed |= {name: ("shortlist", name) for name in names}
        positions = tuple(TensorSpec("int64", (1,), values=(t,)) for t in range(n_steps))
        n_tokens = n_steps * n_hypotheses
        routes = self._routes(layers, n_tokens, stack="decoder", n_steps=n_steps)
        return Call(
            "decoder",
            "decoder",
            repeat=n_steps,
            inputs={"token": TensorSpec("int64", (n_hypotheses,), values=(UNK,)), **past},
            step_inputs={"position": positions, **routes},
            from_calls=crossed,
            carry=carried,
            routing_outputs=_routers(layers),
        )

    def _routes(
        self, layers: Sequence[EncoderLayer], n_tokens: int, *, stack: StackName, n_steps: int = 1
    ) -> Mapping[str, tuple[TensorSpec, ...]]:
        routes = {}
        for i, layer in enumerate(layers):
            if layer.is_sparse:
                rng = np.random.default_rng((stack == "decoder", i))
                routing = self.sentence.routing
                expert_T = routing.experts(layer.experts, n_tokens, rng, stack=stack, layer=i)
                bias = router_bias(expert_T, len(layer.experts))
                routes[f"route_{i}"] = tuple(
                    TensorSpec("float32", step.shape, values=tuple(step.ravel().tolist()))
                    for step in np.split(bias, n_steps)
                )
        return routes


def _given(array: NDArray[Any]) -> TensorSpec:
    return TensorSpec(array.dtype.name, array.shape, values=tuple(array.ravel().tolist()))


def _random_steps(weight: str) -> tuple[float, float]:
    return _ACTIVATION_STEP, _WEIGHT_STEP


def _routers(layers: Sequence[EncoderLayer]) -> tuple[str, ...]:
    return tuple(f"expert_{i}" for i, layer in enumerate(layers) if layer.is_sparse)


def _any_tokens(n_tokens: int, vocab_size: int) -> tuple[int, ...]:
    ordinary = UNK + 1
    return tuple(ordinary + i % (vocab_size - ordinary) for i in range(n_tokens))
