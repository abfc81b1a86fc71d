import pytest

from automoe.cli.option_names import similar_option, with_options

PROFILE = ["-n", "--until", "--log", "--space", "--max-experts", "--batch"]


@pytest.mark.parametrize(
    ("word", "names", "suggested"),
    [
        ("--count", PROFILE, "-n"),
        ("--samples", PROFILE, "-n"),
        ("--output", PROFILE, "--log"),
        ("--output", ["--out"], "--out"),
        ("--count", ["--until"], ""),  # no more than its letters are alike
        ("--unit", ["--out", "--confidence"], ""),
        ("--expert", PROFILE, "--max-experts"),
        ("--spcae", PROFILE, "--space"),
        ("--bogus", PROFILE, ""),
    ],
)
def test_an_option_is_suggested_when_it_is_close_or_means_the_same(
    word: str, names: list[str], suggested: str
) -> None:
    told = f" Did you mean {suggested}?" if suggested else ""
    assert similar_option(word, names) == told


@pytest.mark.parametrize(
    ("message", "command", "told"),
    [
        ("'max_params' must be at least 9", "search -o b", "'--max-params' must be at least 9"),
        ("raise 'verify_most' 20", "search", "raise '--verify-most' 20"),
        ("'max_params' must be at least 9", "run c.yaml", "'max_params' must be at least 9"),
        ("'max_tokens': Input is wrong", "train", "'max_tokens': Input is wrong"),  # of a file
        (
            "my space.yaml: 'src_len' must be 24",
            "profile --space tiny",
            "my space.yaml: 'src_len' must be 24",
        ),
        ("no column 'latency_ms'", "fit a.csv", "no column 'latency_ms'"),
        ("'src_len' must be 24", "profile --space tiny", "'--src-len' must be 24"),
    ],
)
def test_a_setting_is_named_by_its_option(message: str, command: str, told: str) -> None:
    assert with_options(message, command.split()) == told
