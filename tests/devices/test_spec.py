from dataclasses import replace

import pytest

from devices import DeviceInfo

INFO = DeviceInfo(
    name="cpu",
    kind="cpu",
    model="Test CPU",
    machine="x86_64",
    cores=4,
    memory_mb=8192,
    system="Linux 6.1",
    power_mode="performance",
)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "Other"},
        {"machine": "aarch64"},
        {"cores": 2},
        {"memory_mb": 4096},
        {"kind": "gpu"},
        {"traits": (("driver", "550.54.15"),)},
    ],
)
def test_fingerprint_changes_with_the_machine(change):
    assert replace(INFO, **change).fingerprint != INFO.fingerprint


@pytest.mark.parametrize(
    "change",
    [{"power_mode": "powersave"}, {"memory_mb": 8190}, {"details": (("caches", "L1d 32K"),)}],
)
def test_fingerprint_ignores_what_has_its_own_column_or_wobbles(change):
    assert replace(INFO, **change).fingerprint == INFO.fingerprint


def test_fingerprint_is_the_same_in_every_process():
    # printf '["cpu", "Test CPU", "x86_64", 4, 8, "Linux 6.1"]' | sha256sum | cut -c1-12
    assert INFO.fingerprint == "1209a5797555"


def test_a_device_is_written_with_its_fingerprint():
    written = replace(INFO, traits=(("driver", "550"),)).to_dict()
    assert written["traits"] == {"driver": "550"}
    assert written["details"] == {}
    assert (written["name"], written["cores"]) == ("cpu", 4)
    assert written["fingerprint"] == replace(INFO, traits=(("driver", "550"),)).fingerprint
