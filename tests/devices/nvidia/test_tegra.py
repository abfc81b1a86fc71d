import pytest
from support.boards import JETSON_NANO, ORIN_NANO, PC, RASPBERRY_PI_4

from devices.nvidia import tegra


def test_the_soc_is_what_tells_a_jetson(tmp_path):
    assert tegra.tegra_soc(ORIN_NANO.host(tmp_path / "a")) == "tegra234"
    assert tegra.tegra_soc(JETSON_NANO.host(tmp_path / "b")) == "tegra210"
    assert tegra.tegra_soc(RASPBERRY_PI_4.host(tmp_path / "c")) is None
    assert tegra.tegra_soc(PC.host(tmp_path / "d")) is None


# First lines of the file on real boards.
@pytest.mark.parametrize(
    ("line", "release", "jetpack"),
    [
        ("# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic", "36.4.7", "6.2.1"),
        ("# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic", "38.2.0", "7.0"),
        ("# R39 (release), REVISION: 2.0, GCID: 45755727, BOARD: generic", "39.2.0", "7.2"),
        ("# R36 (release), REVISION: 3.0, GCID: 36191598, BOARD: generic", "36.3.0", "6.0"),
        ("# R99 (release), REVISION: 1.0, GCID: 1, BOARD: generic", "99.1.0", None),
    ],
)
def test_releases(tmp_path, line, release, jetpack):
    host = ORIN_NANO.host(tmp_path, files={"etc/nv_tegra_release": f"{line}, EABI: aarch64\n"})
    assert tegra.l4t_release(host) == release
    assert tegra.jetpack(release) == jetpack


def test_without_the_file_the_package_says_the_release(tmp_path):
    release = tegra.l4t_release(JETSON_NANO.host(tmp_path))
    assert release == "32.7.4"
    assert tegra.jetpack(release) == "4.6"


def test_neither_file_nor_package(tmp_path):
    assert tegra.l4t_release(PC.host(tmp_path)) is None


def test_the_power_mode_is_its_name_also_when_root_is_missed(tmp_path):
    assert tegra.power_mode(ORIN_NANO.host(tmp_path / "a")) == "15W"
    assert tegra.power_mode(JETSON_NANO.host(tmp_path / "b")) == "5W"
    assert tegra.power_mode(PC.host(tmp_path / "c")) is None


def test_cuda(tmp_path):
    assert tegra.cuda_version(ORIN_NANO.host(tmp_path / "a")) == "12.6.11"
    assert tegra.cuda_version(PC.host(tmp_path / "b")) is None
    odd = {"usr/local/cuda/version.json": '{"cuda": "12"}'}
    assert tegra.cuda_version(PC.host(tmp_path / "c", files=odd)) is None


def test_held_gpu_clock(tmp_path):
    assert tegra.is_gpu_clock_held(ORIN_NANO.host(tmp_path / "a")) is False
    assert tegra.is_gpu_clock_held(JETSON_NANO.host(tmp_path / "b")) is True
    assert tegra.is_gpu_clock_held(PC.host(tmp_path / "c")) is None
