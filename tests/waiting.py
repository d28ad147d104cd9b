"""Waiting for other processes, without waiting for ever."""

import subprocess
import time
from collections.abc import Callable

#: Seconds after which a process that a test started hangs, however busy the machine is.
PATIENCE = 600


def wait_until(condition: Callable[[], bool], process: subprocess.Popen, seconds: float = 60) -> None:
    """Wait until a condition holds that a process is to bring about.

    Raises:
        AssertionError: the process has ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"the process ended, with {process.returncode}"
        assert time.monotonic() < deadline, f"nothing came in {seconds} s"
        time.sleep(0.01)
