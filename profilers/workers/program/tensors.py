"""This module makes the input tensors of a workload in NumPy, and describes its outputs."""

from __future__ import annotations

from typing import Any, Dict


def make_array(spec: Dict[str, Any]) -> Any:
    """Return the array for one entry of a workload file."""
    import numpy

    shape, dtype = tuple(spec["shape"]), numpy.dtype(spec["dtype"])
    if spec.get("values") is None:
        array = numpy.random.default_rng(spec["seed"]).standard_normal(shape).astype(dtype)
    else:
        values = numpy.asarray(spec["values"], dtype=dtype)
        array = numpy.full(shape, values[0], dtype) if values.size == 1 else values.reshape(shape)
    return numpy.ascontiguousarray(array)


def describe_tensor(value: Any) -> Dict[str, Any]:
    """Return the shape, type, sums and finiteness of an output. An infinite sum becomes None."""
    import numpy

    array = value.numpy()
    exact = array.astype(numpy.float64).ravel()
    sums = {
        "sum": exact.sum(),
        "sum_of_sizes": abs(exact).sum(),
        "ordered_sum": exact @ numpy.cos(numpy.arange(exact.size)),  # it depends on the order
    }
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        **{name: float(x) if numpy.isfinite(x) else None for name, x in sums.items()},
        "finite": bool(numpy.isfinite(array).all()),
    }


def count_choices(counts: Any, chosen: Any) -> Any:
    """Return how often each expert was chosen, with the choices of one more run added."""
    import numpy

    total = numpy.bincount(chosen.numpy().ravel(), minlength=len(counts))
    total[: len(counts)] += numpy.asarray(counts, int)
    return total
