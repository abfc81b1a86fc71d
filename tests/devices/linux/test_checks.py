import pytest

from devices.linux.checks import board_state, check_pressure, check_throttling

CPUS = "sys/devices/system/cpu"


def test_throttle_events_are_those_of_the_hottest_and_not_of_siblings_twice(tree):
    counts = {("cpu0", "core"): 2, ("cpu1", "core"): 2, ("cpu0", "package"): 5, ("cpu9", "core"): 0}
    files = {
        f"{CPUS}/{cpu}/thermal_throttle/{what}_throttle_count": f"{n}\n"
        for (cpu, what), n in counts.items()
    }
    assert check_throttling(tree(files)).message == "slowed down for heat 5 times since boot"


@pytest.mark.parametrize(
    ("text", "bits"), [("50005\n", 0x50005), ("0x4\n", 4), ("0\n", 0), ("", None), ("-1", None)]
)
def test_board_state_is_hexadecimal(tree, text, bits):
    root = tree({"sys/devices/platform/soc/soc:firmware/get_throttled": text})
    assert board_state(root) == bits


def test_a_machine_without_a_boards_firmware(tree):
    assert board_state(tree({})) is None


def test_pressure_is_that_of_the_last_ten_seconds(tree):
    text = "some avg10=12.50 avg60=1.00 avg300=0.10 total=99\n"
    message = check_pressure(tree({"proc/pressure/cpu": text})).message
    assert message.startswith("tasks waited for a core in 12.5 %")
