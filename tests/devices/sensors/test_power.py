import pytest
from support.boards import JETSON_NANO, ORIN_NANO, PC, RASPBERRY_PI_5

from devices.sensors.energy import find_meter
from devices.sensors.power import rails_mw, rapl_packages


def test_rails_of_the_kernels_driver_are_volts_times_amperes(tmp_path):
    rails = rails_mw(ORIN_NANO.host(tmp_path))
    # 4936 mV x 976 mA = 4.817 W, 4928 x 104, 4928 x 296; the seventh input is no rail.
    assert rails == pytest.approx(
        {"VDD_IN": 4817.536, "VDD_CPU_GPU_CV": 512.512, "VDD_SOC": 1458.688}
    )


def test_rails_of_nvidias_own_driver(tmp_path):
    assert rails_mw(JETSON_NANO.host(tmp_path)) == {"POM_5V_IN": 933.0, "POM_5V_GPU": 0.0}


def test_a_rail_that_is_not_connected_or_not_readable_is_left_out(tmp_path):
    folder = "sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon2"
    files = {
        f"{folder}/in1_label": "NC\n",
        f"{folder}/in1_input": "5000\n",
        f"{folder}/curr1_input": "100\n",
        f"{folder}/in2_label": "VDD_2\n",
        f"{folder}/in2_input": "5000\n",
    }
    assert rails_mw(PC.host(tmp_path, files=files)) == {}


def test_meters_are_named(tmp_path):
    orin, pc = ORIN_NANO.host(tmp_path / "a"), PC.host(tmp_path / "b")
    assert find_meter(orin).name == "INA3221 VDD_IN"
    assert find_meter(pc).name == "RAPL package-0"
    assert rapl_packages(pc) == {"package-0": "/sys/class/powercap/intel-rapl:0"}
    assert find_meter(RASPBERRY_PI_5.host(tmp_path / "c")) is None


def test_a_counter_that_only_root_may_read_is_no_meter(tmp_path):
    host = PC.host(tmp_path)
    (tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj").unlink()
    assert find_meter(host) is None


def test_without_an_input_rail_the_others_are_added_up(tmp_path):
    folder = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
    files = {f"{folder}/in1_label": "VDD_GPU_SOC\n", f"{folder}/in2_label": "VDD_CPU_CV\n"}
    host = ORIN_NANO.host(tmp_path, files=files)
    assert find_meter(host).name == "INA3221 VDD_CPU_CV+VDD_GPU_SOC+VDD_SOC"
