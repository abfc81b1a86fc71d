import pytest

from devices.simulated_roofline import Simulation


def test_a_run_takes_as_long_as_its_slower_part_and_its_operators():
    machine = Simulation(gflops=20, gbps=10, overhead_us=5)
    # 40e6 FLOPs at 20e9 a second are 2 ms; 10e6 bytes at 10e9 a second are 1 ms.
    assert machine.run_ms(flops=40e6, n_bytes=10e6, n_operators=0) == pytest.approx(2.0)
    assert machine.run_ms(flops=40e6, n_bytes=30e6, n_operators=0) == pytest.approx(3.0)
    assert machine.run_ms(flops=40e6, n_bytes=10e6, n_operators=100) == pytest.approx(2.5)


def test_threads_share_arithmetic_and_not_memory():
    machine = Simulation(gflops=20, gbps=10, overhead_us=0)
    assert machine.run_ms(flops=40e6, n_bytes=5e6, n_operators=0, threads=2) == pytest.approx(1.0)
    assert machine.run_ms(flops=40e6, n_bytes=10e6, n_operators=0, threads=4) == pytest.approx(1.0)


def test_settings_are_read_back_as_they_are_written():
    settings = Simulation(gflops=35, noise=0.02, drift=0.01, seed=7)
    assert Simulation.parse(str(settings)) == settings
    assert Simulation.parse("") == Simulation()
    assert Simulation.parse(" noise=0.1 , seed=3,") == Simulation(noise=0.1, seed=3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("speed=3", "has the settings gflops, gbps, .*Got 'speed=3'"),
        ("noise", "'noise' must be a number. Got ''"),
        ("noise=high", "'noise' must be a number. Got 'high'"),
        ("noise=0,noise=0.1", "'noise' is given twice"),
        ("noise=-1", "'noise' of a simulated device must be finite, and from 0. Got -1"),
        ("gbps=0", "'gbps' of a simulated device must be finite, and above 0. Got 0"),
        ("drift=inf", "'drift' of a simulated device must be finite"),
    ],
)
def test_wrong_settings_are_refused(text, says):
    with pytest.raises(ValueError, match=says):
        Simulation.parse(text)
