from pathlib import Path

import pytest

from profilers import LogError
from profilers.log.any_log import read_any_log
from profilers.log.known_tables import known_table
from profilers.log.units import unit_of

TABLES = {
    "hyperfine": (
        ("command", "mean", "stddev", "median", "user", "system", "min", "max", "parameter_size"),
        ("median", "s", {"parameter_size"}),
    ),
    "pytest-benchmark": (
        ("name", "param:n", "min", "max", "mean", "stddev", "median", "iqr", "ops", "rounds"),
        ("median", "s", {"name", "param:n"}),
    ),
    "perf_analyzer": (
        ("Concurrency", "Inferences/Second", "Client Send", "p50 latency", "p99 latency"),
        ("p50 latency", "us", {"Concurrency"}),
    ),
    "llama-bench": (
        ("build_commit", "model_n_params", "n_batch", "n_prompt", "n_gen", "avg_ns", "avg_ts"),
        ("avg_ns", "ns", {"model_n_params", "n_batch", "n_prompt", "n_gen"}),
    ),
    "trtexec": (
        ("batch", "h2dMs", "computeMs", "d2hMs", "latencyMs"),
        ("latencyMs", "ms", {"batch"}),
    ),
    "Ollama": (
        (
            *("model", "total_duration", "load_duration", "prompt_eval_count"),
            *("prompt_eval_duration", "eval_count", "eval_duration"),
        ),
        ("total_duration", "ns", {"model", "prompt_eval_count", "eval_count"}),
    ),
    "Criterion": (
        ("reason", "id", "typical_estimate", "typical_unit", "mean_estimate", "mean_unit"),
        ("typical_estimate", "ns", {"reason", "id"}),
    ),
    "CUTLASS's profiler": (
        ("Operation", "m", "n", "k", "Bytes", "Flops", "Runtime", "GB/s", "GFLOPs"),
        ("Runtime", "ms", {"Operation", "m", "n", "k", "Bytes", "Flops"}),
    ),
    "nn-Meter": (
        ("CIN", "COUT", "cortexA76cpu_tflite21", "adreno640gpu_tflite21"),
        ("cortexA76cpu_tflite21", "ms", {"CIN", "COUT"}),
    ),
    "SGLang's serving benchmark": (
        (
            *("backend", "request_rate", "max_concurrency", "random_input_len", "duration"),
            *("completed", "mean_e2e_latency_ms", "median_e2e_latency_ms", "mean_ttft_ms"),
            *("mean_tpot_ms", "concurrency", "accept_length"),
        ),
        (
            "median_e2e_latency_ms",
            "ms",
            {"backend", "request_rate", "max_concurrency", "random_input_len"},
        ),
    ),
    "SGLang's benchmark of one batch": (
        (
            *("run_name", "batch_size", "input_len", "output_len", "prefill_latency"),
            *("median_decode_latency", "total_latency", "overall_throughput"),
        ),
        (
            "total_latency",
            "s",
            # A throughput is a result by its name.
            {"run_name", "batch_size", "input_len", "output_len", "overall_throughput"},
        ),
    ),
    "vLLM's latency benchmark": (
        ("batch_size", "input_len", "avg_latency", "percentiles_50", "percentiles_99"),
        ("percentiles_50", "s", {"batch_size", "input_len"}),
    ),
    "a trace": (  # the format of traces of Chrome counts in microseconds
        ("ph", "cat", "name", "pid", "tid", "ts", "dur", "args_External id", "args_rows"),
        ("dur", "us", {"cat", "name", "args_rows"}),
    ),
    "a tuner of MoE kernels (vLLM's benchmark_moe)": (
        ("num_tokens", "num_experts", "shard_intermediate_size", "hidden_size", "kernel_time"),
        (
            "kernel_time",
            "us",
            {"num_tokens", "num_experts", "shard_intermediate_size", "hidden_size"},
        ),
    ),
    "Google Benchmark": (
        ("name", "iterations", "real_time", "cpu_time", "time_unit", "items_per_second", "k"),
        ("real_time", "ns", {"k"}),
    ),
    "torch's profiler": (
        ("key", "count", "self_cpu_time_total", "cpu_time_total", "cuda_time_total", "shape"),
        ("cuda_time_total", "us", {"shape"}),
    ),
    "JMeter": (
        ("timeStamp", "elapsed", "responseCode", "success", "allThreads", "Latency", "Connect"),
        ("elapsed", "ms", {"allThreads"}),
    ),
    "Locust": (
        (
            *("Type", "Name", "users", "Request Count", "Median Response Time", "Requests/s"),
            *("Average Response Time", "50%", "99.9%", "Average Content Size"),
        ),
        ("Median Response Time", "ms", {"Type", "Name", "users"}),
    ),
    "nccl-tests": (
        ("size", "count", "type", "redop", "time", "algbw", "busbw", "#wrong"),
        ("time", "us", {"size", "count", "type", "redop"}),
    ),
    "Nsight Systems": (
        ("Time (%)", "Total Time (ns)", "Instances", "Avg (ns)", "Med (ns)", "Max (ns)", "GridX"),
        ("Med (ns)", "ns", {"GridX"}),
    ),
    "the command time": (("size", "real", "user", "sys"), ("real", "s", {"size"})),
    "NNLQP": (
        ("speed_id", "graph_id", "batch_size", "cost_time", "model_type", "plt_id", "stage"),
        ("cost_time", "ms", {"batch_size", "model_type", "plt_id"}),
    ),
}


@pytest.mark.parametrize("program", TABLES)
def test_a_table_is_known_with_its_latency_unit_and_inputs(program: str) -> None:
    columns, (target, unit, inputs) = TABLES[program]
    table = known_table(columns)
    assert table is not None
    assert (table.program, table.target_in(columns)) == (program, target)
    assert unit_of(target, columns).name == unit
    assert {name for name in columns if table.may_be_feature(name, columns)} == inputs


def test_other_tables_are_not_known() -> None:
    assert known_table(("batch", "dim", "latency_ms", "min", "max", "mean")) is None


def test_the_unit_of_nanobench_is_no_unit_of_time(tmp_path: Path) -> None:
    log = tmp_path / "nanobench.csv"
    names = '"title";"name";"unit";"batch";"elapsed";"error %";"total"'
    log.write_text(f'{names}\n"t";"a";"op";1;0.002;0.1;0.3\n"t";"b";"op";2;0.004;0.1;0.3\n')
    read = read_any_log(log)
    assert read.unit_of("elapsed").in_ms == 1000
    table = known_table(read.columns)
    assert table is not None
    assert table.program == "nanobench"


def test_the_aggregated_row_of_locust_is_no_measurement(tmp_path: Path) -> None:
    log = tmp_path / "stats.csv"
    log.write_text(
        "Type,Name,Request Count,Median Response Time,Requests/s\n"
        "GET,/a,10,5,1\nGET,/b,10,7,1\n,Aggregated,20,6,2\n"
    )
    assert [row.cells["Name"] for row in read_any_log(log).rows] == ["/a", "/b"]


@pytest.mark.parametrize(
    "line",
    [
        '{"input": ["llvm"], "config": {"index": 1}, "result": [[0.1], 0, 1.0, 2.0]}',
        '{"i": [["a"], [[], []]], "r": [[0.1], 0, 1.0, 2], "v": "v0.6"}',
    ],
)
def test_a_log_of_tvm_is_refused_with_what_to_do(line: str, tmp_path: Path) -> None:
    log = tmp_path / "tuning.json"
    log.write_text(f"{line}\n{line}\n")
    with pytest.raises(LogError, match="TVM's tuning.*Write a CSV"):
        read_any_log(log)


def test_the_times_of_an_old_trtexec_are_no_moments() -> None:
    columns = ("startInMs", "endInMs", "inMs", "computeMs", "outMs", "latencyMs", "endToEndMs")
    table = known_table(columns)
    assert table is not None
    assert (table.program, table.target_in(columns)) == ("trtexec", "latencyMs")
