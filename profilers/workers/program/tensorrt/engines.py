"""This module builds engines and keeps them for later processes on this machine."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Dict, Tuple

from devices.sensors.machine import sha256
from profilers.workers.program.tensorrt.building import (
    allow_precisions,
    dialect_of,
    give_shapes,
    make_log,
    name_of,
    parse_network,
)
from profilers.workers.program.tensorrt.kept_files import keep, make_room, read_own
from profilers.workers.program.tensorrt.weights import external_weights

Ranges = Dict[str, Any]

RECIPE = 2  # the number of the way in which `Engines.build` builds; it is part of every key


class Engines:
    """The engines of one user on one machine.

    Args:
        trt: TensorRT's module.
        gpu: The facts of the GPU and its software that an engine depends on.
        folder: The folder that keeps engines; see `kept_files.cache_folder`.
    """

    def __init__(self, trt: Any, gpu: Dict[str, Any], folder: str) -> None:
        self.trt = trt
        self.folder = folder
        self.log = make_log(trt)
        self.identity = [RECIPE, dialect_of(trt), trt.__version__, sorted(gpu.items())]
        self.digests: Dict[str, str] = {}
        self.runtime = trt.Runtime(self.log)

    def open(self, path: str, ranges: Ranges) -> Tuple[Any, str]:
        """Return the engine of a graph and its file. It is built unless it was built before."""
        file = os.path.join(self.folder, self.key(path, ranges) + ".engine")
        plan = read_own(file)
        if plan is not None:
            os.utime(file)
            engine = self.runtime.deserialize_cuda_engine(plan)
            if engine is not None:
                return (
                    engine,
                    file,
                )  # otherwise the driver has changed, and the engine is built again
        plan = bytes(self.build(path, ranges))
        make_room(self.folder, len(plan))
        keep(file, plan)
        engine = self.runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise RuntimeError("TensorRT cannot load what it built: %s" % self.log.last())
        return engine, file

    def key(self, path: str, ranges: Ranges) -> str:
        """Return twenty digits that identify everything that an engine depends on."""
        with open(path, "rb") as file:
            graph = file.read()
        content = json.dumps([self.identity, ranges], sort_keys=True).encode()
        digest = hashlib.sha256(content + hashlib.sha256(graph).digest())
        files, end = external_weights(path, graph)
        for weights in files:
            digest.update(self.digest_of(weights, end).encode())
        return digest.hexdigest()[:20]

    def digest_of(self, path: str, end: int) -> str:
        """Return the digest of the part of a weight file that a graph uses.

        A file that several graphs share may grow, and its end must not count then.
        """
        status = os.stat(path)
        known = "%s %d %d %d" % (path, end, status.st_size, status.st_mtime_ns)
        if known not in self.digests:
            self.digests[known] = sha256(path, end or status.st_size)
        return self.digests[known]

    def build(self, path: str, ranges: Ranges) -> Any:
        """Return a built engine in its serialised form.

        Args:
            path: The file of the graph.
            ranges: The least, typical and greatest shape of each input; see `shape_ranges`.

        Raises:
            RuntimeError: TensorRT refuses the graph, or builds no engine of it.
        """
        trt = self.trt
        self.log.errors = []  # errors of an earlier graph are not the reason
        builder = trt.Builder(self.log)
        network = parse_network(trt, self.log, builder, path)
        config = builder.create_builder_config()
        allow_precisions(trt, network, config)
        profile = builder.create_optimization_profile()
        if give_shapes(network, profile, ranges):
            config.add_optimization_profile(profile)
        timings = self.give_timings(config)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise RuntimeError(
                "%s builds no engine of %s: %s"
                % (name_of(trt), os.path.basename(path), self.log.last())
            )
        if timings:
            keep(timings, bytes(config.get_timing_cache().serialize()))
        return plan

    def give_timings(self, config: Any) -> str:
        """Give the builder the timings of earlier builds, and return the file that keeps them.

        The path is empty for TensorRT for RTX, which compiles without timing anything.
        """
        if dialect_of(self.trt) == "rtx":
            return ""
        name = hashlib.sha256(json.dumps(self.identity).encode()).hexdigest()[:20]
        file = os.path.join(self.folder, name + ".timings")
        cache = config.create_timing_cache(read_own(file) or b"")
        return file if config.set_timing_cache(cache, False) else ""
