import pytest
from support.boards import ORIN_NANO, PC, RASPBERRY_PI_4

from devices.linux.sensor_report import check_sensors, read_sensors


def test_a_jetsons_sensors(tmp_path):
    # cv0 reads -256 °C because it is off.
    assert read_sensors(ORIN_NANO.host(tmp_path)) == pytest.approx(
        {
            "temperature_cpu_c": 50.031,
            "temperature_gpu_c": 49.031,
            "temperature_tj_c": 50.25,
            "clock_cpu_mhz": 1420.8,
            "clock_gpu_mhz": 306.0,
            "power_vdd_in_mw": 4817.536,
            "power_vdd_cpu_gpu_cv_mw": 512.512,
            "power_vdd_soc_mw": 1458.688,
        }
    )


def test_what_is_read_is_said_in_one_line(tmp_path):
    finding = check_sensors(read_sensors(RASPBERRY_PI_4.host(tmp_path)))
    assert finding.severity == "ok"
    assert finding.message == "temperature_cpu 48.686 °C, clock_cpu 1500 MHz"


def test_no_sensor_is_no_complaint(tmp_path):
    finding = check_sensors(read_sensors(PC.host(tmp_path)))
    assert (finding.severity, finding.remedy) == ("ok", "")
    assert finding.message.startswith("unknown")
