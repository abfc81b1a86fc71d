"""Fixtures of an exported model with random weights and its vocabulary."""

from pathlib import Path

import pytest
import torch
from support.models import randomise_norms

from automoe.architecture.architecture import Architecture
from automoe.export import export_model
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Vocabulary
from automoe.text.special_tokens import EOS

SENTENCES = ["the house is old", "das Haus ist alt", "the tree is tall", "der Baum ist hoch"] * 5
VOCAB_SIZE = 26


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = tmp_path_factory.mktemp("vocabulary") / "joint.model"
    return Vocabulary.train(SENTENCES, size=VOCAB_SIZE, model_path=path)


@pytest.fixture
def model(sparse: Architecture, torch_rng: torch.Generator) -> Transformer:
    """Random, with experts on both sides; its sentences end after different lengths."""
    config = TransformerConfig(sparse, vocab_size=VOCAB_SIZE, position_dim=24, dropout=0.0)
    model = Transformer(config, seed=3).eval()
    randomise_norms(model, torch_rng)
    with torch.no_grad():
        model.target_embedding[EOS] *= 2
    return model


@pytest.fixture
def folder(tmp_path: Path, model: Transformer, vocabulary: Vocabulary) -> Path:
    """What `Translator.open` opens; 40 positions."""
    export_model(model, tmp_path, vocabulary=vocabulary, max_positions=40)
    return tmp_path
