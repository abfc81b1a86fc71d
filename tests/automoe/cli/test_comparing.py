import json
from pathlib import Path

import pytest
from support.logs import write_log

from automoe.cli.main import main

Capture = pytest.CaptureFixture[str]


def logs(tmp_path: Path, ratio: float, n: int = 8) -> list[str]:
    paths = []
    for name, factor in (("a", 1.0), ("b", ratio)):
        rows = [
            {
                "latency_ms": 10.0 * factor,
                "ci_low_ms": 9.9 * factor,
                "ci_high_ms": 10.1 * factor,
                "columns": {"workload": "w"},
            }
        ] * n
        paths.append(str(write_log(tmp_path / f"{name}.csv", *rows)))
    return paths


def test_the_verdict_comes_first_and_the_points_after_it(capsys: Capture, tmp_path: Path) -> None:
    a, b = logs(tmp_path, 1.1)
    assert main(["compare", a, b]) == 0
    out = capsys.readouterr().out.splitlines()
    # 1.1 times exp(+-sqrt(2) * 0.01 / sqrt(8)), as the intervals are about 1 % wide: 1.09451 and
    # 1.10551, which are rounded outward
    assert out[0] == (
        f"SLOWER: {b} takes 1.1000 times as long as {a} "
        "(95 % interval 1.0945 to 1.1056, 8 points, margin 0.02)"
    )
    assert "the 5 points that differ most:" in out
    assert len(out) == 3 + 1 + 5


def test_json_holds_everything(capsys: Capture, tmp_path: Path) -> None:
    a, b = logs(tmp_path, 1.0)
    assert main(["compare", a, b, "--margin", "0.01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["a"], found["b"], found["margin"]) == ("SAME", a, b, 0.01)
    assert (found["ratio"], found["sentinel_ratio"], found["notes"]) == (1.0, 1.0, [])
    assert len(found["points"]) == 8
    assert found["points"][0].keys() == {"point_id", "a_ms", "b_ms", "ratio", "low", "high"}


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (["slower:5%"], 4),
        (["slower:0.05"], 4),
        (["slower:10%"], 0),  # the interval reaches below 1.10
        (["faster:5%"], 0),
        (["faster:5%", "slower:5%"], 4),
    ],
)
def test_a_limit_that_is_surely_exceeded_fails(
    tmp_path: Path, limits: list[str], code: int
) -> None:
    options = [word for limit in limits for word in ("--fail-on", limit)]
    assert main(["compare", *logs(tmp_path, 1.1), *options]) == code


def test_a_limit_on_faster_fails_too(tmp_path: Path) -> None:
    assert main(["compare", *logs(tmp_path, 0.9), "--fail-on", "faster:5%"]) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail-on", "5%"], "'--fail-on' must read like slower:5% or faster:5%. Got '5%'."),
        (["--fail-on", "slower"], "must read like slower:5%, from 0 to below 100 %. Got 'slower'."),
        (["--fail-on", "slower:x%"], "from 0 to below 100 %. Got 'slower:x%'."),
        (["--margin", "nan"], "'--margin' must read like 2%, from 0 to below 100 %. Got 'nan'."),
        (["--margin", "-2%"], "'--margin' must read like 2%"),
        (["--margin", "200%"], "'--margin' must read like 2%"),
    ],
)
def test_a_misread_option_is_one_line(
    capsys: Capture, tmp_path: Path, options: list[str], message: str
) -> None:
    assert main(["compare", *logs(tmp_path, 1.0), *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_other_workloads_need_force(capsys: Capture, tmp_path: Path) -> None:
    a, b = logs(tmp_path, 1.0)
    Path(b).write_text(Path(b).read_text().replace(",w\n", ",v\n"))
    assert main(["compare", a, b]) == 2
    assert "'workload' must be the same in both logs. Got w against v." in capsys.readouterr().err
    assert main(["compare", a, b, "--force"]) == 0
    assert "note: 'workload' differs: w against v" in capsys.readouterr().out
