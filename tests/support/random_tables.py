"""Random tables of latencies, sound ones and ones with a planted fault, for the checks of logs.

Nothing here is taken from the code that checks logs. A table has features, the cost that its
features determine, and honest noise. There are many kinds, because each kind of structure is a
chance for a check to accuse sound rows.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Columns = dict[str, list[Any]]
Rng = np.random.Generator

_LEAST_ALIKE = 4  # rows of a level, so that the other rows determine what one of them should be


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of latencies.

    Attributes:
        kind: The name of its kind.
        columns: The features, by name.
        cost_ms: The latency without noise, shape (rows,).
        latency_ms: The measured latency, shape (rows,).
        noise: The standard deviation of the noise of log(latency).
        shares: The targets, and the share of each in the latency of each row.
        digits: The number of decimals in the file; None for all.
        is_random: Whether the rows are in random order.
    """

    kind: str
    columns: Columns
    cost_ms: Vector
    latency_ms: Vector
    noise: float
    shares: dict[str, Vector]
    digits: int | None = None
    is_random: bool = True

    def write(self, path: Path) -> Path:
        """Write the table as a CSV and return its path."""
        values: Columns = dict(self.columns)
        for name, share in self.shares.items():
            cells = self.latency_ms * share
            values[name] = [
                f"{x:.9g}" if self.digits is None else f"{x:.{self.digits}f}"
                for x in cells.tolist()
            ]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(values)
            writer.writerows(zip(*values.values(), strict=True))
        return path

    @property
    def determined(self) -> NDArray[np.intp]:
        """The rows whose features resemble those of several other rows, column by column."""
        good = np.ones(len(self.cost_ms), dtype=bool)
        for cells in self.columns.values():
            texts = [str(cell) for cell in cells]
            if len(set(texts)) > len(texts) / 3:  # a measured size, of which no two are equal
                continue
            counts = {text: texts.count(text) for text in set(texts)}
            good &= np.array([counts[text] >= _LEAST_ALIKE for text in texts])
        return np.flatnonzero(good)


def sound_table(seed: int, *, kind: str | None = None, n: int | None = None) -> Table:
    """Return a random table of 20 to 500 rows without any fault."""
    rng = np.random.default_rng([seed, 17])
    if n is None:
        n = round(20 * 25 ** rng.uniform())
    name = kind or list(KINDS)[seed % len(KINDS)]
    columns, cost_ms = KINDS[name](rng, n)
    cost_ms = np.maximum(cost_ms, 1e-6) * 10 ** rng.uniform(-1, 2)
    noise = float(10 ** rng.uniform(-2, -1)) if name in _NOISY else float(rng.uniform(0.003, 0.03))
    if name == "unknown cause":  # the column that decides is missing
        noise = float(rng.uniform(0.2, 1.2))
    table = Table(
        name,
        columns,
        cost_ms,
        cost_ms * _noise(rng, name, noise, cost_ms),
        noise,
        {"latency_ms": np.ones(len(cost_ms))},
    )
    return _rounded(_in_parts(_ordered(_with_own_columns(table, rng), rng), rng), rng)


def in_other_unit(table: Table, rng: Rng) -> tuple[Table, set[int]]:
    """Return the table with one row in seconds or in microseconds, and its line."""
    row = int(rng.choice(table.determined))
    latency_ms = table.latency_ms.copy()
    latency_ms[row] *= rng.choice([1e-3, 1e3])
    return replace(table, latency_ms=latency_ms, digits=None), {row + 2}


def swapped(table: Table, rng: Rng) -> tuple[Table, set[int]] | None:
    """Return the table with the latencies of two rows exchanged, and their lines.

    The costs of the two differ by a factor of three and by ten times the noise. Return None when
    no such pair exists.
    """
    rows = table.determined
    cost = np.log(table.cost_ms[rows])
    least = max(np.log(3), 10 * table.noise)
    pairs = np.argwhere(np.abs(cost[:, None] - cost[None, :]) > least)
    if not len(pairs):
        return None
    first, second = rows[pairs[rng.integers(len(pairs))]]
    latency_ms = table.latency_ms.copy()
    latency_ms[[first, second]] = latency_ms[[second, first]]
    return replace(table, latency_ms=latency_ms), {int(first) + 2, int(second) + 2}


def drifting(table: Table, rng: Rng) -> tuple[Table, set[int]]:
    """Return the table with a machine that becomes 10 % slower, and the lines of the second half.

    It becomes slower in the course of all rows, or at one moment in the middle.
    """
    n = len(table.cost_ms)
    place = np.linspace(0, 1, n)
    if rng.uniform() < 0.3:
        place = (place > rng.uniform(0.3, 0.7)).astype(float)
    return replace(table, latency_ms=table.latency_ms * 1.1**place), set(range(n // 2 + 2, n + 2))


def _noise(rng: Rng, name: str, noise: float, cost_ms: Vector) -> Vector:
    n = len(cost_ms)
    if name in ("heavy tails", "power law"):
        return np.exp(noise * rng.standard_t(3, n) / np.sqrt(3))
    if name == "skewed noise":
        return 1 + noise * rng.exponential(size=n)
    if name == "short is noisy":
        return np.exp(
            noise * (np.median(cost_ms) / cost_ms).clip(0.2, 5) ** 0.5 * rng.normal(size=n)
        )
    return np.exp(noise * rng.normal(size=n))


def _with_own_columns(table: Table, rng: Rng) -> Table:
    """Add what tables often have beside: a constant, a name of each row, an odd row or two."""
    n = len(table.cost_ms)
    columns = dict(table.columns)
    latency_ms, cost_ms = table.latency_ms.copy(), table.cost_ms.copy()
    if rng.uniform() < 0.2:
        columns["framework"] = ["tool"] * n
    if rng.uniform() < 0.2:
        columns["label"] = [f"net{i}" for i in rng.permutation(n)]
    if rng.uniform() < 0.2:
        odd = rng.choice(n, rng.integers(1, 3), replace=False)
        usual, other = [("relu", "gelu"), (7, 3), (64, 4096), (0, 1), ("", "x")][rng.integers(5)]
        cells: list[Any] = [usual] * n
        factor = 10 ** rng.normal(0, 0.5)
        for row in odd:
            cells[row] = other
            latency_ms[row] *= factor
            cost_ms[row] *= factor
        columns["setting"] = cells
    return replace(table, columns=columns, latency_ms=latency_ms, cost_ms=cost_ms)


def _ordered(table: Table, rng: Rng) -> Table:
    kind = table.kind
    if kind in _SORTED:
        name = list(table.columns)[rng.integers(len(table.columns))]
        order = sorted(range(len(table.cost_ms)), key=lambda row: _key(table.columns[name][row]))
    elif kind in _SWEPT:
        names = list(table.columns)
        order = sorted(
            range(len(table.cost_ms)),
            key=lambda row: [_key(table.columns[name][row]) for name in names],
        )
    else:
        return table
    return replace(
        table,
        columns={name: [cells[row] for row in order] for name, cells in table.columns.items()},
        cost_ms=table.cost_ms[order],
        latency_ms=table.latency_ms[order],
        is_random=False,
    )


def _key(cell: Any) -> tuple[bool, float, str]:
    is_text = isinstance(cell, str)
    return is_text, 0.0 if is_text else float(cell), str(cell)


def _in_parts(table: Table, rng: Rng) -> Table:
    if table.kind != "several targets":
        return table
    share = np.exp(rng.normal(0, 0.05, len(table.cost_ms))) * rng.uniform(0.05, 0.6)
    share = share.clip(0.01, 0.95)
    return replace(table, shares={"encoder_latency_ms": share, "decoder_latency_ms": 1 - share})


def _rounded(table: Table, rng: Rng) -> Table:
    if table.kind == "whole milliseconds":
        scale = rng.uniform(2, 20) / table.latency_ms.min()
        whole = np.maximum(1, np.round(table.latency_ms * scale))
        return replace(table, cost_ms=table.cost_ms * scale, latency_ms=whole, digits=0)
    return table


def _pick(rng: Rng, n: int, *values: Any) -> list[Any]:
    return [values[i] for i in rng.integers(len(values), size=n)]


def _array(cells: list[Any]) -> Vector:
    return np.array(cells, dtype=np.float64)


def _transformer(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns: Columns = {
        "embed_dim": _pick(rng, n, 512, 640),
        "ffn_dim": _pick(rng, n, 1024, 2048, 3072),
        "layers": _pick(rng, n, *range(1, 7)),
        "heads": _pick(rng, n, 4, 8),
        "length": _pick(rng, n, 10, 20, 30),
    }
    dim, ffn, layers, heads, length = (_array(cells) for cells in columns.values())
    work = layers * length * (4 * dim**2 + 2 * dim * ffn) / 1e8
    return columns, work + 0.02 * layers * heads + 0.1


def _grid(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns: Columns = {
        "name": _pick(rng, n, "conv", "linear"),
        "batch": _pick(rng, n, 1, 4, 8),
        "dim": _pick(rng, n, 128, 256, 512),
        "layers": _pick(rng, n, 1, 2, 3),
    }
    kind, batch, dim, layers = columns.values()
    base = np.where(np.array(kind) == "conv", 2.0, 0.7)
    return columns, 1 + base * _array(batch) * _array(dim) / 256 * _array(layers)


def _power_law(rng: Rng, n: int) -> tuple[Columns, Vector]:
    d = int(rng.integers(1, 5))
    exponents = rng.uniform(0.3, 2.2, d)
    sizes = 10 ** rng.uniform(0, 5 / exponents.sum(), (d, n))
    columns: Columns = {f"size_{'mnkp'[i]}": np.round(sizes[i], 4).tolist() for i in range(d)}
    cost_ms: Vector = np.prod(sizes ** exponents[:, None], axis=0)
    return columns, cost_ms


def _power_sum(rng: Rng, n: int) -> tuple[Columns, Vector]:
    """Return a flat part and a steep part: overhead, then a cubic cost over five decades."""
    size = np.round(10 ** rng.uniform(0, 3, n))
    batch = 2.0 ** rng.integers(0, 8, n)
    return {"size": size.tolist(), "batch": batch.tolist()}, 1 + batch * (size / 10) ** 2


def _roofline(rng: Rng, n: int) -> tuple[Columns, Vector]:
    m, k = 2.0 ** rng.integers(0, 13, n), 2.0 ** rng.integers(5, 13, n)
    width = 2.0 ** rng.integers(5, 13, n)
    columns: Columns = {
        "m": m.tolist(),
        "k": k.tolist(),
        "n": width.tolist(),
        "encoding": _pick(rng, n, "fp32", "fp16", "int8"),
    }
    bits = np.array([{"fp32": 4.0, "fp16": 2.0, "int8": 1.0}[x] for x in columns["encoding"]])
    flops, moved = 2 * m * k * width, bits * (m * k + k * width + m * width)
    return columns, 0.005 + np.maximum(flops * bits / 4e9, moved / 3e7)


def _rare_level(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns, cost_ms = _grid(rng, n)
    rows = rng.choice(n, rng.integers(1, 3), replace=False)
    cells = columns["name"]
    factor = 10 ** rng.uniform(-1.5, 3)
    for row in rows:
        cells[row] = "attention"
        cost_ms[row] *= factor
    return columns, cost_ms


def _rare_levels(rng: Rng, n: int) -> tuple[Columns, Vector]:
    levels = [f"op{i}" for i in range(12)]
    weights = 2.0 ** -np.arange(12)
    ops = rng.choice(levels, n, p=weights / weights.sum()).tolist()
    effect = dict(zip(levels, 10 ** rng.normal(0, 0.7, 12), strict=True))
    size = np.round(10 ** rng.uniform(1, 3, n))
    return {"op": ops, "size": size.tolist()}, _array([effect[x] for x in ops]) * size**0.8


def _near_constant(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns, cost_ms = _transformer(rng, n)
    rows = rng.choice(n, rng.integers(1, 3), replace=False)
    threads_of_beam = [(1, 5), (32, 33), (0, 1), (4, 1000), (0.1, 0.2)][rng.integers(5)]
    cells = [threads_of_beam[0]] * n
    factor = 10 ** rng.uniform(-1, 3)
    for row in rows:
        cells[row] = threads_of_beam[1]
        cost_ms[row] *= factor
    return {**columns, "beam": cells}, cost_ms


def _categories(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns: Columns = {
        f"{name}": _pick(rng, n, *[f"{name}{i}" for i in range(rng.integers(2, 6))])
        for name in ("op", "layout", "encoding", "algorithm")
    }
    cost_ms = np.ones(n)
    for cells in columns.values():
        effect = {level: 10 ** rng.normal(0, 0.4) for level in sorted(set(cells))}
        cost_ms *= _array([effect[cell] for cell in cells])
    return columns, cost_ms


def _lists(rng: Rng, n: int) -> tuple[Columns, Vector]:
    widths = [rng.choice([512, 1024, 2048, 3072], rng.integers(1, 7)).tolist() for _ in range(n)]
    style = rng.integers(3)
    texts = [[str(x), "_".join(map(str, x)), " ".join(map(str, x))][style] for x in widths]
    dim = _pick(rng, n, 256, 512)
    cost_ms = np.array([sum(x) for x in widths]) * _array(dim) / 1e6 + 0.05
    return {"ffn": texts, "dim": dim}, cost_ms


def _repeats(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns, cost_ms = _transformer(rng, max(5, n // 6))
    rows = rng.integers(len(cost_ms), size=n)
    own = np.exp(rng.normal(0, 0.05, len(cost_ms)))  # what an architecture has of its own
    return {name: [cells[i] for i in rows] for name, cells in columns.items()}, (cost_ms * own)[
        rows
    ]


def _families(rng: Rng, n: int) -> tuple[Columns, Vector]:
    """Return kernels of microseconds and models of seconds in one table, with blank cells."""
    is_model = rng.uniform(size=n) < rng.uniform(0.2, 0.8)
    layers, size = rng.integers(1, 13, n), 2.0 ** rng.integers(4, 11, n)
    columns: Columns = {
        "level": np.where(is_model, "model", "kernel").tolist(),
        "layers": [int(x) if model else "" for x, model in zip(layers, is_model, strict=True)],
        "size": size.tolist(),
    }
    return columns, np.where(is_model, 30.0 * layers * size / 64, 0.004 + size / 3e4)


def _cache_cliff(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns, cost_ms = _grid(rng, n)
    size = np.round(10 ** rng.uniform(0, 3, n), 2)
    slow = np.where(size > 10 ** rng.uniform(1, 2.5), rng.uniform(2, 30), 1.0)
    return {**columns, "working_set": size.tolist()}, cost_ms * slow


def _stairs(rng: Rng, n: int) -> tuple[Columns, Vector]:
    tokens, width = rng.integers(1, 1025, n), rng.integers(1, 33, n) * 32
    tiles = np.ceil(tokens / 128) * np.ceil(width / 128)
    return {"tokens": tokens.tolist(), "width": width.tolist()}, 0.02 + 0.01 * np.ceil(tiles / 8)


def _many_features(rng: Rng, n: int) -> tuple[Columns, Vector]:
    d = int(rng.integers(10, 31))
    table = rng.integers(0, rng.integers(2, 9), (d, n))
    columns: Columns = {f"choice_{i}": table[i].tolist() for i in range(d)}
    return columns, 5 + 2.0 * table[0] + table[1] * table[2] + 0.5 * table[3:6].sum(axis=0)


def _experts(rng: Rng, n: int) -> tuple[Columns, Vector]:
    tokens, experts = 2.0 ** rng.integers(0, 14, n), 2.0 ** rng.integers(2, 8, n)
    top_k, dim = 2.0 ** rng.integers(0, 3, n), rng.choice([1024.0, 2048.0, 4096.0], n)
    touched = experts * (1 - (1 - np.minimum(1, top_k / experts)) ** tokens)
    cost_ms = 0.01 + touched * dim**2 * 3 / 2e9 + tokens * top_k * dim**2 * 3 / 3e11
    names = ("num_tokens", "num_experts", "topk", "hidden_size")
    values = (tokens, experts, top_k, dim)
    return {a: b.tolist() for a, b in zip(names, values, strict=True)}, cost_ms


def _convolutions(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns: Columns = {
        "cin": _pick(rng, n, 3, 16, 32, 64, 128, 256),
        "cout": _pick(rng, n, 16, 32, 64, 128, 256),
        "hw": _pick(rng, n, 7, 14, 28, 56, 112, 224),
        "kernel": _pick(rng, n, 1, 3, 5, 7),
        "stride": _pick(rng, n, 1, 2),
        "depthwise": _pick(rng, n, "False", "False", "True"),
    }
    cin, cout, hw, kernel, stride = (_array(columns[x]) for x in list(columns)[:5])
    deep = np.where(np.array(columns["depthwise"]) == "True", 1 / cin, 1.0)
    return columns, 0.02 + cin * cout * deep * (hw / stride) ** 2 * kernel**2 / 2e8


def _serving(rng: Rng, n: int) -> tuple[Columns, Vector]:
    batch, prompt = 2.0 ** rng.integers(0, 7, n), rng.integers(16, 4097, n)
    answer = rng.integers(1, 1025, n)
    columns: Columns = {
        "batch": batch.tolist(),
        "input_len": prompt.tolist(),
        "output_len": answer.tolist(),
        "quantised": _pick(rng, n, "yes", "no"),
    }
    slow = np.where(np.array(columns["quantised"]) == "yes", 0.6, 1.0)
    return columns, slow * (batch * prompt * 0.01 + answer * (8 + 0.05 * batch))


def _binary_genes(rng: Rng, n: int) -> tuple[Columns, Vector]:
    d = int(rng.integers(6, 20))
    genes = rng.integers(0, 2, (d, n))
    return {f"block{i}": genes[i].tolist() for i in range(d)}, 3 + rng.uniform(0.2, 3, d) @ genes


def _interaction(rng: Rng, n: int) -> tuple[Columns, Vector]:
    """Return a mode in which the size matters, and a mode in which it does not."""
    mode, size = np.array(_pick(rng, n, "eager", "graph", "graph")), 10 ** rng.uniform(0, 4, n)
    cost_ms = np.where(mode == "eager", 0.05 * size, 5.0)
    return {"mode": mode.tolist(), "size": np.round(size, 3).tolist()}, cost_ms


def _slow_mode(rng: Rng, n: int) -> tuple[Columns, Vector]:
    columns, cost_ms = _grid(rng, n)
    mode = _pick(rng, n, "fast", "fast", "fast", "debug")
    return {**columns, "mode": mode}, cost_ms * np.where(np.array(mode) == "debug", 900.0, 1.0)


def _one_size(rng: Rng, n: int) -> tuple[Columns, Vector]:
    size = rng.integers(1, 2000, n)
    return {"size": size.tolist()}, 0.3 + size ** rng.uniform(0.5, 2.5) / 1000


def _whole_grid(rng: Rng, n: int) -> tuple[Columns, Vector]:
    side = max(2, round(n ** (1 / 3)))
    points = rng.permutation(list(product(range(1, side + 1), repeat=3))).astype(float)
    a, b, c = (2**points).T
    columns: Columns = {"batch": a.tolist(), "seq": b.tolist(), "dim": c.tolist()}
    return columns, 0.1 + a * b * c / 50 + b**2 * a / 100


KINDS: dict[str, Callable[[Rng, int], tuple[Columns, Vector]]] = {
    "transformer": _transformer,
    "grid": _grid,
    "power law": _power_law,
    "overhead then square": _power_sum,
    "roofline": _roofline,
    "rare level": _rare_level,
    "rare levels": _rare_levels,
    "near-constant number": _near_constant,
    "categories only": _categories,
    "lists": _lists,
    "repeats": _repeats,
    "repeats in sequence": _repeats,
    "families": _families,
    "cache cliff": _cache_cliff,
    "stairs": _stairs,
    "many features": _many_features,
    "experts": _experts,
    "convolutions": _convolutions,
    "serving": _serving,
    "binary genes": _binary_genes,
    "interaction": _interaction,
    "slow mode": _slow_mode,
    "unknown cause": _transformer,
    "one size": _one_size,
    "one size in order": _one_size,
    "whole grid": _whole_grid,
    "whole grid in order": _whole_grid,
    "sorted": _transformer,
    "sorted convolutions": _convolutions,
    "swept stairs": _stairs,
    "heavy tails": _transformer,
    "much noise": _transformer,
    "skewed noise": _grid,
    "short is noisy": _power_sum,
    "several targets": _transformer,
    "whole milliseconds": _transformer,
}
_NOISY = frozenset({"much noise", "heavy tails", "skewed noise"})
_SORTED = frozenset({"sorted", "sorted convolutions", "one size in order"})
_SWEPT = frozenset({"whole grid in order", "swept stairs", "repeats in sequence"})
