from profilers.log.absent_sizes import with_absent_sizes


def test_a_size_that_a_benchmark_lacks_is_zero_or_none() -> None:
    rows = [("a", "8", "fp32", "2", ""), ("b", "", "", "", "")]
    filled, (remark,) = with_absent_sizes(
        ("name", "n", "kind", "threads", "note"), rows, {"n", "kind", "threads"}
    )
    assert filled == [("a", "8", "fp32", "2", ""), ("b", "0", "none", "1", "")]
    assert remark.endswith("'n' is 0, 'kind' is none, 'threads' is 1")


def test_a_table_without_gaps_stays() -> None:
    assert with_absent_sizes(("n",), [("8",)], {"n"}) == ([("8",)], ())
