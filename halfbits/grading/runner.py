"""Runs an exercise's check file, an ordinary pytest file, on an answer inside this process."""

from __future__ import annotations

import os
from types import ModuleType
from unittest import mock

import pytest

from halfbits.grading.answer import Answer, Mismatch, message_of
from halfbits.grading.exercise import Exercise
from halfbits.grading.guard import TimeExpired
from halfbits.grading.hypothesis_settings import course_settings, without_shrinking
from halfbits.grading.report import Check
from halfbits.grading.values import shortened

# Plugins that only cost time here, or that touch the kernel's streams.
_UNWANTED = "terminal cacheprovider capture faulthandler logging junitxml unraisableexception threadexception warnings"

# An answer that is written in stages holds some property by then.
_ENOUGH_UNATTEMPTED = 3


class _Plugin:
    """Takes down what each test says."""

    def __init__(self, answer: Answer):
        self._answer = answer
        self._calls_before = 0
        self.checks: list[Check] = []
        self.timed_out = self.stopped = False
        self.broken: list[str] = []

    def pytest_configure(self, config):
        config.option.tbstyle = "native"  # nobody sees pytest's own rendering, which takes half of the time

    def pytest_runtest_setup(self, item):
        self._calls_before = len(self._answer.calls)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        if all(check.held for check in self.checks):
            return (yield)
        with without_shrinking(item.function):
            return (yield)

    def pytest_collectreport(self, report):
        if report.failed:
            self.broken.append(str(report.longrepr))

    def pytest_runtest_makereport(self, item, call):
        if call.when != "call":
            if call.excinfo is not None:
                self.broken.append(str(call.excinfo.getrepr()))
            return
        error = call.excinfo.value if call.excinfo else None
        check = Check(
            _title(item), held=error is None, first_call=self._calls_before, last_call=len(self._answer.calls)
        )
        if isinstance(error, Mismatch):
            check.call, check.because = error.call, shortened(error.because)  # which may quote what came out
        elif isinstance(error, TimeExpired):
            self.timed_out = True
            check.call = self._answer.calls[-1]
        elif error is not None and check.first_call < check.last_call:
            check.call = self._answer.calls[-1]
            what = f"{type(error).__name__}: {message_of(error)}"
            check.because = shortened(f"the check could not use what came out ({what})")
            check.call.failed = True
        elif error is not None:
            self.broken.append(str(call.excinfo.getrepr()))
        self.checks.append(check)
        self.stopped = self.timed_out or (len(self.checks) == _ENOUGH_UNATTEMPTED and self._answer.is_unwritten)
        if self.stopped:
            item.session.shouldstop = "nothing more to learn"


def _fixture(answer: Answer) -> ModuleType:
    """A plugin with the fixture that the tests of a check file ask for."""
    plugin = ModuleType("halfbits_answer")
    plugin.answer = pytest.fixture(lambda: answer, scope="session", name="answer")
    return plugin


def _title(item) -> str:
    """A test's docstring in one line; for a parametrized test with the parameters."""
    title = " ".join((item.function.__doc__ or item.name).split())
    return f"{title} [{item.callspec.id}]" if hasattr(item, "callspec") else title


def run(exercise: Exercise, answer: Answer) -> tuple[list[Check], bool]:
    """Run the exercise's tests on the answer.

    Returns:
        The outcome of each property, in the order of the file, and whether the time ran out.

    Raises:
        RuntimeError: the check file itself is broken; that is our fault, not the learner's.
    """
    plugin = _Plugin(answer)
    arguments = [str(exercise.path), "--noconftest", "--import-mode=importlib", "-c", os.devnull]
    arguments += [f"--rootdir={exercise.path.parent}"]
    arguments += [part for name in _UNWANTED.split() for part in ("-p", f"no:{name}")]
    # The learner's own environment may carry options and plugins for their own pytest runs.
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
    with mock.patch.dict(os.environ, environment), course_settings():
        status = pytest.main(arguments, plugins=[plugin, _fixture(answer)])
    if status == pytest.ExitCode.INTERRUPTED and not plugin.stopped:
        raise KeyboardInterrupt
    if plugin.broken or not plugin.checks:
        raise RuntimeError(
            f"the checks of {exercise.name} are broken, please report this:\n" + "\n".join(plugin.broken)
        )
    return plugin.checks, plugin.timed_out


def mutations(answer: Answer) -> list[Check]:
    """The property that every exercise has, where it does not hold: the arguments are not changed."""
    for index, call in enumerate(answer.calls):
        if call.mutated:
            call.failed = True
            name, because = "The arguments stay as they were", "your function changed one"
            return [Check(name, False, call, because, first_call=index, last_call=index + 1)]
    return []
