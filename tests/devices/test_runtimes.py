import pytest
from support.boards import ORIN_NANO, PC

from devices import runtimes
from devices.cpu import CpuDevice
from devices.cuda import CudaDevice
from devices.jetson import JetsonDevice
from devices.runtimes import UnknownRuntimeError, choose_runtime, runtime_of
from devices.simulated import SimulatedDevice

MODULE = ("dpkg-query", "--show", "--showformat=${Version}", "python3-libnvinfer")


def test_onnxruntime_is_what_everything_is_measured_with(tmp_path):
    for device in (CudaDevice(PC.host(tmp_path)), SimulatedDevice()):
        assert runtime_of(device) == "onnxruntime"
        choose_runtime(device, "onnxruntime")
        assert "AUTOMOE_RUNTIME" not in device.worker_environment()


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx"])
def test_the_worker_is_told_of_another(tmp_path, runtime):
    device = CudaDevice(PC.host(tmp_path))
    choose_runtime(device, runtime)
    environment = device.worker_environment()
    assert environment["AUTOMOE_RUNTIME"] == runtime
    # The worker then reads the GPU's sensors, as with the provider.
    assert environment["AUTOMOE_PROVIDER"] == "CUDAExecutionProvider"
    assert runtime_of(CudaDevice(PC.host(tmp_path))) == "onnxruntime"


@pytest.mark.parametrize(
    ("device", "choices"),
    [
        (CpuDevice(), "onnxruntime"),
        (SimulatedDevice(), "onnxruntime"),
        (JetsonDevice(), "onnxruntime or tensorrt"),
    ],
)
def test_a_runtime_that_a_device_lacks_is_refused(device, choices):
    message = f"'runtime' of device '{device.name}' must be {choices}. Got 'tensorrt-rtx'"
    with pytest.raises(UnknownRuntimeError, match=message):
        choose_runtime(device, "tensorrt-rtx")


def test_tensorrt_is_a_wheel_or_a_package_of_jetpack(tmp_path):
    assert runtimes.tensorrt_version(PC.host(tmp_path, packages={"tensorrt": "10.3"})) == "10.3"
    jetpack = ORIN_NANO.host(tmp_path, outputs={MODULE: "10.3.0.30-1+cuda12.5"})
    assert runtimes.tensorrt_version(jetpack) == "10.3.0.30-1+cuda12.5"
    # The package of the other is no RTX.
    assert runtimes.tensorrt_version(jetpack, "tensorrt-rtx") is None


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ("tensorrt", "tensorrt is not installed on this machine; JetPack brings it; elsewhere"),
        ("tensorrt-rtx", "tensorrt_rtx is not installed on this machine; run there: pip install"),
    ],
)
def test_a_runtime_that_is_missing(tmp_path, runtime, message):
    host = PC.host(tmp_path)
    assert runtimes.missing_runtime(host, runtime=runtime).startswith(message)
    finding = runtimes.check_runtime(host, runtime=runtime)
    assert finding.severity == "problem"
    assert "; " not in finding.message
    assert finding.remedy


def test_a_runtime_that_is_there(tmp_path):
    wheels = {"tensorrt": "10.3.0", "nvidia-cuda-runtime-cu12": "12.6.77"}
    host = PC.host(tmp_path, packages=wheels)
    assert runtimes.missing_runtime(host, runtime="tensorrt") is None
    finding = runtimes.check_runtime(host, runtime="tensorrt")
    assert (finding.severity, finding.message) == ("ok", "tensorrt 10.3.0")
    assert ("tensorrt", "10.3.0") in runtimes.describe_runtimes(host)


def test_a_missing_cuda_runtime_is_told(tmp_path):
    host = PC.host(tmp_path, packages={"tensorrt": "10.3.0"})
    finding = runtimes.check_runtime(host, runtime="tensorrt")
    assert finding.severity == "warning"
    assert "tensorrt 10.3.0, but the CUDA runtime (libcudart) is in none" in finding.message
    toolkit = {"usr/local/cuda/lib64/libcudart.so.12": ""}
    host = PC.host(tmp_path, packages={"tensorrt": "10.3.0"}, files=toolkit)
    assert runtimes.check_runtime(host, runtime="tensorrt").severity == "ok"
