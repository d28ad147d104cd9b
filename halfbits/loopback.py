"""Run a command in a network of its own that holds nothing but a loopback device (Linux).

    python -m halfbits.loopback COMMAND ARGUMENT ...

Some servers listen on every network interface and ask nobody who they are; TensorFlow's is one. In here nobody outside
reaches them, and they reach nobody. Where the system does not allow it, nothing is run and the exit status is 97.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys

# This module loads nothing that starts threads: a process with threads may not leave for a user namespace.
__all__ = ["NOT_POSSIBLE", "enter"]

#: The exit status where there can be no network apart.
NOT_POSSIBLE = 97

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41  # linux/sockios.h, linux/if.h


def enter() -> None:
    """Leave for a network apart, for good.

    Raises:
        OSError: this system does not allow it.
    """
    if not sys.platform.startswith("linux"):
        raise OSError(f"{sys.platform} has no network namespaces")
    import fcntl

    libc = ctypes.CDLL(None, use_errno=True)
    for flags in (_NEW_NETWORK, _NEW_USER | _NEW_NETWORK):  # the first for root, the second for everybody else
        if libc.unshare(flags) == 0:
            break
    else:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP_AND_RUNNING))


if __name__ == "__main__":
    try:
        enter()
    except OSError as problem:
        print(problem, file=sys.stderr)
        sys.exit(NOT_POSSIBLE)
    os.execvp(sys.argv[1], sys.argv[1:])
