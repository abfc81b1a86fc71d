import os
from pathlib import Path

import pytest

from automoe.architecture.architecture import Architecture
from automoe.export import ModelFacts, export_model
from automoe.supernet import Transformer
from automoe.text import Vocabulary
from automoe.translation import Translator
from automoe.translation.efficiency import efficiency

SENTENCES = ["the old tree", "", "das alte Haus ist hoch", "alt"]
SEARCHED = {
    "budget_ms": 3.0,
    "certified": True,
    "latency_ms": {
        **{"predicted": 2.0, "measured": 2.5, "ci_low": 2.4, "ci_high": 2.6},
        "flags": [],
    },
    "workload": "src=5 tgt=7 vocab=26 tables=1 beam=2 routing=balanced",
    "device": {"name": "cpu", "model": "A processor", "cores": 2, "system": "not told"},
}


def test_figures_are_those_of_the_translations(folder: Path) -> None:
    translator = Translator.open(folder, beam=2)
    done: list[tuple[int, int]] = []
    cores = os.sched_getaffinity(0)
    measured = efficiency(
        translator,
        folder,
        SENTENCES,
        batch_tokens=20,
        threads=1,
        on_progress=lambda *progress: done.append(progress),
    )
    alone = [translator.translate(sentence) for sentence in SENTENCES if sentence]
    assert measured.n_sentences == 3
    assert measured.source_tokens == sum(x.source_tokens for x in alone) / 3
    assert measured.target_tokens == sum(x.target_tokens for x in alone) / 3
    assert 0 < measured.graphs_share < 1
    assert measured.ms_per_sentence > 0
    assert measured.sentences_per_second > 0
    assert measured.peak_memory_mb > 10
    assert measured.model_mb == sum(p.stat().st_size for p in folder.iterdir()) / 1e6
    assert (measured.searched, measured.same_sentence_ms) == (None, None)
    assert done[-1] == (8, 8)
    assert os.sched_getaffinity(0) == cores


def test_the_load_is_that_of_every_token(folder: Path, sparse: Architecture) -> None:
    measured = efficiency(Translator.open(folder), folder, SENTENCES, batch_tokens=20, threads=1)
    sparse_layers = {
        f"{stack}.expert_{i}": len(layer.experts)
        for stack in ("encoder", "decoder")
        for i, layer in enumerate(getattr(sparse, stack).layers)
        if layer.is_sparse
    }
    assert measured.load.keys() == sparse_layers.keys()
    for name, shares in measured.load.items():
        assert len(shares) <= sparse_layers[name]
        assert sum(shares) == pytest.approx(1)


def test_the_sentence_of_the_search_is_timed(
    tmp_path: Path, model: Transformer, vocabulary: Vocabulary
) -> None:
    facts = ModelFacts(result=SEARCHED)
    export_model(model, tmp_path, vocabulary=vocabulary, facts=facts)
    translator = Translator.open(tmp_path)
    told = translator.description.searched
    assert told is not None
    assert told["device"] == {"name": "cpu", "model": "A processor", "cores": 2}
    measured = efficiency(translator, tmp_path, SENTENCES, batch_tokens=20, threads=1)
    assert measured.searched == told
    assert measured.same_sentence_ms is not None
    assert measured.same_sentence_graphs_ms is not None
    assert 0 < measured.same_sentence_graphs_ms < measured.same_sentence_ms


def test_a_text_without_words_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="must have a sentence with words"):
        efficiency(Translator.open(folder), folder, ["", " "], batch_tokens=20, threads=1)
