"""Put together again the shapes that a shell took apart."""

import re
from collections.abc import Sequence


def rejoin_braces(words: Sequence[str]) -> list[str]:
    """Return a command line in which shapes that a shell took apart are one word again.

    A shell makes `--input-shape x=1x64 x=1x128` of `--input-shape x=1x{64,128}` without quotes.
    """
    joined: list[str] = []
    shapes: list[list[int]] = []
    for before, word in zip(["", *words], words, strict=False):
        name, is_shape, sizes = word.rpartition("=")
        is_whole = bool(is_shape) and bool(re.fullmatch(r"\d+(x\d+)*", sizes))
        axes = [int(size) for size in sizes.split("x")] if is_whole else []
        follows = bool(shapes) and joined[-1].rpartition("=")[0] == name
        if is_whole and follows and len(axes) == len(shapes[0]):
            shapes.append(axes)
            kept = [list(dict.fromkeys(axis)) for axis in zip(*shapes, strict=True)]
            parts = [f"{{{','.join(map(str, x))}}}" if len(x) > 1 else f"{x[0]}" for x in kept]
            joined[-1] = f"{name}={'x'.join(parts)}"
            continue
        shapes = [axes] if before == "--input-shape" and is_whole else []
        joined.append(word)
    return joined
