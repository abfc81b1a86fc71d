"""Print rows of a log of ours, and what their flags mean."""

from collections.abc import Iterable, Mapping, Sequence

from automoe.cli.console import print_table
from devices.rounding import rounded, rounded_down, rounded_up


def print_rows(rows: Sequence[Mapping[str, str]]) -> None:
    """Print a table of the latency of each row, with its 95 % interval."""
    print_table(
        ("point", "latency ms", "95 % interval", "quality", "flags"),
        [
            (
                row["point_id"],
                rounded(float(row["latency_ms"])),
                f"{rounded_down(float(row['ci_low_ms']))} to "
                f"{rounded_up(float(row['ci_high_ms']))}",
                row["quality"],
                row["flags"].replace(";", ", "),
            )
            for row in rows
        ],
    )


def row_values(row: Mapping[str, str]) -> dict[str, object]:
    """Return what `print_rows` shows of a row, as JSON types and with all digits."""
    numbers = ("latency_ms", "ci_low_ms", "ci_high_ms")
    return {
        "point_id": row["point_id"],
        **{name: float(row[name]) for name in numbers},
        "quality": row["quality"],
        "flags": [flag for flag in row["flags"].split(";") if flag],
    }


def flag_lines(flags: Iterable[str]) -> list[str]:
    """Return a line for each flag that says what it means and what helps."""
    from profilers import FLAG_MEANINGS  # scipy takes a moment to import

    return [f"{flag}: {FLAG_MEANINGS[flag]}" for flag in flags if flag in FLAG_MEANINGS]
