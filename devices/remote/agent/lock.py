"""This lock keeps two sessions from measuring on one machine at once."""

from __future__ import annotations

import fcntl
import glob
import json
import os
import pwd
import time
from typing import Optional, Tuple

from devices.remote.agent.wire import NAME, Gone, Refused, dial

TAKE_OVER_SECONDS = 5.0
LOCK_FOLDERS = ("/run/lock", "/tmp")


def take_lock(folder: str, owner: str) -> Tuple[Optional[int], Optional[str]]:
    """Return the lock's descriptor and None, or None and a description of who holds the lock.

    Args:
        folder: The folder of the session that wants the lock.
        owner: The owner of that session.
    """
    lock = open_lock()
    if try_lock(lock) or (take_over(folder, owner) and try_lock(lock, TAKE_OVER_SECONDS)):
        return lock, None
    holder = describe_holder(lock)
    os.close(lock)
    return None, holder


def take_over(folder: str, owner: str) -> bool:
    """Return whether another session of the same owner, which has no client, ends for this one."""
    sessions = os.path.dirname(folder)
    for path in glob.glob(os.path.join(glob.escape(sessions), "*", NAME)):
        if os.path.dirname(path) == folder:
            continue
        try:
            other = dial(os.path.dirname(path))
            other.send({"purpose": "take over", "owner": owner})
            if json.loads(other.line())["is_over"]:
                return True
        except (OSError, Gone, ValueError):
            continue
    return False


def open_lock() -> int:
    """Return a descriptor of the machine's lock file, which is the same for every user.

    Raises:
        Refused: There is no lock file, and none can be made.
    """
    named = os.environ.get("AUTOMOE_LOCK_FOLDER")
    for folder in (named,) if named else LOCK_FOLDERS:
        path = os.path.join(folder, "automoe.lock")
        flags = os.O_RDONLY | os.O_NOFOLLOW
        for more in (0, os.O_CREAT | os.O_EXCL, 0):  # again, because it may appear meanwhile
            try:
                descriptor = os.open(path, flags | more, 0o644)
            except OSError:
                continue
            if more:
                os.fchmod(descriptor, 0o644)
            return descriptor
    raise Refused("no lock file can be made in any of %s" % (named or ", ".join(LOCK_FOLDERS)))


def try_lock(descriptor: int, seconds: float = 0.0) -> bool:
    """Return whether this process holds the lock, now or within a number of seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(0.05)


def describe_holder(descriptor: int) -> str:
    """Return who holds the lock, as far as the kernel says."""
    inode = str(os.fstat(descriptor).st_ino)
    try:
        with open("/proc/locks") as file:
            fields = [line.split() for line in file]
        pids = [x[4] for x in fields if x[1] == "FLOCK" and x[5].rpartition(":")[2] == inode]
        status = os.stat("/proc/" + pids[0])
        since = time.strftime("%H:%M", time.localtime(status.st_mtime))
        return "process %s of %s, since %s" % (pids[0], user_name(status.st_uid), since)
    except (OSError, IndexError):
        return "somebody"


def user_name(uid: int) -> str:
    """Return a user's name, or the number when there is no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "user %d" % uid
