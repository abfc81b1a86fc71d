"""Machines as their files and commands describe them, for devices that are not at hand.

Origins. "Captured" is what a person printed on the hardware and published; everything else has
the form that kernel and tools document, with plain values of ours. None is a recording of one
whole board, and no timing was taken on any.

- Raspberry Pi 5, `pmic_read_adc`: captured, idle. Part numbers and features of both boards'
  /proc/cpuinfo: captured. Device trees: the kernel's.
- Orin Nano, /etc/nv_tegra_release (R36.4.3) and the rails of its INA3221: captured. `nvpmodel -q`:
  form captured on several modules.
- Jetson Nano, `nvpmodel -q` not run by root, with its complaints: captured
  (github.com/NVIDIA-AI-IOT/jetbot, issue 49). Rail values: captured by `tegrastats`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devices.testing import RecordedHost

_CPUS = "sys/devices/system/cpu"
_TREE = "sys/firmware/devicetree/base"
_ZONES = "sys/class/thermal/thermal_zone"


@dataclass(frozen=True)
class Board:
    """A machine before it is written into a folder."""

    files: Mapping[str, str]
    cpus: tuple[int, ...] = (0, 1, 2, 3)
    machine: str = "aarch64"
    outputs: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    def host(self, folder: Path, **changes: Any) -> RecordedHost:
        """The machine, with other attributes or further `files`."""
        for name, text in {**self.files, **changes.pop("files", {})}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        known = {"cpus": self.cpus, "machine": self.machine, "outputs": self.outputs}
        return RecordedHost(folder, **{**known, **changes})


def _cores(n: int, part: str, khz: str, low: str, high: str, governor: str) -> dict[str, str]:
    block = "processor\t: {}\nCPU implementer\t: 0x41\nCPU part\t: " + part + "\n"
    files = {"proc/cpuinfo": "\n".join(block.format(cpu) for cpu in range(n))}
    for cpu in range(n):
        folder = f"{_CPUS}/cpu{cpu}/cpufreq"
        files[f"{folder}/scaling_cur_freq"] = f"{khz}\n"
        files[f"{folder}/scaling_min_freq"] = f"{low}\n"
        files[f"{folder}/scaling_max_freq"] = f"{high}\n"
        files[f"{folder}/cpuinfo_max_freq"] = f"{high}\n"
        files[f"{folder}/scaling_governor"] = f"{governor}\n"
    return files


def _zones(**degrees: int) -> dict[str, str]:
    files = {}
    for number, (name, value) in enumerate(degrees.items()):
        files[f"{_ZONES}{number}/type"] = f"{name}-thermal\n"
        files[f"{_ZONES}{number}/temp"] = f"{value}\n"
    return files


def _ina3221(folder: str, rails: list[tuple[str, str, str]]) -> dict[str, str]:
    """Label, millivolts and milliamperes of each."""
    files = {f"{folder}/in7_label": "sum of shunt voltages\n", f"{folder}/in7_input": "0\n"}
    for number, (label, millivolts, milliamperes) in enumerate(rails, start=1):
        files[f"{folder}/in{number}_label"] = f"{label}\n"
        files[f"{folder}/in{number}_input"] = f"{millivolts}\n"
        files[f"{folder}/curr{number}_input"] = f"{milliamperes}\n"
    return files


RASPBERRY_PI_4 = Board(
    {
        **_cores(4, "0xd08", "1500000", "600000", "1800000", "ondemand"),
        **_zones(cpu=48686),
        f"{_TREE}/model": "Raspberry Pi 4 Model B Rev 1.5\0",
        f"{_TREE}/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
        "proc/meminfo": "MemTotal: 3885312 kB\nMemAvailable: 3407872 kB\n",
    },
    outputs={
        ("vcgencmd", "get_throttled"): "throttled=0x50005",
        ("vcgencmd", "version"): (
            "Jan  5 2023 10:46:54 \nCopyright (c) 2012 Broadcom\n"
            "version 8ba17717fbcedd4c3b6d4bce7e50c7af4155cba9 (clean) (release) (start)"
        ),
        ("vcgencmd", "pmic_read_adc"): 'error=1 error_msg="Command not registered"',
    },
)
RASPBERRY_PI_5 = Board(
    {
        **_cores(4, "0xd0b", "1500000", "1500000", "2400000", "ondemand"),
        **_zones(cpu=52100),
        f"{_TREE}/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        f"{_TREE}/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
        "proc/meminfo": "MemTotal: 8245248 kB\nMemAvailable: 7340032 kB\n",
    },
    outputs={
        ("vcgencmd", "get_throttled"): "throttled=0x0",
        ("vcgencmd", "pmic_read_adc"): (
            "3V7_WL_SW_A current(0)=0.00000000A\n   3V3_SYS_A current(1)=0.06245952A\n"
            "   1V8_SYS_A current(2)=0.16102850A\n  DDR_VDD2_A current(3)=0.00780744A\n"
            "  DDR_VDDQ_A current(4)=0.00000000A\n   1V1_SYS_A current(5)=0.17566740A\n"
            "    0V8_SW_A current(6)=0.32791250A\n  VDD_CORE_A current(7)=10.87674000A\n"
            "   3V3_DAC_A current(17)=0.00036630A\n   3V3_ADC_A current(18)=0.00042735A\n"
            "   0V8_AON_A current(16)=0.00579975A\n      HDMI_A current(22)=0.01367520A\n"
            " 3V7_WL_SW_V volt(8)=3.79999600V\n   3V3_SYS_V volt(9)=3.30632200V\n"
            "   1V8_SYS_V volt(10)=1.79828900V\n  DDR_VDD2_V volt(11)=1.10292900V\n"
            "  DDR_VDDQ_V volt(12)=0.60476130V\n   1V1_SYS_V volt(13)=1.10439400V\n"
            "    0V8_SW_V volt(14)=0.80256330V\n  VDD_CORE_V volt(15)=0.89745940V\n"
            "   3V3_DAC_V volt(20)=3.30494200V\n   3V3_ADC_V volt(21)=3.30219400V\n"
            "   0V8_AON_V volt(19)=0.79736190V\n      HDMI_V volt(23)=5.07056000V\n"
            "     EXT5V_V volt(24)=5.06788000V\n      BATT_V volt(25)=3.01110800V"
        ),
    },
)
ORIN_NANO = Board(
    {
        **_cores(6, "0xd42", "1420800", "115200", "1510400", "schedutil"),
        **_zones(cpu=50031, gpu=49031, tj=50250, cv0=-256000),
        **_ina3221(
            "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1",
            [
                ("VDD_IN", "4936", "976"),
                ("VDD_CPU_GPU_CV", "4928", "104"),
                ("VDD_SOC", "4928", "296"),
            ],
        ),
        "sys/class/devfreq/17000000.gpu/cur_freq": "306000000\n",
        "sys/class/devfreq/17000000.gpu/min_freq": "306000000\n",
        "sys/class/devfreq/17000000.gpu/max_freq": "624750000\n",
        f"{_TREE}/model": "NVIDIA Orin Nano Developer Kit\0",
        f"{_TREE}/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
        "etc/nv_tegra_release": (
            "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, "
            "DATE: Wed Jan  8 01:49:37 UTC 2025\n"
        ),
        "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}\n',
        "proc/meminfo": "MemTotal: 7802880 kB\nMemAvailable: 4267008 kB\n",
    },
    cpus=(0, 1, 2, 3, 4, 5),
    outputs={
        ("nvpmodel", "-q"): "NV Power Mode: 15W\n0",
        ("dpkg-query", "--show", "--showformat=${Version}", "tensorrt"): "10.3.0.30-1+cuda12.5",
    },
)
JETSON_NANO = Board(
    {
        **_cores(4, "0xd07", "1479000", "1479000", "1479000", "schedutil"),
        "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0": "POM_5V_IN\n",
        "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input": "933\n",
        "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_1": "POM_5V_GPU\n",
        "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power1_input": "0\n",
        "sys/class/devfreq/57000000.gpu/min_freq": "921600000\n",
        "sys/class/devfreq/57000000.gpu/max_freq": "921600000\n",
        # NVIDIA's kernel 4.9 of JetPack 4: the folder under /sys/firmware may be closed.
        "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
        "proc/device-tree/compatible": "nvidia,p3449-0000-b00+p3448-0000-b00\0nvidia,tegra210\0",
        "proc/meminfo": "MemTotal: 4059136 kB\nMemAvailable: 3145728 kB\n",
    },
    outputs={
        ("nvpmodel", "-q"): (
            "NV Power Mode: 5W\n1\n"
            "NVPM ERROR: Error opening /sys/kernel/nvpmodel_emc_cap/emc_iso_cap: 13\n"
            "NVPM ERROR: failed to read PARAM EMC: ARG MAX_FREQ: PATH "
            "/sys/kernel/nvpmodel_emc_cap/emc_iso_cap"
        ),
        (
            *("dpkg-query", "--show", "--showformat=${Version}"),
            "nvidia-l4t-core",
        ): "32.7.4-20230608212426",
    },
)
ARM_SERVER = Board(
    {
        **_cores(8, "0xd0c", "3000000", "1000000", "3000000", "performance"),
        f"{_CPUS}/cpu0/cache/index0/level": "1\n",
        f"{_CPUS}/cpu0/cache/index0/type": "Data\n",
        f"{_CPUS}/cpu0/cache/index0/size": "64K\n",
        f"{_CPUS}/cpu0/cache/index2/level": "2\n",
        f"{_CPUS}/cpu0/cache/index2/type": "Unified\n",
        f"{_CPUS}/cpu0/cache/index2/size": "1024K\n",
        "proc/meminfo": "MemTotal: 33554432 kB\nMemAvailable: 30000000 kB\n",
    },
    cpus=tuple(range(8)),
)
PC = Board(
    {
        "proc/cpuinfo": "processor : 0\nmodel name : Some x86 CPU\nflags : fpu\n",
        "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 12000000 kB\n",
        "sys/class/powercap/intel-rapl:0/name": "package-0\n",
        "sys/class/powercap/intel-rapl:0/energy_uj": "123456789\n",
    },
    machine="x86_64",
)
