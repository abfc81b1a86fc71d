"""Claim: a subnet's profiling graphs are written at least 50 times faster than by tracing it.

Two exporters write the encoder and the decoder step of the same random ``wmt14-en-de`` subnets,
one after the other in one process. One is `automoe.export.WorkloadWriter`. The other one is
`torch.onnx.export` with the TorchScript tracer (`dynamo=False`), which needs no further package.
It exports an encoder module and a module of one decoder step with its cache.

    python benchmarks/bench_export_speed.py [--subnets 3]
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import MethodType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export import WorkloadWriter
from automoe.supernet import Transformer, TransformerConfig
from automoe.supernet.elastic import ElasticLayerNorm, ElasticLinear


class Encoder(nn.Module):
    """A module that computes, from source tokens, what each decoder layer attends to."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, source_BS: Tensor) -> tuple[Tensor, ...]:
        """Return the keys and values of every decoder layer."""
        cache = self.model.start(self.model.encode(source_BS))
        return tuple(part for layer in cache.layers for part in layer.cross)


class DecoderStep(nn.Module):
    """A module that computes the logits of a token. The encoder's output is a constant in it."""

    def __init__(self, model: Transformer, source_BS: Tensor) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            self.cache = model.start(model.encode(source_BS))

    def forward(self, token_BT: Tensor) -> Tensor:
        """Return the logits of one step."""
        output, _ = self.model.decode(token_BT, self.cache)
        return output.logits_BTV


def make_static(model: Transformer) -> Transformer:
    """Remove the slices from a stand-alone subnet, which uses every weight as a whole."""
    for module in model.modules():
        if isinstance(module, ElasticLinear):
            module.forward = _ignoring_width(module)  # type: ignore[method-assign]
        if isinstance(module, ElasticLayerNorm):
            module.forward = MethodType(nn.LayerNorm.forward, module)  # type: ignore[method-assign]
    return model


def _ignoring_width(module: nn.Linear) -> Callable[..., Tensor]:
    return lambda x, out_dim=None: F.linear(x, module.weight, module.bias)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def trace(architecture: Architecture, space: SearchSpace, folder: Path) -> Callable[[], None]:
    """Return a function that exports with torch. The modules are made before and not timed."""
    config = TransformerConfig.of(
        architecture,
        vocab_size=space.vocab_size,
    )
    model = make_static(Transformer(config).eval())
    source_BS = torch.randint(4, space.vocab_size, (1, space.src_len))
    token_BT = torch.randint(4, space.vocab_size, (1, 1))
    parts = (Encoder(model), (source_BS,)), (DecoderStep(model, source_BS), (token_BT,))

    def work() -> None:
        for number, (module, inputs) in enumerate(parts):
            torch.onnx.export(module, inputs, str(folder / f"{number}.onnx"), dynamo=False)

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subnets", type=int, default=3)
    n_subnets = parser.parse_args().subnets
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    space = SearchSpace.load("wmt14-en-de", max_experts=6, fractional=True)
    rng = Random(0)
    rows = []
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        folder = Path(name)
        writer = WorkloadWriter(folder / "ours", TranslationWorkload.of(space))
        blob_s = seconds(lambda: writer.write(space.largest()))  # makes the shared weights
        before = {path.name for path in (folder / "ours").iterdir()}
        for _ in range(n_subnets):
            architecture = space.sample(rng)
            traced_s = seconds(trace(architecture, space, folder))
            ours_s = seconds(lambda a=architecture: writer.write(a))  # type: ignore[misc]
            rows.append({"ours_s": ours_s, "traced_s": traced_s, "ratio": traced_s / ours_s})
        own = [p for p in (folder / "ours").iterdir() if p.name not in before]
        kilobytes = sum(path.stat().st_size for path in own) / n_subnets / 1024
    ratios = [row["ratio"] for row in rows]
    result = {
        "median_ratio": statistics.median(ratios),
        "kilobytes_per_subnet": kilobytes,
        "blob_s": blob_s,
    }
    print(json.dumps({**result, "subnets": rows}, indent=1))


if __name__ == "__main__":
    main()
