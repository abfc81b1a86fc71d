"""This module computes the cost of an architecture in closed form.

FLOPs are those of one teacher-forced pass over one sentence. A multiply-add counts as two.
Matrix products and layer norms (one multiply-add per element) are counted, as in the papers.
Biases, softmax, ReLU and embedding look-ups are not counted. Causal masking is not subtracted.
The formulas reproduce the parameters and FLOPs that HAT publishes (arXiv 2005.14187).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from automoe.architecture.architecture import Architecture, DecoderLayer, EncoderLayer

BYTES_PER_WEIGHT = 4  # float32

# The products are those of query, key, value and output, the scores and the weighted sum of the
# values. In attention to the encoder, keys and values are computed before.
_SELF_ATTENTION_LAUNCHES = 6
_CROSS_ATTENTION_LAUNCHES = 4
_EXPERT_LAUNCHES = 2  # expand and contract

Shares = Callable[[Sequence[int], int], Sequence[float]]


def equal_shares(widths: Sequence[int], n_tokens: int) -> Sequence[float]:
    """Return equal shares: every expert serves as many tokens as any other."""
    return [1 / len(widths)] * len(widths)


@dataclass(frozen=True, slots=True)
class StackCost:
    """The cost of the encoder or of the decoder, summed over its layers.

    The last four figures are those of the whole sentence in the encoder, and of one step in the
    decoder.

    Attributes:
        params: The number of all weights, those of experts and routers included.
        active_params: The number of weights that one token uses. Of a sparse layer these are the
            router and one expert, counted as the mean of the layer's experts.
        attention_flops: The FLOPs of self-attention and, in the decoder, of attention to the
            encoder.
        ffn_flops: The FLOPs of the feed-forward parts, in which one expert serves each token.
        router_flops: The FLOPs of the routers of sparse layers.
        norm_flops: The FLOPs of layer norms.
        experts_touched: The expected number of experts that serve at least one token, summed over
            layers.
        weights_touched: The expected number of weights that are read.
        activations: The count of numbers that matrix products write, attention scores included,
            and of those that are read from the decoder's cache of keys and values. The step of
            the decoder is one of average length.
        kernel_launches: The expected number of matrix products that are started, attention's two
            included. An expert without tokens starts none.
    """

    params: int
    active_params: float
    attention_flops: int
    ffn_flops: float
    router_flops: int
    norm_flops: int
    experts_touched: float
    weights_touched: float
    activations: float
    kernel_launches: float

    @property
    def flops(self) -> float:
        """Return the FLOPs of the whole stack."""
        return self.attention_flops + self.ffn_flops + self.router_flops + self.norm_flops


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an architecture for one sentence.

    Attributes:
        encoder: The encoder's cost.
        decoder: The decoder's cost.
        embedding_params: The number of weights of the embedding tables. The output projection
            shares them.
        projection_flops: The FLOPs of projecting every target token to the vocabulary.
    """

    encoder: StackCost
    decoder: StackCost
    embedding_params: int
    projection_flops: int

    @property
    def params(self) -> int:
        """Return the number of weights without the embeddings."""
        return self.encoder.params + self.decoder.params

    @property
    def active_params(self) -> float:
        """Return the number of weights that one token uses, without the embeddings."""
        return self.encoder.active_params + self.decoder.active_params

    @property
    def flops(self) -> float:
        """Return the FLOPs without the vocabulary projection."""
        return self.encoder.flops + self.decoder.flops

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of all weights in float32, embeddings included."""
        return BYTES_PER_WEIGHT * (self.params + self.embedding_params)

    def to_dict(self) -> dict[str, float]:
        """Return the figures that ``automoe cost --json`` prints."""
        return {
            "params": self.params,
            "active_params": _tidy(self.active_params),
            "embedding_params": self.embedding_params,
            "flops": _tidy(self.flops),
            "projection_flops": self.projection_flops,
            "weight_bytes": self.weight_bytes,
            "expected_experts_touched_encoder": self.encoder.experts_touched,
            "expected_experts_touched_decoder_step": self.decoder.experts_touched,
        }


class _Sentence(NamedTuple):
    """The sizes of the sentence that is translated, as the arguments of ``cost``."""

    src_len: int
    tgt_len: int
    beam: int
    batch: int


class _Attention(NamedTuple):
    """The cost of the attention and the norms of all layers of a stack."""

    params: int
    flops: int
    norm_flops: int
    activations: float
    launches: int


def cost(
    architecture: Architecture,
    *,
    src_len: int = 30,
    tgt_len: int = 30,
    vocab_size: int = 32768,
    shared_embeddings: bool = True,
    beam: int = 1,
    batch: int = 1,
    shares: Shares = equal_shares,
) -> Cost:
    """Return the cost of translating one sentence.

    Args:
        architecture: The architecture whose cost is counted.
        src_len: The number of source tokens, at least 1.
        tgt_len: The number of target tokens, at least 1.
        vocab_size: The number of rows of each embedding table, at least 1.
        shared_embeddings: Whether both languages use one table, as wide as the wider stack.
        beam: The number of hypotheses that the decoder extends together. One step routes that
            many tokens. FLOPs stay those of one teacher-forced pass.
        batch: The number of sentences of these lengths that are translated together. FLOPs are
            those of all of them.
        shares: A function of a sparse layer's expert widths and the number of tokens. It returns
            the share of the tokens that each expert serves.

    Raises:
        ValueError: A length, the vocabulary size, the beam or the batch is below one.
    """
    sentence = _Sentence(src_len, tgt_len, beam, batch)
    for name, value in {**sentence._asdict(), "vocab_size": vocab_size}.items():
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1. Got {value}.")
    embed, hidden = architecture.encoder.embed_dim, architecture.decoder.embed_dim
    width = max(embed, hidden) if shared_embeddings else embed + hidden
    return Cost(
        encoder=_encoder_cost(architecture, sentence, shares),
        decoder=_decoder_cost(architecture, sentence, shares),
        embedding_params=vocab_size * width,
        projection_flops=2 * batch * tgt_len * hidden * vocab_size,
    )


def experts_touched(n_experts: int, n_tokens: int) -> float:
    """Return the expected number of experts that serve at least one of ``n_tokens``.

    Routing is uniform and independent, as balls fall into bins: ``E * (1 - (1 - 1/E) ** tokens)``.
    """
    return n_experts * touch_probability(1 / n_experts, n_tokens)


def touch_probability(share: float, n_tokens: int) -> float:
    """Return the probability that an expert with this share serves at least one of the tokens."""
    return float(1 - (1 - share) ** n_tokens)


def ffn_params(width: int, dim: int) -> int:
    """Return the number of weights of one expert, which has two matrices and their biases."""
    return 2 * width * dim + width + dim


def routed_ffn_flops(experts: Sequence[int], tokens: Sequence[float], dim: int) -> float:
    """Return the FLOPs of a feed-forward part for tokens of width ``dim``.

    Expert i has the width ``experts[i]`` and serves ``tokens[i]`` tokens.
    """
    return sum(4 * n * dim * width for width, n in zip(experts, tokens, strict=True))


def _encoder_cost(architecture: Architecture, sentence: _Sentence, shares: Shares) -> StackCost:
    embed, qkv = architecture.encoder.embed_dim, architecture.qkv_dim
    layers, src_len, batch = architecture.encoder.layers, sentence.src_len, sentence.batch
    n_tokens = batch * src_len
    macs = batch * (4 * src_len * qkv * embed + 2 * src_len**2 * qkv)
    scores = batch * src_len**2 * sum(x.heads for x in layers)
    attention = _Attention(
        params=len(layers) * (4 * qkv * embed + 3 * qkv + embed + 4 * embed),
        flops=2 * len(layers) * macs,
        norm_flops=2 * len(layers) * 2 * n_tokens * embed,
        activations=len(layers) * n_tokens * (4 * qkv + embed) + scores,
        launches=len(layers) * _SELF_ATTENTION_LAUNCHES,
    )
    experts = [_experts_cost(x.experts, embed, n_tokens, n_tokens, shares) for x in layers]
    return _stack_cost(layers, embed, attention, experts, (n_tokens, n_tokens))


def _decoder_cost(architecture: Architecture, sentence: _Sentence, shares: Shares) -> StackCost:
    embed, hidden = architecture.encoder.embed_dim, architecture.decoder.embed_dim
    qkv, layers = architecture.qkv_dim, architecture.decoder.layers
    tgt_len, batch = sentence.tgt_len, sentence.batch
    n_tokens, per_step = batch * tgt_len, batch * sentence.beam
    self_params = 4 * qkv * hidden + 3 * qkv + hidden
    cross_params = 2 * qkv * hidden + 2 * qkv * embed + 3 * qkv + hidden
    macs = sum(_decoder_attention_macs(architecture, x, sentence) for x in layers)
    attention = _Attention(
        params=len(layers) * (self_params + cross_params + 6 * hidden),
        flops=2 * batch * macs,
        norm_flops=2 * batch * len(layers) * 3 * tgt_len * hidden,
        activations=sum(_decoder_activations(architecture, x, sentence) for x in layers),
        launches=len(layers) * (_SELF_ATTENTION_LAUNCHES + _CROSS_ATTENTION_LAUNCHES),
    )
    experts = [_experts_cost(x.experts, hidden, n_tokens, per_step, shares) for x in layers]
    return _stack_cost(layers, hidden, attention, experts, (n_tokens, per_step))


def _decoder_attention_macs(
    architecture: Architecture, layer: DecoderLayer, sentence: _Sentence
) -> int:
    embed, hidden = architecture.encoder.embed_dim, architecture.decoder.embed_dim
    src_len, tgt_len = sentence.src_len, sentence.tgt_len
    qkv, n_keys = architecture.qkv_dim, layer.cross_span * src_len
    own = 4 * tgt_len * qkv * hidden + 2 * tgt_len**2 * qkv
    cross = 2 * tgt_len * qkv * hidden + 2 * n_keys * qkv * embed + 2 * tgt_len * n_keys * qkv
    return own + cross


def _decoder_activations(
    architecture: Architecture, layer: DecoderLayer, sentence: _Sentence
) -> float:
    hidden, qkv, beam = architecture.decoder.embed_dim, architecture.qkv_dim, sentence.beam
    n_own, n_keys = (sentence.tgt_len + 1) / 2, layer.cross_span * sentence.src_len
    projected = 4 * qkv + hidden + 2 * qkv + hidden
    scores = n_own * layer.heads + n_keys * layer.cross_heads
    # Each hypothesis has its own keys and values. Those of the source are shared by a sentence.
    cached = 2 * qkv * (beam * n_own + n_keys)
    return sentence.batch * (beam * (projected + scores) + cached)


class _ExpertsCost(NamedTuple):
    """The cost of the experts of one layer."""

    params: int
    active_params: float
    flops: float
    touched: float
    read: float
    written: float


@lru_cache(maxsize=50_000)  # architectures of a search share many layers
def _experts_cost(
    experts: tuple[int, ...], dim: int, n_tokens: int, tokens_per_call: int, shares: Shares
) -> _ExpertsCost:
    params = [ffn_params(width, dim) for width in experts]
    share = shares(experts, n_tokens)
    reached = [touch_probability(p, tokens_per_call) for p in share]
    return _ExpertsCost(
        params=sum(params),
        # The mean over the experts does not depend on the workload's routing.
        active_params=sum(params) / len(params),
        flops=routed_ffn_flops(experts, [n_tokens * p for p in share], dim),
        touched=sum(reached),
        read=sum(p * weights for p, weights in zip(reached, params, strict=True)),
        written=tokens_per_call * sum(p * width for p, width in zip(share, experts, strict=True)),
    )


def _stack_cost(
    layers: Sequence[EncoderLayer],
    dim: int,
    attention: _Attention,
    experts: Sequence[_ExpertsCost],
    n_tokens: tuple[int, int],
) -> StackCost:
    """Return the sum over a stack. ``n_tokens`` counts the sentence's tokens and one call's."""
    of_sentence, of_call = n_tokens
    params, active_params, flops, touched, read, written = map(sum, zip(*experts, strict=True))
    routed = [len(x.experts) for x in layers if len(x.experts) > 1]
    fixed_params = attention.params + sum(routed) * (dim + 1)  # with the routers
    ffn_written = written + of_call * (len(layers) * dim + sum(routed))
    return StackCost(
        params=fixed_params + params,
        active_params=fixed_params + active_params,
        attention_flops=attention.flops,
        ffn_flops=flops,
        router_flops=2 * of_sentence * sum(routed) * dim,
        norm_flops=attention.norm_flops,
        experts_touched=touched,
        weights_touched=fixed_params + read,
        activations=attention.activations + ffn_written,
        kernel_launches=attention.launches + len(routed) + _EXPERT_LAUNCHES * touched,
    )


def _tidy(value: float) -> float:
    """Return a count, which is a mean where experts differ, with at most one decimal."""
    return int(value) if float(value).is_integer() else round(value, 1)
