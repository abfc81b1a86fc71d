import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.measurements import made_up
from support.scripted import INFO

from profilers import LatencyLog, LogError, read_log, read_shared_log, share_log
from profilers.log import identities
from profilers.log.shared_log import schema

COLUMNS = {"workload": "src=8 tgt=8", "space": "tiny", "feature_layers": 3}


def write(path: Path, **changes: Any) -> Path:
    log = LatencyLog(path)
    columns = COLUMNS | changes.pop("columns", {})
    for point_id in ("0123456789ab", "12345678e901"):
        log.append(made_up(point_id, columns=columns, **changes))
    return path


def shared_file(folder: Path, **changes: Any) -> Path:
    share_log(write(folder / "lat.csv"), device=INFO).write(folder / "shared.json")
    content = json.loads((folder / "shared.json").read_text())
    (folder / "shared.json").write_text(json.dumps(content | changes))
    return folder / "shared.json"


def test_a_shared_log_holds_the_rows_and_the_description(tmp_path: Path) -> None:
    info = replace(INFO, system="Linux 6.1.12-alices-build", traits=(("driver", "535.104.05.1"),))
    log = write(tmp_path / "lat.csv", device=info)
    share_log(log, device=info).write(tmp_path / "shared.json")
    text = (tmp_path / "shared.json").read_text()
    content = json.loads(text)
    described = {
        "name": "scripted",
        "model": "Scripted CPU",
        "kind": "cpu",
        "machine": "x86_64",
        "cores": 2,
        "memory_gib": 4,
        "system": "Linux 6.1.12",
        "traits": {"driver": "535.104.05.1"},
    }
    stable = json.dumps(described, sort_keys=True).encode()
    fingerprint = hashlib.sha256(stable).hexdigest()[:12]
    others = {"power_mode": "performance", "fingerprint": fingerprint}
    assert content["device"] == described | others
    assert "alice" not in text
    assert info.fingerprint not in text
    assert "samples" not in content
    rows = read_log(tmp_path / "shared.json")  # the commands read it as a log
    own = [row | {"device_fingerprint": fingerprint} for row in read_log(log)]
    assert rows == own
    assert read_shared_log(tmp_path / "shared.json").device.fingerprint == fingerprint


def test_without_the_machine_the_description_is_that_of_the_log(tmp_path: Path) -> None:
    device = share_log(write(tmp_path / "lat.csv")).device
    assert (device.model, device.kind, device.system) == ("Scripted CPU", None, None)
    assert device.fingerprint != INFO.fingerprint


def test_another_machine_is_refused(tmp_path: Path) -> None:
    log = write(tmp_path / "lat.csv")
    with pytest.raises(LogError, match=f"fingerprint {INFO.fingerprint}. The machine that you"):
        share_log(log, device=replace(INFO, cores=64))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"columns": {"operator": 7}},
            "Row 1, column 'operator': `automoe profile` writes no such column, so nobody knows "
            "what it tells about you. Leave the column out with --drop operator.",
        ),
        (
            {"columns": {"space": "/home/alice/space"}},
            "Row 1, column 'space': '/home/alice/space' holds a path. Leave the column out with "
            "--drop space.",
        ),
        (
            {"columns": {"feature_host": "board"}},
            "Row 1, column 'feature_host': 'board' must be a number to be shared.",
        ),
        (
            {"columns": {"feature_alice@board": 3}},
            "Row 1, column 'feature_alice@board': its name holds an address. Leave the column out",
        ),
        (
            {"device": replace(INFO, model="Orin of alice@board")},
            "The device's model must tell nothing about you, and 'Orin of alice@board' holds an "
            "address.",
        ),
        (
            {"runtime": "onnxruntime 1.2 in /opt/alice"},
            "column 'runtime': 'onnxruntime 1.2 in /opt/alice' holds a path. Correct the log.",
        ),
    ],
)
def test_what_cannot_be_made_anonymous_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    log = write(tmp_path / "lat.csv", **changes)
    with pytest.raises(LogError) as refused:
        share_log(log)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_columns_are_left_out_on_demand(tmp_path: Path) -> None:
    log = write(tmp_path / "lat.csv", columns={"operator": "alice"})
    shared = share_log(log, drop=["operator"])
    assert all("operator" not in row for row in shared.rows)
    with pytest.raises(LogError, match="has no column 'operators' to leave out"):
        share_log(log, drop=["operators"])
    with pytest.raises(LogError, match="'latency_ms' must stay"):
        share_log(log, drop=["latency_ms"])


def test_a_shared_log_is_not_shared_again(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="is a shared log already. Give it to others as it is."):
        share_log(shared_file(tmp_path))


def test_a_log_without_rows_or_of_two_machines_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(LogError, match="has no row to share"):
        share_log(empty)
    log = write(tmp_path / "lat.csv")
    log.write_text(log.read_text() + log.read_text().splitlines()[1].replace("scripted", "other"))
    log.write_text(log.read_text() + "\n")
    with pytest.raises(LogError, match="'device' must be 'scripted'"):
        share_log(log)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "another"}, "format: Input should be 'automoe-shared-log'"),
        ({"shared_version": 2}, "shared_version: Input should be 1"),
        ({"host": "hedwig"}, "host: Unexpected keyword argument|host: Extra inputs"),
        ({"rows": []}, "rows: Tuple should have at least 1 item"),
        ({"rows": [{"latency_ms": 1}]}, "column 'schema_version' is missing"),
    ],
)
def test_a_file_that_is_no_shared_log_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(LogError, match=message):
        read_shared_log(shared_file(tmp_path, **changes))


def test_a_changed_description_or_row_is_refused(tmp_path: Path) -> None:
    content = json.loads(shared_file(tmp_path).read_text())
    device, (first, second) = content["device"], content["rows"]
    with pytest.raises(LogError, match="'fingerprint' must be that of the description"):
        read_shared_log(shared_file(tmp_path, device=device | {"cores": 64}))
    with pytest.raises(LogError, match="row 2: 'device_model' must be as described"):
        read_shared_log(shared_file(tmp_path, rows=[first, second | {"device_model": "M1"}]))
    with pytest.raises(LogError, match="row 2: the columns must be"):
        read_shared_log(shared_file(tmp_path, rows=[first, second | {"feature_more": 1}]))
    changed = [row | {"workload": "me@board"} for row in (first, second)]
    with pytest.raises(LogError, match="column 'workload': 'me@board' holds an address"):
        read_shared_log(shared_file(tmp_path, rows=changed))


def test_computed_times_are_not_published(tmp_path: Path) -> None:
    info = replace(INFO, name="simulated", kind="simulated")
    with pytest.raises(LogError, match="holds computed times. Share what was measured."):
        share_log(write(tmp_path / "lat.csv", device=info))
    computed = json.loads(shared_file(tmp_path / "measured").read_text())["device"]
    file = shared_file(tmp_path / "measured2", device=computed | {"kind": "simulated"})
    with pytest.raises(LogError, match="holds computed times. Share what was measured."):
        read_shared_log(file)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="is not JSON"):
        read_shared_log(write(tmp_path / "lat.csv"))
    with pytest.raises(LogError, match="cannot be read"):
        read_shared_log(tmp_path / "none.json")


def test_the_schema_names_every_field(tmp_path: Path) -> None:
    content = json.loads(shared_file(tmp_path).read_text())
    described = schema()
    assert set(described["properties"]) == set(content)
    assert set(described["$defs"]["SharedDevice"]["properties"]) == set(content["device"])


def test_a_shared_log_shows_the_texts_that_a_reader_must_judge(tmp_path: Path) -> None:
    shown = repr(share_log(write(tmp_path / "lat.csv"), device=INFO))
    for text in ("Scripted CPU", "Linux 6.1", "src=8 tgt=8", "tiny", "onnxruntime 1.2.3"):
        assert text in shown


def write_sweep(path: Path) -> Path:
    log = LatencyLog(path)
    for n in (1, 2, 3):
        columns = {"model": "my secret-net.onnx", "workload": "x=1x{1,2,3}", "feature_alicia": n}
        point = "my secret-net-0123456789ab x={}"
        own = made_up(point.format(n), sentinel=point.format(2), columns=columns)
        log.append(replace(own, energy_mj=1.0, energy_meter="the meter of Bob"))
    return path


def test_without_its_column_the_model_has_no_name(tmp_path: Path) -> None:
    log = write_sweep(tmp_path / "lat.csv")
    shared = share_log(log, drop=["model"])
    shared.write(tmp_path / "shared.json")
    assert "secret" not in (tmp_path / "shared.json").read_text()
    points = [row["point_id"] for row in shared.rows]
    assert len(set(points)) == 3
    assert {row["sentinel"] for row in shared.rows} == {points[1]}
    assert "points" not in shared.texts()
    assert share_log(log, drop=["model"]).rows == shared.rows
    log = write(tmp_path / "one.csv", columns={"model": "m.onnx"}, sentinel="")
    assert {row["sentinel"] for row in share_log(log, drop=["model"]).rows} == {""}


def test_names_of_points_columns_and_meters_are_shown(tmp_path: Path) -> None:
    texts = share_log(write_sweep(tmp_path / "lat.csv")).texts()
    assert texts["points"] == ("my secret-net",)
    assert texts["columns"] == ("model_ms", "feature_alicia")
    assert texts["energy_meter"] == ("the meter of Bob",)


def test_a_name_in_a_point_is_left_out_with_the_model(tmp_path: Path) -> None:
    log = LatencyLog(tmp_path / "lat.csv")
    log.append(made_up("alice@board-0123456789ab", columns={"model": "alice@board.onnx"}))
    with pytest.raises(LogError, match=r"'point_id': .* Leave the column out with --drop model\."):
        share_log(log.path)
    assert share_log(log.path, drop=["model"]).rows


def test_the_host_that_was_measured_is_not_named(tmp_path: Path) -> None:
    log = write(tmp_path / "lat.csv", columns={"space": "of_Hedwig"})
    assert share_log(log).rows
    with pytest.raises(LogError, match="'of_Hedwig' holds a name in your --host. Leave the column"):
        share_log(log, destinations=["alice@hedwig"])


def test_the_system_is_asked_once_for_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(identities.socket, "gethostname", lambda: asked.append(1) or "hedwig")
    share_log(write(tmp_path / "lat.csv"))
    assert asked == [1]
