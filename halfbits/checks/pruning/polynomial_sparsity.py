"""polynomial_sparsity(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3) -> float: the schedule."""

import functools
from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import hold_each
from halfbits.checks.pruning.common import hold_error, use  # noqa: F401
from halfbits.grading.exercise import misconception
from halfbits.quiet import stderr_kept_unless_it_fails

CLOSE = 1e-6


def expected(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """The oracle: NumPy's interpolation of what is left of the way, and its power."""
    left = np.interp(float(step), [begin_step, end_step], [1.0, 0.0])
    return float(np.interp(left**power, [0.0, 1.0], [final_sparsity, initial_sparsity]))


def hold(answer, *groups):
    hold_each(answer, chain(*groups), lambda call: call.equals(expected(*call.arguments), atol=CLOSE))


def test_between(answer):
    """Between the two steps: the formula, with power 3 where none is given"""
    hold(
        answer,
        [(step, 0, 4, 0.0, 0.8) for step in (1, 2, 3)],
        [(step, 0, 100, 0.5, 0.9, 3) for step in (10, 50, 77)],
    )


def test_begins_later(answer):
    """A schedule that does not begin at step 0"""
    hold(answer, [(step, 1000, 1008, 0.0, 0.5) for step in (1001, 1004, 1007)], [(15, 10, 20, 0.2, 0.9, 3)])


def test_the_two_ends(answer):
    """At the first and the last step"""
    hold(answer, [(step, 10, 20, 0.25, 0.75) for step in (10, 20)], [(step, 0, 1, 0.1, 0.9, 2) for step in (0, 1)])


def test_before(answer):
    """Before the beginning: the initial sparsity"""
    hold(
        answer,
        [(step, 10, 20, 0.25, 0.75, power) for step in (0, 5, 9, -3) for power in (3, 2, 1)],
        [(0, 100, 200, 0.5, 0.1)],
    )


def test_after(answer):
    """After the end: the final sparsity"""
    hold(
        answer,
        [(step, 10, 20, 0.25, 0.75, power) for step in (21, 30, 1000) for power in (3, 2, 1)],
        [(10**9, 0, 100, 0.5, 0.1)],
    )


def test_powers(answer):
    """Other powers, below 1 too"""
    hold(answer, [(step, 0, 10, 0.0, 0.8, power) for power in (1, 2, 4, 0.5, 1.5, 7.0) for step in (1, 5, 9)])


def test_fractional_power_outside(answer):
    """A power that is not whole, before the beginning and after the end"""
    hold(answer, [(step, 10, 20, 0.1, 0.9, power) for power in (0.5, 2.5) for step in (5, 25, 0, 100)])


def test_falling(answer):
    """The initial sparsity may be the larger one"""
    hold(answer, [(step, 5, 15, 0.9, 0.3, power) for power in (3, 1) for step in (0, 5, 7, 12, 15, 30)])


def test_extreme_sparsities(answer):
    """From 0 to 1, and no change at all"""
    hold(
        answer,
        [(step, 0, 10, 0.0, 1.0) for step in (-1, 0, 3, 10, 11)],
        [(step, 0, 10, 0.5, 0.5) for step in (-1, 3, 11)],
        [(step, 0, 10, 1.0, 0.0, 2) for step in (-1, 3, 11)],
    )


def test_long_schedules(answer):
    """A million steps, and one"""
    hold(
        answer,
        [(step, 10**6, 3 * 10**6, 0.0, 0.9) for step in (10**6 + 1, 1_500_000, 2_999_999)],
        [(step, 7, 8, 0.0, 0.9) for step in (6, 7, 8, 9)],
    )


def test_late(answer):
    """After step 2²⁴, where float32 leaves numbers out"""
    late = 2 * 10**7
    hold(answer, [(late + step, late, late + 10, 0.0, 0.8) for step in (0, 1, 3, 5, 10, 11)])


def test_numpy_step(answer):
    """The step as NumPy's int64"""
    hold(answer, [(np.int64(step), 10, 20, 0.0, 0.8) for step in (0, 12, 17, 40)])


@functools.cache
def cases_of_tfmot():
    """Arguments, and what TFMOT says to them, which takes its operations a tenth of a second."""
    with stderr_kept_unless_it_fails():
        import tensorflow_model_optimization as tfmot

    cases = []
    for begin, end, initial, final, power in ((3, 12, 0.1, 0.9, 3), (0, 7, 0.0, 0.5, 2), (2, 6, 0.8, 0.25, 1)):
        schedule = tfmot.sparsity.keras.PolynomialDecay(initial, final, begin, end, power)
        for step in range(-1, end + 3):
            cases.append(((step, begin, end, initial, final, power), float(schedule(step)[1])))
    return cases


def test_like_tfmot(answer):
    """As TFMOT's PolynomialDecay has it, at every step"""
    first = None
    for arguments, sparsity in cases_of_tfmot():
        try:
            answer(*arguments).equals(sparsity, atol=CLOSE)
        except AssertionError as mismatch:
            first = first or mismatch
    if first:
        raise first


@given(
    st.integers(0, 300), st.integers(0, 100), st.integers(1, 200), st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    st.sampled_from([0.9, 0.5, 0.0, 1.0]), st.sampled_from([3, 1, 2, 0.5, 2.5]),
)  # fmt: skip
def test_random_schedules(answer, step, begin, length, initial, final, power):
    """Random steps and schedules"""
    hold(answer, [(step, begin, begin + length, initial, final, power)])


def test_no_room(answer):
    """begin_step not less than end_step is a ValueError, whatever the step"""
    hold_error(
        answer,
        [(step, begin, end, 0.0, 0.8) for begin, end in ((10, 10), (20, 10), (5, 0)) for step in (0, 10, 15, 40)],
    )


def checked(begin_step, end_step):
    if begin_step >= end_step:
        raise ValueError("begin_step must be less than end_step")


def clipped(progress):
    return min(max(progress, 0.0), 1.0)


def way(step, begin_step, end_step):
    """How much of the schedule is done."""
    checked(begin_step, end_step)
    return clipped((step - begin_step) / (end_step - begin_step))


def right(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """The right answer, for the misconceptions to be wrong in one place only."""
    done = way(step, begin_step, end_step)
    return final_sparsity + (initial_sparsity - final_sparsity) * (1 - done) ** power


def unclipped(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """The formula and nothing else; what is complex there is so for the learner, too."""
    left = 1 - (step - begin_step) / (end_step - begin_step)
    return final_sparsity + (initial_sparsity - final_sparsity) * float(left) ** power


@misconception
def a_straight_line(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You left out the power: your sparsity rises in a straight line."""
    return right(step, begin_step, end_step, initial_sparsity, final_sparsity, 1)


@misconception
def always_power_three(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You used power 3 whatever `power` says."""
    return right(step, begin_step, end_step, initial_sparsity, final_sparsity, 3)


@misconception
def power_by_product(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You multiplied by the power. It is an exponent: `**`."""
    left = 1 - way(step, begin_step, end_step)
    return final_sparsity + (initial_sparsity - final_sparsity) * left * power


@misconception
def power_of_what_is_done(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You took the power of what is done, so the sparsity rises slowly at first and fast at the end. Take that of what
    is left, 1 − done: then it is fast at first, while much is redundant."""
    done = way(step, begin_step, end_step)
    return initial_sparsity + (final_sparsity - initial_sparsity) * done**power


@misconception
def power_of_all(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You took the power of the difference of the sparsities, too. It is that of (1 − done) only."""
    left = 1 - way(step, begin_step, end_step)
    difference = (initial_sparsity - final_sparsity) * left
    return final_sparsity + (difference**power if difference >= 0 else -((-difference) ** power))


@misconception
def not_clipped(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You used the formula outside the schedule. Before its beginning and after its end the sparsity stands still:
    bring (step − begin) / (end − begin) between 0 and 1."""
    checked(begin_step, end_step)
    return unclipped(step, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def not_clipped_before(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You used the formula before the beginning. There (step − begin) / (end − begin) is negative; the sparsity is the
    initial one: `max(…, 0)`."""
    checked(begin_step, end_step)
    step = min(step, end_step)
    return unclipped(step, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def not_clipped_after(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You used the formula after the end. There (step − begin) / (end − begin) is above 1; the sparsity is the final
    one: `min(…, 1)`."""
    checked(begin_step, end_step)
    step = max(step, begin_step)
    return unclipped(step, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def result_clipped(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You brought the result between 0 and 1. It is the step that has to be brought into the schedule: bring
    (step − begin) / (end − begin) between 0 and 1."""
    checked(begin_step, end_step)
    value = unclipped(step, begin_step, end_step, initial_sparsity, final_sparsity, power)
    return clipped(value)


@misconception
def nothing_before(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You returned 0 before the beginning. It is the initial sparsity there, as TFMOT has it."""
    value = right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)
    return 0.0 if step < begin_step else value


@misconception
def nothing_up_to_the_beginning(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You returned 0 up to the beginning. It is the initial sparsity there, as TFMOT has it."""
    value = right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)
    return 0.0 if step <= begin_step else value


@misconception
def nothing_after(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You returned 0 after the end. The sparsity stays at the final one."""
    value = right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)
    return 0.0 if step > end_step else value


@misconception
def ends_swapped(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You swapped the initial and the final sparsity. At the beginning 1 − done is 1, and what is multiplied by it has
    to be initial − final."""
    return right(step, begin_step, end_step, final_sparsity, initial_sparsity, power)


@misconception
def without_the_initial(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You left out the initial sparsity: yours begins at 0. The formula is final + (initial − final) · (1 − done) ^
    power."""
    return right(step, begin_step, end_step, 0.0, final_sparsity, power)


@misconception
def initial_added(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You added the initial sparsity to a way of the full final one. The way is final − initial."""
    left = 1 - way(step, begin_step, end_step)
    return initial_sparsity + final_sparsity * (1 - left**power)


@misconception
def step_from_zero(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You did not subtract begin_step from the step. The schedule is at its beginning there."""
    checked(begin_step, end_step)
    left = 1 - clipped(step / (end_step - begin_step))
    return final_sparsity + (initial_sparsity - final_sparsity) * left**power


@misconception
def divided_by_the_end(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You divided by end_step. The schedule is end_step − begin_step steps long."""
    checked(begin_step, end_step)
    left = 1 - clipped((step - begin_step) / end_step)
    return final_sparsity + (initial_sparsity - final_sparsity) * left**power


@misconception
def step_over_end(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You took step / end_step, as if the schedule began at step 0. It is (step − begin_step) / (end_step −
    begin_step)."""
    checked(begin_step, end_step)
    left = 1 - clipped(step / end_step)
    return final_sparsity + (initial_sparsity - final_sparsity) * left**power


@misconception
def step_over_end_between(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You took step / end_step between the two ends, as if the schedule began at step 0. It is (step − begin_step) /
    (end_step − begin_step)."""
    checked(begin_step, end_step)
    left = 1 - step / end_step if begin_step < step < end_step else float(step <= begin_step)
    return final_sparsity + (initial_sparsity - final_sparsity) * left**power


@misconception
def divided_in_integers(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You divided with `//`, which rounds down: 0 until the end. Use `/`."""
    checked(begin_step, end_step)
    left = 1 - clipped((step - begin_step) // (end_step - begin_step))
    return final_sparsity + (initial_sparsity - final_sparsity) * left**power


@misconception
def both_ends_counted(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You divided by end − begin + 1, so the final sparsity is not reached at end_step. It is end − begin."""
    checked(begin_step, end_step)
    left = 1 - clipped((step - begin_step) / (end_step - begin_step + 1))
    return final_sparsity + (initial_sparsity - final_sparsity) * left**power


@misconception
def one_step_ahead(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You are a step ahead: at begin_step the sparsity is the initial one still."""
    return right(step + 1, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def one_step_behind(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You are a step behind: at begin_step + 1 the sparsity moves already."""
    return right(step - 1, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def never_falling(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You took care that the sparsity never falls. Here the initial one may be the larger; the formula knows that."""
    value = right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)
    return max(value, initial_sparsity)


@misconception
def in_percent(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You returned a percentage. A sparsity is a fraction from 0 to 1."""
    return 100 * right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def rounded(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You rounded the result. It has to be right to a millionth."""
    return round(right(step, begin_step, end_step, initial_sparsity, final_sparsity, power), 2)


@misconception
def in_single_precision(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You made the steps float32 numbers before you subtracted. Above 2²⁴, 16.8 million, those skip every other step:
    subtract first, in integers."""
    checked(begin_step, end_step)
    begin, end = np.float32(begin_step), np.float32(end_step)
    done = clipped(float((np.float32(step) - begin) / (end - begin)))
    return final_sparsity + (initial_sparsity - final_sparsity) * (1 - done) ** power


@misconception
def whole_powers_only(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You made the power whole. It may be 0.5 or 2.5."""
    return right(step, begin_step, end_step, initial_sparsity, final_sparsity, int(power))


@misconception
def nothing_refused(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You did not look at the two steps. With begin_step not less than end_step there is no schedule, and with the two
    equal a division by 0: raise a ValueError first."""
    left = 1 - clipped((step - begin_step) / (end_step - begin_step))
    return final_sparsity + (initial_sparsity - final_sparsity) * left**power


@misconception
def ends_first(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You looked at the step first, and returned before you saw that there is no schedule: begin_step has to be less
    than end_step at every step. Raise the ValueError first."""
    if step <= begin_step:
        return initial_sparsity
    if step >= end_step:
        return final_sparsity
    return right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def ends_first_the_end_before(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You compared the step with end_step first, and returned before you saw that there is no schedule: begin_step has
    to be less than end_step at every step. Raise the ValueError first."""
    if step >= end_step:
        return final_sparsity
    if step <= begin_step:
        return initial_sparsity
    return right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def equal_steps_allowed(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You let begin_step equal end_step, and divided by 0. The two have to differ: `if begin_step >= end_step`."""
    if begin_step > end_step:
        raise ValueError("begin_step must not be greater than end_step")
    left = 1 - clipped((step - begin_step) / (end_step - begin_step))
    return final_sparsity + (initial_sparsity - final_sparsity) * left**power


@misconception
def equal_steps_as_a_jump(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You let begin_step equal end_step, as a jump. The contract asks for a ValueError: `if begin_step >= end_step`."""
    if begin_step == end_step:
        return final_sparsity if step >= end_step else initial_sparsity
    return right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)


@misconception
def asserted(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """You used `assert`, which raises an AssertionError, and nothing under `python -O`. Raise a ValueError."""
    assert begin_step < end_step
    return right(step, begin_step, end_step, initial_sparsity, final_sparsity, power)


HINTS = (
    "How much of the schedule is done, as a number from 0 to 1? What should it be before begin_step, and after "
    "end_step?",
    "done = (step − begin_step) / (end_step − begin_step), brought between 0 and 1 with `min` and `max`. The "
    "formula has (1 − done) to the given power. Look at the two steps before you divide.",
    "`if begin_step >= end_step: raise ValueError(…)`, then `done = min(max((step - begin_step) / (end_step - "
    "begin_step), 0), 1)` and `final_sparsity + (initial_sparsity - final_sparsity) * (1 - done) ** power`.",
)
