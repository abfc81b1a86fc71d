"""A corpus and a space that train in a second."""

from pathlib import Path

from automoe.architecture.space import SearchSpace
from automoe.text import Corpus, open_corpus

NOUNS = {"house": "Haus", "tree": "Baum", "dog": "Hund", "book": "Buch", "car": "Auto"}
COLOURS = {"red": "rot", "green": "grün", "old": "alt", "new": "neu"}


def write_corpus(folder: Path) -> Corpus:
    """Twenty pairs in each split: 'The house is red.' and its translation."""
    pairs = [
        (f"The {noun} is {colour}.", f"Das {nomen} ist {farbe}.")
        for noun, nomen in NOUNS.items()
        for colour, farbe in COLOURS.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid", "test"):
        for language, side in (("en", 0), ("de", 1)):
            text = "".join(f"{pair[side]}\n" for pair in pairs)
            (folder / f"{split}.{language}").write_text(text, encoding="utf-8")
    return open_corpus(folder)


def small_space(**changes: object) -> SearchSpace:
    """A space whose largest architecture has a few thousand weights."""
    content = {
        "name": "small",
        "qkv_dim": 16,
        "vocab_size": 40,
        "src_len": 6,
        "tgt_len": 6,
        "encoder": {"embed_dim": [24, 16], "layers": [2], "heads": [2, 1], "ffn_dim": [32, 16]},
        "decoder": {
            "embed_dim": [24, 16],
            "layers": [2, 1],
            "heads": [2, 1],
            "cross_heads": [2, 1],
            "cross_span": [2, 1],
            "ffn_dim": [32, 16],
        },
        "max_experts": 3,
        "fractional": True,
    }
    return SearchSpace.model_validate({**content, **changes})
