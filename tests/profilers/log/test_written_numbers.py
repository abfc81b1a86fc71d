from pathlib import Path

import pytest

from profilers import LogError
from profilers.log.any_log import read_any_log


def read(tmp_path: Path, content: str) -> list[tuple[str, ...]]:
    path = tmp_path / "any.csv"
    path.write_text(content, encoding="utf-8")
    return [tuple(row.cells.values()) for row in read_any_log(path).rows]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a;b\n1.024;2.853,9\n512;853,25\n", [("1024", "2853.9"), ("512", "853.25")]),
        ("a;b\n1;4.077\n2;853,9\n", [("1", "4077"), ("2", "853.9")]),
        ("a;b\n1;4,077\n2;13,509\n", [("1", "4.077"), ("2", "13.509")]),
        ("a;b\n1;4.077\n2;13.509\n", [("1", "4.077"), ("2", "13.509")]),
        ("a;b\n1;0.125\n2;1.250\n3;4\n", [("1", "0.125"), ("2", "1.250"), ("3", "4")]),
        ("a\tb\n1,024\t2,853.9\n512\t3.5\n", [("1024", "2853.9"), ("512", "3.5")]),
        ('a,b\n"1,024","2,853.9"\n512,3.5\n', [("1024", "2853.9"), ("512", "3.5")]),
        ('a,b\n"3072,2048",1\n"512,512,64",2\n', [("3072,2048", "1"), ("512,512,64", "2")]),
        ('a,b\n"[512,512]",1.024\n', [("[512,512]", "1.024")]),
        ("a;b\n1 024;2 853,9\n16 384;853,25\n", [("1024", "2853.9"), ("16384", "853.25")]),
        (
            "a;b\n512 256;1\n512;2\n1024 512;3\n",
            [("512 256", "1"), ("512", "2"), ("1024 512", "3")],
        ),
        ("a;b\n128.5 256.5;1\n4 096 x;2\n", [("128.5 256.5", "1"), ("4 096 x", "2")]),
        ('a,lat_ns\n1,"3,121,542"\n2,"616,511"\n', [("1", "3121542"), ("2", "616511")]),
        ("a;b\n1,5;n/a\n#N/A;2,5\ninf;3,5\n", [("1.5", "n/a"), ("#N/A", "2.5"), ("inf", "3.5")]),
        ("a;b\n1.2.3;1,5\nv1,024;2,5\n", [("1.2.3", "1.5"), ("v1,024", "2.5")]),
    ],
)
def test_numbers_are_read_as_a_person_reads_them(
    tmp_path: Path, content: str, rows: list[tuple[str, ...]]
) -> None:
    assert read(tmp_path, content) == rows


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ("a;b\n1.024;1\n512;2\n", r"column 'a' must .* Got '1\.024'. Write 1024, 1\.024\."),
        ("a\tb\n1,024\t1\n512\t2\n", r"Write 1024, 1\.024 or, for a list, \[1, 024\]"),
        ('a,b\n"8,192",1\n512,2\n', r"any\.csv: column 'a' must hold numbers .* Got '8,192'"),
        ("a;b\n1,024;2.1\n2,048;2.1\n", "column 'a' must hold numbers"),
    ],
)
def test_numbers_that_may_be_read_in_two_ways_are_refused(
    tmp_path: Path, content: str, remedy: str
) -> None:
    with pytest.raises(LogError, match=remedy):
        read(tmp_path, content)


def test_hard_spaces_and_apostrophes_stand_between_thousands(tmp_path: Path) -> None:
    content = "a,b,c\n1\u00a0024,-2\u202f345\u202f678.5,x'123\n512,1'024,it\u2019s\n"
    assert read(tmp_path, content) == [
        ("1024", "-2345678.5", "x'123"),
        ("512", "1024", "it\u2019s"),
    ]
    assert read(tmp_path, "a;b\n1'024,5;1\u00a0024 MB\n") == [("1024.5", "1024")]
