import pytest

from automoe.cli.share import parse_share


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), ("0.03", 0.03), (" 2.5 % ", 0.025)])
def test_a_share_is_a_number_or_a_percentage(text: str, share: float) -> None:
    assert parse_share(text, "--goal") == pytest.approx(share)


@pytest.mark.parametrize("text", ["3", "0", "-1%", "100%", "three", "nan", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'--goal' must be a share such as 3% or 0.03. Got"):
        parse_share(text, "--goal")
