"""This module translates a stream of lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from automoe.deployed.translator import Translator

_LINES = 2000  # that are read before they are translated, so that similar lengths meet


def translate_lines(
    translator: Translator, lines: Iterable[str], *, batch_tokens: int, flush: bool
) -> Iterator[str]:
    """Yield the translation of each line, in the order of the lines.

    Args:
        translator: The translator.
        lines: The sentences, one on each line.
        batch_tokens: The most source tokens that are translated together.
        flush: Whether each line is answered before the next one is read.
    """
    for block in _blocks(lines, 1 if flush else _LINES):
        for translation in translator.translate_all(block, batch_tokens=batch_tokens):
            yield translation.text


def _blocks(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield lines together; those before a line that cannot be read come before its error."""
    block: list[str] = []
    try:
        for line in lines:
            block.append(line.strip())
            if len(block) == size:
                yield block
                block = []
    except ValueError:
        if block:
            yield block
        raise
    if block:
        yield block
