"""The program that runs on the device: loads workloads, runs blocks of samples, reads sensors.

One file, the standard library and onnxruntime (which brings NumPy), Python 3.8 syntax. It reads
one JSON request a line from stdin and answers each with one JSON line on stdout. The host
decides what is measured when; an exception is answered as {"error": ...} and the worker lives on.
"""

from __future__ import annotations

import glob
import json
import os
import resource
import sys
import threading
import time
import traceback
from functools import partial

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime can be imported

PARENT = os.getppid()
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
PROVIDER = os.environ.get("AUTOMOE_PROVIDER", CPU)  # nothing else may run a model
MEMORY = "cuda" if PROVIDER == CUDA else "cpu"
RANGE = "/max_energy_range_uj"
# What ONNX Runtime leaves on the CPU by choice: it computes shapes, whose values are needed there.
SHAPE_OPERATORS = frozenset(
    (
        *("Add", "Cast", "Concat", "ConstantOfShape", "Div", "Gather", "Identity", "Mod", "Mul"),
        *("Range", "Shape", "Size", "Slice", "Squeeze", "Sub", "Unsqueeze"),
    )
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO, Callable, Dict, List, Tuple

    Feeds = Dict[str, Any]
    Request = Dict[str, Any]
    Reply = Dict[str, Any]


class PreparedCall:
    """One call of a workload with its session open and its inputs made.

    `gpu_ms` is what the GPU took for all runs of the last sample; None where it is not asked.
    """

    def __init__(self, spec: Dict[str, Any], session: Any) -> None:
        self.name = spec["name"]
        self.session = session
        self.gpu_ms: Any = None
        self.inputs = {name: self.tensor(name, item) for name, item in spec["inputs"].items()}
        # A list of {input: tensor}, one per run.
        self.steps = [
            {name: self.tensor(name, items[step]) for name, items in spec["step_inputs"].items()}
            for step in range(spec["repeat"])
        ]
        self.from_calls = [
            (name, source[0], source[1]) for name, source in spec["from_calls"].items()
        ]
        self.carry = list(spec["carry"].items())
        self.outputs = [output.name for output in session.get_outputs()]
        self.routing_outputs = spec.get("routing_outputs", [])

    def tensor(self, name: str, spec: Dict[str, Any]) -> Any:
        """The runtime's tensor for an input."""
        return make_tensor(spec)

    def run(self, produced: Dict[str, Feeds], see: Any = None, laps_ns: Any = None) -> Feeds:
        """The outputs of the last run; values stay where the runtime put them, none is copied.

        `see` is called with the outputs of every run; never while timing. The time at the end of
        each run is appended to `laps_ns`.
        """
        feeds = dict(self.inputs)
        for name, call, output in self.from_calls:
            feeds[name] = produced[call][output]
        named: Feeds = {}
        for step in self.steps:
            feeds.update(step)
            named = dict(zip(self.outputs, self.outputs_of(feeds)))  # noqa: B905  strict= needs Python 3.10
            if see is not None:
                see(named)
            for output, name in self.carry:
                feeds[name] = named[output]
            if laps_ns is not None:
                laps_ns.append(time.perf_counter_ns())
        return named

    def outputs_of(self, feeds: Feeds) -> Any:
        """The outputs of one run, left in the memory of the processor that made them."""
        if PROVIDER == CPU:
            return self.session.run_with_ort_values(self.outputs, feeds)
        binding = self.session.io_binding()
        for name, value in feeds.items():
            binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            binding.bind_output(name, MEMORY)
        self.session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return binding.get_outputs()


class LoadedWorkload:
    """A workload ready to be sampled; `n_runs` counts how often it was."""

    def __init__(self, path: str, threads: int, options: Dict[str, Any]) -> None:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        folder = os.path.dirname(os.path.abspath(path))
        files = {name: os.path.join(folder, graph) for name, graph in document["graphs"].items()}
        self.calls = self.prepare(document, files, threads, options)
        self.n_runs = 0

    def prepare(
        self, document: Dict[str, Any], files: Dict[str, str], threads: int, options: Dict[str, Any]
    ) -> List[Any]:
        """The calls of a workload's document, its graphs opened once each."""
        sessions = {name: open_session(file, threads, options) for name, file in files.items()}
        return [PreparedCall(spec, sessions[spec["graph"]]) for spec in document["calls"]]

    def run(self) -> Dict[str, Feeds]:
        """The outputs of every call, by call."""
        produced: Dict[str, Feeds] = {}
        for call in self.calls:
            produced[call.name] = call.run(produced)
        return produced

    def tokens_per_expert(self) -> Dict[str, Any]:
        """How often each expert was chosen in one sample, by "call.output" of every router."""
        import numpy

        counts: Dict[str, Any] = {}
        produced: Dict[str, Feeds] = {}
        for call in self.calls:

            def see(named: Feeds, call: PreparedCall = call) -> None:
                for output in call.routing_outputs:
                    key = "%s.%s" % (call.name, output)
                    fresh = numpy.bincount(named[output].numpy().ravel())
                    total = numpy.zeros(max(len(fresh), len(counts.get(key, []))), int)
                    total[: len(fresh)] += fresh
                    total[: len(counts.get(key, []))] += counts.get(key, 0)
                    counts[key] = total

            produced[call.name] = call.run(produced, see)
        return {key: total.tolist() for key, total in counts.items()}

    def sample(self) -> Dict[str, Any]:
        """One timed run: wall and process CPU milliseconds, and wall milliseconds per call.

        A call that is repeated has a second entry "NAME_step", the median of its runs. Where the
        GPU is asked, "NAME_gpu" is its time for a call and "gpu" that for all.
        """
        if os.getppid() != PARENT:
            os._exit(1)  # nobody waits for an answer; a new session must not be disturbed
        call_ms = {}
        produced: Dict[str, Feeds] = {}
        cpu_before = time.process_time_ns()
        start = before = time.perf_counter_ns()
        for call in self.calls:
            laps_ns = [before]
            produced[call.name] = call.run(produced, laps_ns=laps_ns)
            after = laps_ns[-1]
            call_ms[call.name] = (after - before) / 1e6
            if len(call.steps) > 1:
                steps = range(len(call.steps))
                step_ms = [(laps_ns[i + 1] - laps_ns[i]) / 1e6 for i in steps]
                call_ms[call.name + "_step"] = median(step_ms)
            before = after
        self.n_runs += 1
        cpu_ns = time.process_time_ns() - cpu_before
        gpu_ms = {call.name: call.gpu_ms for call in self.calls if call.gpu_ms is not None}
        if gpu_ms:
            call_ms.update((name + "_gpu", value) for name, value in gpu_ms.items())
            call_ms["gpu"] = sum(gpu_ms.values())
        return {"wall_ms": (before - start) / 1e6, "cpu_ms": cpu_ns / 1e6, "call_ms": call_ms}


class Worker:
    """Answers requests while `running`; holds the loaded workloads by id."""

    def __init__(self, meter: Any = None, gpu: Any = None) -> None:
        self.meter = meter
        self.gpu = gpu
        self.loaded: Dict[str, LoadedWorkload] = {}
        self.operations: Dict[str, Callable[[Request], Reply]] = {
            "hello": self.hello,
            "load": self.load,
            "warmup": self.warmup,
            "block": self.block,
            "routing": self.routing,
            "outputs": self.outputs,
            "unload": self.unload,
            "quit": self.quit,
        }
        self.running = True

    def answer(self, line: bytes) -> Reply:
        """The reply to one request line, an {"error": ...} when it cannot be served."""
        try:
            request = json.loads(line)
            if request.get("op") not in self.operations:
                raise ValueError(
                    "Unknown op %r. Known: %s." % (request.get("op"), sorted(self.operations))
                )
            return self.operations[request["op"]](request)
        except Exception as error:  # reported to the host, which decides what it means
            message = "%s: %s" % (type(error).__name__, error)
            return {"error": message, "traceback": traceback.format_exc()}

    def hello(self, request: Request) -> Reply:
        """Versions of everything that moves a timing."""
        import numpy
        import onnxruntime

        return {
            "runtime": "onnxruntime" if PROVIDER == CPU else "onnxruntime-" + MEMORY,
            "runtime_version": onnxruntime.__version__,
            "providers": onnxruntime.get_available_providers(),
            "python": sys.version.split()[0],
            "numpy": numpy.__version__,
            "pid": os.getpid(),
            "cores": len(os.sched_getaffinity(0)),
            "energy_meter": self.meter.name if self.meter else "",
        }

    def load(self, request: Request) -> Reply:
        """Open a workload's sessions and make its inputs; `load_ms` is the time that took."""
        start = self.clock_ms()
        self.loaded.pop(request["id"], None)
        threads, options = int(request["threads"]), dict(request.get("options") or {})
        self.loaded[request["id"]] = self.open_workload(request["workload"], threads, options)
        return {"load_ms": self.clock_ms() - start}

    def warmup(self, request: Request) -> Reply:
        """Run until both minima are reached and runs no longer get faster, or time is up.

        They have settled when the last quarter of the runs is not faster than the quarter before
        it by more than `tolerance`; `run_ms` is the median of the last quarter.
        """
        workload = self.find(request)
        start = self.clock_ms()
        runs_ms: List[float] = []
        settled = False
        seconds = 0.0
        while not runs_ms or (seconds < request["max_seconds"] and not settled):
            runs_ms.append(workload.sample()["wall_ms"])
            seconds = (self.clock_ms() - start) / 1000
            if len(runs_ms) >= request["min_runs"] and seconds >= request["min_seconds"]:
                settled = has_settled(runs_ms, request["tolerance"])
        return {
            "runs": len(runs_ms),
            "seconds": seconds,
            "settled": settled,
            "first_ms": runs_ms[0],
            "run_ms": median(runs_ms[-max(1, len(runs_ms) // 4) :]),
        }

    def block(self, request: Request) -> Reply:
        """Samples in groups between readings of the sentinel, all between readings of the sensors.

        A group ends after `group_ms`, a reading after `burst_ms`. Group g, to be found in every
        sample, lies between the entries g and g + 1 of `sentinel_ms`, each the runs of a reading.
        Without a sentinel all is one group. `energy_mj` is what the meter saw within groups, per
        run; None without a meter.
        """
        workload = self.find(request)
        sentinel = self.loaded[request["sentinel"]] if "sentinel" in request else None
        samples: List[Dict[str, Any]] = []
        readings_ms: List[List[float]] = []

        def read_sentinel() -> None:
            if sentinel is not None:
                taken = burst(sentinel, request["burst_ms"])
                readings_ms.append([sample["wall_ms"] for sample in taken])

        before, busy_before = self.sensors(), self.busy_ms()
        read_sentinel()
        group, n_runs, energy_mj = 0, workload.n_runs, 0.0
        while len(samples) < request["samples"]:
            group_ms = request["group_ms"] if sentinel is not None else float("inf")
            if self.meter:
                self.meter.start()
            taken = burst(workload, group_ms, request["samples"] - len(samples))
            energy_mj += self.meter.stop_mj() if self.meter else 0.0
            samples += [dict(sample, group=group) for sample in taken]
            read_sentinel()
            group += 1
        busy = self.busy_ms()
        return {
            "samples": samples,
            "sentinel_ms": readings_ms,
            "before": before,
            "after": self.sensors(),
            "busy_threads": count_busy(busy_before, busy),
            "energy_mj": energy_mj / (workload.n_runs - n_runs) if self.meter else None,
        }

    def routing(self, request: Request) -> Reply:
        """The tokens that each expert received in one untimed sample."""
        return {"tokens_per_expert": self.find(request).tokens_per_expert()}

    def outputs(self, request: Request) -> Reply:
        """Shape, type, sum and finiteness of what each call puts out at the end of a sample."""
        produced = self.find(request).run()
        described = {
            call: {name: describe_tensor(value) for name, value in values.items()}
            for call, values in produced.items()
        }
        return {"outputs": described}

    def unload(self, request: Request) -> Reply:
        """Forget a workload, and let the runtime free it."""
        self.find(request)
        del self.loaded[request["id"]]
        return {}

    def quit(self, request: Request) -> Reply:
        """Make this the last answer."""
        self.running = False
        return {}

    def open_workload(self, path: str, threads: int, options: Dict[str, Any]) -> Any:
        """What is sampled for a workload file."""
        return LoadedWorkload(path, threads, options)

    def clock_ms(self) -> float:
        """The time by which everything here is measured."""
        return time.perf_counter() * 1000

    def sensors(self) -> Dict[str, Any]:
        """The sensors at this moment."""
        return read_sensors(self.gpu)

    def busy_ms(self) -> Dict[str, float]:
        """CPU time of every thread so far."""
        return busy_ms_of_threads()

    def find(self, request: Request) -> LoadedWorkload:
        """The workload a request is about."""
        if request["id"] not in self.loaded:
            raise KeyError("no workload %r is loaded; send load first" % request["id"])
        return self.loaded[request["id"]]


def open_session(path: str, threads: int, options: Dict[str, Any]) -> Any:
    """A session in which the provider computes everything but, at most, shapes.

    ONNX Runtime moves nodes to the CPU without an error, and a session as a whole where it cannot
    use the provider: times of the CPU would pass for the GPU's.
    """
    import onnxruntime

    is_strict = PROVIDER != CPU
    try:
        session = make_session(path, threads, options, is_strict)
    except Exception as error:  # of a class of onnxruntime's own
        if not is_strict or "CPU EP" not in str(error):
            raise
        session = make_session(path, threads, options, False)
        is_strict = False
    if session.get_providers()[0] != PROVIDER:
        raise RuntimeError(
            "onnxruntime %s cannot use %s here and would run on %s; install a build that has it, "
            "and its driver" % (onnxruntime.__version__, PROVIDER, session.get_providers()[0])
        )
    if PROVIDER != CPU and not is_strict:
        require_shapes_only(session, onnxruntime.__version__)
    return session


def make_session(path: str, threads: int, options: Dict[str, Any], is_strict: bool) -> Any:
    """A session with an explicit number of threads; spinning only when all have a core.

    A strict one is refused when any node would be on the CPU.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 4 if is_strict else 3
    spinning = options.get("allow_spinning", threads <= len(os.sched_getaffinity(0)))
    settings.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    if is_strict:
        settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    elif PROVIDER != CPU:
        settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return onnxruntime.InferenceSession(path, settings, providers=[PROVIDER])


def require_shapes_only(session: Any, version: str) -> None:
    """Refuse a session that has more on the CPU than shapes, or that cannot tell."""
    tell = getattr(session, "get_provider_graph_assignment_info", None)
    if tell is None:
        raise RuntimeError(
            "onnxruntime %s keeps nodes on the CPU and cannot tell which; install a newer one, or "
            "measure with --runtime tensorrt" % version
        )
    placed: Dict[str, List[str]] = {}
    for part in tell():
        placed.setdefault(part.ep_name, []).extend(node.op_type for node in part.get_nodes())
    there = sorted(set(placed.get(CPU, [])))
    others = [name for name in there if name not in SHAPE_OPERATORS or PROVIDER not in placed]
    if others:
        raise RuntimeError(
            "onnxruntime %s keeps %s on the CPU, which would pass for time of %s; measure with "
            "--runtime tensorrt, or replace these operators"
            % (version, ", ".join(others), PROVIDER)
        )
    sys.stderr.write("On the CPU, for shapes: %s\n" % ", ".join(there))


def make_tensor(spec: Dict[str, Any]) -> Any:
    """ONNX Runtime's tensor for one entry of a workload file."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(make_array(spec), MEMORY, 0)


def make_array(spec: Dict[str, Any]) -> Any:
    """The NumPy array for one entry of a workload file."""
    import numpy

    shape, dtype = tuple(spec["shape"]), numpy.dtype(spec["dtype"])
    if spec.get("values") is None:
        array = numpy.random.default_rng(spec["seed"]).standard_normal(shape).astype(dtype)
    else:
        values = numpy.asarray(spec["values"], dtype=dtype)
        array = numpy.full(shape, values[0], dtype) if values.size == 1 else values.reshape(shape)
    return numpy.ascontiguousarray(array)


def describe_tensor(value: Any) -> Dict[str, Any]:
    """What a test needs to know of an output."""
    import numpy

    array = value.numpy()
    exact = array.astype(numpy.float64).ravel()
    sums = {
        "sum": exact.sum(),
        "sum_of_sizes": abs(exact).sum(),
        "ordered_sum": exact @ numpy.cos(numpy.arange(exact.size)),  # of another order, another
    }
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        **{name: float(x) if numpy.isfinite(x) else None for name, x in sums.items()},
        "finite": bool(numpy.isfinite(array).all()),
    }


def burst(workload: Any, at_least_ms: float, most: int = 1000) -> List[Dict[str, Any]]:
    """Samples in a row until their time is up or there are enough.

    When many fit in, a first one that only refills the caches is left out.
    """
    first = workload.sample()
    samples = [first] if first["wall_ms"] * 10 >= at_least_ms else [workload.sample()]
    spent_ms = samples[0]["wall_ms"]
    while spent_ms < at_least_ms and len(samples) < most:
        samples.append(workload.sample())
        spent_ms += samples[-1]["wall_ms"]
    return samples


def median(values: List[float]) -> float:
    """The middle value, the upper one of two."""
    return sorted(values)[len(values) // 2]


def has_settled(runs_ms: List[float], tolerance: float) -> bool:
    """Whether the last quarter of the runs is hardly faster than the quarter before it."""
    size = max(1, len(runs_ms) // 4)
    if len(runs_ms) < 2 * size:
        return False
    return median(runs_ms[-2 * size : -size]) <= (1 + tolerance) * median(runs_ms[-size:])


def busy_ms_of_threads() -> Dict[str, float]:
    """CPU time of every thread of this process so far, by thread."""
    busy = {}
    for path in glob.glob("/proc/self/task/*/schedstat"):
        fields = read_text(path).split()
        if fields:
            busy[path] = int(fields[0]) / 1e6
    return busy


def count_busy(before: Dict[str, float], after: Dict[str, float]) -> Any:
    """Threads that did at least a twentieth of the busiest one's work; None when unknown."""
    spent = [busy - before.get(thread, 0.0) for thread, busy in after.items()]
    return sum(ms > max(spent) / 20 for ms in spent) if spent else None


class CountedEnergy:
    """Energy from counters of millijoules, each with the value at which it starts again."""

    def __init__(self, name: str, counters: List[Tuple[Any, float]]) -> None:
        self.name = name
        self.counters = counters
        self.started_mj: List[float] = []

    def start(self) -> None:
        """Begin."""
        self.started_mj = [read() for read, _ in self.counters]

    def stop_mj(self) -> float:
        """What was added since the start."""
        total_mj = 0.0
        for (read, range_mj), started_mj in zip(self.counters, self.started_mj):  # noqa: B905
            added_mj = read() - started_mj
            total_mj += added_mj if added_mj >= 0 else added_mj + range_mj
        return total_mj


class IntegratedPower:
    """Energy from readings of power in milliwatts, taken by a thread of its own."""

    def __init__(self, name: str, read_mw: Callable[[], float], every_s: float = 0.02) -> None:
        self.name = name
        self.read_mw = read_mw
        self.every_s = every_s

    def start(self) -> None:
        """Begin."""
        self.readings = [(time.perf_counter(), self.read_mw())]
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        """Read until stopped."""
        while not self.stopped.wait(self.every_s):
            self.readings.append((time.perf_counter(), self.read_mw()))

    def stop_mj(self) -> float:
        """The energy since the start, by the trapezoidal rule."""
        self.stopped.set()
        self.thread.join()
        self.readings.append((time.perf_counter(), self.read_mw()))
        pairs = zip(self.readings, self.readings[1:])  # noqa: B905
        return sum((t - t0) * (mw0 + mw) / 2 for (t0, mw0), (t, mw) in pairs)


def find_meter(gpu: Any = None) -> Any:
    """The best that can be read: a board's input, else the GPU, else the processor's packages."""
    rails = board_rails()
    inputs: List[str] = [name for name in ("VDD_IN", "POM_5V_IN", "VIN") if name in rails]
    names = inputs[:1] or sorted(rails)
    if names:
        name = "INA3221 " + "+".join(names)
        return IntegratedPower(name, lambda: sum(rails[name]() for name in names))
    if gpu is not None:
        read_mj = gpu.nvml.nvmlDeviceGetTotalEnergyConsumption
        known = gpu.ask(read_mj) is not None
        return CountedEnergy("NVML GPU", [(lambda: gpu.ask(read_mj), 0.0)]) if known else None
    folders = [
        folder
        for folder in sorted(glob.glob("/sys/class/powercap/intel-rapl:*"))
        if read_text(folder + "/name").startswith("package") and read_text(folder + "/energy_uj")
    ]
    counters = [
        (partial(millijoules, folder + "/energy_uj"), millijoules(folder + RANGE))
        for folder in folders
    ]
    name = "RAPL " + "+".join(read_text(folder + "/name").strip() for folder in folders)
    return CountedEnergy(name, counters) if counters else None


def millijoules(path: str) -> float:
    """Of a file in microjoules."""
    return number(path) / 1000


def board_rails() -> Dict[str, Callable[[], float]]:
    """What reads the milliwatts of each rail of a Jetson's INA3221, by the rail's name."""
    rails: Dict[str, Callable[[], float]] = {}
    for label in glob.glob("/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in[1-3]_label"):
        volts = label.replace("_label", "_input")
        amperes = "%s/curr%s" % (os.path.dirname(label), os.path.basename(volts)[2:])
        rails[read_text(label).strip()] = partial(product_mw, volts, amperes)
    for label in glob.glob("/sys/bus/i2c/drivers/ina3221x/*/iio:device*/rail_name_[0-2]"):
        watts = "%s/in_power%s_input" % (os.path.dirname(label), label[-1])
        rails[read_text(label).strip()] = partial(number, watts)
    return {name: read for name, read in rails.items() if name not in ("", "NC")}


def product_mw(millivolts: str, milliamperes: str) -> float:
    """The power that two files give."""
    return number(millivolts) * number(milliamperes) / 1000


class Gpu:
    """The GPU that the models run on, asked through NVML: by its UUID, else the first."""

    def __init__(self) -> None:
        import pynvml

        self.nvml = pynvml
        pynvml.nvmlInit()
        uuid = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        by_uuid = uuid.startswith("GPU-")
        find = pynvml.nvmlDeviceGetHandleByUUID if by_uuid else pynvml.nvmlDeviceGetHandleByIndex
        self.handle = find(uuid if by_uuid else 0)

    def ask(self, question: Any, *arguments: Any) -> Any:
        """The answer; None where this GPU has none."""
        try:
            return question(self.handle, *arguments)
        except self.nvml.NVMLError:
            return None

    def sensors(self) -> Dict[str, Any]:
        """Clock, heat, and whether heat or the power supply slows it; its limit is a setting."""
        bits = self.ask(self.nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        return {
            "gpu_mhz": self.ask(self.nvml.nvmlDeviceGetClockInfo, self.nvml.NVML_CLOCK_SM),
            "gpu_temperature_c": self.ask(self.nvml.nvmlDeviceGetTemperature, 0),
            "gpu_throttled": None if bits is None else bool(bits & (0x8 | 0x20 | 0x40 | 0x80)),
        }


def find_gpu() -> Any:
    """The GPU; None for the CPU, and without nvidia-ml-py, a driver or such a GPU."""
    try:
        return Gpu() if PROVIDER == CUDA else None
    except Exception:  # of several packages; the sensors then say nothing
        return None


def read_sensors(gpu: Any = None) -> Dict[str, Any]:
    """The state of the machine and of this process; None where the kernel does not say.

    Every `_ms` and `throttle_events` is a counter that only grows.
    """
    return {
        "clock_ms": time.perf_counter() * 1000,
        "cpu_mhz": cpu_mhz(),
        "temperature_c": temperature_c(),
        "load": os.getloadavg()[0],
        "involuntary_switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        "steal_ms": steal_ms(),
        "machine_ms": machine_ms(),
        "own_ms": time.process_time() * 1000,
        "wait_ms": wait_ms(),
        "pressure_ms": pressure_ms(),
        "quota_ms": quota_ms(),
        "throttle_events": throttle_events(),
        "throttled_now": throttled_now(),
        **(gpu.sensors() if gpu else {"gpu_mhz": board_gpu_mhz()}),
    }


def cpu_mhz() -> Any:
    """The clock of the fastest core: idle ones say nothing."""
    paths = glob.glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
    khz = [int(text) for text in map(read_text, paths) if text]
    return max(khz) / 1000 if khz else None


def board_gpu_mhz() -> Any:
    """The clock of a Jetson's GPU, under the names that releases gave it."""
    paths = [
        path
        for name in ("gpu", "ga10b", "gv11b", "gp10b")
        for path in glob.glob("/sys/class/devfreq/*.%s/cur_freq" % name)
    ]
    return number(paths[0]) / 1e6 if paths else None


def temperature_c() -> Any:
    """The hottest thermal zone."""
    texts = map(read_text, glob.glob("/sys/class/thermal/thermal_zone*/temp"))
    degrees = [int(text) / 1000 for text in texts if text.strip().lstrip("-").isdigit()]
    return max(degrees) if degrees else None


def steal_ms() -> Any:
    """CPU time the hypervisor gave to others since boot, over all cores."""
    fields = read_text("/proc/stat").split()[:9]
    if len(fields) < 9:
        return None
    return int(fields[8]) * 1000 / os.sysconf("SC_CLK_TCK")


def machine_ms() -> Any:
    """CPU time that all programs and the kernel used since boot, over all cores."""
    fields = read_text("/proc/stat").split()[:8]
    if len(fields) < 8:
        return None
    user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[1:])
    return (user + nice + system + irq + softirq) * 1000 / os.sysconf("SC_CLK_TCK")


def wait_ms() -> Any:
    """Time this process's threads were ready to run and had no core."""
    fields = [read_text(path).split() for path in glob.glob("/proc/self/task/*/schedstat")]
    waits = [int(field[1]) for field in fields if len(field) > 1]
    return sum(waits) / 1e6 if waits else None


def pressure_ms() -> Any:
    """Time since boot in which some task of the machine waited for a core (PSI)."""
    fields = read_text("/proc/pressure/cpu").split()
    totals = [field[6:] for field in fields[:5] if field.startswith("total=")]
    return int(totals[0]) / 1000 if totals else None


def quota_ms() -> Any:
    """Time this container was stopped because it had used up its CPU quota."""
    lines = read_text("/sys/fs/cgroup/cpu.stat").splitlines()
    fields = dict(line.split()[:2] for line in lines if len(line.split()) > 1)
    return int(fields["throttled_usec"]) / 1000 if "throttled_usec" in fields else None


def throttle_events() -> Any:
    """How often x86 cores and packages slowed down because they were too hot, since boot."""
    paths = glob.glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [int(text) for text in map(read_text, paths) if text.strip().isdigit()]
    return sum(counts) if counts else None


def throttled_now() -> Any:
    """Whether a Raspberry Pi is slowed down or short of voltage at this moment (bits 0 to 3)."""
    text = read_text("/sys/devices/platform/soc/soc:firmware/get_throttled").strip()
    try:
        return bool(int(text, 16) & 0xF)
    except ValueError:
        return None


def number(path: str) -> float:
    """The number in a kernel file, 0 when it cannot be read."""
    try:
        return float(read_text(path))
    except ValueError:
        return 0.0


def read_text(path: str) -> str:
    """The content of a kernel file, empty when it cannot be read."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def take_over_pipes() -> Tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol; whatever a library prints goes to stderr."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.dup2(2, 1)
    return requests, replies


def main(worker: Any = None) -> None:
    """Answer requests until told to quit or until stdin ends."""
    # Python puts this file's folder first, where our statistics.py would hide the standard one.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    requests, replies = take_over_pipes()
    if worker is None:
        gpu = find_gpu()
        worker = Worker(find_meter(gpu), gpu)
    while worker.running:
        line = requests.readline()
        if not line:  # the host is gone
            break
        replies.write(json.dumps(worker.answer(line)).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()
