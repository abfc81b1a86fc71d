import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automoe.deployed.description import BundleError, Description
from automoe.translation import Translator


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


SIDE = {"embed_dim": 4, "layers": []}
MANY_LAYERS = {"embed_dim": 4, "layers": 10**9}
CONFIG = {"vocab_size": 5, "architecture": {"encoder": SIDE, "decoder": SIDE}}


def described(**changes: object) -> str:
    """A description, which is whole without changes."""
    content = {
        "schema_version": 2,
        "architecture_id": "a",
        "config": CONFIG,
        "max_positions": 9,
        "precision": "fp32",
        "files": {name: {"bytes": 1, "sha256": "0"} for name in ("encoder.onnx", "decoder.onnx")},
    }
    return json.dumps(content | changes)


def test_a_whole_description_is_read(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(described())
    assert Description.read(tmp_path).max_positions == 9


FILES = [
    *("encoder.onnx", "decoder.onnx", "weights.bin"),
    *("vocabulary.model", "translate.py", "README.md"),
]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_changed_is_refused_before_it_is_loaded(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[100] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}' is not the file that was exported"):
        Translator.open(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}' is missing. Export the model again, or copy"):
        Translator.open(folder)


def test_files_that_nothing_reads_may_lie_in_the_folder(folder: Path) -> None:
    (folder / "decoder.plan").write_bytes(b"an engine")
    Translator.open(folder)


@pytest.mark.parametrize("name", [*FILES, "bundle.json"])
def test_a_link_in_place_of_a_file_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / f"elsewhere-{name}"
    (folder / name).rename(elsewhere)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(BundleError, match=f"{name}' must be a plain file"):
        Translator.open(folder)


@pytest.mark.parametrize("name", ["weights.bin", "bundle.json"])
def test_a_pipe_in_place_of_a_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(BundleError, match=f"{name}' must be a plain file"):
        Translator.open(folder)


def test_a_link_in_place_of_the_folder_in_a_model_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/onnx").symlink_to(folder)
    with pytest.raises(BundleError, match="onnx' must be a folder, and is a link"):
        Translator.open(tmp_path / "model")


def test_the_folder_may_be_given_by_a_link_of_ones_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    Translator.open(tmp_path / "current")


@pytest.mark.parametrize("path", ["vocab_size", "max_positions"])
def test_sizes_that_the_weights_cannot_have_are_refused(folder: Path, path: str) -> None:
    def change(content: dict[str, Any]) -> None:
        (content["config"] if path == "vocab_size" else content)[path] = 6_000_000

    rewrite(folder, change)
    with pytest.raises(BundleError, match=r"has no room for .*6000000 p.* Export the model again"):
        Translator.open(folder)


@pytest.mark.parametrize("name", ["../weights.bin", "/etc/hostname", "a/b", ""])
def test_a_file_outside_the_folder_is_refused(folder: Path, name: str) -> None:
    rewrite(folder, lambda content: content["files"].update({name: {"bytes": 1, "sha256": "0"}}))
    with pytest.raises(
        BundleError, match="is not the name of a file there. Export the model again"
    ):
        Translator.open(folder)


def test_graphs_that_are_not_described_are_refused(folder: Path) -> None:
    rewrite(folder, lambda content: content["files"].pop("decoder.onnx"))
    with pytest.raises(
        BundleError, match="'decoder.onnx' is not among the files .* Export the model"
    ):
        Translator.open(folder)


@pytest.mark.parametrize("version", [1, 3, "2", None])
def test_the_description_of_another_release_is_refused(folder: Path, version: object) -> None:
    rewrite(folder, lambda content: content.update(schema_version=version))
    with pytest.raises(BundleError, match=r"'schema_version' must be 2. Got .* export the model"):
        Translator.open(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        '{"schema_version": 2}',
        described(max_positions=-1),
        described(max_positions=True),
        described(max_positions=9.5),
        described(shortlist=0),
        described(shortlist="9"),
        described(costs={"flops": -1}),
        described(costs={"flops": 10**400}),
        described(config=CONFIG | {"vocab_size": 10**30}),
        described(config=CONFIG | {"architecture": {"encoder": SIDE, "decoder": MANY_LAYERS}}),
        described(searched={"latency_ms": {"measured": float("nan")}}),
        described(config=[[]] * 10_000),
        described().replace("9", "9" * 10_000),
        described(files=[1]),
        described(files={"a": {"bytes": "1", "sha256": "0"}}),
        described(config={}),
        described(precision=""),
        described().replace("9", "1e999"),
        "\x00\xff",
        described(files={"a\x1b[2Jb": {"bytes": 1}}),
        described(files={"a\nb": {"bytes": 1, "sha256": "0"}}),
        described(architecture_id="a\x9b2Jb"),
        described(precision="fp\u202e23"),
        described(precision="fp\u206723"),
        described(searched={"device": {"model": "\ud800"}}),
    ],
)
def test_what_is_no_description_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match="not a bundle description") as raised:
        Description.read(tmp_path).check_files(tmp_path)
    assert len(str(raised.value).splitlines()) == 1
    assert str(raised.value).isprintable()
    assert str(raised.value).endswith("Export the model again.")
    assert len(str(raised.value)) < 400


def test_a_description_is_not_read_when_it_is_huge(tmp_path: Path) -> None:
    with (tmp_path / "bundle.json").open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(BundleError, match=f"{10**10} bytes are too large.. Export the model again"):
        Description.read(tmp_path)
