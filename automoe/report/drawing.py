"""This module draws an architecture: a column of layers for each stack, a bar for each expert."""

from html import escape

from automoe.architecture.architecture import Architecture, DecoderLayer, EncoderLayer

_COLUMN = 330
_BAR_LENGTH = 150
_BAR_HEIGHT = 9
_GAP = 3
_TOP = 34


def draw_architecture(architecture: Architecture) -> str:
    """Return the drawing as SVG, with the first layer at the bottom, as in papers."""
    stacks = (
        ("encoder", architecture.encoder.embed_dim, architecture.encoder.layers),
        ("decoder", architecture.decoder.embed_dim, architecture.decoder.layers),
    )
    widest = max(width for _, _, layers in stacks for layer in layers for width in layer.experts)
    height = _TOP + max(sum(map(_height, layers)) for _, _, layers in stacks)
    parts = []
    for column, (name, dim, layers) in enumerate(stacks):
        x = column * _COLUMN
        parts.append(f'<text x="{x}" y="16" class="stack">{name}, width {dim}</text>')
        y = float(height)
        for number, layer in enumerate(layers, start=1):
            y -= _height(layer)
            parts.append(_layer(x, y, number, layer, widest))
    label = escape(f"Architecture {architecture.id}: experts of each layer as bars")
    return (
        f'<svg class="architecture" viewBox="0 0 {2 * _COLUMN} {height}" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )


def _height(layer: EncoderLayer) -> int:
    return max(2, len(layer.experts)) * (_BAR_HEIGHT + _GAP) + 3 * _GAP


def _layer(x: int, y: float, number: int, layer: EncoderLayer, widest: int) -> str:
    words = f"{layer.heads} heads"
    if isinstance(layer, DecoderLayer):
        words += f", {layer.cross_heads} cross, span {layer.cross_span}"
    parts = [
        f'<text x="{x}" y="{y + _BAR_HEIGHT}">{number}</text>',
        f'<text x="{x + 18}" y="{y + _BAR_HEIGHT}" class="note">{words}</text>',
    ]
    for i, width in enumerate(layer.experts):
        top = y + i * (_BAR_HEIGHT + _GAP)
        length = _BAR_LENGTH * width / widest
        parts.append(
            f'<rect x="{x + 160}" y="{top:g}" width="{length:g}" height="{_BAR_HEIGHT}" '
            f'class="expert"><title>expert {i + 1}: {width} wide</title></rect>'
        )
    return "".join(parts)
