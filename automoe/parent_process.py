"""This module ends the processes of a pool when the program that started them has ended."""

import os
import threading
import time

_LOOK_S = 0.2  # between two looks at the parent


def end_with(parent: int) -> None:
    """End this process, whatever it does, soon after its parent has ended. Return at once.

    A program that is killed cannot stop its processes. They would hold their locks and use the
    cores until their work is done.

    Args:
        parent: The number of the parent process, which the parent itself has to tell: it may have
            ended before this process looks for the first time.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
