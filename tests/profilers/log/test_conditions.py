from profilers.log import conditions


def test_a_log_mixes_no_rows_of_another_machine_setting_or_workload() -> None:
    always = {"device", "device_fingerprint", "power_mode", "runtime", "threads", "workload"}
    always |= {"schema_version"}
    assert set(conditions.ONE_PER_LOG) == always
    # A fit refuses what a log refuses, and what logs of others call so.
    assert set(conditions.ONE_PER_FIT) == {*always, "precision", "runtime_version"}
    assert set(conditions.COMPARED) == set(conditions.ONE_PER_LOG) | set(conditions.ONE_PER_FIT)
    assert conditions.REFUSED_IN_COMPARISON == ("workload",)


def test_the_content_of_a_workload_is_kept_and_never_compared() -> None:
    assert conditions.DETAILS == {"workload_json": "workload"}
    assert "workload_json" in conditions.KEPT
    assert "workload_json" in conditions.NEVER_FEATURES
    assert "workload_json" not in (*conditions.ONE_PER_FIT, *conditions.COMPARED)


def test_guessed_names_are_none_of_our_own() -> None:
    assert conditions.NAMES_OF_OTHERS.isdisjoint(conditions.NEVER_FEATURES)
