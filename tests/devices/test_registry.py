from importlib.metadata import EntryPoint

import pytest

import devices.registry
from devices import (
    DeviceUnavailableError,
    LocalHost,
    UnknownDeviceError,
    describe_devices,
    device_names,
    get_device,
)
from devices.cpu import CpuDevice


@pytest.fixture
def install(monkeypatch):
    def install(*plugins):
        points = [EntryPoint(name, value, devices.registry.GROUP) for name, value in plugins]
        monkeypatch.setattr(devices.registry, "entry_points", lambda group: points)

    return install


CPU = ("cpu", "devices.cpu:CpuDevice")
BROKEN = ("broken", "no_such_module:Device")


def test_names_are_sorted_and_nothing_is_imported(install):
    install(CPU, BROKEN)
    assert device_names() == ("broken", "cpu")


def test_get_device_makes_one(install):
    install(CPU)
    assert isinstance(get_device("cpu"), CpuDevice)


def test_an_unknown_name_lists_what_is_installed(install):
    install(CPU)
    with pytest.raises(
        UnknownDeviceError, match=r"Unknown device 'tpu'\. Installed devices: cpu\."
    ):
        get_device("tpu")


def test_nothing_installed_is_said_too(install):
    install()
    with pytest.raises(UnknownDeviceError, match=r"Installed devices: none\."):
        get_device("cpu")


def test_a_name_claimed_twice_is_an_error(install):
    install(CPU, ("cpu", "other:Device"))
    with pytest.raises(ValueError, match=r"'cpu' is claimed by devices\.cpu:CpuDevice and other:"):
        device_names()


def test_the_same_entry_found_twice_is_one_device(install):
    install(CPU, CPU)
    assert device_names() == ("cpu",)


def test_built_in_devices_are_registered_and_say_where_they_ran():
    runs = {status.name: status.run_on_hardware for status in describe_devices()}
    assert runs == {
        **dict.fromkeys(("arm", "cuda", "jetson", "raspberry-pi"), "never"),
        "cpu": "yes",
        "simulated": "simulated",
    }


def test_a_broken_plugin_is_reported_and_harms_no_other(install):
    install(CPU, BROKEN)
    broken, cpu = describe_devices()
    assert "ModuleNotFoundError" in broken.reason
    assert broken.info is None
    assert cpu.reason is None
    assert cpu.info.name == "cpu"


def test_a_plugin_that_fails_when_asked_is_reported(install, monkeypatch):
    install(CPU)
    monkeypatch.setattr(CpuDevice, "info", lambda self: 1 / 0)
    assert describe_devices()[0].reason == "ZeroDivisionError: division by zero"


def test_getting_a_broken_plugin_says_which_package_to_repair(install):
    install(BROKEN)
    with pytest.raises(DeviceUnavailableError, match=r"'broken' \(no_such_module:Device\) cannot"):
        get_device("broken")


def test_a_plugin_that_is_no_device_is_refused(install):
    install(("odd", "builtins:dict"))
    with pytest.raises(DeviceUnavailableError, match=r"'odd' must implement devices\.LocalDevice"):
        get_device("odd")


def test_a_device_is_told_which_machine_it_describes(install):
    install(("dict", "builtins:dict"), ("takes", "devices.testing:RecordedHost"))
    with pytest.raises(DeviceUnavailableError, match=r"'takes' must implement"):
        get_device("takes", LocalHost())
    with pytest.raises(DeviceUnavailableError, match=r"'dict' .* cannot be loaded\. TypeError"):
        get_device("dict", LocalHost())


@pytest.mark.parametrize(
    ("name", "meant"), [("gpu", "cuda"), ("GPU", "cuda"), ("rpi", "raspberry-pi"), ("cdua", "cuda")]
)
def test_a_device_by_another_name_is_suggested(name: str, meant: str) -> None:
    with pytest.raises(UnknownDeviceError, match=f"{name}'. Did you mean '{meant}'. Installed"):
        get_device(name)
