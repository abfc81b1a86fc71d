from pathlib import Path

import pytest

from automoe.text import Corpus, Vocabulary, open_corpus


@pytest.fixture(scope="session")
def shipped() -> Corpus:
    return open_corpus()


@pytest.fixture(scope="session")
def vocabulary(shipped: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = tmp_path_factory.mktemp("vocabulary") / "joint.model"
    return Vocabulary.train(shipped, size=400, model_path=path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus of two pairs in each split."""
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.en").write_bytes(b"A house.\nA tree.\n")
        (tmp_path / f"{split}.de").write_bytes("Ein Haus.\nEin schöner Baum.\n".encode())
    return tmp_path
