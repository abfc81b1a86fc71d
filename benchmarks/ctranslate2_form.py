"""A dense model in the form of CTranslate2, with the same outputs.

CTranslate2 has one number of heads for a stack. A layer that has fewer gets heads of zeros, and
narrower heads get channels of zeros: the outputs stay the same, and attention takes longer.

Legend: H heads, C channels of a head, I and O widths in and out.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automoe.deployed.beam_search import BOS, EOS
from automoe.supernet import Transformer
from automoe.supernet.elastic import positions
from automoe.text.special_tokens import UNK

_MAX_POSITIONS = 512


def inexpressible(model: Transformer) -> str | None:
    """Return why CTranslate2 cannot express a model, or None if it can."""
    architecture = model.config.architecture
    layers = (*architecture.encoder.layers, *architecture.decoder.layers)
    if any(len(layer.experts) > 1 for layer in layers):
        return "it has layers of several experts"
    if any(layer.cross_span > 1 for layer in architecture.decoder.layers):
        return "its decoder attends to several layers of the encoder"
    return None


def added_width(model: Transformer) -> int:
    """Return how many channels of zeros the widest attention gets, 0 if heads are uniform."""
    stacks = (_heads(model, "encoder"), _heads(model, "decoder"))
    width = model.config.architecture.qkv_dim
    return max(max(each) * (width // min(each)) for each in stacks) - width


def write_ctranslate2(
    model: Transformer, folder: Path, quantization: str | None, *, padded: bool = True
) -> None:
    """Write a model that `inexpressible` allows into a new folder.

    Without ``padded`` all layers of a stack get its largest number of heads and no zeros. The
    outputs are others then: it tells what the zeros cost.
    """
    from ctranslate2 import specs

    config = model.config
    encoder = _stack(model, "encoder", specs.TransformerEncoderSpec, padded=padded)
    decoder = _stack(model, "decoder", specs.TransformerDecoderSpec, padded=padded)
    # A copy, because CTranslate2 changes what it is given when it rounds to integers.
    target = model.target_embedding.detach().numpy().copy()
    own = model.source_embedding
    source = target if own is None else own.detach().numpy().copy()
    source = _front(source, config.architecture.encoder.embed_dim)
    target = _front(target, config.architecture.decoder.embed_dim)
    encoder.embeddings[0].weight = source
    decoder.embeddings.weight = decoder.projection.weight = target
    spec = specs.TransformerSpec(encoder, decoder)
    pieces = [str(i) for i in range(config.vocab_size)]
    spec.register_source_vocabulary(pieces)
    spec.register_target_vocabulary(pieces)
    spec.config.decoder_start_token, spec.config.add_source_eos = str(BOS), False
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = map(str, (BOS, EOS, UNK))
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir()
    spec.save(str(folder))


def opened_ctranslate2(folder: Path) -> Callable[..., list[list[int]]]:
    """Return what gives CTranslate2's outputs of sentences, on the processor with one thread.

    It takes the sentences and the options of CTranslate2.
    """
    import ctranslate2

    translator = ctranslate2.Translator(
        str(folder), device="cpu", inter_threads=1, intra_threads=1, compute_type="default"
    )

    def outputs(sources: Sequence[Sequence[int]], **options: Any) -> list[list[int]]:
        results = translator.translate_batch(
            [[str(token) for token in source] for source in sources],
            max_batch_size=len(sources),
            **options,
        )
        return [[int(token) for token in result.hypotheses[0]] for result in results]

    return outputs


def _front(table: Any, width: int) -> Any:
    return table if table.shape[1] == width else np.ascontiguousarray(table[:, :width])


def _heads(model: Transformer, side: str) -> list[int]:
    layers = getattr(model.config.architecture, side).layers
    cross = [layer.cross_heads for layer in layers] if side == "decoder" else []
    return [*(layer.heads for layer in layers), *cross]


def _stack(model: Transformer, side: str, spec_type: Any, *, padded: bool) -> Any:
    from ctranslate2.specs import common_spec

    config, all_heads = model.config, _heads(model, side)
    stack = getattr(config.architecture, side)
    heads = max(all_heads)
    channels = config.architecture.qkv_dim // (min(all_heads) if padded else heads)
    spec = spec_type(
        len(stack.layers),
        heads,
        pre_norm=config.pre_norm,
        activation=common_spec.Activation.RELU,
        head_dim=channels,
    )
    w = {name: weight.detach().numpy().copy() for name, weight in model.named_parameters()}
    spec.scale_embeddings = True
    spec.position_encodings.encodings = positions(
        0, _MAX_POSITIONS, full_dim=config.position_dim, dim=stack.embed_dim
    ).numpy()
    if config.pre_norm:
        name = f"{side}_norm"
        spec.layer_norm.gamma, spec.layer_norm.beta = w[f"{name}.weight"], w[f"{name}.bias"]
    for i, (layer, shape) in enumerate(zip(spec.layer, stack.layers, strict=True)):
        own, cross, ffn = (f"{side}.{i}.{x}" for x in ("attention", "cross", "feed_forward"))
        few = shape.heads if padded else heads
        _attention(layer.self_attention, w, own, heads=(few, heads), channels=channels)
        if side == "decoder":
            few = shape.cross_heads if padded else heads
            _attention(layer.attention, w, cross, heads=(few, heads), channels=channels)
        for part, linear in (("expand", layer.ffn.linear_0), ("contract", layer.ffn.linear_1)):
            linear.weight = w[f"{ffn}.experts.0.{part}.weight"]
            linear.bias = w[f"{ffn}.experts.0.{part}.bias"]
        _norm(layer.ffn.layer_norm, w, ffn)
    return spec


def _norm(spec: Any, w: dict[str, Any], name: str) -> None:
    spec.gamma, spec.beta = w[f"{name}_residual.norm.weight"], w[f"{name}_residual.norm.bias"]


def _attention(
    spec: Any, w: dict[str, Any], name: str, *, heads: tuple[int, int], channels: int
) -> None:
    """Fill attention of the first number of ``heads``, widened to the second one."""
    few, many = heads

    def widened(x: Any) -> Any:
        x_HC = x.reshape(few, -1, *x.shape[1:])
        added = [(0, many - few), (0, channels - x_HC.shape[1])] + [(0, 0)] * (x.ndim - 1)
        return np.pad(x_HC, added).reshape(many * channels, *x.shape[1:])

    parts = {}
    for part in ("query", "key", "value"):
        weight_OI, bias_O = w[f"{name}.{part}.weight"], w[f"{name}.{part}.bias"]
        # Scores are divided by the square root of the channels, which are more now.
        scale = np.sqrt(np.float32(channels * few / len(bias_O))) if part == "query" else 1
        parts[part] = widened(weight_OI * scale), widened(bias_O * scale)
    is_cross = len(spec.linear) == 3
    groups = (("query",), ("key", "value")) if is_cross else (("query", "key", "value"),)
    for linear, group in zip(spec.linear, groups, strict=False):
        linear.weight, linear.bias = (
            np.concatenate([parts[part][i] for part in group]) for i in range(2)
        )
    out = spec.linear[-1]
    out.weight = np.ascontiguousarray(widened(w[f"{name}.out.weight"].T).T)
    out.bias = w[f"{name}.out.bias"]
    _norm(spec.layer_norm, w, name)
