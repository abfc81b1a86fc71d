"""What the documents tell a reader to type: whole lines in fenced blocks, mentions in sentences."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.M | re.S)
_ENDS_A_COMMAND = {"|", "&&", "||", ";", ">", "<", ">>"}


@dataclass(frozen=True, slots=True)
class Typed:
    """One thing to type.

    Attributes:
        language: "bash" or "python".
        text: One line of a bash block, with its continuations; or a whole block of Python.
    """

    language: str
    text: str


def blocks_of(document: Path) -> list[tuple[str, str]]:
    """Return the language and the text of every fenced block."""
    return _BLOCK.findall(document.read_text())


def typed_of(document: Path) -> list[Typed]:
    """Return everything that the document tells a reader to type, in order."""
    typed = []
    for language, text in blocks_of(document):
        if language == "python":
            typed.append(Typed("python", text))
        elif language == "bash":
            lines = re.sub(r"\\\n\s*", "", text).splitlines()
            typed += [Typed("bash", line) for line in lines if shlex.split(line, comments=True)]
    return typed


def invocations(line: str, program: str) -> Iterator[list[str]]:
    """Yield the words that follow each call of a program in a line of bash."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for index, word in enumerate(words):
        if word == program:
            yield list(takewhile(lambda each: each not in _ENDS_A_COMMAND, words[index + 1 :]))


def mentions_of(text: str) -> list[str]:
    """Return what stands between backquotes in the sentences, and the lines of `text` blocks."""
    synopses = [block for language, block in _BLOCK.findall(text) if language == "text"]
    spans = re.findall(r"`([^`]+)`", _BLOCK.sub("", text))
    return [" ".join(each.split()) for each in (*spans, *synopses)]
