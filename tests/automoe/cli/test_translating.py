"""`automoe translate` says which byte of its input is not UTF-8, or replaces it."""

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from automoe.cli.main import main
from automoe.cli.translating import TranslateOptions

Capture = pytest.CaptureFixture[str]


class Shouting:
    """A translator whose translation is the sentence in capital letters."""

    def __init__(self) -> None:
        self.n_together: list[int] = []

    def translate_all(
        self, sentences: Sequence[str], *, batch_tokens: int
    ) -> list[SimpleNamespace]:
        assert batch_tokens == 1024
        self.n_together.append(len(sentences))
        return [SimpleNamespace(text=sentence.upper()) for sentence in sentences]


_OPEN = TranslateOptions.open


@pytest.fixture(autouse=True)
def translator(monkeypatch: pytest.MonkeyPatch) -> Shouting:
    translator = Shouting()
    monkeypatch.setattr(TranslateOptions, "open", lambda _options, _model: translator)
    return translator


def _feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_byte_that_is_not_utf_8_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    _feed(monkeypatch, "eins\nzwölf\n".encode() + "drei\nfünf\n".encode("latin-1"))
    assert main(["translate", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "EINS\nZWÖLF\nDREI\n"  # what came before is translated
    (line,) = printed.err.splitlines()
    assert line == (
        "Error: Standard input, line 4, byte 2: 0xfc is not UTF-8. "
        "Save the text as UTF-8, or give --errors replace."
    )


def test_a_byte_that_is_not_utf_8_is_replaced_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    _feed(monkeypatch, b"f\xfcnf\nsechs\n")
    assert main(["translate", str(tmp_path), "--errors", "replace"]) == 0
    assert capsys.readouterr().out == "F\ufffdNF\nSECHS\n"


def test_a_mark_before_the_first_line_is_no_word(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    _feed(monkeypatch, b"\xef\xbb\xbfeins\r\nz\xffwei")
    assert main(["translate", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "EINS\n"
    assert "line 2, byte 2: 0xff" in printed.err
    _feed(monkeypatch, b"\xef\xbb\xbf\xff")
    assert main(["translate", str(tmp_path)]) == 2
    assert "line 1, byte 4: 0xff" in capsys.readouterr().err


@pytest.mark.parametrize(("flags", "n_together"), [([], [3]), (["--flush"], [1, 1, 1])])
def test_lines_are_answered_one_by_one_on_request(
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    tmp_path: Path,
    translator: Shouting,
    flags: list[str],
    n_together: list[int],
) -> None:
    _feed(monkeypatch, b"one\ntwo\nthree\n")
    assert main(["translate", str(tmp_path), *flags]) == 0
    assert capsys.readouterr().out == "ONE\nTWO\nTHREE\n"
    assert translator.n_together == n_together


def test_a_translation_does_not_wait_for_torch() -> None:
    modules = "'torch', 'sacrebleu', 'scipy', 'pandas', 'onnx'"
    code = (
        "import sys, automoe.cli.translating, automoe.deployed.lines;"
        f"print([name for name in [{modules}] if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_supernet_is_told_how_it_becomes_a_model(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(TranslateOptions, "open", _OPEN)
    supernet = Path(__file__).parents[2] / "earlier_files/supernet"
    assert main(["translate", str(supernet)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"'{supernet}' is a supernet, which is not exported. Finetune" in line
    assert f"automoe finetune best.json --supernet {supernet} -o model" in line
