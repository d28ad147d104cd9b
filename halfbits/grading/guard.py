"""Runs one call of a learner's function so that nothing it does reaches the kernel: time, output, global state."""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import gc
import io
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

_KEPT_CHARACTERS = 2_000
_REPEAT_SECONDS = 0.05
_THREAD_SECONDS = 1.0


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

    def run(self, function: Callable, arguments: tuple):
        """Call the function and count its time.

        Raises:
            TimeExpired: the time is used up.
        """
        if self.left <= 0:
            raise TimeExpired
        start = time.perf_counter()
        try:
            with _alarm(self.left), kernel_kept():
                return _call(function, arguments)
        finally:
            self.spent += time.perf_counter() - start


def _call(function: Callable, arguments: tuple):
    """The frame below which everything is the answer's: only there may the alarm raise."""
    return function(*arguments)


def _frames_of_answer(frame) -> list:
    """The frames from this one down to `_call`; none where the answer is not running."""
    frames = []
    while frame is not None:
        frames.append(frame)
        if frame.f_code is _call.__code__:
            return frames
        frame = frame.f_back
    return []


# The real ones, where an answer gets others (see `kernel_kept`).
_set_handler, _set_timer = signal.signal, getattr(signal, "setitimer", None)


def _alarm(seconds: float):
    """Raise `TimeExpired` in this thread after so many seconds, and again until the block is left."""
    main = threading.current_thread() is threading.main_thread()
    return _signal_alarm(seconds) if main and hasattr(signal, "setitimer") else _thread_alarm(seconds)


@contextlib.contextmanager
def _signal_alarm(seconds: float):
    tracer_before = sys.gettrace()

    def expire(signum, frame):
        if _raise_on_next_lines(frame):
            sys.settrace(_trace_nothing_new)
            raise TimeExpired

    handler_before = _set_handler(signal.SIGALRM, expire)
    timer_before = _set_timer(signal.ITIMER_REAL, seconds, _REPEAT_SECONDS)
    try:
        yield
    finally:
        _set_timer(signal.ITIMER_REAL, *timer_before)  # one alarm may be set inside another
        _set_handler(signal.SIGALRM, handler_before)
        if sys.gettrace() is not tracer_before:
            sys.settrace(tracer_before)


def _raise_on_next_lines(frame) -> bool:
    """Make every further line of the answer raise: a bare ``except:`` around its loop would swallow one exception.

    Returns:
        Whether the answer is running at all.
    """
    frames = _frames_of_answer(frame)
    for running in frames:
        running.f_trace = _trace_to_the_end
    return bool(frames)


def _trace_to_the_end(frame, event, arg):
    if event == "line":
        raise TimeExpired
    return _trace_to_the_end


def _trace_nothing_new(frame, event, arg):
    """A thread's trace function, without which the frames' own ones are not called."""


@contextlib.contextmanager
def _thread_alarm(seconds: float):
    """For Windows and for threads other than the main one, where no signal can be had."""
    left, thread, tracer_before = threading.Event(), threading.get_ident(), sys.gettrace()

    def interrupt():
        wait = seconds
        while not left.wait(wait):
            if _raise_on_next_lines(sys._current_frames().get(thread)):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeExpired))
            wait = _REPEAT_SECONDS

    watch = threading.Thread(target=interrupt, daemon=True)
    watch.start()
    sys.settrace(_trace_nothing_new)
    try:
        yield
    finally:
        _end_watch(left, watch)
        sys.settrace(tracer_before)


def _end_watch(left: threading.Event, watch: threading.Thread) -> None:
    """Stop the watching thread, and take the exception that it may have sent too late."""
    while True:
        try:
            left.set()
            watch.join()
            # Taken back with SetAsyncExc(None) it would leave CPython 3.11's eval breaker set, and the next traced
            # call would never return.
            for _ in range(10):
                pass
            return
        except TimeExpired:
            continue


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


_WATCHED_MODULES = (builtins, math, random, time, np, np.linalg, np.random)


class ProcessState:
    """What an answer could change for the whole process, taken down to be put back after each call of it."""

    def __init__(self):
        self._names = [(module, dict(vars(module))) for module in _WATCHED_MODULES]
        # The encoded variables: decoding all of them costs more than most answers do.
        self._environment, self._folder = dict(os.environ._data), os.getcwd()
        self._path, self._recursion = list(sys.path), sys.getrecursionlimit()
        self._collects, self._profiler, self._printing = gc.isenabled(), sys.getprofile(), np.get_printoptions()
        self._keras = sys.modules.get("keras")
        if self._keras:
            self._policy = self._keras.config.dtype_policy()

    def restore(self) -> list[str]:
        """Put everything back.

        Returns:
            The names in NumPy and the standard library that had changed or vanished; new names there are left alone.
        """
        if os.environ._data != self._environment:
            os.environ.clear()
            os.environ.update(
                {os.environ.decodekey(k): os.environ.decodevalue(v) for k, v in self._environment.items()}
            )
        with contextlib.suppress(FileNotFoundError):  # the answer has deleted it
            os.chdir(self._folder)  # without asking where we are, which may be nowhere
        sys.path[:] = self._path
        sys.setrecursionlimit(self._recursion)
        (gc.enable if self._collects else gc.disable)()
        if sys.getprofile() is not self._profiler:
            sys.setprofile(self._profiler)
        if np.get_printoptions() != self._printing:
            np.set_printoptions(**self._printing)
        if self._keras and self._keras.config.dtype_policy() is not self._policy:
            self._keras.config.set_dtype_policy(self._policy)
        return [name for module, saved in self._names for name in _restore_names(module, saved)]


def _restore_names(module: ModuleType, saved: dict) -> list[str]:
    now, missing = vars(module), object()
    with contextlib.suppress(Exception):  # a learner's object that cannot be compared
        if now == saved:  # by identity first, so this is quick; the names one by one would take longer than the answer
            return []
    # The interactive shell owns builtins._
    changed = [name for name, value in saved.items() if now.get(name, missing) is not value and name != "_"]
    now.update({name: saved[name] for name in changed})
    return [f"{module.__name__}.{name}" for name in changed]


class LeftProgram(SystemExit):
    """The answer called what ends the process on the spot, by the name that the message gives."""


def _ends_only_children(real: Callable, parent: int) -> Callable:
    """What ends the process at once, for an answer: in a child that it forked it still does."""

    def end(*arguments):
        if os.getpid() != parent:
            real(*arguments)
        raise LeftProgram(f"os.{real.__name__}")

    return end


def _keeps_the_alarm(real: Callable) -> Callable:
    """What could switch the grader's alarm off, for an answer."""
    always = real.__name__ == "alarm"  # which gets seconds; the others are told which signal or timer

    def refuse(which, *arguments):
        if always or which in (signal.SIGALRM, signal.ITIMER_REAL):
            raise RuntimeError("the grader keeps time with this alarm")
        return real(which, *arguments)

    return refuse


def _kills_others(real: Callable, parent: int) -> Callable:
    def kill(process, which):
        if process == parent:
            raise LeftProgram("os.kill")
        return real(process, which)

    return kill


def _remembers_children(real: Callable, children: list[int]) -> Callable:
    def fork():
        child = real()
        children.append(child)
        return child

    return fork


def _remembers_programs(real: Callable, children: list[int]) -> Callable:
    def start(program, *arguments, **named):
        real(program, *arguments, **named)
        children.append(program.pid)

    return start


def _replacements(parent: int, children: list[int]) -> list[tuple[ModuleType | type, str, Callable]]:
    """What an answer gets instead of the functions with which it could end this process or lame its clock."""
    ends = [
        (os, name, _ends_only_children(getattr(os, name), parent)) for name in ("_exit", "abort", "execv", "execve")
    ]
    ends.append((os, "kill", _kills_others(os.kill, parent)))
    if not hasattr(signal, "setitimer"):  # Windows
        return ends
    clocks = [(signal, name, _keeps_the_alarm(getattr(signal, name))) for name in ("signal", "setitimer", "alarm")]
    fork = os, "fork", _remembers_children(os.fork, children)
    program = subprocess.Popen, "__init__", _remembers_programs(subprocess.Popen.__init__, children)
    return [*ends, *clocks, fork, program]


@contextlib.contextmanager
def kernel_kept():
    """Let no call of an answer end this process, stop its clock, come back twice from a fork or leave children.

    Children are what it forks or starts with `subprocess`, not what those start in turn. This is no sandbox: it holds
    against what an answer does by its way, not against one that means harm. `halfbits grade` runs a notebook in a
    kernel of its own.
    """
    parent, children = os.getpid(), []
    replacements = _replacements(parent, children)
    real = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
    _set(replacements)
    try:
        yield
    finally:
        _set(real)
        if os.getpid() != parent:
            os._exit(0)
        for child in children:
            _end_child(child)


def _set(attributes: list[tuple[ModuleType | type, str, Callable]]) -> None:
    for owner, name, value in attributes:
        setattr(owner, name, value)


def _end_child(process: int) -> None:
    with contextlib.suppress(ChildProcessError, ProcessLookupError):  # the answer has waited for it
        if os.waitpid(process, os.WNOHANG) == (0, 0):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


@contextlib.contextmanager
def threads_ended(files: set[str]):
    """End the threads that are left running code of these files."""
    before = set(threading.enumerate())
    try:
        yield
    finally:
        frames = sys._current_frames()
        left = [one for one in set(threading.enumerate()) - before if _runs(frames.get(one.ident), files)]
        for thread in left:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        for thread in left:
            thread.join(_THREAD_SECONDS)


def _runs(frame, files: set[str]) -> bool:
    while frame is not None and frame.f_code.co_filename not in files:
        frame = frame.f_back
    return frame is not None


@contextlib.contextmanager
def random_numbers_kept():
    """Leave the global random generators where they were."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
