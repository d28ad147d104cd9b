"""Mechanical mutants of our solutions, run through the grader: each is a small slip, and all should be rejected.

    python -m tests.grading.mutants [EXERCISE …]

The operators are those of mutation testing (Jia and Harman, "An Analysis and Survey of the Development of Mutation
Testing", IEEE TSE 37(5), 2011, section 2) and, for this course, dtypes and reductions that are taken for each other.
`equivalent_mutants.yaml` lists the survivors that do as the solution does, and why.
"""

from __future__ import annotations

import argparse
import ast
import collections
import copy
import linecache
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import yaml

from halfbits.grading import answer as answers
from halfbits.grading import grade
from halfbits.grading.exercise import Exercise, find, load_solutions, units

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.yaml")

_COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.MatMult: ast.Mult,
}
_TAKEN_FOR_EACH_OTHER = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("reduce_min", "reduce_max"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("reduce_any", "reduce_all"),
    ("floor", "ceil"),
    ("sum", "mean"),
    ("reduce_sum", "reduce_mean"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("logical_and", "logical_or"),
    ("float16", "float32"),
    ("float32", "float64"),
    ("int8", "int16"),
    ("uint8", "int8"),
    ("int32", "int64"),
    ("uint16", "int16"),
    ("uint32", "int32"),
    ("isnan", "isinf"),
)
_NAMES = collections.defaultdict(set)
for _one, _other in _TAKEN_FOR_EACH_OTHER:
    _NAMES[_one].add(_other)
    _NAMES[_other].add(_one)
for _name in ("round", "rint"):
    _NAMES[_name].add("floor")
for _name in ("isfinite", "is_finite"):
    _NAMES[_name].add(_name.replace("finite", "nan"))


@dataclass(frozen=True)
class Mutant:
    """One small change of a solution.

    Attributes:
        name: the changed statement, before and after; with a number where the same change is possible twice.
        source: the text of the function or class.
    """

    exercise: str
    name: str
    source: str


def mutants(exercise: Exercise) -> list[Mutant]:
    """All mutants of an exercise's solution, in the order of its text."""
    return [Mutant(exercise.name, name, source) for name, source in mutations(exercise.solution)]


def mutations(source: str) -> Iterator[tuple[str, str]]:
    """The names and texts of all mutants of one function or class."""
    tree = ast.parse(source)
    _without_docstrings_and_annotations(tree)
    plain, seen, unasked = ast.unparse(tree), collections.Counter(), _messages(tree)
    for index, node in enumerate(ast.walk(tree)):
        if node in unasked:
            continue
        for replacement in _replacements(node):
            mutated = _replaced(tree, index, replacement)
            text = ast.unparse(mutated)
            name = _change(plain, text)
            if name is None:
                continue
            seen[name] += 1
            yield name + (f" ({seen[name]})" if seen[name] > 1 else ""), text


def _without_docstrings_and_annotations(tree: ast.Module) -> None:
    """Neither does anything when the function runs."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None


def _messages(tree: ast.Module) -> set[ast.AST]:
    """What is inside f-strings and the messages of exceptions, for which no contract asks."""
    outer = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    outer += [item for node in ast.walk(tree) if isinstance(node, ast.Raise) for item in getattr(node.exc, "args", [])]
    return {inner for node in outer for inner in ast.walk(node)}


def _replaced(tree: ast.Module, index: int, replacement: ast.AST) -> ast.Module:
    """A copy of the tree with another node in the place of the one that `ast.walk` comes to after so many."""
    mutated = copy.deepcopy(tree)
    target = next(node for number, node in enumerate(ast.walk(mutated)) if number == index)

    class Replace(ast.NodeTransformer):
        def visit(self, node):
            return replacement if node is target else self.generic_visit(node)

    return ast.fix_missing_locations(Replace().visit(mutated))


def _change(before: str, after: str) -> str | None:
    """The first lines that differ; None where nothing does."""
    pairs = zip([*before.splitlines(), ""], [*after.splitlines(), ""], strict=False)
    return next((f"{one.strip()}  →  {other.strip()}" for one, other in pairs if one != other), None)


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    for kind, replace in _OPERATORS.items():
        if isinstance(node, kind):
            yield from replace(node)


def _with(node: ast.AST, **fields) -> ast.AST:
    return type(node)(**{**{name: getattr(node, name) for name in node._fields}, **fields})


def _compare(node: ast.Compare) -> Iterator[ast.AST]:
    for place, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            yield _with(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])


def _binary(node: ast.BinOp | ast.AugAssign) -> Iterator[ast.AST]:
    yield _with(node, op=_ARITHMETIC[type(node.op)]())


def _unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _boolean(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1) if isinstance(node.value, int) else ast.Constant(2 * node.value)
    elif isinstance(node.value, str):
        for other in _NAMES.get(node.value, {node.value + "_"}):
            yield ast.Constant(other)


def _condition(node: ast.If | ast.While | ast.IfExp) -> Iterator[ast.AST]:
    yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))


def _name(node: ast.Name) -> Iterator[ast.AST]:
    for other in sorted(_NAMES.get(node.id, ())):
        if isinstance(node.ctx, ast.Load):
            yield _with(node, id=other)


def _attribute(node: ast.Attribute) -> Iterator[ast.AST]:
    for other in sorted(_NAMES.get(node.attr, ())):
        yield _with(node, attr=other)


def _call(node: ast.Call) -> Iterator[ast.AST]:
    for place in range(len(node.keywords)):
        yield _with(node, keywords=[*node.keywords[:place], *node.keywords[place + 1 :]])


def _return(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None:
        yield ast.Return(ast.Constant(None))


def _nothing(node: ast.stmt) -> Iterator[ast.AST]:
    yield ast.Pass()


def _stored(node: ast.Assign) -> Iterator[ast.AST]:
    """An attribute or an item not stored; a name not assigned would only be a NameError."""
    if not any(isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets):
        yield ast.Pass()


_OPERATORS: dict[type | tuple, Callable] = {
    ast.Compare: _compare,
    (ast.BinOp, ast.AugAssign): _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Constant: _constant,
    (ast.If, ast.While, ast.IfExp): _condition,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Return: _return,
    (ast.AugAssign, ast.Expr, ast.Raise): _nothing,
    ast.Assign: _stored,
    ast.Break: lambda _: [ast.Continue()],
    ast.Continue: lambda _: [ast.Break()],
}


def survives(mutant: Mutant, names: dict) -> bool:
    """Whether the grader passes a mutant, which it stops at the first call that breaks the contract.

    Args:
        names: the variables of the module that our solutions are in.
    """
    rejected = []

    def reject(call, *_):
        rejected.append(call)
        raise KeyboardInterrupt  # which ends a pytest run at once

    with mock.patch.object(answers.Call, "fail", reject):
        try:
            return grade(made(mutant, names), mutant.exercise).passed
        except KeyboardInterrupt:
            if not rejected:
                raise
            return False


def made(mutant: Mutant, names: dict) -> Callable:
    """The mutant as a function, whose text AutoGraph can read."""
    path = f"<mutant of {mutant.exercise}: {mutant.name}>"
    linecache.cache[path] = (len(mutant.source), None, mutant.source.splitlines(keepends=True), path)
    names = dict(names)
    exec(compile(mutant.source, path, "exec"), names)
    return names[mutant.exercise]


def survivors(name: str) -> tuple[str, int, list[str]]:
    """The exercise, how many mutants it has, and the names of those that pass."""
    exercise = find(name)
    names = vars(sys.modules[load_solutions(exercise.unit)[name].__module__])
    all_of_it = mutants(exercise)
    return name, len(all_of_it), [mutant.name for mutant in all_of_it if survives(mutant, names)]


def equivalent() -> dict[str, dict[str, str]]:
    """The survivors that are no mistakes, by exercise, and why each is none."""
    return yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or {}


def _without_stderr() -> None:
    """Where TensorFlow writes a line for each operation that a mutant gets wrong; exceptions come back all the same."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run mechanical mutants of our solutions through the grader.")
    parser.add_argument("exercises", nargs="*", metavar="EXERCISE", help="these alone; by default all")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    asked = chosen.exercises or [name for unit in units() for name in unit.exercise_names]
    total, unexplained = 0, []
    print(f"{'exercise':32} {'mutants':>8} {'passed':>8} {'not explained':>14}")
    # A fresh process for each exercise: TensorFlow keeps every graph that a mutant has drawn.
    with multiprocessing.get_context("spawn").Pool(chosen.processes, _without_stderr, maxtasksperchild=1) as pool:
        for name, count, passed in pool.imap(survivors, asked):
            unknown = [mutant for mutant in passed if mutant not in equivalent().get(name, {})]
            total, unexplained = total + count, unexplained + unknown
            print(f"{name:32} {count:8} {len(passed):8} {len(unknown):14}", *unknown, sep="\n    ", flush=True)
    rejected = 1 - len(unexplained) / total
    print(f"{total} mutants, {len(unexplained)} passed without being equivalent: {rejected:.2%} rejected")
    return int(len(unexplained) > 0.01 * total)


if __name__ == "__main__":
    sys.exit(main())
