"""What the course knows of an exercise: its check file, its misconceptions, its hints, our solution."""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from halfbits import checks

_DEFAULT_SECONDS = 10.0
_DEFAULT_REPLAY_SECONDS = 10.0
_NEVER_ALLOWED = ("halfbits",)  # this package knows the answers


class UnknownExercise(LookupError):
    """No exercise has this name; the message says which ones are near."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class Unit:
    """The exercises of one notebook."""

    name: str
    title: str
    notebook: str
    exercise_names: tuple[str, ...]


def units() -> tuple[Unit, ...]:
    """All units of the course, in its order."""
    return tuple(_unit(name) for name in checks.UNITS)


def _unit(name: str) -> Unit:
    module = importlib.import_module(f"halfbits.checks.{name}")
    return Unit(name, module.TITLE, module.NOTEBOOK, module.EXERCISES)


def find(name: str) -> Exercise:
    """The exercise of this name.

    Raises:
        UnknownExercise: there is none.
    """
    known = {exercise: unit for unit in units() for exercise in unit.exercise_names}
    if name in known:
        return Exercise(name, known[name])
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        raise UnknownExercise(f"No exercise is called {name!r}. Did you mean {near[0]!r}?")
    raise UnknownExercise(f"No exercise is called {name!r}. The exercises are: {', '.join(known)}.")


def find_for(answer) -> Exercise:
    """The exercise that an answer is for, by its own name; or of the name that a string is.

    Raises:
        UnknownExercise: there is none; the message says what to do.
    """
    if isinstance(answer, str):
        return find(answer)
    name = str(getattr(answer, "__name__", ""))
    if not name.isidentifier():  # a lambda, a functools.partial, an object that can be called
        raise UnknownExercise(
            "Your answer has no name that says which exercise it is for. Write it with `def` and the exercise's name, "
            "as in `def decode(...)`."
        )
    try:
        return find(name)
    except UnknownExercise as error:
        raise UnknownExercise(f"{error} Rename your {'class' if inspect.isclass(answer) else 'function'}.") from None


@dataclass(frozen=True)
class Exercise:
    """One exercise; everything but its name and unit is read from its check file and its source on demand."""

    name: str
    unit: Unit

    @cached_property
    def module(self) -> ModuleType:
        """The check file."""
        from halfbits.grading.hypothesis_settings import course_settings  # which takes a quarter of a second

        with course_settings():
            return importlib.import_module(f"halfbits.checks.{self.unit.name}.{self.name}")

    @property
    def path(self) -> Path:
        """Where the check file lies."""
        return Path(checks.__file__).parent / self.unit.name / f"{self.name}.py"

    @property
    def contract(self) -> str:
        """The exercise in one line."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))  # a check file may take seconds to import
        return ast.get_docstring(tree).splitlines()[0]

    @property
    def hints(self) -> tuple[str, ...]:
        """From a nudge to nearly the answer."""
        return self.module.HINTS

    @property
    def misconceptions(self) -> dict[str, Callable]:
        """Wrong answers that people really give, by name; the docstring of each says what went wrong."""
        return {name: item for name, item in vars(self.module).items() if getattr(item, "is_misconception", False)}

    @property
    def forbidden(self) -> tuple[str, ...]:
        """Modules that an answer may not reach and dtype names it may not write, since they do the whole exercise."""
        return _NEVER_ALLOWED + getattr(self.module, "FORBIDDEN", ())

    @property
    def seconds(self) -> float:
        """How long all calls of an answer may take together."""
        return getattr(self.module, "SECONDS", _DEFAULT_SECONDS)

    @property
    def replay_seconds(self) -> float:
        """How long the calls of one misconception may take when it is held against an answer's."""
        return getattr(self.module, "REPLAY_SECONDS", _DEFAULT_REPLAY_SECONDS)

    @property
    def formats(self) -> dict[int, Callable]:
        """How reports show an argument, by its position, where the default will not do."""
        return getattr(self.module, "SHOW", {})

    @property
    def use(self) -> Callable | None:
        """How to exercise an answer that is not simply called, from the arguments of a check's call."""
        return getattr(self.module, "use", None)

    @property
    def next_name(self) -> str | None:
        """The exercise after this one in its notebook."""
        names = self.unit.exercise_names
        place = names.index(self.name) + 1
        return names[place] if place < len(names) else None

    @cached_property
    def _definition(self) -> tuple[str, ast.stmt]:
        source = _source_file(self.unit).read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == self.name:
                return source, node
        raise LookupError(f"{_source_file(self.unit)} defines no {self.name}")

    @property
    def wants_class(self) -> bool:
        """Whether the exercise asks for a class rather than a function."""
        return isinstance(self._definition[1], ast.ClassDef)

    @property
    def solution(self) -> str:
        """The source text of our solution."""
        source, node = self._definition
        lines = ast.get_source_segment(source, node, padded=True).splitlines()
        return textwrap.dedent("\n".join(line for line in lines if not line.strip().startswith("### ")))


def _source_file(unit: Unit) -> Path:
    return Path(checks.__file__).parents[2] / "sources" / "exercises" / f"{unit.notebook}.py"


def load_solutions(unit: Unit) -> dict[str, Callable]:
    """Our solutions of a unit, by exercise: the imports and definitions of its source, executed."""
    path = _source_file(unit)
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)  # assignments may train a network
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, kept)]
    module = ModuleType(f"halfbits_solutions_{unit.name}")
    sys.modules[module.__name__] = module
    exec(compile(tree, str(path), "exec"), vars(module))
    return {name: vars(module)[name] for name in unit.exercise_names}


def misconception(function: Callable) -> Callable:
    """Mark a wrong answer in a check file; its docstring is the diagnosis: what went wrong, and what mends it."""
    if not function.__doc__:
        raise ValueError(f"misconception {function.__name__} has no docstring to show")
    function.is_misconception = True
    return function
