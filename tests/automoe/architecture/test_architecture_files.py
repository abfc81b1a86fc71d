import json
from pathlib import Path

import pytest

from automoe.architecture.architecture import Architecture, ArchitectureError
from automoe.architecture.architecture_files import (
    read_architecture,
    read_architectures,
    write_architectures,
)


def test_reads_what_it_wrote(tmp_path: Path, sparse: Architecture) -> None:
    path = tmp_path / "new" / "archs.jsonl"
    write_architectures(path, [sparse, sparse])
    assert read_architectures(path) == [sparse, sparse]


def test_reads_the_architecture_of_a_search_result(tmp_path: Path, sparse: Architecture) -> None:
    path = tmp_path / "best.json"
    path.write_text(json.dumps({"budget_ms": 5, "architecture": sparse.to_dict()}))
    assert read_architecture(path) == sparse


def test_names_file_and_line(tmp_path: Path, sparse: Architecture) -> None:
    path = tmp_path / "archs.jsonl"
    path.write_text(sparse.to_json() + '\n{"encoder": 3}\n')
    with pytest.raises(ArchitectureError, match=r"archs.jsonl, line 2: .*lacks the key 'decoder'"):
        read_architectures(path)


def test_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No architecture file '.*none.json'"):
        read_architecture(tmp_path / "none.json")


def test_refuses_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(ArchitectureError, match="holds no architecture"):
        read_architectures(tmp_path / "a.jsonl")
