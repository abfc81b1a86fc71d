import gzip
import re
import unicodedata
from pathlib import Path

import pytest

from automoe.text import Corpus, CorpusError, ParallelText, default_corpus_folder, open_corpus


def test_reads_both_sides_in_order(folder: Path) -> None:
    text = Corpus.open(folder).split("valid")
    assert text == ParallelText(("A house.", "A tree."), ("Ein Haus.", "Ein schöner Baum."))
    assert len(text) == 2


def test_translates_in_either_direction(folder: Path) -> None:
    there = Corpus.open(folder, source="en", target="de").split("test")
    back = Corpus.open(folder, source="de", target="en").split("test")
    assert (back.source, back.target) == (there.target, there.source)


def test_reads_a_split_only_when_asked(folder: Path) -> None:
    (folder / "train.en").write_bytes(b"")
    corpus = Corpus.open(folder)
    assert len(corpus.split("valid")) == 2
    with pytest.raises(CorpusError, match=r"train.en' is empty. Put one sentence on each line."):
        corpus.split("train")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("Café\nb", id="no newline at the end"),
        pytest.param("Café\r\nb\r\n", id="line ends of Windows"),
        pytest.param("\ufeffCafé\nb\n", id="byte order mark"),
        pytest.param("\ufeffCafé\r\nb", id="both, and no newline at the end"),
    ],
)
def test_reads_files_of_other_systems(folder: Path, written: str) -> None:
    (folder / "test.en").write_bytes(written.encode())
    assert Corpus.open(folder).split("test").source == ("Café", "b")


def test_leaves_the_text_as_it_is(folder: Path) -> None:
    # Decomposed letters, a line separator, a blank at the end: none of it ends or changes a line.
    odd = unicodedata.normalize("NFD", "ü"), " x\u2028y\x85z\x0c\t "
    (folder / "test.en").write_bytes("\n".join(odd).encode())
    assert Corpus.open(folder).split("test").source == odd


def compress(path: Path) -> Path:
    compressed = path.with_name(f"{path.name}.gz")
    compressed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return compressed


def test_reads_compressed_files(folder: Path) -> None:
    plain = Corpus.open(folder).split("valid")
    for path in sorted(folder.iterdir()):
        compress(path)
    corpus = Corpus.open(folder)
    assert corpus.split("valid") == plain
    assert [path.name for path in corpus.files("train")] == ["train.en.gz", "train.de.gz"]


def test_prefers_the_file_that_is_not_compressed(folder: Path) -> None:
    content = (folder / "test.en").read_bytes()
    compress(folder / "test.en").write_bytes(b"another")
    (folder / "test.en").write_bytes(content)
    assert Corpus.open(folder).split("test").source == ("A house.", "A tree.")


@pytest.mark.parametrize("damage", ["cut", "not compressed", "changed"])
def test_names_a_compressed_file_that_is_damaged(folder: Path, damage: str) -> None:
    path = compress(folder / "test.en")
    content = path.read_bytes()
    changed = {
        "cut": content[:-12],
        "not compressed": b"A house.\nA tree.\n",
        "changed": content[:12] + bytes([content[12] ^ 0xFF]) + content[13:],
    }
    path.write_bytes(changed[damage])
    with pytest.raises(CorpusError, match=r"test.en.gz' is no complete gzip file .*Get it again"):
        Corpus.open(folder).split("test")


def test_the_corpus_of_the_examples_is_complete_and_has_its_licence() -> None:
    folder = Path(__file__).parents[3] / "examples/en-de-office"
    corpus = Corpus.open(folder)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for name in ("train", "valid", "test"):
        assert f"| {name} | {len(corpus.split(name))} |" in readme
    assert "The Document Foundation" in readme
    licence = (folder / "LICENSE-MPL-2.0.txt").read_text(encoding="utf-8")
    assert licence.startswith("Mozilla Public License Version 2.0")


def test_ships_a_corpus() -> None:
    corpus = open_corpus()
    sizes = {name: len(corpus.split(name)) for name in ("train", "valid", "test")}
    assert sizes == {"train": 2772, "valid": 200, "test": 200}
    assert corpus.split("train").source[0] == "could not locate a valid checkpoint record"
    assert corpus.split("train").target[0].startswith("konnte keinen gültigen Checkpoint")


def test_ships_the_licences_with_the_corpus() -> None:
    notices = (default_corpus_folder() / "README.md").read_text(encoding="utf-8")
    assert "PostgreSQL Global Development Group" in notices
    assert "Copyright 2022 The Apache Software Foundation" in notices
    licence = (default_corpus_folder() / "LICENSE-Apache-2.0.txt").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in licence


def test_opens_the_folder_that_is_given(folder: Path) -> None:
    assert open_corpus(folder, source="de", target="en") == Corpus(folder, "de", "en")


def test_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"The corpus folder '.*none' does not exist"):
        Corpus.open(tmp_path / "none")


def test_names_the_files_there_are(folder: Path) -> None:
    message = (
        "lacks the file 'train.fr'. "
        "It has: test.de, test.en, train.de, train.en, valid.de, valid.en. Add the file"
    )
    with pytest.raises(CorpusError, match=re.escape(message)):
        Corpus.open(folder, source="fr")


def test_names_no_more_files_than_can_be_read(folder: Path) -> None:
    for number in range(20):
        (folder / f"a{number:02}").touch()
    with pytest.raises(CorpusError, match=r"It has: a00, .*, a11, and 14 more. Add"):
        Corpus.open(folder, target="fr")


def test_says_when_a_folder_is_empty(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="lacks the file 'train.en'. It has: no files."):
        Corpus.open(tmp_path)


def test_refuses_one_language(folder: Path) -> None:
    with pytest.raises(CorpusError, match="'target' must differ from 'source'. Got 'en' for both"):
        Corpus.open(folder, source="en", target="en")


def test_refuses_another_split(folder: Path) -> None:
    with pytest.raises(CorpusError, match="'split' must be one of train, valid, test. Got 'dev'"):
        Corpus.open(folder).split("dev")  # type: ignore[arg-type]


def test_counts_both_files(folder: Path) -> None:
    (folder / "train.de").write_bytes(b"Ein Haus.\n")
    with pytest.raises(CorpusError, match=r"train.en' and '.*train.de' must .* Got 2 and 1; align"):
        Corpus.open(folder).split("train")


def test_names_the_line_that_is_not_utf8(folder: Path) -> None:
    (folder / "train.de").write_bytes(b"Ein Haus.\nEin sch\xf6ner Baum.\n")
    with pytest.raises(CorpusError, match=r"train.de', line 2: must be UTF-8. Got byte 0xf6 at 7;"):
        Corpus.open(folder).split("train")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_names_a_file_in_utf16(folder: Path, encoding: str) -> None:
    (folder / "train.de").write_bytes("Ein Haus.\nEin Baum.\n".encode(encoding))
    with pytest.raises(
        CorpusError, match=r"train.de', line 1: must be .*; convert the file to UTF-8"
    ):
        Corpus.open(folder).split("train")


def test_names_a_file_without_line_ends(folder: Path) -> None:
    (folder / "train.de").write_bytes(b"Ein Haus.\rEin Baum.\r")
    with pytest.raises(
        CorpusError, match=r"train.de' must end its lines with \\n. Got \\r only; con"
    ):
        Corpus.open(folder).split("train")


def test_a_line_may_be_long_and_hold_a_carriage_return(folder: Path) -> None:
    long = "word " * 100_000 + "\r end"
    (folder / "test.en").write_bytes(f"{long}\nA tree.\n".encode())
    assert Corpus.open(folder).split("test").source == (long, "A tree.")


@pytest.mark.parametrize("content", [b"Ein Haus.\n \t\n", b"Ein Haus.\n\nEin Baum.\n"])
def test_names_a_blank_line(folder: Path, content: bytes) -> None:
    (folder / "train.de").write_bytes(content)
    with pytest.raises(CorpusError, match=r"train.de', line 2: must hold a sentence. Got a blank"):
        Corpus.open(folder).split("train")


def test_says_why_a_file_cannot_be_read(folder: Path) -> None:
    corpus = Corpus.open(folder)
    (folder / "test.de").unlink()
    with pytest.raises(CorpusError, match=r"test.de' cannot be read: No such file"):
        corpus.split("test")


def test_refuses_sides_of_different_length() -> None:
    with pytest.raises(CorpusError, match="'target' must have one sentence for each of the 2"):
        ParallelText(("a", "b"), ("c",))


def test_messages_are_one_line(folder: Path) -> None:
    (folder / "train.de").write_bytes(b"\xff\n")
    with pytest.raises(CorpusError) as caught:
        Corpus.open(folder).split("train")
    assert "\n" not in str(caught.value)
