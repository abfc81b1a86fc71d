import pytest

from profilers.log.column_names import (
    is_duration,
    is_known_before_measuring,
    is_rate,
    kind_of_name,
    words,
)


def test_words_are_split_at_every_sign() -> None:
    assert words("latency_std.Encoder-2") == ("latency", "std", "encoder", "2")


@pytest.mark.parametrize(
    "name",
    ["latency_std_encoder", "ci_low_ms", "arch_id", "id", "timestamp", "energy_mj", "threads", "_"],
)
def test_results_bookkeeping_and_conditions_are_no_features(name: str) -> None:
    assert not is_known_before_measuring(name, ["latency_mean_encoder"])


def test_a_sibling_of_the_target_is_no_feature() -> None:
    assert not is_known_before_measuring("cost_median", ["cost_mean"])


@pytest.mark.parametrize("name", ["encoder_layers", "width", "forward_passes"])
def test_what_is_known_beforehand_may_be_a_feature(name: str) -> None:
    assert is_known_before_measuring(name, ["encoder_latency_ms"])


@pytest.mark.parametrize("name", ["time_s", "WallTime", "enc_µs", "elapsed", "run times"])
def test_a_time_is_told_by_its_name(name: str) -> None:
    assert is_duration(name)


@pytest.mark.parametrize(
    "name",
    [
        *("time_steps", "n_s", "s", "items", "", "start_time", "end_ms", "Elapsed Cycles"),
        *("CPU(s)", "thread(s)", "batch_timeout_ms", "target_latency_s", "audio_duration_s"),
    ],
)
def test_other_quantities_are_no_time(name: str) -> None:
    assert not is_duration(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "ttft",
            "tpot",
            "itl",
            "mean_e2el_ms",
            "tokens/s",
            "seq/s",
            "Inferences/Second",
            "tflops",
        ),
        *("bw", "mfu", "gpu_util", "speedup", "mean", "median", "min", "max", "stddev", "err"),
        *("us1", "p99", "90th percentile", "tok_per_sec", "tokens_s", "images/sec"),
        *("time_per_token", "ns/op", "s/it", "utilization.gpu [%]", "power.draw [W]", "avg_ts"),
        *("exit_code", "returncode", "train/grad_norm", "top1", "top-5", "f1_macro", "acc@1"),
        *("score", "IPC", "insn per cycle", "instructions", "branches", "cache-references"),
        *("LLC-loads", "L1-dcache-load-misses", "context-switches", "cpu-migrations", "val_acc"),
        *(
            "mAP50",
            "exact_match",
            "pass@1",
            "recall",
            "95%",
            "start_time",
            "end",
            "finished_at",
            "gpu.0.temp",
        ),
        *(
            "rtf",
            "real_time_factor",
            "p999",
            "L1-dcache-loads",
            "dTLB-prefetches",
            "instructions:u",
        ),
        *("GPUUtil", "peak_memory_mb", "time_mean", "Throughput (qps)", "achieved_tflops", "iqr"),
        *("E [mJ]", "P (W)", "gpu_mJ", "Verbrauch [Wh]", "run_\u00b5J"),
        *("Standard Deviation", "cuda_time_avg", "real_time", "latency_p50", "gen t/s"),
    ],
)
def test_results_of_other_programs_are_told_by_their_names(name: str) -> None:
    assert kind_of_name(name) == "result"


@pytest.mark.parametrize(
    "name",
    [
        *("isl", "osl", "concurrency", "tp", "max_batch_size", "max_seq_len", "seq_len_mean"),
        *("flops", "total_flops", "gflops", "params", "request_rate", "max_concurrency"),
        *("parameter_threads", "num_blocks", "gpu_memory_utilization", "power_limit_w", "top_k"),
        *("score_dim", "feature_map", "acc_steps", "acc_dtype", "loss_scale", "error_tolerance"),
        *("conv_W", "W", "H/W", "width_mm", "J", "i_J"),
        *("exit_layer", "num_branches", "map_size", "top_p", "normalized_shape", "num_switches"),
        *("l1_dcache_size", "icache_kb", "dtlb_entries", "num_instructions", "latency_budget_ms"),
        *("audio_duration_s", "chunk_ms", "hop_length", "window_ms", "clip_sec", "GPU(s)"),
        *("target_qps", "sampling_rate", "num_warps", "BLOCK_SIZE_M", "encoder_ffn_embed_dim_avg"),
    ],
)
def test_inputs_of_other_programs_remain_features(name: str) -> None:
    assert is_known_before_measuring(name, ["request_latency"])


def test_a_rate_is_no_duration() -> None:
    assert is_rate("tokens/s")
    assert not is_duration("tokens/s")
    assert not is_rate("time_s")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("\u6279\u91cf", "unclear"), ("\u0440\u0430\u0437\u043c\u0435\u0440", "unclear")),
        *(
            ("opsPerSec", "result"),
            ("wer", "result"),
            ("\u5ef6\u8fdfms", "result"),
            ("cov", "result"),
        ),
    ],
)
def test_words_of_any_script_are_read(name: str, kind: str) -> None:
    assert kind_of_name(name) == kind


def test_a_mode_is_an_input_whatever_it_is_named_after() -> None:
    assert kind_of_name("low_latency_mode") == "input"
