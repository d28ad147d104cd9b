"""Hostile answers, drawn by Hypothesis: always a verdict, the process alive, and nothing left behind in it."""

import asyncio
import builtins
import copy
import decimal
import fractions
import gc
import importlib
import itertools
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import hypothesis
import numpy as np
import psutil
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from halfbits.grading import grade
from halfbits.grading.exercise import Exercise, load_solutions, units
from tests.grading.test_exercises import EXERCISES, needs_tensorflow

OUTCOMES = {"passed", "failed", "error", "timeout", "unattempted"}
RIGHT = load_solutions(units()[0])["decode"]
FEW = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)


def is_a_verdict(report) -> bool:
    return report.outcome in OUTCOMES and len(str(report)) < 30_000 and len(report._repr_html_()) < 60_000


class Odd:
    """An object whose methods do what they should not; each of them asks `_does` first."""

    def __init__(self, does):
        self._does = does

    def _answer(self, *_):
        return self._does()

    __repr__ = __str__ = __eq__ = __hash__ = __float__ = __int__ = __index__ = __len__ = __bool__ = _answer
    __iter__ = __getitem__ = __lt__ = __gt__ = __add__ = __sub__ = __abs__ = __contains__ = __call__ = _answer
    __array__ = __neg__ = __array_ufunc__ = _answer

    dtype = shape = numpy = ndim = property(_answer)


class OfNoClass(Odd):
    __class__ = property(Odd._answer)


def raises(error):
    def throw():
        raise error

    return throw


def itself():
    value = [1.0]
    value.append(value)
    return value


def in_a_mapping():
    value = {}
    value["max"] = value
    return value


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no")


ERRORS = [
    ValueError("x" * 10_000),
    Unspeakable(),
    MemoryError(),
    RecursionError(),
    StopIteration(1),
    SystemExit(3),
    GeneratorExit(),
    asyncio.CancelledError(),
    pytest.skip.Exception("skipped"),
    pytest.fail.Exception("failed"),
    pytest.exit.Exception("exit"),
    hypothesis.errors.UnsatisfiedAssumption(),
]


def a_million_items():
    return [0.0] * 10**6


MAKERS = [
    itself,
    in_a_mapping,
    object,
    lambda: (number for number in itertools.count()),
    lambda: iter([1.0]),
    lambda: range(10**12),
    lambda: memoryview(b"abc"),
    lambda: sys,
    lambda: int,
    lambda: lambda: 0,
    lambda: 1 << 100_000,
    lambda: -(10**5000),
    lambda: fractions.Fraction(10**400),
    lambda: decimal.Decimal("sNaN"),
    lambda: "x" * 10**7,
    a_million_items,
    lambda: np.zeros(10**6, np.float16),
    lambda: np.ma.masked_all(3),
    lambda: np.array([None, "x", 1.0], dtype=object),
    lambda: np.array(float("nan"), dtype=object),
    lambda: np.zeros(2, dtype=[("max", "f4"), ("min", "i8")]),
    lambda: np.datetime64("2026-01-01"),
    lambda: {"bias": None, "max": [], "min_normal": "x", "min_subnormal": np.zeros(3), "epsilon": 1j},
    *[lambda error=error: Odd(raises(error)) for error in ERRORS],
    *[lambda error=error: OfNoClass(raises(error)) for error in ERRORS[:3]],
    lambda: Odd(lambda: Odd(raises(ValueError()))),
    lambda: Odd(lambda: None),
    lambda: Odd(lambda: "x"),
    lambda: Odd(lambda: print("x" * 10_000)),
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.fractions(),
    st.decimals(),
    arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, min_side=0)),
)
plans = st.recursive(
    scalars | st.sampled_from(MAKERS),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.sets(st.text()),
    max_leaves=5,
)


def made(plan):
    """A value after its plan: Hypothesis, which looks at what it draws, is to see the makers of odd objects alone."""
    if isinstance(plan, (list, tuple)):
        return type(plan)(map(made, plan))
    if isinstance(plan, dict):
        return {key: made(item) for key, item in plan.items()}
    return plan() if callable(plan) else plan


def asks_for(maker, plan) -> bool:
    items = plan.values() if isinstance(plan, dict) else plan if isinstance(plan, (list, tuple)) else ()
    return plan is maker or any(asks_for(maker, item) for item in items)


class ValueTests:
    exercise: Exercise

    @FEW
    @given(plan=plans)
    @example(plan=lambda: "x" * 10**7)  # to be shown in short
    @example(plan=(a_million_items, a_million_items))  # not to be looked through in each call
    def test_whatever_it_returns(self, plan):
        value = made(plan)
        if self.exercise.wants_class:

            class Answer:
                def __init__(self, *_, **__):
                    self.value = value

                def __getattr__(self, name):
                    return lambda *_, **__: value

            answer = Answer
        else:

            def answer(*_, **__):
                return value

        report = grade(answer, self.exercise.name)
        assert is_a_verdict(report)
        # Of each item that comes out of a graph TensorFlow makes a constant, and of a million that takes minutes.
        in_graph = "in_graph" in self.exercise.path.read_text(encoding="utf-8")
        may_last = ("timeout",) if in_graph and asks_for(a_million_items, plan) else ()
        assert report.outcome in ("failed", "error", *may_last)


for _exercise in EXERCISES:
    _marks = [pytest.mark.thorough] + [pytest.mark.tensorflow] * needs_tensorflow(_exercise)
    globals()[f"Test_{_exercise.name}"] = type(
        f"Test_{_exercise.name}", (ValueTests,), {"exercise": _exercise, "pytestmark": _marks}
    )


def forks_and_leaves():
    if os.fork() == 0:
        os._exit(7)


def forks_and_waits():
    child = os.fork()
    if child == 0:
        os._exit(7)
    os.waitpid(child, 0)


def forks_and_both_return():
    os.fork()


def forks_and_loops():
    if os.fork() == 0:
        while True:
            pass


def starts_a_program():
    subprocess.Popen(["sleep", "1000"])


def waits_for_a_program():
    subprocess.run(["true"], check=True)


def stands_in_a_deleted_folder():
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def starts_an_endless_thread():
    def run():
        while True:
            time.sleep(0.01)

    threading.Thread(target=run).start()


def switches_the_alarm_off():
    signal.setitimer(signal.ITIMER_REAL, 0)


def takes_the_alarm():
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def patches_numpy():
    np.isnan = np.float32 = np.dtype = None
    np.linalg.norm = np.random.rand = None


def patches_python():
    builtins.len = builtins.isinstance = builtins.print = lambda *_: 7
    math.ldexp = time.sleep = random.random = None


def replaces_streams():
    sys.stdout = sys.stderr = None


def closes_streams():
    sys.stdout.close()
    sys.stderr.close()


def recurses():
    recurses()


def reads_the_checks():
    return Path(
        importlib.import_module("half" + "bits").__path__[0], "checks", "number_formats", "decode.py"
    ).read_text()


def grades_itself():
    importlib.import_module("half" + "bits.grading").grade(lambda *_: os._exit(1), "decode")


BEHAVIOURS = [
    *[raises(error) for error in ERRORS],
    forks_and_leaves,
    forks_and_waits,
    forks_and_both_return,
    forks_and_loops,
    starts_a_program,
    waits_for_a_program,
    stands_in_a_deleted_folder,
    starts_an_endless_thread,
    switches_the_alarm_off,
    takes_the_alarm,
    patches_numpy,
    patches_python,
    replaces_streams,
    closes_streams,
    recurses,
    reads_the_checks,
    grades_itself,
    lambda: os._exit(1),
    lambda: os.abort(),
    lambda: os.kill(os.getpid(), signal.SIGKILL),
    lambda: os.execv("/bin/true", ["true"]),
    lambda: signal.alarm(0),
    lambda: signal.alarm(8),
    lambda: sys.exit(1),
    lambda: exit(1),
    lambda: print("x" * 10**6),
    lambda: sys.setrecursionlimit(10**6),
    lambda: sys.setprofile(lambda *_: None),
    lambda: gc.disable(),
    lambda: np.set_printoptions(precision=1),
    lambda: np.seterr(all="raise"),
    lambda: warnings.simplefilter("error"),
    lambda: random.seed(1),
    lambda: np.random.seed(1),  # noqa: NPY002
    lambda: os.chdir("/"),
    lambda: os.environ.clear(),
    lambda: sys.path.clear(),
    lambda: copy.deepcopy(sys.path),
    lambda: [0] * 10**7,
    lambda: hypothesis.reject(),
    lambda: hypothesis.assume(False),
]


HARMLESS = [
    forks_and_leaves,
    forks_and_waits,
    starts_a_program,
    waits_for_a_program,
    stands_in_a_deleted_folder,
    reads_the_checks,
    starts_an_endless_thread,
]


def state():
    """What an answer could leave behind, as far as it can be compared."""
    modules = [dict(vars(module)) for module in (math, np, np.linalg, np.random, random, time, os, signal)]
    threads = {thread for thread in threading.enumerate() if thread.is_alive()}
    return (
        modules,
        set(psutil.Process().children()),
        {name: value for name, value in vars(builtins).items() if name != "_"},
        threads,
        (random.getstate(), str(np.random.get_state()), np.geterr(), str(np.get_printoptions())),  # noqa: NPY002
        (dict(os.environ), os.getcwd(), list(sys.path), sys.getrecursionlimit(), gc.isenabled()),
        (sys.stdout, sys.stderr, sys.getprofile(), sys.gettrace(), list(warnings.filters)),
        (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL), signal.getsignal(signal.SIGINT)),
    )


class Behaving:
    """An answer that does something in some of its calls, and then is right or wrong."""

    def __init__(self, behaviours, period, right):
        self.behaviours, self.period, self.right, self.calls = behaviours, period, right, 0

    def answer(self):
        def decode(bits, exponent_bits, mantissa_bits):
            self.calls += 1
            if self.calls % self.period == 0:
                for behave in self.behaviours:
                    behave()
            return RIGHT(bits, exponent_bits, mantissa_bits) if self.right else 0.0

        return decode


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has none of this")
# The guard ends threads by SystemExit.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
class TestBehaviours:
    @pytest.mark.parametrize("behave", BEHAVIOURS, ids=lambda behave: behave.__name__)
    def test_each_at_every_hundredth_call(self, behave):
        before = state()
        report = grade(Behaving([behave], 100, right=True).answer())
        assert is_a_verdict(report)
        assert state() == before
        assert grade(RIGHT).passed

    @pytest.mark.thorough
    @settings(FEW, max_examples=60)
    @given(st.lists(st.sampled_from(BEHAVIOURS), min_size=1, max_size=4), st.sampled_from([7, 100, 999]), st.booleans())
    def test_many_together(self, behaviours, period, right):
        before = state()
        assert is_a_verdict(grade(Behaving(behaviours, period, right).answer()))
        assert state() == before

    def test_what_only_looks_dangerous_may_still_be_right(self):
        for harmless in HARMLESS:
            assert grade(Behaving([harmless], 100, right=True).answer()).passed, harmless.__name__

    @pytest.mark.parametrize(
        "behave", [switches_the_alarm_off, takes_the_alarm, lambda: signal.alarm(0), lambda: signal.alarm(8)]
    )
    def test_the_graders_clock_is_not_to_be_had(self, behave):
        assert "the grader keeps time" in str(grade(Behaving([behave], 1, right=True).answer()))

    def test_leaving_the_process_is_named(self):
        report = grade(Behaving([lambda: os._exit(1)], 1, right=True).answer())
        assert report.outcome == "error"
        assert "`os._exit`" in report.diagnosis


@pytest.fixture
def short_limit(monkeypatch):
    monkeypatch.setattr(Exercise, "seconds", 0.5)


def for_ever():
    while True:
        time.sleep(0.01)


def test_an_object_that_never_says_what_it_is_ends_in_a_verdict(short_limit):
    assert grade(lambda *_: Odd(for_ever), "decode").outcome == "timeout"


def test_an_answer_that_is_right_only_from_the_second_call_fails():
    seen = set()

    def forgetful(*arguments):
        if arguments in seen:
            return RIGHT(*arguments)
        seen.add(arguments)
        return 0.0

    report = grade(forgetful, "decode")
    assert report.outcome == "failed"


def test_an_answer_that_is_right_only_on_the_first_call_fails():
    calls = itertools.count()
    report = grade(lambda *arguments: RIGHT(*arguments) if next(calls) == 0 else 0.0, "decode")
    assert report.outcome == "failed"


def test_an_answer_that_caches_what_it_computed_is_right():
    known = {}

    def decode(*arguments):
        if arguments not in known:
            known[arguments] = RIGHT(*arguments)
        return known[arguments]

    assert grade(decode).passed
    assert grade(decode).passed


def test_an_answer_that_returns_one_array_again_and_again_is_right():
    """A buffer of its own, filled anew each time: each result is right when it is returned, and no more is asked."""
    round_right = load_solutions(units()[0])["round_to_bfloat16"]
    buffers = {}

    def round_to_bfloat16(x):
        buffer = buffers.setdefault(x.shape, np.empty(x.shape, np.float32))
        buffer[...] = round_right(x)
        return buffer

    assert grade(round_to_bfloat16).passed
