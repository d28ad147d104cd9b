"""The learner's function as the checks see it: each call is recorded, contained and compared."""

from __future__ import annotations

import inspect
import numbers
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

import numpy as np

from halfbits.grading.guard import Budget, Output, ProcessState, TimeExpired, quiet
from halfbits.grading.values import difference, show, snapshot, unchanged

_NO_VALUE = object()
_ENOUGH_FAILURES = 100
_MESSAGE_CHARACTERS = 300
_VALUE_OF_A_VARIABLE = re.compile(r", value=\[[^>]*(?=>)")  # which goes over many lines
_REMEMBERED: dict[tuple, Call] = {}


class Mismatch(AssertionError):
    """A call of the answer that did not come out as the contract says."""

    def __init__(self, call: Call, because: str):
        super().__init__(because)
        self.call = call
        self.because = because


class Call:
    """One call of an answer: what went in, what came out.

    Attributes:
        arguments: as they were before the call.
        returned: the value, where the call returned.
        raised: the exception, where it did not.
        mutated: whether the call changed an argument.
        output: what the call printed.
        expected: what `equals` or `raises` asked for, once asked.
        failed: whether that did not hold.
    """

    def __init__(self, name: str, arguments: tuple, formats: dict[int, Callable], budget: Budget):
        self._name = name
        self._budget = budget
        self._formats = formats
        self.arguments = arguments
        self.returned: Any = _NO_VALUE
        self.raised: BaseException | None = None
        self.mutated = False
        self.output = Output()
        self.expected: Any = _NO_VALUE
        self.failed = False

    def equals(self, expected, rtol: float = 0.0, atol: float = 0.0, because: str | Callable[[Call], str] = "") -> None:
        """Hold the returned value against the expected one; its type says what is open (see `values.difference`).

        Args:
            expected: the value asked for.
            rtol, atol: how far each number may be off, relative to the expected one and absolutely.
            because: why it is wrong where it is, or a function of this call that says so; by default how it differs.

        Raises:
            Mismatch: it differs, or the call raised.
        """
        self.expected = expected
        if self.raised is not None:
            self.fail("", because)
        reason = _safe_difference(self._budget, self.returned, expected, rtol, atol)
        if reason:
            self.fail(reason, because)

    def raises(self, kind: type[Exception], because: str | Callable[[Call], str] = "") -> None:
        """Hold the call to raising an exception of this kind.

        Raises:
            Mismatch: it returned, or raised something else.
        """
        self.expected = kind
        if not isinstance(self.raised, kind):
            self.fail("", because)

    def fail(self, reason: str, because: str | Callable[[Call], str] = "") -> None:
        """Record that this call broke the contract, and raise `Mismatch` with the better of two explanations."""
        self.failed = True
        raise Mismatch(self, (because(self) if callable(because) else because) or reason)

    def does_as(self, other: Call) -> None:
        """Take over what came out of another call."""
        self.returned, self.raised = other.returned, other.raised
        self.mutated, self.output = other.mutated, other.output

    @property
    def text(self) -> str:
        """The call as a person would write it."""
        shown = (self._formats.get(i, show)(value) for i, value in enumerate(self.arguments))
        return f"{self._name}({', '.join(shown)})"

    @property
    def outcome_text(self) -> str:
        """What came out, in words."""
        if self.raised is not None:
            message = _in_a_line(self.raised)
            return f"{type(self.raised).__name__}{': ' if message else ''}{message}"
        if self.returned is _NO_VALUE:
            return "no answer in time"
        return show(self.returned)

    @property
    def expected_text(self) -> str:
        """What was asked for, in words."""
        if self.expected is _NO_VALUE:
            return ""
        if isinstance(self.expected, type):
            return f"raises {self.expected.__name__}"
        return show(self.expected)


class Answer:
    """A learner's function, wrapped for the checks.

    Args:
        function: what the learner wrote.
        name: the exercise's name.
        budget: the time that all calls together may take.
        formats: how to show an argument, by the position of the parameter.
        use: how to exercise an answer that is not simply called, such as a class: gets the answer and the arguments.
        ours: whether it is one of our misconceptions, which does the same every time: what it did is remembered.
    """

    def __init__(
        self,
        function: Callable,
        name: str,
        budget: Budget,
        formats: dict[int, Callable] | None = None,
        use: Callable | None = None,
        ours: bool = False,
    ):
        self.function = function
        self._use = use
        self._ours = ours
        self._name = name
        self._budget = budget
        self._formats = formats or {}
        self.calls: list[Call] = []
        self.changed_names: set[str] = set()
        self._times: Counter[tuple] = Counter()

    def __call__(self, *arguments) -> Call:
        """Call the answer with copies of the arguments and record what it does; only `TimeExpired` comes through."""
        call = Call(self._name, snapshot(arguments), self._formats, self._budget)
        self.calls.append(call)
        key = self._memory_key(arguments) if self._ours else None
        if key in _REMEMBERED:
            call.does_as(_REMEMBERED[key])
            return call
        self._record(call, arguments)
        if key is not None:
            _REMEMBERED[key] = call
        return call

    def _memory_key(self, arguments: tuple) -> tuple | None:
        """What tells this call from others: the arguments, and how often this answer has been called with them."""
        try:
            key = self.function, self._name, pickle.dumps(arguments)
        except Exception:  # what cannot be pickled may raise anything
            return None
        self._times[key] += 1
        return *key, self._times[key]

    def _record(self, call: Call, arguments: tuple) -> None:
        given, state = snapshot(arguments), ProcessState()
        try:
            with quiet(call.output):
                if self._use:
                    call.returned = self._budget.run(self._use, (self.function, *given))
                else:
                    call.returned = self._budget.run(self.function, given)
                if type(call.returned).__module__ not in ("builtins", "numpy"):
                    self._budget.run(_probe, (call.returned,))
        except (TimeExpired, KeyboardInterrupt):
            raise
        except BaseException as error:  # pytest's and asyncio's own ways out among them
            call.raised = error
        finally:
            self.changed_names.update(state.restore())
        call.mutated = not unchanged(given, call.arguments)

    def each(self, cases: Iterable[tuple], oracle: Callable, because: str | Callable[[Call], str] = "") -> None:
        """Call the answer on every case (smallest first) and compare with the oracle on the same arguments.

        An oracle returns the value expected, or the class of the exception expected. The cases go on after one fails,
        for the diagnosis to see more of them, up to a hundred; the first failure is reported.
        """
        failures: list[Mismatch] = []
        for arguments in cases:
            call, expected = self(*arguments), oracle(*arguments)
            try:
                if isinstance(expected, type) and issubclass(expected, Exception):
                    call.raises(expected, because)
                else:
                    call.equals(expected, because=because)
            except Mismatch as mismatch:
                failures.append(mismatch)
            if len(failures) == _ENOUGH_FAILURES:
                break
        if failures:
            raise failures[0]

    @property
    def is_unwritten(self) -> bool:
        """Whether no call has done anything yet."""
        return bool(self.calls) and all(map(self.is_stub, self.calls))

    def is_stub(self, call: Call) -> bool:
        """Whether a call shows that nothing has been written: NotImplementedError, from the answer's own code."""
        if not isinstance(call.raised, NotImplementedError):
            return False
        innermost = call.raised.__traceback__
        while innermost.tb_next:
            innermost = innermost.tb_next
        return innermost.tb_frame.f_code in own_codes(self.function)

    def accepts(self, count: int) -> bool:
        """Whether the answer can be called with so many positional arguments (True where that cannot be told)."""
        if self._use:
            return True
        try:
            inspect.signature(self.function).bind(*[None] * count)
        except TypeError:
            return False
        except ValueError:
            return True
        return True


def _safe_difference(budget: Budget, got, expected, rtol: float, atol: float = 0.0) -> str | None:
    """How a value differs; on the answer's time, since an object of a class of its own compares itself."""
    try:
        return budget.run(difference, (got, expected, rtol, atol))
    except (TimeExpired, KeyboardInterrupt):
        raise
    except BaseException as error:
        return f"comparing it raised {type(error).__name__}"


def message_of(error: BaseException) -> str:
    """What an exception says; nothing where its class cannot say it."""
    try:
        return str(error)
    except Exception:
        return ""


def _probe(value) -> None:
    """Ask a value what the checks will ask it: an object of a class of its own may raise even here."""
    isinstance(value, numbers.Real), hasattr(value, "dtype"), hasattr(value, "numpy")


def _in_a_line(error: BaseException) -> str:
    """What an exception says, without the traceback that AutoGraph puts before it and the details that follow."""
    text = _VALUE_OF_A_VARIABLE.sub("", message_of(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    line = lines[-1] if lines[0] == "in user code:" else lines[0]
    return line if len(line) <= _MESSAGE_CHARACTERS else f"{line[:_MESSAGE_CHARACTERS]} …"


def own_codes(function: Callable) -> set[CodeType]:
    """The code of a function, or of the methods of a class."""
    functions = vars(function).values() if inspect.isclass(function) else [function]
    return {item.__code__ for item in map(inspect.unwrap, functions) if hasattr(item, "__code__")}


def replay(function: Callable, call: Call, budget: Budget, use: Callable | None) -> Call:
    """Use a misconception in the way and with the arguments of a recorded call."""
    return Answer(function, call._name, budget, use=use, ours=True)(*call.arguments)


def agree(one: Call, other: Call) -> bool:
    """Whether another call came out as the first did: the same value, the same exception, the same mutation.

    The comparison is on the other one's time: an answer that has used up its own still gets its diagnosis.
    """
    if one.raised is not None or other.raised is not None:
        # A TypeError has many causes, which its message tells apart; the message of one asked for is its author's.
        asked_for = isinstance(one.expected, type)
        return type(one.raised) is type(other.raised) and (
            asked_for or message_of(one.raised) == message_of(other.raised)
        )
    if one.mutated != other.mutated:
        return False
    if _is_numpy(one.expected):  # only there does it matter whether a result is NumPy's
        same_kind = _is_numpy(one.returned) == _is_numpy(other.returned)
        return same_kind and _safe_difference(other._budget, one.returned, other.returned, rtol=1e-6) is None
    return _safe_difference(other._budget, _plain(one.returned), _plain(other.returned), rtol=1e-6) is None


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def _is_numpy(value) -> bool:
    return isinstance(value, (np.ndarray, np.generic))
