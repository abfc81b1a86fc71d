"""The whole way from architectures to a log, through an imitation of TensorRT and CUDA."""

import csv
import os
from pathlib import Path

import pytest
from support.gpus import check_workload
from support.imitated_tensorrt import RUN_MS

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export import WorkloadWriter
from automoe.latency.architecture_profiling import profile_architectures
from devices.cpu import CpuDevice
from profilers import LogError, Protocol

TESTS = Path(__file__).parents[2]


class ImitatedGpu(CpuDevice):
    """This machine's processor as if it were a GPU with TensorRT."""

    runtime = "tensorrt"
    runtime_choices = ("onnxruntime", "tensorrt")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def unavailable_reason(self) -> str | None:
        return None

    def worker_environment(self) -> dict[str, str]:
        path = os.pathsep.join(map(str, (TESTS / "imitated", TESTS, TESTS.parent)))
        caches = {"XDG_CACHE_HOME": str(self._folder / "caches")}
        return {**super().worker_environment(), **caches, "PYTHONPATH": path}


@pytest.fixture
def device(tmp_path: Path) -> ImitatedGpu:
    return ImitatedGpu(tmp_path)


SENTENCE = TranslationWorkload(4, 3, 30, beam=2)


def test_what_is_asked_of_a_real_gpu_can_be_answered(
    tmp_path: Path, sparse: Architecture, device: ImitatedGpu
) -> None:
    path = WorkloadWriter(tmp_path, SENTENCE, tensorrt=True).write(sparse)
    block = check_workload(device, tmp_path, path, rounding=1e-6)
    assert [sample["call_ms"]["gpu"] for sample in block["samples"]] == pytest.approx(
        [4 * RUN_MS] * 3
    )


def test_a_log_of_tensorrt(tmp_path: Path, tiny: SearchSpace, device: ImitatedGpu) -> None:
    log = tmp_path / "trt.csv"
    protocol = Protocol(
        threads=1,
        min_rounds=2,
        max_rounds=2,
        warmup_seconds=0.02,
        block_seconds=0.05,
        samples_per_block=2,
        max_block_retries=0,
        cooldown_seconds=0.0,
        max_warmup_seconds=1.0,
    )

    def profile(runtime: str, *architectures: Architecture) -> None:
        device.runtime = runtime
        summary = profile_architectures(
            architectures,
            device=device,
            protocol=protocol,
            workload=SENTENCE,
            log=log,
            graphs=tmp_path / "graphs",
        )
        assert summary.failed == ()
        assert summary.n_measured == 1

    profile("tensorrt", tiny.smallest())
    (row,) = csv.DictReader(log.read_text().splitlines())
    assert row["runtime"] == "tensorrt 10.3.0"
    # The clock of the imitated GPU, corrected by the sentinel's drift: an encoder and three steps.
    assert 0.3 * RUN_MS < float(row["encoder_gpu_ms"]) < 3 * RUN_MS
    ratio = float(row["decoder_gpu_ms"]) / float(row["encoder_gpu_ms"])
    assert ratio == pytest.approx(3, rel=0.01)
    total = float(row["encoder_gpu_ms"]) + float(row["decoder_gpu_ms"])
    assert float(row["gpu_ms"]) == pytest.approx(total, rel=0.01)
    assert list((tmp_path / "caches/automoe/engines").glob("*.engine"))
    # Rows of another runtime do not join it.
    with pytest.raises(LogError, match="'runtime' must be 'tensorrt' as in .* Got 'onnxruntime'"):
        profile("onnxruntime", tiny.smallest())
