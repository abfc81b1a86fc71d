import unicodedata

from devices.plain_text import plain_line, plain_text, plain_values


def test_a_terminal_obeys_nothing_of_it() -> None:
    assert plain_text("\x1b[2Jgone\x07") == "\ufffd[2Jgone\ufffd"
    assert plain_text("board\u202egpj.exe") == "board\ufffdgpj.exe"
    assert plain_text("a\rb\0c\x9bd") == "a\ufffdb\ufffdc\ufffdd"


def test_lines_tabs_and_letters_of_all_languages_stay() -> None:
    text = "Überlänge\t中文\r\nไทย\n"
    assert plain_text(text) == text.replace("\r", "")
    assert plain_line(text) == "Überlänge 中文 ไทย"


def test_no_control_character_of_unicode_is_left() -> None:
    left = plain_text("".join(map(chr, range(0xD800)))) + plain_text("\ud800\udfff\ufeff")
    assert {x for x in left if unicodedata.category(x) in ("Cc", "Cs")} == {"\t", "\n"}
    assert not [x for x in left if unicodedata.bidirectional(x) in ("RLO", "LRO", "RLE", "LRE")]
    assert not [x for x in left if unicodedata.bidirectional(x) in ("PDF", "RLI", "LRI", "FSI")]


def test_values_are_cleaned_to_their_keys() -> None:
    assert plain_values({"a\x1b": ["b\0", 1, None, {"c": "\u2028"}]}) == {
        "a\ufffd": ["b\ufffd", 1, None, {"c": "\ufffd"}]
    }
