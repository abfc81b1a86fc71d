"""Carry out ``automoe log show``, ``check``, ``merge`` and ``share``."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from automoe.cli.completing import COLUMN
from automoe.cli.console import print_fields, print_json, progress_bar, say
from automoe.cli.device_options import Host, opened_and_announced
from automoe.cli.exits import ExitCode
from automoe.cli.fit_report import left_out_lines
from automoe.cli.log_rows import flag_lines, print_rows, row_values
from automoe.cli.options import FILE, OUTPUT, JsonOptions, Out, argument, command_line
from automoe.cli.outputs import require_file, require_output
from devices.opening import resolve_host
from devices.rounding import counted
from devices.runtimes import ONNXRUNTIME, RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devices import DeviceInfo
    from profilers import LogSummary, Problem

_NO_LOG = "'{path}' does not exist. 'automoe profile' makes it with --log."
_SHOWN_ROWS = 20


class ShowOptions(JsonOptions):
    """The form of the output.

    Attributes:
        every: Show each row of a log of AutoMoE, however many there are.
        html: File of a page with diagrams of the log, HTML.
    """

    every: Annotated[bool, Parameter(name="--all"), OUTPUT] = False
    html: Annotated[Path | None, FILE, OUTPUT] = None


class CheckOptions(JsonOptions):
    """The columns that are checked.

    Attributes:
        target: Column of the latency; several are added. Default: recognised by its name.
        unit: Unit of the latency where no column name tells it.
    """

    target: Annotated[tuple[str, ...], COLUMN] = ()
    unit: Literal["us", "ms", "s"] | None = None


class MergeOptions(JsonOptions):
    """The output of the command.

    Attributes:
        out: The new log.
    """

    out: Out


class ShareOptions(JsonOptions):
    """The output of the command.

    Attributes:
        out: The file for others, JSON.
        drop: Column to leave out; several are added.
        host: Host of the device that was measured. Default: this machine.
    """

    out: Out
    drop: Annotated[tuple[str, ...], COLUMN] = ()
    host: Host = None


def show(
    log: Annotated[Path, argument("A CSV of latencies, written by AutoMoE or by other tools.")],
    /,
    *,
    options: ShowOptions = ShowOptions(),
) -> ExitCode:
    """Show what a log holds, of AutoMoE or of other tools, and what the flags of its rows mean."""
    require_file(log, _NO_LOG)
    if options.html is not None:
        require_output(options.html, log)
    from profilers import LogSummary, read_log, summarise_any  # scipy takes a moment to import

    summary = summarise_any(log)
    if options.every and not isinstance(summary, LogSummary):
        raise ValueError(f"'--all' is for a log of AutoMoE. '{log}' is another one; leave it out.")
    if options.html is not None:
        from automoe.report import render_log  # torch takes seconds to import

        command = command_line("log show", log, options)
        options.html.write_text(render_log(log, command=command), encoding="utf-8")
        say(f"page: {options.html}")
    fields = asdict(summary)
    if options.as_json and options.every:
        fields["measured"] = [row_values(row) for row in read_log(log)]
    if options.as_json:
        print_json(fields)
    elif not isinstance(summary, LogSummary):
        print_fields(fields)
    else:
        _print_log(log, summary, options)
    if isinstance(summary, LogSummary) or summary.latency:
        return ExitCode.OK
    say(f"{log} has no column that looks like a latency. Name it with --target of 'log check'.")
    return ExitCode.BAD_INPUT


def _print_log(log: Path, summary: "LogSummary", options: ShowOptions) -> None:
    """Print a summary of a log of AutoMoE, its rows if they are few or asked for, and its flags."""
    from profilers import read_log  # scipy takes a moment to import

    _print_summary(summary)
    if summary.rows > 0 and (options.every or summary.rows <= _SHOWN_ROWS):
        print()
        print_rows(read_log(log))
    elif summary.rows:
        say(f"The latencies of the {summary.rows} rows are shown with --all.")
    for line in flag_lines(summary.flags):
        print(line)


def _print_summary(summary: "LogSummary") -> None:
    shown = asdict(summary)
    if summary.half_width_median is not None:
        shown["half_width_median"] = f"{summary.half_width_median:.1%}"
    print_fields(shown)


def check(
    log: Annotated[Path, argument("A CSV of latencies, written by AutoMoE or by other tools.")],
    /,
    *,
    options: CheckOptions = CheckOptions(),
) -> ExitCode:
    """Look for impossible rows, drift, mixed conditions or units; exit 4 for an unusable log."""
    require_file(log, _NO_LOG)
    from profilers import audit_log  # scipy takes a moment to import

    with progress_bar("Check", is_brief=True) as on_progress:
        on_progress(0, 2, "judging rows, trends and order")
        audit = audit_log(log, targets=options.target, unit=options.unit)
        problems, left_out = audit.problems, dict[str, str]()
        on_progress(1, 2, "trying what a fit would take")
        if not _forbid_a_fit(problems):
            from predictors import trial_of_fit  # scikit-learn takes seconds to import

            of_fit, left_out = trial_of_fit(log, audit.targets, options.unit)
            problems += of_fit
    say(f"{log}: {counted(audit.rows, 'row')}, latency: {' + '.join(audit.targets)}")
    for line in (*audit.conversions, *left_out_lines(left_out)):
        say(line)
    if options.as_json:
        print_json([asdict(problem) for problem in problems])
    elif problems:
        for problem in problems:
            print(f"{problem.severity} [{problem.check}] {problem.message}")
            print(f"    {problem.remedy}")
    if not options.as_json:
        print(f"{log}: {_verdict(problems)}")
    if _forbid_a_fit(problems):
        return ExitCode.QUALITY
    say(f"Next: {_fit_of(log, audit.targets, options, problems)}")
    return ExitCode.OK


def _verdict(problems: "Sequence[Problem]") -> str:
    """Return whether a log may be fitted."""
    if _forbid_a_fit(problems):
        return "must not be fitted as it is"
    if _has_few_rows(problems):
        return "may be fitted with '--base' alone; mind the warnings"
    return "may be fitted; mind the warnings" if problems else "nothing to object to"


def _has_few_rows(problems: "Sequence[Problem]") -> bool:
    """Return whether the rows suffice to adjust another predictor only."""
    return any(problem.check == "rows" for problem in problems)


def _fit_of(
    log: Path, targets: "Sequence[str]", options: CheckOptions, problems: "Sequence[Problem]"
) -> str:
    """Return the command that fits a log as it was checked."""
    command = ["automoe", "fit", str(log), "-o", f"{log.stem}.predictor"]
    if tuple(targets) != ("latency_ms",):
        command += [word for target in targets for word in ("--target", target)]
    if options.unit is not None:
        command += ["--unit", options.unit]
    if _has_few_rows(problems):
        command += ["--base", "OTHER.predictor"]
    return shlex.join(command)


def merge(
    *logs: Annotated[Path, argument("Logs of the same conditions."), Parameter(required=True)],
    options: MergeOptions,
) -> None:
    """Write several logs into one, with their raw samples."""
    for log in logs:
        require_file(log, _NO_LOG)
    require_output(options.out, *logs)
    from profilers import merge as merge_logs  # scipy takes a moment to import

    n_rows = merge_logs(logs, options.out)
    if options.as_json:
        print_json({"out": str(options.out), "rows": n_rows})
    else:
        print(f"{options.out}: {counted(n_rows, 'row')}")


def share(
    log: Annotated[Path, argument("A log of 'automoe profile'.")],
    /,
    *,
    options: ShareOptions,
) -> None:
    """Write a log without what it recognises as a name of a host or a person, to share it.

    It is one JSON file with a description of the device, which all commands read as a log. Paths,
    addresses, names of hosts and serial numbers are recognised by their form and refused. So are
    the names of this machine, of its user and of --host. Other names stay: read the texts that the
    command prints before you share. --drop model also takes the model's name out of the points.
    """
    require_file(log, _NO_LOG)
    require_output(options.out, log)
    from profilers import read_log, share_log  # scipy takes a moment to import

    rows = read_log(log)
    device = _device_of(rows[0], options.host) if rows else None
    host = options.host
    destinations = () if host is None else (host, resolve_host(host).destination)
    shared = share_log(log, device=device, drop=options.drop, destinations=destinations)
    shared.write(options.out)
    if options.as_json:
        print_json({"out": str(options.out), **shared.shown()})
        return
    print(f"{options.out}: {counted(len(shared.rows), 'row')}")
    print_fields({x: y for x, y in shared.shown().items() if y and x != "rows"})
    say("Read these texts before you share the file: names that have no known form may be left.")


def _device_of(row: "Mapping[str, str]", host: str | None) -> "DeviceInfo | None":
    """Return the machine of a row; None when no host is given and it is not this machine."""
    from devices import DeviceUnavailableError, UnknownDeviceError

    measured_with = row["runtime"].partition(" ")[0]
    runtime = measured_with if measured_with in RUNTIMES else ONNXRUNTIME
    try:
        with opened_and_announced(row["device"], host, runtime, is_measured=False) as device:
            info = device.info()
    except (DeviceUnavailableError, UnknownDeviceError):
        if host is not None:
            raise
        info = None
    if host is not None or (info and info.fingerprint == row["device_fingerprint"]):
        return info
    say(
        "The description of the device has only what the log says, because this machine is not the "
        "one that was measured, or has changed since. Add --host for another machine."
    )
    return None


def _forbid_a_fit(problems: "Sequence[Problem]") -> bool:
    return any(problem.severity == "problem" for problem in problems)
