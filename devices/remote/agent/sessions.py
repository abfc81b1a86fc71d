"""This module finds the folders of sessions that nobody keeps, and removes them.

The relay holds a lock on the folder of its session, and the keeper inherits it. The system frees it
with their last process, however that ends.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil

from devices.remote.agent.wire import dial


def clear_abandoned(folder: str) -> bool:
    """Remove the folders of other sessions that nobody keeps. Return whether no session is left.

    Args:
        folder: The folder of this session. It stays.
    """
    sessions, is_alone = os.path.dirname(folder), True
    entry = os.open(sessions, os.O_RDONLY)
    try:
        fcntl.flock(entry, fcntl.LOCK_EX)  # meanwhile no session enters its folder
        for other in glob.glob(os.path.join(glob.escape(sessions), "*")):
            if other != folder and not remove_if_abandoned(other):
                is_alone = False
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(entry)
    return is_alone


def remove_if_abandoned(folder: str) -> bool:
    """Return whether nobody keeps the session of a folder, which is removed then."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if answers(folder):  # the keeper of an older version holds no lock
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def answers(folder: str) -> bool:
    """Return whether a keeper listens in a folder."""
    try:
        dial(folder).close()
        return True
    except OSError:
        return False
