from itertools import pairwise

from profilers.tensorrt.dialects import DIALECTS


def test_a_later_dialect_takes_no_less() -> None:
    ordered = [DIALECTS[name] for name in ("8.5", "8.6", "10", "11")]
    for older, newer in pairwise(ordered):
        assert older.version < newer.version
        assert older.max_opset <= newer.max_opset
        assert older.topk_limit <= newer.topk_limit
