"""Builds engines, and keeps them for later processes on this machine."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Dict, Tuple

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

RECIPE = 2  # counts the changes to how `Engines.build` builds: engines of another are not loaded


class Engines:
    """The engines of one user on one machine.

    Args:
        trt: TensorRT's module.
        gpu: What of the GPU and its software an engine depends on.
        folder: Where engines are kept; see `kept_files.cache_folder`.
    """

    def __init__(self, trt: Any, gpu: Dict[str, Any], folder: str) -> None:
        self.trt = trt
        self.folder = folder
        self.log = make_log(trt)
        self.identity = [RECIPE, dialect_of(trt), trt.__version__, sorted(gpu.items())]
        self.digests: Dict[str, str] = {}
        self.runtime = trt.Runtime(self.log)

    def open(self, path: str, ranges: Ranges) -> Tuple[Any, str]:
        """The engine of a graph, built unless it was built here before, and where it is kept."""
        file = os.path.join(self.folder, self.key(path, ranges) + ".engine")
        plan = read_own(file)
        if plan is not None:
            os.utime(file)
            engine = self.runtime.deserialize_cuda_engine(plan)
            if engine is not None:
                return engine, file  # else the driver has changed without telling: build it anew
        plan = bytes(self.build(path, ranges))
        make_room(self.folder, len(plan))
        keep(file, plan)
        engine = self.runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise RuntimeError("TensorRT cannot load what it built: %s" % self.log.last())
        return engine, file

    def key(self, path: str, ranges: Ranges) -> str:
        """Twenty digits of everything that an engine depends on."""
        with open(path, "rb") as file:
            graph = file.read()
        content = json.dumps([self.identity, ranges], sort_keys=True).encode()
        digest = hashlib.sha256(content + hashlib.sha256(graph).digest())
        files, end = external_weights(path, graph)
        for weights in files:
            digest.update(self.digest_of(weights, end).encode())
        return digest.hexdigest()[:20]

    def digest_of(self, path: str, end: int) -> str:
        """The digest of the part of a weight file that a graph uses: a shared file may grow."""
        status = os.stat(path)
        known = "%s %d %d %d" % (path, end, status.st_size, status.st_mtime_ns)
        if known not in self.digests:
            digest, left = hashlib.sha256(), end or status.st_size
            with open(path, "rb") as file:
                while left > 0:
                    piece = file.read(min(left, 1 << 20))
                    if not piece:
                        break
                    digest.update(piece)
                    left -= len(piece)
            self.digests[known] = digest.hexdigest()
        return self.digests[known]

    def build(self, path: str, ranges: Ranges) -> Any:
        """The plan of an engine.

        Args:
            path: The graph.
            ranges: The least, typical and greatest shape of each input; see `shape_ranges`.

        Raises:
            RuntimeError: TensorRT does not take the graph, or builds no engine of it.
        """
        trt = self.trt
        self.log.errors = []  # those of the graph before are not the reason
        builder = trt.Builder(self.log)
        network = parse_network(trt, self.log, builder, path)
        config = builder.create_builder_config()
        allow_precisions(trt, network, config)
        profile = builder.create_optimization_profile()
        if give_shapes(network, profile, ranges):
            config.add_optimization_profile(profile)
        timings = self.lend_timings(config)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise RuntimeError(
                "%s builds no engine of %s: %s"
                % (name_of(trt), os.path.basename(path), self.log.last())
            )
        if timings:
            keep(timings, bytes(config.get_timing_cache().serialize()))
        return plan

    def lend_timings(self, config: Any) -> str:
        """Give the builder what it timed before.

        The path is where that is kept. It is empty for TensorRT for RTX, which compiles ahead of
        time and tries nothing out.
        """
        if dialect_of(self.trt) == "rtx":
            return ""
        name = hashlib.sha256(json.dumps(self.identity).encode()).hexdigest()[:20]
        file = os.path.join(self.folder, name + ".timings")
        cache = config.create_timing_cache(read_own(file) or b"")
        return file if config.set_timing_cache(cache, False) else ""
