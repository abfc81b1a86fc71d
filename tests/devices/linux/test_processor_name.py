import pytest

from devices.cpu import CpuDevice
from devices.linux.processor_name import cpu_model


def test_a_machine_that_says_nothing(tree):
    assert cpu_model(tree({})) == "unknown"


def test_cpu_model_on_x86_is_the_first_processors_name(tree):
    root = tree({"proc/cpuinfo": "processor : 0\nmodel name\t: AMD EPYC\n\nprocessor : 1\n"})
    assert cpu_model(root) == "AMD EPYC"


def test_cpu_model_on_arm_is_the_board(tree):
    files = {
        "proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0b\n",
        "proc/device-tree/model": "Raspberry Pi 5 Model B\0",
    }
    assert cpu_model(tree(files)) == "Raspberry Pi 5 Model B"


def test_cpu_model_on_an_arm_server_is_that_of_its_cores(tree):
    root = tree({"proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0c\n"})
    assert cpu_model(root) == "Neoverse-N1"


def test_what_an_arm_kernel_calls_model_name_is_no_name(tree):
    text = "model name : ARMv8 Processor rev 1 (v8l)\nCPU implementer : 0x41\nCPU part : 0xd42\n"
    assert cpu_model(tree({"proc/cpuinfo": text})) == "Cortex-A78AE"


# Written after the kernel's show_cpuinfo of each architecture; no recordings.
LOONGARCH = """system type\t\t: generic-loongson-machine

processor\t\t: 0
package\t\t\t: 0
CPU Family\t\t: Loongson-64bit
Model Name\t\t: Loongson-3A5000-HV
CPU Revision\t\t: 0x10
ISA\t\t\t: loongarch32 loongarch64

processor\t\t: 1
Model Name\t\t: Loongson-3A5000-HV
"""
POWER = """processor\t: 0
cpu\t\t: POWER9 (architected), altivec supported
clock\t\t: 2750.000000MHz
revision\t: 2.2 (pvr 004e 0202)

processor\t: 1
cpu\t\t: POWER9 (architected), altivec supported

timebase\t: 512000000
platform\t: pSeries
model\t\t: IBM,9009-22A
machine\t\t: CHRP IBM,9009-22A
"""
Z = """vendor_id       : IBM/S390
# processors    : 2
bogomips per cpu: 3033.00
features\t: esan3 zarch stfle msa ldisp eimm dfp edat
cache0          : level=1 type=Data scope=Private size=128K line_size=256 associativity=8
processor 0: version = FF,  identification = 1E6B38,  machine = 3906
processor 1: version = FF,  identification = 1E6B38,  machine = 3906

cpu number      : 0
cpu MHz dynamic : 5208
"""
RISCV = """processor\t: 0
hart\t\t: 1
isa\t\t: rv64imafdc_zicntr_zicsr
mmu\t\t: sv39
uarch\t\t: sifive,u74-mc
mvendorid\t: 0x489
marchid\t\t: 0x8000000000000007
mimpid\t\t: 0x4210427
"""


@pytest.mark.parametrize(
    ("text", "name", "before", "after"),
    [
        (LOONGARCH, "Loongson-3A5000-HV", "3A5000", "3A6000"),
        (POWER, "POWER9 (architected) CHRP IBM,9009-22A", "POWER9", "POWER10"),
        (POWER, "POWER9 (architected) CHRP IBM,9009-22A", "9009-22A", "9105-42A"),
        (Z, "IBM Z, machine 3906", "3906", "3931"),
        (RISCV, "sifive,u74-mc rv64imafdc 0x489 0x8000000000000007 0x4210427", "u74-mc", "p550"),
        (RISCV, "sifive,u74-mc rv64imafdc 0x489 0x8000000000000007 0x4210427", "fdc_", "fdcv_"),
        (RISCV, "sifive,u74-mc rv64imafdc 0x489 0x8000000000000007 0x4210427", "0427", "0428"),
    ],
)
def test_machines_of_other_architectures_are_told_apart(tree, text, name, before, after):
    for board in ({}, {"proc/device-tree/model": "some board,qemu\0"}):
        host = tree({**board, "proc/cpuinfo": text})
        prefix = "some board,qemu, " if board else ""
        assert cpu_model(host) == f"{prefix}{name}"
        first = CpuDevice(host).info().fingerprint
        changed = text.replace(before, after)
        other = CpuDevice(tree({**board, "proc/cpuinfo": changed})).info().fingerprint
        assert other != first


def test_the_serial_number_of_a_mainframe_is_no_part_of_its_name(tree):
    host = tree({"proc/cpuinfo": Z})
    first = CpuDevice(host).info().fingerprint
    assert CpuDevice(tree({"proc/cpuinfo": Z.replace("1E6B38", "2B3C4D")})).info().fingerprint == (
        first
    )
