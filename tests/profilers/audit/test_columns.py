from pathlib import Path

import numpy as np
import pytest
from support.logs import write_foreign, write_log

from profilers import LogError
from profilers.audit.columns import (
    encode,
    find_conditions,
    find_features,
    find_targets,
    has_names,
)
from profilers.log.any_log import AnyLog, read_any_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "any.csv"


def with_columns(path: Path, *names: str) -> AnyLog:
    return read_any_log(write_foreign(path, ",".join(names)))


@pytest.mark.parametrize(
    ("columns", "targets"),
    [
        (("a", "latency_ms", "latency_mean_encoder"), ("latency_ms",)),
        (
            ("latency_mean_encoder", "latency_mean_decoder", "latency_std_encoder"),
            ("latency_mean_encoder", "latency_mean_decoder"),
        ),
        (("enc latency ms", "dec latency ms"), ("enc latency ms", "dec latency ms")),
        (("enc_latency_ms", "total_latency_ms", "dec_latency_ms"), ("total_latency_ms",)),
        (("median_latency_ms", "mean_latency_ms"), ("mean_latency_ms",)),
        (("size", "time_ms", "min_ms", "p90_ms"), ("time_ms",)),
        (
            ("Input len", "Mean TTFT (ms)", "Mean TPOT (ms)", "Mean E2EL (ms)"),
            ("Mean E2EL (ms)",),
        ),
        (("batch", "latency (ms/img)", "latency (ms)"), ("latency (ms)",)),
        (("latency_per_token_ms", "latency_total"), ("latency_total",)),
        (("batch", "latency per image (ms)"), ("latency per image (ms)",)),
        (("isl", "ttft_ms", "e2e_latency_ms", "P99 E2E Latency"), ("e2e_latency_ms",)),
        (("rate", "mean_itl_ms", "mean_ttft_ms", "mean_tpot_ms"), ("mean_ttft_ms",)),
        (("start_time", "end_time", "Duration", "Elapsed Cycles"), ("Duration",)),
        (("Name", "Runtime", "_runtime"), ("Runtime",)),
        (("batch", "p99_latency", "p999_latency", "p50_latency"), ("p50_latency",)),
        (("batch", "duration_ms", "duration_s"), ("duration_ms",)),
        (("batch", "latency_50th", "latency_99th"), ("latency_50th",)),
        (("batch", "batch_timeout_ms", "time_ms"), ("time_ms",)),
        (("audio_duration_s", "inference_time_s", "rtf"), ("inference_time_s",)),
        (("batch", "cpu_time_s", "std_time_s"), ("cpu_time_s",)),
        (("gen_len", "ttft", "total_s"), ("total_s",)),
        (("abs_latency", "compilation_latency"), ("abs_latency",)),
        (("batch", "TimeTaken"), ("TimeTaken",)),
        (("batch", "wall clock (s)"), ("wall clock (s)",)),
        (("batch", "secs"), ("secs",)),
    ],
)
def test_latencies_are_found_by_name(
    path: Path, columns: tuple[str, ...], targets: tuple[str, ...]
) -> None:
    assert find_targets(with_columns(path, *columns)) == targets


def test_parts_are_not_added_to_the_time_that_contains_them(path: Path) -> None:
    rows = ["1,1.0,2.0,3.1,32", "2,2.0,3.0,5.1,39", "4,9.0,1.0,10.2,39"]
    log = read_any_log(write_foreign(path, "batch,forward_ms,backward_ms,step_ms,gpus", *rows))
    assert find_targets(log) == ("step_ms",)


def test_one_long_part_does_not_contain_the_others(path: Path) -> None:
    rows = ["1,1.0,20.0,1.0", "2,1.0,30.0,2.0", "4,2.0,50.0,2.0"]
    log = read_any_log(write_foreign(path, "batch,embed_ms,blocks_ms,head_ms", *rows))
    assert find_targets(log) == ("embed_ms", "blocks_ms", "head_ms")


def test_a_column_of_zeros_is_no_latency_beside_another(path: Path) -> None:
    rows = ["a,0,1.5,7", "b,0,2.5,7", "c,0,3.5,7"]
    log = read_any_log(write_foreign(path, "op,cuda_time_total,host_time_total,latency", *rows))
    assert find_targets(log) == ("host_time_total",)
    profiled = "key,self_cpu_time_total,cuda_time_total,cpu_time_total"
    own = read_any_log(write_foreign(path, profiled, "a,1,0,1.5", "b,1,0,2.5"))
    assert find_targets(own) == ("cpu_time_total",)
    alone = read_any_log(write_foreign(path, "op,cuda_time", "a,0", "b,0"))
    assert find_targets(alone) == ("cuda_time",)


def test_named_targets_are_taken_and_unknown_ones_refused(path: Path) -> None:
    log = with_columns(path, "a", "b", "latency_ms")
    assert find_targets(log, ["b", "a", "b"]) == ("b", "a")
    with pytest.raises(LogError, match="has no column 'c'. It has a, b, latency_ms."):
        find_targets(log, ["c"])


def test_a_log_without_a_latency_is_refused(path: Path) -> None:
    with pytest.raises(LogError, match="no column that looks like a latency. Got a, b. Name it"):
        find_targets(with_columns(path, "a", "b"))


def test_conditions_of_other_logs_are_known_names_in_any_case(path: Path) -> None:
    log = with_columns(path, "GPU", "size", "Threads", "Precision", "latency_ms")
    assert find_conditions(log) == ("GPU", "Threads", "Precision")


def test_features_vary_and_are_no_results(path: Path) -> None:
    header = "id,size,max_experts,fixed,kind,name,latency_std,energy_mj,latency_ms"
    lines = [f"{i},{i},{i % 3},7,{'ab'[i % 2]},n{i},{i},{i},{i + 1}" for i in range(8)]
    log = read_any_log(write_foreign(path, header, *lines))
    assert find_features(log, ["latency_ms"]) == ("size", "max_experts", "kind")


def test_marked_features_are_the_only_ones(path: Path) -> None:
    rows = [{"columns": {"feature_a": number, "other": number}} for number in range(4)]
    log = read_any_log(write_log(path, *rows))
    assert find_features(log, ["latency_ms"]) == ("feature_a",)


def test_words_become_0_and_1_holes_the_median_and_lists_their_sum_and_length(path: Path) -> None:
    lines = ["a,1,[3],x", "b,,[3 4 ],y", "a,5,2_4_6,z", "b,9,7,w"]
    log = read_any_log(write_foreign(path, "kind,size,widths,name", *lines))
    columns = encode(log.rows, ["kind", "size", "widths", "name"])
    assert {name: values.tolist() for name, values in columns.items()} == {
        "kind": [[1, 0], [0, 1], [1, 0], [0, 1]],
        "size": [1, 5, 5, 9],
        "widths": [3, 7, 12, 7],
        "number of widths": [1, 2, 3, 1],
    }
    assert all(values.dtype == np.float64 for values in columns.values())


def test_a_setting_in_a_table_of_a_known_program_is_no_condition(path: Path) -> None:
    llama_bench = ("model_n_params", "n_prompt", "n_gen", "avg_ns", "avg_ts")
    assert find_conditions(with_columns(path, *llama_bench, "n_threads")) == ()
    assert find_conditions(with_columns(path, "n_threads", "avg_ns")) == ("n_threads",)


@pytest.mark.parametrize(
    ("header", "cells", "has"),
    [("name", "abcd", True), ("name", "aabb", False), ("n", "1234", False)],
)
def test_names_of_rows_are_words_of_which_most_differ(
    path: Path, header: str, cells: str, has: bool
) -> None:
    log = read_any_log(write_foreign(path, f"{header},latency_ms", *[f"{x},1" for x in cells]))
    assert has_names(log.rows, ["latency_ms"]) is has


def test_lists_with_underscores_are_no_numbers(path: Path) -> None:
    log = read_any_log(write_foreign(path, "widths,latency_ms", "30_72,1", "4_8_1,2", "5_5,3"))
    columns = encode(log.rows, find_features(log, ["latency_ms"]))
    assert columns["widths"].tolist() == [102, 13, 10]
    assert columns["number of widths"].tolist() == [2, 3, 2]


def test_a_guessed_encoding_is_said_when_no_latency_is_seen(path: Path) -> None:
    path.write_bytes("延迟,size\n1.5,3\n".encode("gb18030"))
    with pytest.raises(LogError, match=r"no column that looks like a latency\. .*Windows-1252"):
        find_targets(read_any_log(path))


@pytest.mark.parametrize(
    "names", [("run1_ms", "run2_ms"), ("time_1", "time_2"), ("latency_ms_1", "latency_ms_2")]
)
def test_repetitions_of_a_measurement_are_not_added(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(f"batch,{','.join(names)}\n1,1.5,1.6\n2,2.5,2.6\n")
    with pytest.raises(
        LogError, match=f"repetitions of one measurement: {', '.join(names)}. Their"
    ):
        find_targets(read_any_log(path))
    assert find_targets(read_any_log(path), [names[0]]) == (names[0],)


def test_parts_of_a_latency_with_numbers_are_added(tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    path.write_text("batch,layer1_ms,layer2_ms\n1,1.5,1.6\n2,2.5,2.6\n")
    assert find_targets(read_any_log(path)) == ("layer1_ms", "layer2_ms")


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ("request_latency", "inter_token_latency"),  # of AIPerf
        ("request_latency_ms", "time_to_first_token_latency_ms"),
        ("inference_avg_us", "warmup_avg_us"),  # of TensorFlow Lite
    ],
)
def test_a_part_is_neither_added_nor_a_feature(tmp_path: Path, whole: str, part: str) -> None:
    path = tmp_path / "parts.csv"
    path.write_text(f"batch,{part},{whole}\n1,1.5,11.6\n2,2.5,12.6\n")
    log = read_any_log(path)
    assert find_targets(log) == (whole,)
    assert find_features(log, (whole,)) == ("batch",)
