"""A simulated machine has settings: a roofline, and what disturbs it."""

from dataclasses import asdict, dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A machine that takes as long as its slower part: arithmetic or memory.

    Attributes:
        gflops: The speed of arithmetic, in 1e9 FLOPs per second and thread.
        gbps: The speed of memory, in 1e9 bytes per second.
        overhead_us: The microseconds that every operator takes in addition.
        noise: The relative standard deviation of a sample.
        drift: The share by which each worker process is slower than the one before.
        seed: The seed of the noise.

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
        """Return the simulation for settings such as "noise=0.02,drift=0.01".

        A setting that is not given keeps its default.

        Raises:
            ValueError: A setting is unknown, given twice, not a number or out of range.
        """
        settings: dict[str, float] = {}
        for item in filter(None, map(str.strip, text.split(","))):
            name, _, value = item.partition("=")
            if name not in cls.__dataclass_fields__:
                known = ", ".join(cls.__dataclass_fields__)
                raise ValueError(f"A simulated device has the settings {known}. Got {item!r}.")
            if name in settings:
                raise ValueError(f"{name!r} is given twice. Remove one.")
            try:
                settings[name] = float(value)
            except ValueError:
                raise ValueError(f"{name!r} must be a number. Got {value!r}.") from None
        return cls(**settings)

    def __str__(self) -> str:
        return ",".join(f"{name}={value:g}" for name, value in asdict(self).items())

    def run_ms(self, *, flops: float, n_bytes: float, n_operators: int, threads: int = 1) -> float:
        """Return the milliseconds that one run of a graph takes when nothing disturbs it."""
        arithmetic_ms = flops / (self.gflops * threads) / 1e6
        memory_ms = n_bytes / self.gbps / 1e6
        return max(arithmetic_ms, memory_ms) + n_operators * self.overhead_us / 1000
