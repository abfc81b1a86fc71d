"""Claim: a supernet's update is as fast as that of a plain dense Transformer of the same FLOPs.

The supernet trains three subnets in turn, in the product's own training loop: the largest dense
one, a dense one that is a slice of the weights, and the largest sparse one, whose tokens each read
an expert as wide as the dense layer. After each update a plain Transformer of the same active size
makes an update on the same batch. It is that of `plain_transformer.py`, slices nothing and has
PyTorch's fused Adam. The result is the median ratio of their times, one for each subnet, and the
share of padding in the batches.

With ``--against PYTHON`` the command `automoe train` also runs, in turn with that of the version of
AutoMoE that is installed for that Python, on the same text. The result is the ratio of the target
tokens for each second. Other figures of that version are not measured.

    python benchmarks/bench_training_speed.py [--sizes tiny mid] [--updates 60] [--against PYTHON]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

SPACES: dict[str, dict[str, Any]] = {
    "tiny": {"qkv_dim": 128, "vocab_size": 2000, "dims": [160, 128], "widths": [512, 256]},
    "mid": {"qkv_dim": 256, "vocab_size": 8000, "dims": [320, 256], "widths": [1024, 512]},
}
EXPERTS = 4
MAX_TOKENS = 1024
WARM_UP = 6  # updates whose time does not count


def space_content(size: str) -> dict[str, Any]:
    """Return a space whose decoder attends to the last encoder layer only, as in plain models."""
    shape = SPACES[size]
    stack = {"embed_dim": shape["dims"], "layers": [3], "heads": [4], "ffn_dim": shape["widths"]}
    lengths = {"src_len": 24, "tgt_len": 24}
    return {
        "name": size,
        "qkv_dim": shape["qkv_dim"],
        "vocab_size": shape["vocab_size"],
        "shared_embeddings": True,
        "encoder": stack,
        "decoder": {**stack, "cross_heads": [4], "cross_span": [1]},
        "max_experts": EXPERTS,
        **lengths,
    }


def compared(size: str, data: Any, n_updates: int) -> dict[str, Any]:
    """Train the supernet and its rivals in turn, and return the ratios of their times."""
    from automoe import SearchSpace
    from automoe.supernet import Transformer, TransformerConfig
    from automoe.text import training_batches
    from automoe.training import TrainingSettings, train

    space = SearchSpace.model_validate(space_content(size))
    kinds = {
        "dense": space.largest(experts=1),
        "dense slice": space.smallest(),
        "sparse": space.largest(),
    }
    settings = TrainingSettings(
        updates=WARM_UP + n_updates, max_tokens=MAX_TOKENS, save_every=10**6, validate_every=10**6
    )
    model = Transformer(TransformerConfig.for_space(space, **settings.for_model()))
    rivals = {kind: rival(kinds[kind], space.vocab_size, settings) for kind in kinds}
    batches = training_batches(data.train, max_tokens=MAX_TOKENS, seed=settings.seed)
    rows: list[tuple[str, float, float, int]] = []
    names = list(kinds)
    last = time.perf_counter()

    def rival_in_turn(done: int, total: int, note: str = "") -> None:
        nonlocal last
        start = time.perf_counter()
        batch, kind = next(batches), names[(done - 1) % len(names)]
        rivals[kind].update(batch.source_BS, batch.target_in_BT, batch.target_out_BT)
        plain_s = time.perf_counter() - start
        rows.append((kind, start - last, plain_s, batch.n_tokens))
        last = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        train(
            model,
            data,
            settings,
            folder=Path(folder),
            subnets=lambda update: (kinds[names[update % len(names)]],),
            on_progress=rival_in_turn,
        )
    return {kind: summary([row for row in rows[WARM_UP:] if row[0] == kind]) for kind in kinds}


def rival(architecture: Any, vocab_size: int, settings: Any) -> Any:
    """Return a plain model of an architecture's active size."""
    from plain_transformer import PlainTraining, Shape

    encoder, decoder = architecture.encoder, architecture.decoder
    shape = Shape(
        vocab_size=vocab_size,
        dim=encoder.embed_dim,
        qkv_dim=architecture.qkv_dim,
        heads=encoder.layers[0].heads,
        ffn_dim=encoder.layers[0].experts[0],
        encoder_layers=len(encoder.layers),
        decoder_layers=len(decoder.layers),
        dropout=settings.dropout,
        attention_dropout=settings.attention_dropout,
    )
    return PlainTraining(
        shape, learning_rate=settings.learning_rate, label_smoothing=settings.label_smoothing
    )


def summary(rows: list[tuple[str, float, float, int]]) -> dict[str, float]:
    """Return how many times the plain model's speed ours has, and both speeds."""
    return {
        "times_plain": median(plain_s / ours_s for _, ours_s, plain_s, _ in rows),
        "tokens_per_s": median(n_tokens / ours_s for _, ours_s, _, n_tokens in rows),
        "plain_tokens_per_s": median(n_tokens / plain_s for _, _, plain_s, n_tokens in rows),
    }


def padding(data: Any) -> float:
    """Return the share of padding in the positions of an epoch, source and target together."""
    from automoe.text import token_batches

    n_positions = n_padding = 0
    for batch in token_batches(data.train, max_tokens=MAX_TOKENS, seed=0, epoch=0):
        for tokens in (batch.source_BS, batch.target_in_BT):
            n_positions += tokens.numel()
            n_padding += int((tokens == 0).sum())
    return n_padding / n_positions


def text(folder: Path, source: Path | None) -> Any:
    """Return the encoded pairs of a corpus with a vocabulary of 2000 pieces."""
    from automoe.text import open_corpus
    from automoe.training import TrainingData, vocabulary_for

    corpus = open_corpus(source)
    vocabulary = vocabulary_for(corpus, folder / "vocabulary.model", size=2000)
    data = TrainingData.prepare(corpus, vocabulary, max_sentence=100)
    return replace(data, valid=data.valid[:10])


def command_line(size: str, n_updates: int, source: Path | None) -> dict[str, float]:
    """Run `automoe train` in this process, and return the speed of its updates."""
    from automoe.cli import main, training

    moments: list[float] = []

    @contextmanager
    def recording(title: str) -> Iterator[Any]:
        yield lambda done, total, note="": moments.append(time.perf_counter())

    training.progress_bar = recording  # it is called after each update; torch is not loaded yet
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        space = {**space_content(size), "vocab_size": 2000}  # as many as a small corpus has
        (folder / "space.yaml").write_text(json.dumps(space))
        settings = {"updates": WARM_UP + n_updates, "max_tokens": MAX_TOKENS, "max_sentence": 100}
        (folder / "train.yaml").write_text(json.dumps({**settings, "save_every": 10**6}))
        command = ["train", "--space", str(folder / "space.yaml"), "-o", str(folder / "out")]
        command += ["--settings", str(folder / "train.yaml")]
        command += ["--data", str(source)] if source else []
        if main.main(command):
            raise SystemExit("`automoe train` failed.")
        data = text(folder / "out", source)
    from automoe.text import batches_per_epoch

    per_update = sum(len(pair.target) + 1 for pair in data.train) / batches_per_epoch(
        data.train, MAX_TOKENS
    )
    seconds = moments[-1] - moments[WARM_UP - 1]
    return {"tokens_per_s": per_update * n_updates / seconds, "s_per_update": seconds / n_updates}


def against(python: str, arguments: argparse.Namespace, size: str) -> dict[str, Any]:
    """Run the command of both versions in turn, and return the ratios of their speeds."""
    rows = []
    for _ in range(arguments.rounds):
        of_both = []
        for interpreter in (sys.executable, python):
            command = [interpreter, __file__, "--command-line", size]
            command += ["--updates", str(arguments.updates)]
            command += ["--data", str(arguments.data)] if arguments.data else []
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            of_both.append(json.loads(done.stdout.splitlines()[-1]))
        rows.append(of_both)
    return {
        "times_other": median(ours["tokens_per_s"] / other["tokens_per_s"] for ours, other in rows),
        "this": [ours for ours, _ in rows],
        "other": [other for _, other in rows],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder of a corpus; default: the package's")
    parser.add_argument("--against", metavar="PYTHON")
    parser.add_argument("--command-line", choices=SPACES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.command_line:
        print(json.dumps(command_line(arguments.command_line, arguments.updates, arguments.data)))
        return
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        data = text(Path(name), arguments.data)
        result["padding"] = padding(data)
        for size in arguments.sizes:
            result[size] = compared(size, data, arguments.updates)
            print(size, json.dumps(result[size]), file=sys.stderr)
    if arguments.against:
        result["against"] = {
            size: against(arguments.against, arguments, size) for size in arguments.sizes
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
