from collections.abc import Iterator

import pytest
from support.exported_model import folder, model, vocabulary
from support.gated_translator import GatedTranslator


@pytest.fixture
def gated() -> Iterator[GatedTranslator]:
    translator = GatedTranslator()
    yield translator
    translator.gate.set()


__all__ = ["folder", "model", "vocabulary"]
