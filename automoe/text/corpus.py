"""This module reads corpora, which have a file for each split and each language."""

import gzip
import hashlib
import zlib
from codecs import BOM_UTF8
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self, get_args

Split = Literal["train", "valid", "test"]

_MAX_NAMES = 12  # the most file names in a message


class CorpusError(ValueError):
    """A corpus that cannot be used. The message names the file, the line and the remedy."""


@dataclass(frozen=True, slots=True)
class ParallelText:
    """Sentences and their translations, in the order of the files.

    Attributes:
        source: The sentences to translate.
        target: `target[i]` is the translation of `source[i]`.

    Raises:
        CorpusError: The two languages differ in the number of sentences.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.source) != len(self.target):
            raise CorpusError(
                f"'target' must have one sentence for each of the {len(self.source)} in 'source'. "
                f"Got {len(self.target)}; align the two languages."
            )

    def __len__(self) -> int:
        return len(self.source)

    def first(self, n: int | None) -> "ParallelText":
        """Return the first n sentences, or all of them for None."""
        return ParallelText(self.source[:n], self.target[:n])

    @property
    def digest(self) -> str:
        """Return a digest of all sentences."""
        digest = hashlib.sha256()
        for sentence in (*self.source, *self.target):
            digest.update(sentence.encode() + b"\n")
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder with the files `train`, `valid` and `test` in two languages.

    A file may be compressed with gzip, such as `train.en.gz` in the place of `train.en`.

    Attributes:
        folder: The folder of the files.
        source: The suffix of the files to translate from, such as `en`.
        target: The suffix of the files to translate into, such as `de`.
    """

    folder: Path
    source: str
    target: str

    @classmethod
    def open(cls, folder: Path, *, source: str = "en", target: str = "de") -> Self:
        """Return the corpus in `folder`. All six files must exist, but none is read.

        Args:
            folder: The folder that holds `train.<language>` and so on.
            source: The suffix of the language to translate from.
            target: The suffix of the language to translate into.

        Raises:
            CorpusError: The folder or a file is missing, or the two languages are the same.
        """
        if source == target:
            raise CorpusError(f"'target' must differ from 'source'. Got {target!r} for both.")
        if not folder.is_dir():
            raise CorpusError(
                f"The corpus folder '{folder}' does not exist or is not a folder. Correct the path."
            )
        corpus = cls(folder, source, target)
        for path in (path for split in get_args(Split) for path in corpus.files(split)):
            if not path.is_file():
                raise CorpusError(
                    f"The corpus folder '{folder}' lacks the file '{path.name}'. "
                    f"It has: {_names(folder)}. Add the file, or choose other languages."
                )
        return corpus

    @property
    def languages(self) -> tuple[str, str]:
        """The source and the target language."""
        return self.source, self.target

    def absolute(self) -> Self:
        """Return the corpus with its absolute path, for a process in another working folder."""
        return replace(self, folder=self.folder.absolute())

    def split(self, name: Split) -> ParallelText:
        """Read one split. Only line ends and a byte order mark are removed.

        Args:
            name: The name of the split: `train`, `valid` or `test`.

        Raises:
            CorpusError: There is no such split; or a file cannot be read, is empty, is not UTF-8,
                has a blank line or other line ends, or differs from its translation in the number
                of lines.
        """
        if name not in get_args(Split):
            raise CorpusError(f"'split' must be one of train, valid, test. Got {name!r}.")
        paths = self.files(name)
        source, target = (_read_lines(path) for path in paths)
        if len(source) != len(target):
            raise CorpusError(
                f"'{paths[0]}' and '{paths[1]}' must have the same number of lines. "
                f"Got {len(source)} and {len(target)}; align the two files line by line."
            )
        return ParallelText(source, target)

    def files(self, name: Split) -> tuple[Path, Path]:
        """Return the two files of a split, that of the source language first.

        The compressed file is returned when there is no other one.
        """
        return self._file(name, self.source), self._file(name, self.target)

    def _file(self, name: Split, language: str) -> Path:
        plain = self.folder / f"{name}.{language}"
        compressed = plain.with_name(f"{plain.name}.gz")
        return compressed if compressed.is_file() and not plain.is_file() else plain


def default_corpus_folder() -> Path:
    """Return the folder of the English-German corpus that is part of this package."""
    return Path(str(files("automoe.text"))) / "en_de_small"


def open_corpus(folder: Path | None = None, *, source: str = "en", target: str = "de") -> Corpus:
    """Return the corpus in `folder`, or the one that is part of this package.

    Args:
        folder: The folder of the corpus, or None for the English-German one of this package.
        source: The suffix of the language to translate from.
        target: The suffix of the language to translate into.

    Raises:
        CorpusError: The folder or a file is missing, or the two languages are the same.
    """
    return Corpus.open(folder or default_corpus_folder(), source=source, target=target)


def _names(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    more = [f"and {len(names) - _MAX_NAMES} more"] if len(names) > _MAX_NAMES else []
    return ", ".join(names[:_MAX_NAMES] + more) or "no files"


def _read_lines(path: Path) -> tuple[str, ...]:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorpusError(f"'{path}' is no complete gzip file ({error}). Get it again.") from None
    except OSError as error:
        raise CorpusError(f"'{path}' cannot be read: {error.strerror}. Check the file.") from None
    content = content.removeprefix(BOM_UTF8)
    if not content:
        raise CorpusError(f"'{path}' is empty. Put one sentence on each line.")
    if b"\n" not in content and b"\r" in content.rstrip(b"\r"):
        raise CorpusError(
            f"'{path}' must end its lines with \\n. Got \\r only; convert the line ends."
        )
    # Only \n ends a line. str.splitlines also cuts at U+2028, after which lines would not match.
    lines = content.removesuffix(b"\n").split(b"\n")
    return tuple(_decode(line, path, number) for number, line in enumerate(lines, start=1))


def _decode(line: bytes, path: Path, number: int) -> str:
    try:
        text = line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"'{path}', line {number}: must be UTF-8. "
            f"Got byte 0x{line[error.start]:02x} at {error.start}; convert the file to UTF-8."
        ) from None
    if "\0" in text:
        raise CorpusError(
            f"'{path}', line {number}: must be text. Got a character 0, as in files in "
            "UTF-16; convert the file to UTF-8."
        )
    if not text.strip():
        raise CorpusError(
            f"'{path}', line {number}: must hold a sentence. "
            "Got a blank line; delete this line from the files of both languages."
        )
    return text
