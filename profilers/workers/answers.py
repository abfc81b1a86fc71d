"""This module checks the answers of a worker, as if they were files of a stranger."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Duration = Annotated[float, Field(gt=0)]
Readings = dict[str, bool | float | None]


class Answer(BaseModel):
    """The fields of an answer, with numbers that are finite."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


class Hello(Answer):
    """The answer to `hello`, which has the versions of the runtime besides."""

    model_config = ConfigDict(extra="allow")
    runtime: str
    runtime_version: str
    pid: Count
    energy_meter: str = ""
    on_gpu: bool = False


class Loaded(Answer):
    """The answer to `load`."""

    load_ms: Amount


class WarmedUp(Answer):
    """The answer to `warmup`."""

    runs: Annotated[int, Field(ge=1)]
    seconds: Amount
    settled: bool
    first_ms: Amount
    run_ms: Duration


class SampleTaken(Answer):
    """A sample in the answer to `block`."""

    wall_ms: Duration
    cpu_ms: Amount
    call_ms: dict[str, Amount]
    group: Count


class BlockTaken(Answer):
    """The answer to `block`."""

    samples: Annotated[list[SampleTaken], Field(min_length=1)]
    sentinel_ms: list[Annotated[list[Duration], Field(min_length=1)]]
    before: Readings
    after: Readings
    busy_threads: Count | None = None
    energy_mj: Amount | None = None


class Routed(Answer):
    """The answer to `routing`."""

    tokens_per_expert: dict[str, list[Count]] = {}


_ANSWERS: Mapping[str, type[Answer]] = {
    "hello": Hello,
    "load": Loaded,
    "warmup": WarmedUp,
    "block": BlockTaken,
    "routing": Routed,
}


def check_answer(reply: Mapping[str, Any], op: str, request: Mapping[str, object]) -> None:
    """Check that an answer has the fields of its operation, and what was asked for.

    Raises:
        ValueError: It has not. The message names the field.
    """
    if op not in _ANSWERS:
        return
    try:
        _ANSWERS[op].model_validate(reply)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise ValueError(f"its field {field!r} is {first['input']!r:.40}: {first['msg']}") from None
    if op == "block":
        _check_block(reply, request)


def _check_block(reply: Mapping[str, Any], request: Mapping[str, object]) -> None:
    samples, n_readings = reply["samples"], len(reply["sentinel_ms"])
    if len(samples) != request["samples"]:
        raise ValueError(f"it took {len(samples)} samples of {request['samples']}")
    if any(sample["call_ms"].keys() != samples[0]["call_ms"].keys() for sample in samples):
        raise ValueError("its samples have the times of different calls")
    groups = [sample["group"] for sample in samples]
    if "sentinel" in request and (groups[0] or n_readings != groups[-1] + 2):
        raise ValueError(f"it read the sentinel {n_readings} times around {groups[-1] + 1} groups")
    if any(after - before not in (0, 1) for before, after in pairwise(groups)):
        raise ValueError("its groups of samples are not in order")
