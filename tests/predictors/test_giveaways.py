import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from predictors.preparation import prepare
from predictors.table import TableError

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from bench_left_out import planted, sound  # after its folder is known

N = 60


def table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    batch, dim = rng.choice([1, 2, 4, 8], N), rng.choice([128, 256, 512], N)
    ms = (0.4 + batch * dim / 300) * rng.lognormal(0, 0.02, N)
    return pd.DataFrame({"batch": batch, "dim": dim, "latency_ms": ms})


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("outcome", lambda log: log["batch"] / log["latency_ms"]),
        ("foo", lambda log: 1.03 * log["latency_ms"] + 0.001 * np.arange(N)),
        ("ticks_of_chip", lambda log: (1.7e6 * log["latency_ms"]).round()),
    ],
)
def test_a_result_with_a_silent_name_is_left_out(name: str, result: object) -> None:
    log = table()
    ready = prepare(log.assign(**{name: result}))
    assert list(ready.left_out) == [name]
    assert [feature.name for feature in ready.schema.features] == ["batch", "dim"]


@pytest.mark.parametrize("digits", [0, 3])
def test_a_count_of_a_clock_is_found_beside_inputs_with_silent_names(digits: int) -> None:
    """Any of the columns might be the result by its name, so each is judged beside the others."""
    rng = np.random.default_rng(4)
    alpha, beta = rng.uniform(1, 40, (2, N)).round(3)
    ms = (2 + alpha * beta / 50) * rng.lognormal(0, 0.02, N)
    log = pd.DataFrame({"alpha": alpha, "beta": beta, "latency_ms": ms})
    ready = prepare(log.assign(gamma=(2.4192e6 * ms / 10**digits).round(digits)))
    assert list(ready.left_out) == ["gamma"]
    assert prepare(log).left_out == {}


COPIES = {
    "log": np.log,
    "rank": lambda ms: ms.rank().astype(int),
    "bucket": lambda ms: pd.qcut(ms, 10, labels=False),
    "normalised": lambda ms: (ms - ms.mean()) / ms.std(),
    "root": np.sqrt,
}


@pytest.mark.parametrize("form", COPIES)
def test_a_copy_of_the_latency_in_another_form_is_left_out(form: str) -> None:
    log = table().assign(foo=lambda log: COPIES[form](log["latency_ms"]))
    assert list(prepare(log).left_out) == ["foo"]


def test_a_sum_and_a_product_of_the_latency_and_an_input_are_left_out() -> None:
    rng = np.random.default_rng(2)
    alpha, beta = rng.uniform(0.5, 40, N).round(3), rng.lognormal(0, 1, N)
    ms = (1 + alpha / 2 + 3 * beta) * rng.lognormal(0, 0.01, N)
    log = pd.DataFrame({"alpha": alpha, "beta": beta, "latency_ms": ms})
    assert prepare(log).left_out == {}
    assert list(prepare(log.assign(foo=ms + alpha)).left_out) == ["foo"]
    assert list(prepare(log.assign(foo=ms * alpha)).left_out) == ["foo"]


def test_work_that_alone_determines_the_latency_without_noise_is_kept() -> None:
    """A formula of the other columns is known before a measurement, as a bucket of it is."""
    rng = np.random.default_rng(3)
    seq, dim = rng.integers(16, 2048, 90), rng.choice([256, 512, 768, 1024], 90)
    flops = 12.0 * seq * dim**2 + 2.0 * seq**2 * dim
    log = pd.DataFrame({"seq": seq, "dim": dim, "amount": flops / 1e9, "latency_ms": flops / 1e9})
    assert prepare(log).left_out == {}
    log["amount"] = pd.qcut(flops, 4, labels=False)
    assert prepare(log).left_out == {}


def test_inputs_of_an_exact_sum_are_kept_beside_their_product() -> None:
    """Each input is then the latency less the others, and also the product over the others."""
    rng = np.random.default_rng([12, 1, 74])
    inputs = pd.DataFrame(rng.lognormal(0, 1.5, (140, 4)), columns=list("abcd"))
    log = inputs.assign(
        gflops=inputs.prod(axis=1), latency_ms=20 * (0.3 + inputs @ [3, 0.2, 1, 0.3])
    )
    assert prepare(log).left_out == {}


def test_work_that_no_formula_gives_exactly_is_kept() -> None:
    """Its own small deviations are not those of the latency, so it is no copy."""
    rng = np.random.default_rng(0)
    inputs = {"batch": rng.choice([1, 2, 4, 8, 16], N), "dim": rng.choice([128, 256, 512], N)}
    log = pd.DataFrame(inputs | {"layers": rng.integers(1, 13, N)})
    size = log["batch"] * log["dim"] * log["layers"]
    log["amount"] = size * rng.lognormal(0, 0.001, N)
    log["latency_ms"] = (0.3 + 1e-4 * size) * rng.lognormal(0, 0.003, N)
    assert prepare(log).left_out == {}
    log["foo"] = log["latency_ms"] + log["batch"]
    assert list(prepare(log).left_out) == ["foo"]


def test_a_bucket_that_may_be_an_input_is_asked_about() -> None:
    ms = np.random.default_rng(5).permutation(np.linspace(1, 9, N))
    log = pd.DataFrame({"dim": np.arange(N) % 7, "foo": (ms > 5).astype(int), "latency_ms": ms})
    ready = prepare(log)
    assert ready.left_out == {}
    assert any("'foo' puts the rows in the order" in sentence for sentence in ready.conversions)


def test_a_named_feature_is_kept() -> None:
    log = table().assign(outcome=lambda log: log["batch"] / log["latency_ms"])
    ready = prepare(log, features=["batch", "outcome"])
    assert ready.left_out == {}
    assert [feature.name for feature in ready.schema.features] == ["batch", "outcome"]


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_single_input_that_determines_the_latency_is_kept(noise: float) -> None:
    rng = np.random.default_rng(1)
    flops = rng.integers(10**6, 10**9, N)
    ms = flops / 1e7 * rng.lognormal(0, noise, N)
    assert prepare(pd.DataFrame({"flops": flops, "latency_ms": ms})).left_out == {}


def test_results_by_name_are_said_and_marked_features_are_never_judged() -> None:
    log = table().assign(ttft=np.arange(N) + 1.0, seed=np.arange(N), hidden=1)
    assert prepare(log).left_out == {"ttft": "a result, by its name"}
    marked = log.rename(columns={"batch": "feature_batch"}).assign(feature_y=log["latency_ms"])
    assert prepare(marked).left_out == {}


def test_a_mostly_blank_column_is_left_out_and_said() -> None:
    log = table().assign(option=[np.nan] * 40 + list(range(20)))
    assert prepare(log).left_out == {"option": "blank in 40 of 60 rows"}


def test_sound_tables_keep_their_features_and_planted_results_are_found() -> None:
    """The long form with 1000 tables of each kind is `benchmarks/bench_left_out.py`."""
    tables = [sound(np.random.default_rng([7, 1, index])) for index in range(40)]
    assert [out for log in tables if (out := prepare(log).left_out)] == []
    logs = [planted(np.random.default_rng([7, 2, index]))[0] for index in range(40)]
    assert sum(log.columns[-1] in prepare(log).left_out for log in logs) >= 38


def test_flops_per_second_are_told_from_flops() -> None:
    rng = np.random.default_rng(2)
    m, n, k = (rng.choice([64, 128, 256, 384, 512, 768, 1024], N) for _ in range(3))
    gflops = 2e-9 * m * n * k
    ms = (0.02 + gflops) * rng.lognormal(0, 0.02, N)
    log = pd.DataFrame({"m": m, "n": n, "k": k, "latency_ms": ms})
    assert prepare(log.assign(gflops=gflops)).left_out == {}
    assert list(prepare(log.assign(gflops=1000 * gflops / ms)).left_out) == ["gflops"]


def test_a_difference_from_the_mean_is_left_out() -> None:
    log = pd.concat([table(), table(1)])
    log["delta"] = log["latency_ms"] - log["latency_ms"].mean()
    assert list(prepare(log).left_out) == ["delta"]


def test_a_log_whose_only_column_is_a_result_is_refused() -> None:
    log = table()[["latency_ms"]].assign(iterations=lambda log: (1e6 / log["latency_ms"]).round())
    with pytest.raises(TableError, match=r"looks like a result \('iterations': its product"):
        prepare(log)
    assert prepare(log, features=["iterations"]).left_out == {}


@pytest.mark.parametrize(
    "names",
    [("attention", "ffn", "other"), ("rank", "level_0", "block_1"), ("head", "mlp", "stage_2")],
)
def test_times_of_parts_are_left_out_whatever_their_names(names: tuple[str, ...]) -> None:
    rng = np.random.default_rng(3)
    log = table()
    parts = [log["latency_ms"] * share * rng.lognormal(0, 0.1, N) for share in (0.5, 0.3, 0.2)]
    log = log.assign(**dict(zip(names, parts, strict=True)))
    log["latency_ms"] = (parts[0] + parts[1] + parts[2]) * rng.lognormal(0, 0.001, N)
    ready = prepare(log)
    assert set(ready.left_out) == set(names)
    assert set(ready.left_out.values()) == {f"the latency is the sum of {', '.join(names)}"}
    in_us = log.assign(**{name: 1000 * log[name] for name in names})
    assert set(prepare(in_us).left_out) == set(names)


def test_whole_sizes_with_such_names_are_features() -> None:
    rng = np.random.default_rng(4)
    ffn, rank = rng.integers(100, 5000, N), rng.integers(1, 5000, N)
    ms = (ffn + rank) / 1000 * rng.lognormal(0, 0.005, N)
    log = pd.DataFrame({"ffn": ffn, "rank": rank, "latency_ms": ms})
    assert prepare(log).left_out == {}


def test_a_time_of_one_part_is_named_where_its_values_prove_nothing() -> None:
    rng = np.random.default_rng(5)
    log = table().assign(ffn=lambda log: 0.6 * log["latency_ms"] * rng.lognormal(0, 0.05, N))
    ready = prepare(log)
    assert ready.left_out == {}
    (doubt,) = ready.conversions
    assert "'ffn' nearly determines the latency: their quotient varies by" in doubt
    assert prepare(log, features=["batch", "dim", "ffn"]).conversions == ()
