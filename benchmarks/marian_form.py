"""This module writes a dense model in Marian's form, and translates with `pymarian`.

Marian's EOS and UNK are its tokens 0 and 1. Its first input of the decoder is a vector of zeros,
which is the embedding of BOS in the model of the benchmark.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from automoe.supernet import Transformer
from automoe.text.special_tokens import EOS, UNK

Tokens = list[list[int]]
_NAMED = {EOS: "</s>", UNK: "<unk>"}
_MODEL, _VOCABULARY = "model.npz", "vocabulary.yml"


def write_marian(model: Transformer, folder: Path) -> None:
    """Write the weights of a model with norms after the sublayers, and names of its tokens."""
    config, architecture = model.config, model.config.architecture
    w = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    order = [*_NAMED, *(i for i in range(config.vocab_size) if i not in _NAMED)]
    arrays = {
        "Wemb": w["target_embedding"][order],
        "decoder_ff_logit_out_b": np.zeros((1, config.vocab_size), np.float32),
    }

    def linear(prefix: str, suffix: str, name: str) -> None:
        arrays[f"{prefix}W{suffix}"] = np.ascontiguousarray(w[f"{name}.weight"].T)
        arrays[f"{prefix}b{suffix}"] = w[f"{name}.bias"][None]

    def norm(prefix: str, name: str) -> None:
        arrays[f"{prefix}_ln_scale"] = w[f"{name}.norm.weight"][None]
        arrays[f"{prefix}_ln_bias"] = w[f"{name}.norm.bias"][None]

    attentions = {"encoder": {"self": "attention"}}
    attentions["decoder"] = {**attentions["encoder"], "context": "cross"}
    for side, layers in (
        ("encoder", architecture.encoder.layers),
        ("decoder", architecture.decoder.layers),
    ):
        for i in range(len(layers)):
            for theirs, own in attentions[side].items():
                prefix = f"{side}_l{i + 1}_{theirs}_"
                for suffix, part in zip("qkvo", ("query", "key", "value", "out"), strict=True):
                    linear(prefix, suffix, f"{side}.{i}.{own}.{part}")
                norm(f"{prefix}Wo", f"{side}.{i}.{own}_residual")
            prefix, name = f"{side}_l{i + 1}_ffn_", f"{side}.{i}.feed_forward"
            linear(prefix, "1", f"{name}.experts.0.expand")
            linear(prefix, "2", f"{name}.experts.0.contract")
            norm(f"{prefix}ffn", f"{name}_residual")
    layer = architecture.encoder.layers[0]
    form = {
        "type": "transformer",
        "dim-vocabs": [config.vocab_size] * 2,
        "dim-emb": architecture.encoder.embed_dim,
        "transformer-heads": layer.heads,
        "transformer-dim-ffn": layer.experts[0],
        "transformer-ffn-depth": 2,
        "transformer-ffn-activation": "relu",
        "enc-depth": len(architecture.encoder.layers),
        "dec-depth": len(architecture.decoder.layers),
        "transformer-preprocess": "",
        "transformer-postprocess": "dan",  # dropout, add, norm
        "tied-embeddings-all": True,
    }
    written = yaml.safe_dump(form).encode() + b"\0"
    folder.mkdir()
    np.savez(folder / _MODEL, **arrays, **{"special:model.yml": np.frombuffer(written, np.int8)})
    lines = (f"{json.dumps(_name(token))}: {place}\n" for place, token in enumerate(order))
    (folder / _VOCABULARY).write_text("".join(lines), encoding="utf-8")


def marian(
    folder: Path, *, beams: Sequence[int]
) -> Callable[[Sequence[Sequence[int]], int], Tokens]:
    """Return Marian's translator with one thread. Outputs are as long as sources."""
    import pymarian

    options: dict[str, Any] = {
        "models": [str(folder / _MODEL)],
        "vocabs": [str(folder / _VOCABULARY)] * 2,
        "cpu_threads": 1,
        "mini_batch": 64,
        "maxi_batch": 1,
        "normalize": 0,
        "max_length_factor": 1.0,
        "quiet": True,
        "quiet_translation": True,
    }
    translators = {beam: pymarian.Translator(beam_size=beam, **options) for beam in beams}

    def translate(sources: Sequence[Sequence[int]], beam: int) -> Tokens:
        texts = [" ".join(map(_name, source[:-1])) for source in sources]
        return [
            [int(word.removeprefix("t")) for word in line.split()]
            for line in translators[beam].translate(texts)
        ]

    return translate


def _name(token: int) -> str:
    return _NAMED.get(token, f"t{token}")
