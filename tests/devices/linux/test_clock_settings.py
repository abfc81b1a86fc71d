import pytest
from support.boards import JETSON_NANO, ORIN_NANO, PC

from devices.linux.clock_settings import are_clocks_held, governor, turbo

CPUS = "sys/devices/system/cpu"


def test_the_governor_is_that_of_every_usable_core(tree):
    names = {0: "performance", 1: "schedutil", 2: "powersave"}
    files = {f"{CPUS}/cpu{n}/cpufreq/scaling_governor": f"{x}\n" for n, x in names.items()}
    assert governor(tree(files, (0,))) == "performance"
    assert governor(tree(files, (0, 1))) == "performance+schedutil"


@pytest.mark.parametrize(
    ("file", "text", "on"),
    [
        ("intel_pstate/no_turbo", "0\n", True),
        ("intel_pstate/no_turbo", "1\n", False),
        ("cpufreq/boost", "1\n", True),
        ("cpufreq/boost", "0\n", False),
    ],
)
def test_turbo_of_both_drivers(tree, file, text, on):
    assert turbo(tree({f"{CPUS}/{file}": text})) is on


def test_held_means_one_clock_only(tmp_path):
    assert are_clocks_held(JETSON_NANO.host(tmp_path / "a")) is True
    assert are_clocks_held(ORIN_NANO.host(tmp_path / "b")) is False
    assert are_clocks_held(PC.host(tmp_path / "c")) is None


def test_a_machine_that_says_nothing(tree):
    assert governor(tree({})) == "unknown"
    assert turbo(tree({})) is None
