"""Says what is wrong with an answer: the misconceptions of its exercise first, then what can go wrong in any."""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import traceback
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType

from halfbits.grading.answer import Answer, Call, agree, message_of, own_codes, replay
from halfbits.grading.exercise import Exercise
from halfbits.grading.guard import Budget, LeftProgram, TimeExpired
from halfbits.grading.report import Check

_REPLAYED_CALLS = 100
_LEAST_FAILING_CALLS = 3
_LEAST_SHARE_OF_HELD = 0.95
_LEAST_SHARE_OF_FAILING = 0.6


def named_misconception(exercise: Exercise, checks: list[Check], calls: list[Call]) -> tuple[str | None, str | None]:
    """The misconception that explains the failing calls, and its sentence; (None, None) where none does.

    One that does as the answer did in every failing call wins; among several, the one that agrees in most calls.
    Failing that, one that explains the first failing property and nearly all calls made for it, where that property
    failed often enough for the agreement to be no accident. Where a property makes too few calls for that, as in the
    tasks, one that explains most failing calls of the whole answer: in another it may round a tie to the other side, or
    meet a second mistake. Each must agree where the answer is right, too: who holds the property that a misconception
    breaks does not have it.
    """
    held = [call for check in checks if check.held for call in calls[check.first_call : check.last_call]]
    failing = [call for call in calls if call.failed]
    best = _best(exercise, failing, calls, held, least_share=0.5)
    if best:
        return best, _sentence(exercise, best)
    made_by_each = [calls[check.first_call : check.last_call] for check in checks if not check.held]
    spoken_for = [made for made in made_by_each if sum(call.failed for call in made) >= _LEAST_FAILING_CALLS]
    for made in spoken_for:
        best = best or _best(exercise, [call for call in made if call.failed], made, held, least_share=0.9)
    if not spoken_for:
        best = _best_of_most(exercise, failing, held)
    return (best, f"One thing first. {_sentence(exercise, best)}") if best else (None, None)


def _sentence(exercise: Exercise, name: str) -> str:
    return " ".join(exercise.misconceptions[name].__doc__.split())


def _best(
    exercise: Exercise, failing: list[Call], calls: list[Call], held: list[Call], least_share: float
) -> str | None:
    """The misconception that agrees in all failing calls and in most others, as far as the shares ask."""
    if not failing:
        return None
    failing, calls, held = _sample(failing), _sample(calls), _sample(held)
    shares = {}
    for name, function in exercise.misconceptions.items():
        agrees = _agreement(exercise, function)
        with contextlib.suppress(TimeExpired):
            if all(map(agrees, failing)) and _share(agrees, held) >= _LEAST_SHARE_OF_HELD:
                shares[name] = _share(agrees, calls)
    best = max(shares, key=shares.get, default=None)
    return best if best and shares[best] >= least_share else None


def _best_of_most(exercise: Exercise, failing: list[Call], held: list[Call]) -> str | None:
    """The misconception that agrees in most failing calls, in one of the first two (which is soon known) among them."""
    failing, held = _sample(failing), _sample(held)
    shares = {}
    for name, function in exercise.misconceptions.items():
        agrees = _agreement(exercise, function)
        with contextlib.suppress(TimeExpired):
            if not any(map(agrees, failing[:2])) or sum(map(agrees, failing)) < 2:
                continue
            share = _share(agrees, failing)
            if share >= _LEAST_SHARE_OF_FAILING and _share(agrees, held) >= _LEAST_SHARE_OF_HELD:
                shares[name] = share
    return max(shares, key=shares.get, default=None)


def _agreement(exercise: Exercise, function: Callable) -> Callable[[Call], bool]:
    """Whether a misconception does as the answer did in a call; each call is replayed once."""
    budget = Budget(exercise.replay_seconds)

    @functools.cache
    def agrees(call: Call) -> bool:
        return agree(call, replay(function, call, budget, exercise.use))

    return agrees


def _share(agrees: Callable[[Call], bool], calls: list[Call]) -> float:
    return sum(map(agrees, calls)) / len(calls) if calls else 1.0


def _sample(calls: list[Call]) -> list[Call]:
    """At most so many calls, evenly spaced."""
    step = -(-len(calls) // _REPLAYED_CALLS) or 1
    return calls[::step]


def general(answer: Answer, checks: list[Check]) -> str | None:
    """What can go wrong in any exercise, in a sentence."""
    failed = [check.call for check in checks if check.call is not None and not check.held]
    if not failed:
        return None
    call = failed[0]
    if isinstance(call.raised, LeftProgram):
        return f"Your function called `{call.raised}`, which would have ended the kernel. Return the answer instead."
    if isinstance(call.raised, SystemExit):
        return "Your function called `sys.exit()`, which ends the program. Return the answer instead."
    if call.raised is not None:
        return _of_exception(answer, call)
    returned = [call.returned for call in answer.calls if call.raised is None]
    if returned and all(value is None for value in returned):
        if call.output.length:
            return "Your function prints its answer and returns None. Put `return` where it says `print`."
        return "Your function returned None every time. Did you forget a `return`?"
    if call.returned is None:
        if not any(map(_returns_something, own_codes(answer.function))):
            return "Your function has no `return`."
        return "Your function returned None here: one of its branches has no `return`."
    if isinstance(call.returned, Exception):
        return "Your function returns an exception. `raise` it."
    if inspect.isgenerator(call.returned):
        return "Your function is a generator, since it says `yield`. Use `return`."
    if isinstance(call.returned, FunctionType):
        return "Your function returned a function. Did you leave out the parentheses of a call?"
    return None


def _of_exception(answer: Answer, call: Call) -> str | None:
    error, message = call.raised, message_of(call.raised)
    if answer.is_stub(call):
        return "This part is not written yet: your function raises NotImplementedError here."
    if "convert a symbolic" in message and "numpy" in message.lower():
        return (
            "You called NumPy on a tensor. Inside `tf.function` a tensor has no values yet, only a graph is drawn: "
            "use TensorFlow's operations."
        )
    if isinstance(error, NotImplementedError) and not message:
        innermost = traceback.extract_tb(error.__traceback__)[-1].name
        return f"Your function calls `{innermost}`, which is not written yet. Write that first, and run its cell."
    if isinstance(error, NameError):
        return (
            f"Python says: {message}. Is it misspelt? If not, run the cell that defines it; after a restart of the "
            "kernel, all of them again."
        )
    if isinstance(error, TypeError) and not answer.accepts(len(call.arguments)):
        return (
            f"The checks call your function with {len(call.arguments)} arguments, which it does not accept. "
            "Keep the signature that the exercise gives."
        )
    if isinstance(error, ValueError) and "truth value of an array" in message:
        return (
            "`if`, `and` and `or` want one True or False, and an array has one for each element. Say what you mean: "
            "`is not None`, `.all()`, `.any()`; or work on the whole array, with `np.where` for instance (`tf.where` "
            "for tensors)."
        )
    if isinstance(error, TypeError) and "for ^" in message:
        return "`^` is exclusive or in Python. A power is written `**`."
    return None


def _returns_something(code: CodeType) -> bool:
    """Whether a function's code has a `return` with a value, or is a generator."""
    steps = list(dis.get_instructions(code))
    for before, step in zip([None, *steps], steps, strict=False):
        if step.opname == "RETURN_CONST" and step.argval is not None:
            return True
        if step.opname == "RETURN_VALUE" and not (before and before.opname == "LOAD_CONST" and before.argval is None):
            return True
    return False


def learner_line(function: Callable, error: BaseException) -> str | None:
    """The line of the learner's code that raised, with its number."""
    own_files = {code.co_filename for code in own_codes(function)}
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename in own_files]
    if not own:
        return None
    frame = own[-1]
    return f"line {frame.lineno}, in {frame.name}:  {frame.line}" if frame.line else None


def forbidden_shortcut(function: Callable, forbidden: tuple[str, ...]) -> str | None:
    """The first forbidden module or dtype name that an answer reaches, directly or through the learner's helpers."""
    seen: set[CodeType] = set()
    queue = [function, *vars(function).values()] if inspect.isclass(function) else [function]
    while queue:
        item = queue.pop()
        item = getattr(inspect.unwrap(item), "__func__", item) if callable(item) else item
        if not isinstance(item, FunctionType) or item.__code__ in seen:
            continue
        seen.add(item.__code__)
        names, strings, paths = _mentions(item.__code__)
        names |= set(item.__code__.co_freevars)  # those of functions inside it are among them, or local to it
        values = [value for name in names if (value := _lookup(item, name)) is not None]
        queue += [value for value in values if _origin(value) == item.__module__]
        origins = {_origin(value) for value in values} - {item.__module__}  # their own helpers are looked into
        for path in (*paths, *strings, *origins):
            for name in forbidden:
                if path == name or path.startswith(f"{name}."):
                    return name
    return None


def _mentions(code: CodeType) -> tuple[set[str], set[str], set[str]]:
    """Global names, string constants, and imports and attributes of a code object and those inside it.

    A string counts where it is loaded, which a function's docstring never is; that may name anything.
    """
    names, strings, paths = set(), set(), set()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names.add(step.argval)
        elif step.opname in ("IMPORT_NAME", "LOAD_ATTR", "LOAD_METHOD"):
            paths.add(step.argval)
        elif step.opname in ("LOAD_CONST", "RETURN_CONST") and isinstance(step.argval, str):
            strings.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            for mine, inner in zip((names, strings, paths), _mentions(constant), strict=True):
                mine.update(inner)
    return names, strings, paths


def _lookup(function: FunctionType, name: str):
    if name in function.__code__.co_freevars:
        cell = function.__closure__[function.__code__.co_freevars.index(name)]
        try:
            return cell.cell_contents
        except ValueError:  # not yet bound
            return None
    return function.__globals__.get(name)


def _origin(value) -> str:
    """The module that an object comes from."""
    if isinstance(value, ModuleType):
        return value.__name__
    own = getattr(value, "__module__", None)
    return own if isinstance(own, str) else type(value).__module__
