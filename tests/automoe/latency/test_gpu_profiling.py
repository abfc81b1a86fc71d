"""For a machine with a GPU: ``python -m pytest -m gpu``. Skipped with what is missing elsewhere."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from support.gpus import check_workload, gpu_device

from automoe.architecture.architecture import Architecture
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export import WorkloadWriter
from automoe.latency.architecture_profiling import profile_architectures
from devices.runtimes import ONNXRUNTIME, RUNTIMES, TENSORRT, TENSORRT_RTX
from profilers import Protocol

pytestmark = pytest.mark.gpu
SENTENCE = TranslationWorkload(8, 5, 30, beam=3)
ROUNDING = {"fp32": 5e-3, "fp16": 2e-2, "int8": 5e-2}


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [
        (ONNXRUNTIME, "fp32"),
        *((runtime, precision) for runtime in (TENSORRT, TENSORRT_RTX) for precision in ROUNDING),
    ],
)
def test_a_subnet_computes_what_it_computes_on_the_processor(
    tmp_path: Path, sparse: Architecture, runtime: str, precision: str
) -> None:
    device = gpu_device(runtime)
    sentence = replace(SENTENCE, precision=precision)
    writer = WorkloadWriter(tmp_path, sentence, tensorrt=runtime != ONNXRUNTIME)
    check_workload(device, tmp_path, writer.write(sparse), ROUNDING[precision])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_subnet_is_profiled(tmp_path: Path, sparse: Architecture, runtime: str) -> None:
    device = gpu_device(runtime)
    summary = profile_architectures(
        [sparse],
        device=device,
        protocol=Protocol.fast(),
        workload=SENTENCE,
        log=tmp_path / "log.csv",
        graphs=tmp_path / "graphs",
    )
    assert summary.failed == ()
    (row,) = csv.DictReader((tmp_path / "log.csv").read_text().splitlines())
    assert row["device"] == device.name
    assert row["runtime"].startswith(f"{runtime} ")
    assert float(row["latency_ms"]) > 0
    if runtime != ONNXRUNTIME:
        assert 0 < float(row["gpu_ms"]) <= float(row["latency_ms"]) * 1.05
