import re
from xml.etree import ElementTree

from automoe.architecture.architecture import Architecture
from automoe.report.drawing import draw_architecture


def test_every_expert_is_a_bar_as_long_as_it_is_wide(sparse: Architecture) -> None:
    lengths = [
        float(w) for w in re.findall(r'<rect [^>]*? width="([^"]+)"', draw_architecture(sparse))
    ]
    # Widths 16, 48, 32 | 64 and 8, 40 | 24; the widest is 150 long.
    assert lengths == [37.5, 112.5, 75, 150, 18.75, 93.75, 56.25]


def test_heads_and_cross_span_are_written_out(sparse: Architecture) -> None:
    assert "4 heads, 2 cross, span 2" in draw_architecture(sparse)
    assert "2 heads, 4 cross, span 1" in draw_architecture(sparse)
    assert "encoder, width 24" in draw_architecture(sparse)


def test_no_bar_leaves_the_drawing(sparse: Architecture) -> None:
    for stack in _stacks(sparse):
        width, height = map(float, stack.attrib["viewBox"].split()[2:])
        bars = [bar.attrib for bar in stack.iter("rect")]
        assert all(float(b["y"]) > 0 and float(b["y"]) + float(b["height"]) <= height for b in bars)
        assert all(float(b["x"]) + float(b["width"]) <= width for b in bars)


def test_the_drawing_has_a_name(sparse: Architecture) -> None:
    encoder, decoder = (stack.attrib["aria-label"] for stack in _stacks(sparse))
    assert encoder.startswith(f"encoder of architecture {sparse.id}")
    assert decoder.startswith(f"decoder of architecture {sparse.id}")


def test_two_architectures_can_share_a_scale(sparse: Architecture) -> None:
    (first, *_) = re.findall(r' width="([^"]+)" height="10"', draw_architecture(sparse, widest=128))
    assert float(first) == 150 * 16 / 128


def _stacks(architecture: Architecture) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<p>{draw_architecture(architecture)}</p>"))
