"""Runs one call of a learner's function so that nothing it does reaches the kernel: time, output, global state."""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import io
import math
import os
import random
import signal
import sys
import threading
import time
import warnings
from dataclasses import dataclass

import numpy as np

_KEPT_CHARACTERS = 2_000
_REPEAT_SECONDS = 0.05


class TimeExpired(BaseException):
    """The answer has used up its time. Not an Exception, so that ``except Exception`` in an answer lets it pass."""


class Output(io.TextIOBase):
    """A text stream that keeps the first 2,000 characters and counts the rest."""

    def __init__(self):
        super().__init__()
        self.head = ""
        self.length = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.length += len(text)
        if len(self.head) < _KEPT_CHARACTERS:
            self.head += text[: _KEPT_CHARACTERS - len(self.head)]
        return len(text)

    def __str__(self) -> str:
        dropped = self.length - len(self.head)
        return self.head + (f"\n… and {dropped:,} characters more" if dropped else "")


@dataclass
class Budget:
    """The seconds that an answer may still spend, over all its calls together."""

    limit: float
    spent: float = 0.0

    @property
    def left(self) -> float:
        return self.limit - self.spent

    @contextlib.contextmanager
    def running(self):
        """Count the time inside, and raise `TimeExpired` there once it is used up."""
        if self.left <= 0:
            raise TimeExpired
        start = time.perf_counter()
        try:
            with _alarm(max(self.left, 0.001)):
                yield
        finally:
            self.spent += time.perf_counter() - start


def _alarm(seconds: float):
    """Raise `TimeExpired` in this thread after so many seconds, and again until the block is left."""
    main = threading.current_thread() is threading.main_thread()
    return _signal_alarm(seconds) if main and hasattr(signal, "setitimer") else _thread_alarm(seconds)


@contextlib.contextmanager
def _signal_alarm(seconds: float):
    tracer_before = sys.gettrace()

    def expire(signum, frame):
        _raise_on_next_lines(frame)
        raise TimeExpired

    handler_before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler_before)
        if sys.gettrace() is not tracer_before:
            sys.settrace(tracer_before)


def _raise_on_next_lines(frame) -> None:
    """Make every further line of the answer raise: a bare ``except:`` around its loop would swallow one signal."""

    def trace_line(frame, event, arg):
        if event == "line":
            raise TimeExpired
        return trace_line

    sys.settrace(lambda frame, event, arg: None)
    while frame is not None and not frame.f_code.co_filename.startswith(_OUR_FOLDER):
        frame.f_trace = trace_line
        frame = frame.f_back


_OUR_FOLDER = os.path.dirname(__file__)


@contextlib.contextmanager
def _thread_alarm(seconds: float):
    """For Windows and for threads other than the main one, where no signal can be had."""
    left, thread = threading.Event(), ctypes.c_ulong(threading.get_ident())

    def interrupt():
        wait = seconds
        while not left.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TimeExpired))
            wait = _REPEAT_SECONDS

    watch = threading.Thread(target=interrupt, daemon=True)
    watch.start()
    try:
        yield
    finally:
        left.set()
        watch.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)  # one that is pending has come too late


@contextlib.contextmanager
def quiet(output: Output):
    """Send what is printed to `output`, and keep warnings and NumPy's error state as they were."""
    with (
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


_WATCHED_MODULES = (builtins, math, np)


class Namespaces:
    """What the names in the modules that everything rests on mean, to put them back after an answer changed them."""

    def __init__(self):
        self._saved = [(module, dict(vars(module))) for module in _WATCHED_MODULES]

    def restore(self) -> list[str]:
        """Put back every name that changed or vanished, and return those names. New names are left alone."""
        changed = []
        for module, saved in self._saved:
            now = vars(module)
            for name, value in saved.items():
                if now.get(name, self) is not value and name != "_":  # the interactive shell owns builtins._
                    now[name] = value
                    changed.append(f"{module.__name__}.{name}")
        return changed


@contextlib.contextmanager
def process_state_kept():
    """Put back afterwards: random generators, environment, working folder, import path, recursion limit."""
    python_random, numpy_random = random.getstate(), np.random.get_state()  # noqa: NPY002
    environment, path, folder = dict(os.environ), list(sys.path), os.getcwd()
    recursion = sys.getrecursionlimit()
    try:
        yield
    finally:
        random.setstate(python_random)
        np.random.set_state(numpy_random)  # noqa: NPY002
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        sys.path[:] = path
        os.chdir(folder)
        sys.setrecursionlimit(recursion)
