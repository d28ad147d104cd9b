"""Whatever a learner's answer does, it becomes a clear verdict and leaves the process as it was."""

import functools
import math
import os
import random
import sys
import threading
import time

import numpy as np
import pytest

from halfbits.grading import CheckFailed, UnknownExercise, check, grade, hint
from halfbits.grading.exercise import Exercise, load_solutions, units

RIGHT = load_solutions(units()[0])["decode"]


def graded(function):
    return grade(function, "decode")


def graded_with_little_time(function):
    """For what never ends: a right answer on a busy machine may need longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exercise, "seconds", 0.3)
        return graded(function)


def test_a_right_answer_passes():
    report = graded(RIGHT)
    assert report.passed
    assert report.outcome == "passed"
    assert report.failures == []
    assert "on to `format_limits`" in report.next_step


def test_the_exercise_is_the_functions_name():
    def decode(bits, exponent_bits, mantissa_bits):
        return RIGHT(bits, exponent_bits, mantissa_bits)

    assert grade(decode).passed


def test_a_stub_is_unattempted_not_failed():
    def stub(bits, exponent_bits, mantissa_bits):
        """Docstring."""
        raise NotImplementedError

    report = graded(stub)
    assert report.outcome == "unattempted"
    assert report.failures == []
    assert "hint(decode)" in report.next_step


def test_a_missing_return_is_named():
    report = graded(lambda bits, exponent_bits, mantissa_bits: None)
    assert report.outcome == "failed"
    assert "forget a `return`" in report.diagnosis


def test_printing_instead_of_returning_is_named():
    report = graded(lambda bits, e, m: print(RIGHT(bits, e, m)))
    assert "prints its answer" in report.diagnosis
    assert report.output.startswith("0.015625\n")


def test_an_exception_shows_the_learners_line():
    def faulty(bits, exponent_bits, mantissa_bits):
        return bits + "this line is theirs"

    report = graded(faulty)
    assert report.outcome == "error"
    assert "this line is theirs" in report.code_line
    assert "TypeError" in str(report)


def test_other_parameters_are_named():
    report = graded(lambda bits: 0.0)
    assert report.outcome == "error"
    assert "Keep the signature" in report.diagnosis


def endless(*_):
    while True:
        pass


def endless_behind_bare_excepts(*_):
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722
            pass


def endless_in_sleep(*_):
    while True:
        time.sleep(60)


@pytest.mark.parametrize("function", [endless, endless_behind_bare_excepts, endless_in_sleep])
def test_an_endless_loop_ends_in_a_verdict(function):
    trace_before = sys.gettrace()
    report = graded_with_little_time(function)
    assert report.outcome == "timeout"
    assert "endless loop" in report.summary
    assert sys.gettrace() is trace_before
    assert graded(RIGHT).passed


@pytest.mark.parametrize("function", [endless, endless_behind_bare_excepts])
def test_an_endless_loop_ends_in_any_thread(function):
    reports = []
    thread = threading.Thread(target=lambda: reports.append(graded_with_little_time(function)), daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert [report.outcome for report in reports] == ["timeout"]


def test_much_output_is_kept_short_and_off_the_screen(capsys):
    def loud(bits, e, m):
        for _ in range(100):
            print("x" * 100)
        print("on stderr", file=sys.stderr)
        return 0.0

    report = graded(loud)
    assert report.outcome == "failed"
    assert len(report.output) < 2100
    assert "characters more" in report.output
    assert capsys.readouterr() == ("", "")


def test_a_changed_argument_fails():
    def in_place(x):
        x[np.isnan(x)] = np.nan
        bits = x.view(np.uint32)
        bits += np.uint32(0x7FFF) + ((bits >> 16) & 1)
        bits &= np.uint32(0xFFFF0000)
        return x

    report = grade(in_place, "round_to_bfloat16")
    assert report.outcome == "failed"
    assert "The arguments stay as they were" in [check.name for check in report.failures]


def test_global_state_is_put_back():
    def vandal(bits, exponent_bits, mantissa_bits):
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        np.seterr(all="raise")
        os.environ["VANDAL"] = "1"
        sys.path.clear()
        sys.setrecursionlimit(5000)
        math.inf = 3
        np.isnan = np.array = None
        return 0.0

    saved = (random.getstate(), np.geterr(), dict(os.environ), list(sys.path), sys.getrecursionlimit(), np.isnan)
    numpy_random = np.random.get_state()[1].tolist()  # noqa: NPY002
    report = graded(vandal)
    assert report.outcome == "failed"
    assert any("numpy.isnan" in note for note in report.notes)
    assert math.inf > 3
    after = (random.getstate(), np.geterr(), dict(os.environ), list(sys.path), sys.getrecursionlimit(), np.isnan)
    assert after == saved
    assert np.random.get_state()[1].tolist() == numpy_random  # noqa: NPY002


def test_the_working_folder_is_put_back(tmp_path):
    before = os.getcwd()
    graded(lambda *_: os.chdir(tmp_path))
    assert os.getcwd() == before


def test_always_nan_fails():
    report = graded(lambda *_: math.nan)
    assert report.outcome == "failed"
    assert any(check.held for check in report.checks)  # NaN is right where NaN is asked for


def test_leaving_the_program_is_named():
    report = graded(lambda *_: sys.exit())
    assert report.outcome == "error"
    assert "sys.exit()" in report.diagnosis


def test_a_generator_is_named():
    def lazy(bits, exponent_bits, mantissa_bits):
        yield 0.0

    assert "generator" in graded(lazy).diagnosis


def test_endless_recursion_is_an_error():
    def deeper(*arguments):
        return deeper(*arguments)

    report = graded(deeper)
    assert report.outcome == "error"
    assert "RecursionError" in str(report)


def test_the_learners_own_interrupt_comes_through():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        graded(interrupted)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: 0, "Write it with `def` and the exercise's name"),
        (functools.partial(RIGHT), "Write it with `def` and the exercise's name"),
        ("decode", "without quotes"),
        (3.5, "this is a value of type float"),
        (None, "this is a value of type NoneType"),
        (type("decode", (), {}), "this is a class"),
    ],
)
def test_what_is_no_answer_is_told_so(answer, words):
    report = grade(answer)
    assert report.outcome == "error"
    assert words in report.summary


def test_a_misspelt_name_gets_a_suggestion():
    def decoed(bits, exponent_bits, mantissa_bits):
        return 0.0

    assert "Did you mean 'decode'? Rename your function." in grade(decoed).summary


def test_a_misspelt_string_is_no_function_to_rename():
    with pytest.raises(UnknownExercise, match=r"Did you mean 'decode'\?$"):
        hint("decod")
    assert grade(RIGHT, "decod").summary.endswith("Did you mean 'decode'?")


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    def __float__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [
        Hostile(),
        object(),
        "1.0",
        [1.0],
        (1.0,),
        {},
        1j,
        np.zeros((2, 2)),
        np.array(["x"]),
        True,
        lambda: 0,
        "x" * 10**6,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_strange_value_is_a_failure(value):
    report = graded(lambda *_: value)
    assert report.outcome == "failed"
    assert len(str(report)) < 20_000
    assert report._repr_html_()


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.array, int])
def test_any_scalar_of_the_right_value_is_right(kind):
    def other_type(bits, exponent_bits, mantissa_bits):
        value = RIGHT(bits, exponent_bits, mantissa_bits)
        keeps = np.isfinite(value) and float(kind(value)) == value and (kind is not int or value)
        return kind(value) if keeps else value

    assert graded(other_type).passed


def test_check_prints_the_report_and_fails_in_a_line(capsys):
    def decode(bits, exponent_bits, mantissa_bits):
        return 0.0

    with pytest.raises(CheckFailed) as failure:
        check(decode)
    assert "✗ decode" in capsys.readouterr().out
    assert len(failure.value._render_traceback_()) == 1


def test_the_report_escapes_what_the_learner_wrote():
    report = graded(lambda *_: "<script>alert(1)</script>")
    assert "<script>" not in report._repr_html_()
    assert "&lt;script&gt;" in report._repr_html_()


def test_a_stub_that_the_answer_calls_is_named():
    def format_limits(exponent_bits, mantissa_bits):
        raise NotImplementedError

    report = grade(lambda smallest, largest, error: format_limits(5, 10)["max"], "choose_format")
    assert report.outcome == "error"
    assert "calls `format_limits`, which is not written yet" in report.diagnosis


def test_a_name_that_is_not_defined_is_explained():
    report = graded(lambda bits, e, m: not_yet_defined(bits))  # noqa: F821
    assert "run the cell that defines it" in report.diagnosis


def test_if_on_an_array_is_explained():
    def scalar_style(x):
        bits = x.view(np.uint32)
        if np.isnan(x):
            return x
        if bits & 0xFFFF > 0x8000 or (bits & 0x1FFFF == 0x18000):
            bits = bits + 0x10000
        return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32)

    assert "`if`" in grade(scalar_style, "round_to_bfloat16").diagnosis


def test_who_holds_a_property_does_not_have_the_misconception_that_breaks_it():
    def sign_on_normal_numbers_only(bits, exponent_bits, mantissa_bits):
        value = RIGHT(bits, exponent_bits, mantissa_bits)
        return abs(value) if value == 0 or math.isinf(value) else value

    report = graded(sign_on_normal_numbers_only)
    assert report.outcome == "failed"
    assert report.misconception != "sign_ignored"


def test_work_in_stages_shows_what_holds_already():
    """What is not written yet fails, in an answer that does something elsewhere."""
    solution = load_solutions(units()[0])["ulp"]

    def ulp(x, exponent_bits, mantissa_bits):
        if x < 0:
            raise NotImplementedError
        return solution(x, exponent_bits, mantissa_bits)

    report = grade(ulp)
    assert report.outcome in ("failed", "error")
    assert any(check.held for check in report.checks)
    assert "not written yet" in report.diagnosis
