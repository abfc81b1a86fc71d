import csv
from pathlib import Path

import pytest

from automoe.architecture.architecture import ArchitectureError
from automoe.architecture.architecture_files import read_architecture
from automoe.architecture.cost import cost

AUTOMOE_FILE = """
encoder-embed-dim-subtransformer: 640
decoder-embed-dim-subtransformer: 512
encoder-ffn-embed-dim-all-subtransformer: [3072, 2048]
decoder-ffn-embed-dim-all-subtransformer: [1024]
encoder-layer-num-subtransformer: 2
decoder-layer-num-subtransformer: 1
encoder-self-attention-heads-all-subtransformer: [8, 4]
decoder-self-attention-heads-all-subtransformer: [4]
decoder-ende-attention-heads-all-subtransformer: [8]
decoder-arbitrary-ende-attn-all-subtransformer: [1]
encoder-n-experts: [3, 1]
decoder-n-experts: [2]
encoder-num-experts-to-route: [1, 1]
"""
WIDTHS = """
encoder-each-expert-ffn-dim-listoflist: ["'2048_1024_3072_1024'", '3072']
decoder-each-expert-ffn-dim-listoflist: ['1024_2048']
"""


def test_published_subnets_cost_what_hat_says(published_subnets: Path) -> None:
    with (published_subnets / "published.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 11
    for row in rows:
        length = int(row["length"])
        figures = cost(
            read_architecture(published_subnets / row["file"]), src_len=length, tgt_len=length
        )
        assert round(figures.params / 1e6, 2) == float(row["params_m"])
        assert figures.flops / 1e9 == pytest.approx(float(row["gflops"]), abs=0.006)


def test_experts_of_one_width_are_repeated(tmp_path: Path) -> None:
    path = tmp_path / "standard.yml"
    path.write_text(AUTOMOE_FILE)
    architecture = read_architecture(path)
    assert [x.experts for x in architecture.encoder.layers] == [(3072,) * 3, (2048,)]
    assert architecture.decoder.layers[0].experts == (1024, 1024)
    assert architecture.decoder.layers[0].cross_span == 2


def test_experts_of_own_widths_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "fractional.yml"
    path.write_text(AUTOMOE_FILE + WIDTHS)
    architecture = read_architecture(path)
    # The published search leaves a fourth width behind; its model uses the first three.
    assert [x.experts for x in architecture.encoder.layers] == [(2048, 1024, 3072), (3072,)]
    assert architecture.decoder.layers[0].experts == (1024, 2048)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n-experts: [2]", "n-experts: []", "must be a list with an entry for each of the 1 lay"),
        ("attn-all-subtransformer: [1]", "attn-all-subtransformer: [3]", "-1, 1 or 2. Got 3"),
        ("to-route: [1, 1]", "to-route: [1, 2]", "must be 1: only top-1 routing .* Got 2"),
        ("decoder-embed-dim-subtransformer: 512", "", "'decoder-embed-dim-subtransformer' is miss"),
        ("[3072, 2048]", "[3072, wide]", "must hold whole numbers. Got 'wide'"),
        ("encoder-layer-num-subtransformer: 2", "x: [", "not valid YAML"),
    ],
)
def test_names_the_key_at_fault(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "bad.yml"
    path.write_text(AUTOMOE_FILE.replace(old, new))
    with pytest.raises(ArchitectureError, match=rf"bad.yml(, line \d+)?: .*{message}"):
        read_architecture(path)
