from support.boards import JETSON_NANO, ORIN_NANO, PC, RASPBERRY_PI_5

from devices.linux import device_tree


def test_a_board_names_itself_and_its_chip(tmp_path):
    host = RASPBERRY_PI_5.host(tmp_path)
    assert device_tree.model(host) == "Raspberry Pi 5 Model B Rev 1.0"
    assert device_tree.compatible(host) == ("raspberrypi,5-model-b", "brcm,bcm2712")
    assert device_tree.soc(host) == "bcm2712"


def test_either_folder_will_do(tmp_path):
    host = JETSON_NANO.host(tmp_path)
    assert device_tree.model(host) == "NVIDIA Jetson Nano Developer Kit"
    assert device_tree.soc(host) == "tegra210"
    assert device_tree.soc(ORIN_NANO.host(tmp_path / "other")) == "tegra234"


def test_a_pc_has_none(tmp_path):
    host = PC.host(tmp_path)
    assert device_tree.model(host) == "unknown"
    assert device_tree.compatible(host) == ()
    assert device_tree.soc(host) is None
