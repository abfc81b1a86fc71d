import pytest
from support.boards import ORIN_NANO, PC

from devices.cuda import CudaDevice
from devices.testing import DeviceContract

RUNTIME = {"onnxruntime-gpu": "1.31.1", "nvidia-cuda-runtime": "13.0.48"}
CSV = "--format=csv,noheader,nounits"
GPUS = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,driver_version,memory.total,compute_cap,power.limit,power.draw,"
    "temperature.gpu,clocks.sm,clocks.max.sm,persistence_mode,mig.mode.current",
    CSV,
)
EVENTS = ("nvidia-smi", "--query-gpu=uuid,clocks_event_reasons.active", CSV)
REASONS = ("nvidia-smi", "--query-gpu=uuid,clocks_throttle_reasons.active", CSV)
PROGRAMS = ("nvidia-smi", "--query-compute-apps=gpu_uuid,pid,process_name", CSV)
# Written after `nvidia-smi --help-query-gpu`; no recording.
SERVER = {
    GPUS: (
        "0, GPU-aaaa1111, NVIDIA A10, 550.54.15, 23028, 8.6, 150.00, 15.68, 34, 210, 1695, "
        "Disabled, [N/A]\n"
        "1, GPU-bbbb2222, NVIDIA H100 80GB HBM3, 550.54.15, 81559, 9.0, 700.00, [N/A], 81, 1980, "
        "1980, Enabled, Enabled"
    ),
    REASONS: "GPU-aaaa1111, 0x0000000000000001\nGPU-bbbb2222, 0x0000000000000024",
    PROGRAMS: "GPU-bbbb2222, 4242, python3",
}


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def server(folder, outputs=SERVER, **changes):
    return CudaDevice(PC.host(folder, outputs=outputs, packages=RUNTIME, **changes))


class TestCudaDevice(DeviceContract):
    @pytest.fixture
    def device(self, tmp_path):
        return server(tmp_path)


class TestCudaDeviceWithoutADriver(DeviceContract):
    @pytest.fixture
    def device(self, tmp_path):
        return CudaDevice(PC.host(tmp_path))


def test_its_identity_is_the_gpus(tmp_path):
    device = server(tmp_path)
    assert device.unavailable_reason() is None
    info = device.info()
    assert (info.kind, info.model) == ("gpu", "NVIDIA A10")
    assert info.power_mode == "150 W limit, unknown governor"
    assert info.traits == (
        ("gpu memory", "23028 MB"),
        ("compute capability", "8.6"),
        ("driver", "550.54.15"),
        ("cuda", "13.0.48"),
        ("cpu", "Some x86 CPU"),
    )


def test_memory_that_the_driver_does_not_say_is_unknown(tmp_path):
    # A chip that shares the machine's memory, such as Thor or GB10.
    for text in ("[N/A]", "N/A", "[Not Supported]"):
        shared = {**SERVER, GPUS: SERVER[GPUS].replace("23028", text)}
        device = server(tmp_path / text, shared)
        assert "gpu memory" not in dict(device.info().traits)
        assert device.info().model == "NVIDIA A10"
        assert not [finding for finding in device.doctor() if " 0 MB" in finding.message]


def test_another_driver_is_another_machine(tmp_path):
    other = {**SERVER, GPUS: SERVER[GPUS].replace("550.54.15", "570.86.10")}
    assert server(tmp_path, other).info().fingerprint != server(tmp_path).info().fingerprint


def test_another_power_limit_is_another_mode(tmp_path):
    other = {**SERVER, GPUS: SERVER[GPUS].replace("150.00", "100.00")}
    assert server(tmp_path, other).info().fingerprint == server(tmp_path).info().fingerprint
    assert server(tmp_path, other).info().power_mode == "100 W limit, unknown governor"


@pytest.mark.parametrize("choice", ["1", "1,0", "GPU-bbbb2222", "GPU-bbbb"])
def test_the_first_visible_gpu_is_measured_and_no_other_is_seen(tmp_path, monkeypatch, choice):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", choice)
    device = server(tmp_path)
    assert device.info().model == "NVIDIA H100 80GB HBM3"
    environment = device.worker_environment()
    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-bbbb2222"
    assert environment["AUTOMOE_PROVIDER"] == "CUDAExecutionProvider"


def test_the_choice_here_is_none_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert server(tmp_path, label="me@box", is_local=False).info().model == "NVIDIA A10"


def test_a_gpu_that_is_not_there_cannot_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    reason = server(tmp_path).unavailable_reason()
    assert "CUDA_VISIBLE_DEVICES must name one of 2 GPUs. Got '7'" in reason


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ({}, "no NVIDIA driver answers on this machine: nvidia-smi is missing or hangs"),
        ({GPUS: "No devices were found"}, "It says: No devices were found"),
        (
            {
                GPUS: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA "
                "driver. Make sure that the latest NVIDIA driver is installed and running."
            },
            "It says: NVIDIA-SMI has failed because it couldn't communicate",
        ),
        ({GPUS: ""}, "It says: nothing"),
    ],
)
def test_a_missing_driver_is_said(tmp_path, outputs, says):
    reason = server(tmp_path, outputs).unavailable_reason()
    assert says in reason
    assert "--device cuda --host user@address" in reason
    assert "\n" not in reason


def test_the_plain_wheel_has_no_cuda(tmp_path):
    host = PC.host(tmp_path, outputs=SERVER, packages={"onnxruntime": "1.32.0"})
    assert "pip install onnxruntime-gpu" in CudaDevice(host).unavailable_reason()


def test_a_jetson_is_another_plugins(tmp_path):
    reason = CudaDevice(ORIN_NANO.host(tmp_path)).unavailable_reason()
    assert reason == "this machine is a Jetson; use --device jetson"


def test_sensors(tmp_path):
    assert server(tmp_path).sensors() == {
        "temperature_gpu_c": 34.0,
        "clock_gpu_mhz": 210.0,
        "power_gpu_mw": 15680.0,
    }


def findings(device):
    return {finding.check: finding for finding in device.doctor()}


def test_the_doctor_of_an_idle_gpu(tmp_path):
    idle = findings(server(tmp_path))
    assert idle["gpu-throttling"].severity == "ok"
    assert idle["gpu-programs"].severity == "ok"
    assert idle["gpu-temperature"].message == "the GPU is at 34 °C"
    assert idle["gpu-persistence"].severity == "warning"
    assert "undo: sudo nvidia-smi -pm 0" in idle["gpu-persistence"].remedy
    assert idle["gpu-shared"].severity == "ok"


def test_the_doctor_of_a_troubled_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    troubled = findings(server(tmp_path))
    # 0x24 = 0x20 (software thermal slowdown) + 0x4 (software power cap), nvml.h
    assert troubled["gpu-throttling"].message.endswith("by: power limit, temperature")
    assert troubled["gpu-throttling"].severity == "warning"
    assert troubled["gpu-programs"].severity == "problem"
    assert "python3" in troubled["gpu-programs"].message
    assert troubled["gpu-temperature"].severity == "warning"
    assert troubled["gpu-shared"].severity == "warning"


def test_the_package_that_reads_the_gpu_is_missed(tmp_path):
    missing = findings(server(tmp_path))["gpu-sensors"]
    assert missing.severity == "warning"
    assert missing.remedy == "run there: pip install nvidia-ml-py"
    packages = {**RUNTIME, "nvidia-ml-py": "13.6"}
    there = CudaDevice(PC.host(tmp_path / "there", outputs=SERVER, packages=packages))
    assert findings(there)["gpu-sensors"].severity == "ok"


def test_newer_drivers_call_it_an_event(tmp_path):
    outputs = {GPUS: SERVER[GPUS], EVENTS: "GPU-aaaa1111, 0x0000000000000008"}
    assert "hardware slowdown" in findings(server(tmp_path, outputs))["gpu-throttling"].message
    neither = findings(server(tmp_path, {GPUS: SERVER[GPUS]}))["gpu-throttling"]
    assert neither.message.startswith("unknown")


def test_without_a_gpu_the_doctor_still_answers(tmp_path):
    assert findings(CudaDevice(PC.host(tmp_path)))["gpu"].message.startswith("unknown")
