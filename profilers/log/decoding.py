"""This module turns the bytes of a log into text, in whatever encoding a program saved them."""

import codecs
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from profilers.log.rows import LogError

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_TEXT = {
    b"PK\x03\x04": "a workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "a workbook of old Excel",
    b"\x1f\x8b": "a file compressed by gzip",
    b"PAR1": "a file of Parquet",
    b"SQLite format": "a database of SQLite",
    codecs.BOM_UTF32_LE: "a text in UTF-32",
    **dict.fromkeys((b"<!DOCTYPE html", b"<!doctype html", b"<html"), "a page of HTML"),
    b"<?xml": "a file of XML",
}
_BEYOND_ASCII = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")
# Characters without width: the mark of a file that another one was appended to, and those that are
# copied from pages.
_NO_WIDTH = re.compile("[\ufeff\u200b\u200e\u200f\u202a\u202c\u2060]")
_OF_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours of a printed text
# A text has few of these bytes. It may have tabs, ends of lines, ESC, and the zeros of a crash.
_CONTROL = bytes({*range(1, 0x20)} - {*b"\t\n\v\f\r\x1b"})
_MOST_CONTROL = 3  # of the first bytes of a text, or a twentieth of them
_BEGINNING = 4096  # bytes
_END_OF_DOS = "\x1a"
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
_MINUS_SIGN = re.compile("\u2212(?=[.\\d])")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a log.

    Attributes:
        text: The text, without a byte-order mark.
        remarks: Sentences about what was done to the file, for the user.
        n_added: The number of lines above the first row that the file does not have.
    """

    text: str
    remarks: tuple[str, ...] = ()
    n_added: int = 0


def text_of(path: Path, n_lines: int | None = None) -> Decoded:
    """Return the text of a log, without a last character of which only some bytes were written.

    Byte-order marks, characters without width and colours of a terminal are removed. Digits of
    other scripts and the minus sign become those of ASCII. Bytes that are not UTF-8 are read as
    Windows-1252, in which spreadsheets save.

    Args:
        path: The log. A pipe may be read several times.
        n_lines: The number of lines that are read; None for all.

    Raises:
        LogError: The file is empty or holds no text.
        OSError: The file cannot be read.
    """
    content, remarks = _decoded(_bytes_of(path, n_lines), path)
    content = with_plain_characters(content)
    if "\0" in content:
        line = content.count("\n", 0, content.index("\0")) + 1
        raise LogError(
            f"{path} must be a CSV with a header line. Got a zero byte in line {line}. "
            f"Remove such bytes, e.g. with: tr -d '\\000' < {path}"
        )
    content = _OF_TERMINAL.sub("", content).removesuffix(_END_OF_DOS)
    if not content.strip():
        raise LogError(f"{path} must be a CSV with a header line. Got an empty file.")
    return Decoded(content, remarks)


def with_plain_characters(content: str) -> str:
    """Return a text without characters that have no width, and with digits and minus of ASCII."""
    if content.isascii():
        return content
    plain = _OTHER_DIGIT.sub(lambda digit: str(int(digit[0])), _NO_WIDTH.sub("", content))
    return _MINUS_SIGN.sub("-", plain)


def _decoded(data: bytes, path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file and remarks about its encoding.

    Raises:
        LogError: The bytes are no text in a known encoding.
    """
    for start, kind in _NO_TEXT.items():
        if data.startswith(start):
            raise LogError(f"{path} must be a CSV. Got {kind}. Save its table as a CSV.")
    if data.startswith(_UTF_16):
        encoding = "utf-16"
    elif bare := _utf_16_without_mark(data[:2000]):
        encoding = bare
    else:
        encoding = "utf-8-sig"
        beginning = data[:_BEGINNING]
        n_control = len(beginning) - len(beginning.translate(None, _CONTROL))
        if n_control > max(_MOST_CONTROL, len(beginning) / 20):
            raise LogError(f"{path} must be a table. Got a file that is no text.")
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data), ()
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise LogError(f"{path} must be text. Got {error.reason} in UTF-16.") from None
        # The decoder counts from behind the byte-order mark.
        at = error.start + (len(data) - len(error.object))
    where = _place(data, at)
    remedy = "Save it as UTF-8, or convert it with: iconv -f ENCODING -t UTF-8"
    if _BEYOND_ASCII.search(data[:at]) or data.startswith(codecs.BOM_UTF8):
        raise LogError(f"{path} is UTF-8, but for {where}. Correct that line.")
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise LogError(
            f"{path} must be a CSV in UTF-8, UTF-16 or Windows-1252. "
            f"Got {_place(data, error.start)}. {remedy} {path}"
        ) from None
    sign = data[at : at + 1].decode("cp1252")
    return text, (
        f"{path} is not UTF-8 ({where}); it is read as Windows-1252, where that is {sign!r}",
    )


def _utf_16_without_mark(data: bytes) -> str:
    """Return the encoding when every second byte is mostly zero, and no other one; else empty."""
    n_even, n_odd = data[::2].count(0), data[1::2].count(0)
    if max(n_even, n_odd) <= len(data) // 4 or min(n_even, n_odd):
        return ""
    return "utf-16-le" if n_odd else "utf-16-be"


def _place(data: bytes, at: int) -> str:
    """Return a byte and its line, for a message."""
    line = data.count(b"\n", 0, at) + 1
    return f"byte 0x{data[at]:02x} in line {line}"


def _bytes_of(path: Path, n_lines: int | None) -> bytes:
    if path.is_file():
        with path.open("rb") as file:
            return file.read() if n_lines is None else b"".join(islice(file, n_lines))
    about = path.stat()
    lines = io.BytesIO(_piped(path, about.st_dev, about.st_ino))
    return lines.read() if n_lines is None else b"".join(islice(lines, n_lines))


@lru_cache(maxsize=4)
def _piped(path: Path, device: int, inode: int) -> bytes:
    """Return the content of a pipe, which can be read only once; its identity tells pipes apart."""
    return path.read_bytes()
