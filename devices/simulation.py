"""What a simulated machine is set to: a roofline, and what disturbs it."""

from dataclasses import asdict, dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A machine that takes as long as its slower part: arithmetic or memory.

    Attributes:
        gflops: Arithmetic, in 1e9 FLOPs per second and thread; a multiply-add is two.
        gbps: Memory, in 1e9 bytes per second.
        overhead_us: Microseconds that every operator takes besides.
        noise: Relative standard deviation of a sample.
        drift: How much slower each worker process is than the one before, relative.
        seed: Draws the noise.

    Raises:
        ValueError: A setting is out of range.
    """

    gflops: float = 20.0
    gbps: float = 10.0
    overhead_us: float = 2.0
    noise: float = 0.0
    drift: float = 0.0
    seed: float = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value < inf or (name in ("gflops", "gbps") and value == 0):
                raise ValueError(
                    f"{name!r} of a simulated device must be finite, and "
                    f"{'above' if name in ('gflops', 'gbps') else 'from'} 0. Got {value:g}."
                )

    @classmethod
    def parse(cls, text: str) -> "Simulation":
        """From settings such as "noise=0.02,drift=0.01"; those not given keep their value.

        Raises:
            ValueError: A setting is unknown, no number or out of range.
        """
        settings = {}
        for item in filter(None, map(str.strip, text.split(","))):
            name, _, value = item.partition("=")
            if name not in cls.__dataclass_fields__:
                known = ", ".join(cls.__dataclass_fields__)
                raise ValueError(f"A simulated device has the settings {known}. Got {item!r}.")
            try:
                settings[name] = float(value)
            except ValueError:
                raise ValueError(f"{name!r} must be a number. Got {value!r}.") from None
        return cls(**settings)

    def __str__(self) -> str:
        return ",".join(f"{name}={value:g}" for name, value in asdict(self).items())

    def run_ms(self, *, flops: float, n_bytes: float, n_operators: int, threads: int = 1) -> float:
        """The milliseconds that one run of a graph takes, undisturbed."""
        arithmetic_ms = flops / (self.gflops * threads) / 1e6
        memory_ms = n_bytes / self.gbps / 1e6
        return max(arithmetic_ms, memory_ms) + n_operators * self.overhead_us / 1000
