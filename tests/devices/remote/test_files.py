import hashlib
import os
import time
from pathlib import Path

import pytest
from support.ssh_in_place import SshInPlace
from support.waiting import wait_until

from devices.remote.address import RemoteAddress
from devices.remote.agent import blobs
from devices.remote.host import RemoteHost
from devices.remote.session import RefusedError


def write(path: Path, size: int) -> Path:
    path.write_bytes(os.urandom(size))
    return path


def stored(ssh: SshInPlace) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (ssh.cache / "blobs").iterdir()}


def test_files_arrive_under_their_names(host: RemoteHost, tmp_path: Path) -> None:
    weights = write(tmp_path / "w", 3_000_000)
    folder = Path(host.files.place({"a/b/weights.bin": weights, "text": b"it's", "empty": b""}))
    assert (folder / "a/b/weights.bin").read_bytes() == weights.read_bytes()
    assert (folder / "text").read_bytes() == b"it's"
    assert (folder / "empty").read_bytes() == b""
    assert host.files.sent_bytes == 3_000_004


def test_content_is_sent_once(host: RemoteHost, tmp_path: Path) -> None:
    first, same = write(tmp_path / "1", 5000), tmp_path / "2"
    same.write_bytes(first.read_bytes())
    host.files.place({"1": first})
    host.files.place({"1": first, "2": same, "3": same.read_bytes()})
    assert host.files.sent_bytes == 5000


def test_a_changed_file_takes_the_place_of_the_old_one(host: RemoteHost, tmp_path: Path) -> None:
    path = tmp_path / "f"
    for content in (b"first", b"other"):
        path.write_bytes(content)
        os.utime(path, ns=(0, time.monotonic_ns()))
        folder = Path(host.files.place({"f": path}))
        assert (folder / "f").read_bytes() == content


def test_a_file_that_grew_is_sent_from_where_it_ended(
    host: RemoteHost, ssh: SshInPlace, tmp_path: Path
) -> None:
    path = write(tmp_path / "w", 2_000_000)
    host.files.place({"w": path})
    with path.open("ab") as file:
        file.write(os.urandom(500_000))
    folder = Path(host.files.place({"w": path}))
    assert (folder / "w").read_bytes() == path.read_bytes()
    assert host.files.sent_bytes == 2_500_000
    assert list(stored(ssh).values()) == [2_500_000]  # the old one became the new one


def test_a_later_session_finds_large_files_and_small_ones_are_gone(
    ssh: SshInPlace, tmp_path: Path
) -> None:
    large, small = write(tmp_path / "l", 2_000_000), write(tmp_path / "s", 1000)
    with RemoteHost(RemoteAddress("board")) as host:
        host.files.place({"l": large, "s": small})
    wait_until(lambda: ssh.keepers() == [])
    assert list(stored(ssh)) == [hashlib.sha256(large.read_bytes()).hexdigest()]
    with RemoteHost(RemoteAddress("board")) as host:
        host.files.place({"l": large, "s": small})
        assert host.files.sent_bytes == 1000


def test_an_interrupted_transfer_goes_on(host: RemoteHost, ssh: SshInPlace, tmp_path: Path) -> None:
    path = write(tmp_path / "w", 3_000_000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (ssh.cache / "blobs" / f"{digest}.part").write_bytes(path.read_bytes()[:1_200_000])
    folder = Path(host.files.place({"w": path}))
    assert (folder / "w").read_bytes() == path.read_bytes()
    assert host.files.sent_bytes == 1_800_000


def test_damage_is_noticed_and_thrown_away(
    host: RemoteHost, ssh: SshInPlace, tmp_path: Path
) -> None:
    path = write(tmp_path / "w", 50_000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (ssh.cache / "blobs" / f"{digest}.part").write_bytes(b"x" * 1000)
    with pytest.raises(RefusedError, match="50000 bytes arrived damaged, with SHA-256 "):
        host.files.place({"w": path})
    assert stored(ssh) == {}
    host.files.place({"w": path})  # from the beginning
    assert stored(ssh) == {digest: 50_000}


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//b", ".", ""])
def test_names_lead_nowhere_else(host: RemoteHost, name: str) -> None:
    with pytest.raises(RefusedError, match="a name must stay inside its folder"):
        host.files.place({name: b"x"})


def test_nobody_else_can_look(host: RemoteHost, ssh: SshInPlace) -> None:
    host.files.place({"a/b": b"x" * 2_000_000})
    modes = {path.stat().st_mode & 0o077 for path in ssh.cache.rglob("*")}
    assert modes == {0}


def test_what_is_old_or_too_much_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = blobs.Blobs(str(tmp_path))
    for age_days, name in ((20, "old"), (2, "second"), (1, "latest")):
        (tmp_path / name).write_bytes(b"x" * 100)
        long_ago = time.time() - age_days * 86400
        os.utime(tmp_path / name, (long_ago, long_ago))
    kept.tidy()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "second"]
    monkeypatch.setattr(blobs, "KEPT_BYTES", 150)
    kept.tidy()
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]
