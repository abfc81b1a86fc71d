"""This module draws architectures: a column of layers for each stack, a bar for each expert."""

from html import escape

from automoe.architecture.architecture import Architecture, DecoderLayer, EncoderLayer

_WIDTH = 330
_BAR_START = 176
_BAR_LENGTH = 150
_BAR_HEIGHT = 10
_GAP = 3
_TOP = 34


def draw_architecture(architecture: Architecture, *, widest: int | None = None) -> str:
    """Return two drawings as SVG, encoder and decoder, with the first layer at the bottom.

    Args:
        architecture: The architecture.
        widest: The width of the expert whose bar has the full length; by default the widest one.
    """
    stacks = (
        ("encoder", architecture.encoder.embed_dim, architecture.encoder.layers),
        ("decoder", architecture.decoder.embed_dim, architecture.decoder.layers),
    )
    scale = widest or widest_expert(architecture)
    return "".join(_stack(architecture.id, *stack, scale) for stack in stacks)


def widest_expert(architecture: Architecture) -> int:
    """Return the width of the widest expert."""
    stacks = (architecture.encoder.layers, architecture.decoder.layers)
    return max(width for layers in stacks for layer in layers for width in layer.experts)


def _stack(
    identifier: str, name: str, dim: int, layers: tuple[EncoderLayer, ...], widest: int
) -> str:
    height = _TOP + sum(map(_height, layers))
    parts = [f'<text x="0" y="16" class="stack">{name}, width {dim}</text>']
    y = float(height)
    for number, layer in enumerate(layers, start=1):
        y -= _height(layer)
        parts.append(_layer(y, number, layer, widest))
    label = escape(f"{name} of architecture {identifier}: experts of each layer as bars")
    return (
        f'<svg class="architecture" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )


def _height(layer: EncoderLayer) -> int:
    return max(2, len(layer.experts)) * (_BAR_HEIGHT + _GAP) + 3 * _GAP


def _layer(y: float, number: int, layer: EncoderLayer, widest: int) -> str:
    words = f"{layer.heads} heads"
    if isinstance(layer, DecoderLayer):
        words += f", {layer.cross_heads} cross, span {layer.cross_span}"
    parts = [
        f'<text x="0" y="{y + _BAR_HEIGHT:g}">{number}</text>',
        f'<text x="18" y="{y + _BAR_HEIGHT:g}">{words}</text>',
    ]
    for i, width in enumerate(layer.experts):
        top = y + i * (_BAR_HEIGHT + _GAP)
        length = _BAR_LENGTH * width / widest
        parts.append(
            f'<rect x="{_BAR_START}" y="{top:g}" width="{length:g}" height="{_BAR_HEIGHT}" '
            f'class="expert"><title>layer {number}, expert {i + 1}: {width} wide</title></rect>'
        )
    return "".join(parts)
