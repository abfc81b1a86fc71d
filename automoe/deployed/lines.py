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


def decoded(line: bytes, number: int, errors: str) -> str:
    """Return a line of standard input; a byte-order mark before the first one is left out.

    Raises:
        ValueError: The line is not UTF-8, and ``errors`` is strict.
    """
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8", errors)
    except UnicodeDecodeError as error:
        place = len(line) - len(error.object) + error.start  # without a byte-order mark
        raise ValueError(
            f"Standard input, line {number}, byte {place + 1}: 0x{line[place]:02x} is not UTF-8. "
            "Save the text as UTF-8, or give --errors replace."
        ) from None
