"""Claim: a sweep of any graph gives a latency model that predicts the sizes in between.

A small Transformer encoder is measured on a grid of batches and lengths, its sizes are fitted, and
sizes in between are predicted and measured in a second session of the same log. The benchmark
prints the mean error of these predictions, the share of them within the bounds that `predict`
prints, and the share that lies below the upper bound alone.

    python benchmarks/bench_model_sweep.py -o FOLDER [--device cpu] [--fast]
"""

import argparse
import csv
from pathlib import Path
from shutil import copyfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from automoe.cli.main import main as automoe

_WIDTH, _HEADS, _LAYERS = 128, 4, 2
_GRID = "x={1,2,4,8}x{16,32,64,96,128,192,256}x128"
_BETWEEN = "x={3,6}x{24,48,80,160,224}x128"


def main() -> None:
    """Measure the grid, fit it, predict the sizes in between, and measure these."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fast", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model, predictor = args.out / "encoder.onnx", args.out / "encoder.predictor"
    write_encoder(model)
    grid, both = args.out / "grid.csv", args.out / "both.csv"
    how = ["--device", args.device, "--model", str(model), *(["--fast"] if args.fast else [])]
    _run("profile", *how, "--input-shape", _GRID, "--log", str(grid))
    # The second session goes on with a copy, so that both have one sentinel and one level.
    copyfile(grid, both)
    _run("profile", *how, "--input-shape", _BETWEEN, "--log", str(both))
    _run("fit", str(grid), "-o", str(predictor))
    sizes = args.out / "sizes.csv"
    measured = _rows(both)[len(_rows(grid)) :]
    with sizes.open("w", newline="") as file:
        names = [name for name in measured[0] if name.startswith("feature_")]
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(measured)
    predicted = args.out / "predicted.csv"
    _run("predict", str(predictor), str(sizes), "-o", str(predicted))
    latency = np.array([float(row["latency_ms"]) for row in measured])
    rows = _rows(predicted)
    at, low, high = (
        np.array([float(row[f"{name}_ms"]) for row in rows])
        for name in ("predicted", "lower", "upper")
    )
    inside = (low <= latency) & (latency <= high)
    print(f"{len(rows)} sizes in between: mean error {np.mean(abs(at / latency - 1)):.1%}")
    print(
        f"within both bounds {np.mean(inside):.0%}, below the upper {np.mean(latency <= high):.0%}"
    )


def write_encoder(path: Path) -> None:
    """Write an encoder of ``[batch, length, width]`` with random weights."""
    rng = np.random.default_rng(0)
    weights, nodes, state = [], [], "x"

    def weight(name: str, *shape: int) -> str:
        drawn = rng.standard_normal(shape) / np.sqrt(_WIDTH)
        weights.append(numpy_helper.from_array(drawn.astype(np.float32), name))
        return name

    def node(op: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [f"{op}{len(nodes)}"], **attributes))
        return str(nodes[-1].output[0])

    split = np.array([0, 0, _HEADS, _WIDTH // _HEADS], np.int64)
    weights.append(numpy_helper.from_array(split, "split"))
    weights.append(numpy_helper.from_array(np.array([0, 0, _WIDTH], np.int64), "joined"))
    for layer in range(_LAYERS):
        query, key, value = (
            node(
                "Transpose",
                node(
                    "Reshape", node("MatMul", state, weight(f"{x}{layer}", _WIDTH, _WIDTH)), "split"
                ),
                perm=[0, 2, 3, 1] if x == "k" else [0, 2, 1, 3],
            )
            for x in "qkv"
        )
        attended = node("MatMul", node("Softmax", node("MatMul", query, key), axis=-1), value)
        joined = node("Reshape", node("Transpose", attended, perm=[0, 2, 1, 3]), "joined")
        state = node("Add", state, node("MatMul", joined, weight(f"o{layer}", _WIDTH, _WIDTH)))
        wide = node("Relu", node("MatMul", state, weight(f"up{layer}", _WIDTH, 4 * _WIDTH)))
        state = node("Add", state, node("MatMul", wide, weight(f"down{layer}", 4 * _WIDTH, _WIDTH)))
    value_info = helper.make_tensor_value_info
    inputs = [value_info("x", TensorProto.FLOAT, ["batch", "length", _WIDTH])]
    outputs = [value_info(state, TensorProto.FLOAT, ["batch", "length", _WIDTH])]
    graph = helper.make_graph(nodes, "encoder", inputs, outputs, weights)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _run(*words: str) -> None:
    code = automoe(words)
    if code:
        raise SystemExit(f"automoe {' '.join(words)} ended with {code}")


if __name__ == "__main__":
    main()
