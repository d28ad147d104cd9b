"""LossScale(initial, growth_interval, factor): a dynamic loss scale, with `.value` and `.update(finite) -> bool`."""

import functools

import keras
import numpy as np
import tensorflow as tf

from halfbits.grading.exercise import misconception
from halfbits.grading.values import in_powers_of_two, show

LARGEST = float(np.finfo(np.float32).max)


def shown_options(options):
    shown = {name: in_powers_of_two(value) if isinstance(value, float) else value for name, value in options.items()}
    return ", ".join(f"{name}={value}" for name, value in shown.items()) or "the defaults"


def shown_updates(runs):
    shown = ", ".join(show(finite) + (f" {times} times" if times > 1 else "") for finite, times in runs)
    return f"→ update {shown}" if runs else "→ value"


# A scale that is kept in variables takes its time for 2000 steps.
SECONDS = 20.0

SHOW = {0: shown_options, 1: shown_updates}


def use(answer, options, runs):
    """Make a scale, update it so many times with each of the values, and take down what it says after each run."""
    scale = answer(**options)
    values, applied = [number(scale.value)], []
    for finite, times in runs:
        said = [scale.update(finite) for _ in range(times)]
        applied.append(said[0] if all(one == said[0] for one in said) else "now this, now that")
        values.append(number(scale.value))
    return {"value": values, "apply": applied}


def number(value):
    """The number that it is now: a variable is another one after the next update."""
    if callable(value) and not hasattr(value, "dtype"):
        return "a method"
    return value.numpy() if hasattr(value, "numpy") else value


def hold(answer, *scenarios):
    """Hold the scale to its value at first and after each run, in all scenarios, and report the first that fails."""
    first = None
    for options, runs, values in scenarios:
        call = answer(options, runs)
        try:
            call.equals({"value": values, "apply": [bool(finite) for finite, _ in runs]}, rtol=1e-6)
        except AssertionError as mismatch:
            first = first or mismatch
    if first:
        raise first


def settings(initial, growth_interval, factor=2.0):
    return {"initial": initial, "growth_interval": growth_interval, "factor": factor}


FINE, BAD = True, False


def test_it_begins_with_initial(answer):
    """It begins with `initial`, 2**15 if nothing is said"""
    hold(
        answer,
        ({"initial": 8.0}, [], [8.0]),
        ({}, [], [2.0**15]),
    )


def test_it_grows_after_the_interval(answer):
    """It grows after `growth_interval` finite steps in a row, not before, and then again"""
    hold(
        answer,
        (settings(4.0, 3), [(FINE, 1), (FINE, 1), (FINE, 1), (FINE, 1)], [4.0, 4.0, 4.0, 8.0, 8.0]),
        (settings(4.0, 3), [(FINE, 5), (FINE, 1), (FINE, 3)], [4.0, 8.0, 16.0, 32.0]),
        (settings(4.0, 1), [(FINE, 1), (FINE, 1), (FINE, 1)], [4.0, 8.0, 16.0, 32.0]),
    )


def test_it_shrinks_at_once(answer):
    """It shrinks at every step that is not finite, at once"""
    hold(
        answer,
        (settings(64.0, 3), [(BAD, 1), (BAD, 1), (BAD, 1)], [64.0, 32.0, 16.0, 8.0]),
        (settings(64.0, 3), [(FINE, 3), (BAD, 1), (FINE, 1), (BAD, 1)], [64.0, 128.0, 64.0, 64.0, 32.0]),
    )


def test_an_overflow_restarts_the_count(answer):
    """A step that is not finite begins the count again"""
    hold(
        answer,
        (settings(16.0, 3), [(FINE, 2), (BAD, 1), (FINE, 2), (FINE, 1)], [16.0, 16.0, 8.0, 8.0, 16.0]),
        (settings(16.0, 2), [(FINE, 1), (BAD, 1), (FINE, 1), (BAD, 1)], [16.0, 16.0, 8.0, 8.0, 4.0]),
        (settings(16.0, 4), [(BAD, 1), (FINE, 3), (BAD, 1), (FINE, 4)], [16.0, 8.0, 8.0, 4.0, 8.0]),
    )


def test_the_defaults(answer):
    """By default it doubles after 2000 steps, and halves"""
    hold(
        answer,
        ({}, [(FINE, 1999), (FINE, 1), (BAD, 1)], [2.0**15, 2.0**15, 2.0**16, 2.0**15]),
    )


def test_other_factors(answer):
    """Other factors than 2, for growing and for shrinking"""
    hold(
        answer,
        (settings(4.0, 2, 8.0), [(FINE, 2), (BAD, 1), (BAD, 1)], [4.0, 32.0, 4.0, 1.0]),
        (settings(100.0, 1, 1.5), [(FINE, 1), (FINE, 1), (BAD, 3)], [100.0, 150.0, 225.0, 225.0 / 1.5**3]),
    )


def test_never_below_one(answer):
    """It is never below 1"""
    hold(
        answer,
        (settings(2.0, 2), [(BAD, 1), (BAD, 1), (BAD, 5), (FINE, 2)], [2.0, 1.0, 1.0, 1.0, 2.0]),
        (settings(1.5, 2), [(BAD, 1)], [1.5, 1.0]),
        (settings(4.0, 2, 8.0), [(BAD, 1), (FINE, 2)], [4.0, 1.0, 8.0]),
        (settings(1.0, 2), [(BAD, 1)], [1.0, 1.0]),
    )


def test_always_finite_in_float32(answer):
    """It stays as it is where it would not be finite in float32"""
    hold(
        answer,
        (settings(2.0**126, 1), [(FINE, 1), (FINE, 1), (BAD, 1)], [2.0**126, 2.0**127, 2.0**127, 2.0**126]),
        (settings(1e38, 2, 4.0), [(FINE, 2), (FINE, 4), (BAD, 1)], [1e38, 1e38, 1e38, 2.5e37]),
        (settings(LARGEST / 2, 1), [(FINE, 1), (FINE, 1)], [LARGEST / 2, LARGEST, LARGEST]),
        (settings(1.0, 1, 2.0**20), [(FINE, 6), (FINE, 5), (BAD, 1)], [1.0, 2.0**120, 2.0**120, 2.0**100]),
    )


def test_large_scales(answer):
    """It may be larger than float16's largest number"""
    hold(
        answer,
        (settings(2.0**15, 1), [(FINE, 1), (FINE, 1), (FINE, 8)], [2.0**15, 2.0**16, 2.0**17, 2.0**25]),
    )


def test_kinds_of_bool(answer):
    """`finite` as a NumPy bool or as a tensor"""
    kinds = [[(kind(True), 1), (kind(False), 1), (kind(True), 2)] for kind in (np.bool_, tf.constant)]
    hold(answer, *[(settings(8.0, 2), runs, [8.0, 8.0, 4.0, 8.0]) for runs in kinds])


@functools.cache
def of_keras(initial, growth_interval, steps):
    """What Keras's own optimizer does with gradients that are finite or not."""
    variable = keras.Variable(0.0)
    inner = keras.optimizers.SGD(0.0)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial, dynamic_growth_steps=growth_interval)
    values = [initial]
    for finite in steps:
        optimizer.apply([tf.constant(0.0 if finite else np.nan)], [variable])
        values.append(float(optimizer.dynamic_scale))
    return values


def test_like_keras(answer):
    """A long run, step by step as Keras's LossScaleOptimizer has it"""
    steps = tuple(letter == "+" for letter in "++-+++++-+-++++--++++-+++")
    hold(
        answer,
        (settings(2.0**10, 3), [(finite, 1) for finite in steps], of_keras(2.0**10, 3, steps)),
    )


class Right:
    """The right answer in parts, for the misconceptions to be wrong in one place only."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self.value, self.growth_interval, self.factor = initial, growth_interval, factor
        self.count = 0

    def update(self, finite):
        self.after_finite() if finite else self.after_overflow()
        return bool(finite)

    def after_finite(self):
        self.count += 1
        if self.count >= self.growth_interval:
            self.grow()
            self.count = 0

    def after_overflow(self):
        self.shrink()
        self.count = 0

    def grow(self):
        grown = self.value * self.factor
        self.value = grown if grown <= LARGEST else self.value

    def shrink(self):
        self.value = max(self.value / self.factor, 1.0)


@misconception
class CountSurvivesOverflow(Right):
    """You do not restart the count when a step overflows. It takes `growth_interval` finite steps *in a row* to grow;
    in your class, finite steps from before the overflow count."""

    def after_overflow(self):
        self.shrink()


@misconception
class EveryStepCounts(Right):
    """You count every step, the skipped ones too. Only finite steps count, and one that is not restarts the count."""

    def after_overflow(self):
        self.shrink()
        self.count = (self.count + 1) % self.growth_interval


@misconception
class CountGoesOnAfterGrowth(Right):
    """You do not restart the count when the scale grows. From then on it grows at every step: begin again at 0."""

    def after_finite(self):
        self.count += 1
        if self.count >= self.growth_interval:
            self.grow()


@misconception
class OneStepLate(Right):
    """Your scale grows a step too late. It grows *with* the finite step number `growth_interval`: compare the count
    with `==` or `>=`, not with `>`."""

    def after_finite(self):
        self.count += 1
        if self.count > self.growth_interval:
            self.grow()
            self.count = 0


@misconception
class ComparedBeforeCounting(Right):
    """You look at the count before this step is counted, so that the scale grows with the step after. Count first, then
    compare."""

    def after_finite(self):
        if self.count == self.growth_interval:
            self.grow()
            self.count = 0
        self.count += 1


@misconception
class OneStepEarly(Right):
    """Your scale grows a step too early. It takes `growth_interval` finite steps, and the count begins at 0."""

    def after_finite(self):
        self.count += 1
        if self.count >= self.growth_interval - 1:
            self.grow()
            self.count = 0


@misconception
class BelowOne(Right):
    """Your scale falls below 1. It would make small gradients smaller still: `max(…, 1.0)`."""

    def shrink(self):
        self.value = self.value / self.factor


@misconception
class StaysInsteadOfGoingToOne(Right):
    """Your scale does not shrink where it would fall below 1. It goes down to 1: `max(…, 1.0)`."""

    def shrink(self):
        shrunk = self.value / self.factor
        self.value = shrunk if shrunk >= 1 else self.value


@misconception
class BeyondFloat32(Right):
    """Your scale grows without end. It multiplies a float32 loss, and beyond 3.4 · 10^38 it is infinite there: let it
    stay where it is then."""

    def grow(self):
        self.value = self.value * self.factor


@misconception
class ClippedToTheLargest(Right):
    """You set the scale to float32's largest number where it would pass it. The contract lets it stay as it is, which
    also keeps it a power of two, if it began as one, and by such one multiplies and divides without rounding."""

    def grow(self):
        self.value = min(self.value * self.factor, LARGEST)


@misconception
class BelowTheLargestOfFloat16(Right):
    """You do not let the scale pass 65504. It multiplies the *loss*, which is float32: only the gradients must fit into
    float16, and the scale finds out by itself whether they do."""

    def grow(self):
        grown = self.value * self.factor
        self.value = grown if grown <= 65504.0 else self.value


@misconception
class ReturnsNothing(Right):
    """`update` returns None. It says whether the step is to be applied: True where it is finite, False where it is
    not."""

    def update(self, finite):
        super().update(finite)


@misconception
class ReturnsWhetherToSkip(Right):
    """`update` returns the opposite. True means that the step is to be applied, False that it is skipped."""

    def update(self, finite):
        return not super().update(finite)


@misconception
class AlwaysApplied(Right):
    """`update` returns True always. A step that is not finite must be skipped, or the weights become NaN."""

    def update(self, finite):
        super().update(finite)
        return True


@misconception
class ReturnsTheValue(Right):
    """`update` returns the scale. It is in `.value`; what `update` says is whether the step is to be applied."""

    def update(self, finite):
        super().update(finite)
        return self.value


@misconception
class ReturnsWhetherItChanged(Right):
    """`update` says whether the scale has changed. Asked for is whether the step is to be applied: True after every
    finite step."""

    def update(self, finite):
        before = self.value
        super().update(finite)
        return self.value != before


@misconception
class FactorWiredIn(Right):
    """You double and halve whatever `factor` says."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(initial, growth_interval, 2.0)


@misconception
class HalvesWhateverTheFactor(Right):
    """You grow by `factor`, but always halve. The scale shrinks by the same factor: divide by it."""

    def shrink(self):
        self.value = max(self.value / 2, 1.0)


@misconception
class IntervalWiredIn(Right):
    """You wait for 2000 steps whatever `growth_interval` says."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(initial, 2000, factor)


@misconception
class InitialWiredIn(Right):
    """You begin with 2^15 whatever `initial` says."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(2.0**15, growth_interval, factor)


@misconception
class BackToTheBeginning(Right):
    """You go back to `initial` when a step overflows. The scale has found out more than that since: divide it by
    `factor`."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(initial, growth_interval, factor)
        self.initial = initial

    def shrink(self):
        self.value = self.initial


@misconception
class DownToOne(Right):
    """You go down to 1 when a step overflows. All small gradients are lost then until the scale has grown again: divide
    it by `factor`."""

    def shrink(self):
        self.value = 1.0


@misconception
class GrowsByAddition(Right):
    """You add `factor`, and subtract it. Gradients differ by many orders of magnitude: multiply, and divide."""

    def grow(self):
        self.value = self.value + self.factor

    def shrink(self):
        self.value = max(self.value - self.factor, 1.0)


@misconception
class ShrinksAtTheSecondOverflow(Right):
    """You wait for a second overflow before the scale shrinks. Every one costs a step: shrink at once."""

    overflows = 0

    def after_finite(self):
        self.overflows = 0
        super().after_finite()

    def after_overflow(self):
        self.overflows += 1
        self.count = 0
        if self.overflows == 2:
            self.overflows = 0
            self.shrink()


@misconception
class GrowsOnOverflow(Right):
    """You grow when a step overflows, and shrink when all goes well. An overflow says that the scale is too *large*."""

    def grow(self):
        super().shrink()

    def shrink(self):
        super().grow()


@misconception
class NeverGrows(Right):
    """Your scale only shrinks. After `growth_interval` finite steps in a row it has to try a larger one: gradients
    often become smaller as training goes on, and one early overflow would keep the scale down for good."""

    def grow(self):
        pass


@misconception
class OnlyTrueItself(Right):
    """You compared with `is True`. A NumPy bool and a tensor are other objects: `if finite:` takes them all."""

    def update(self, finite):
        return super().update(finite is True)


@misconception
class ValueIsAMethod(Right):
    """Your `value` is a method. It is read as `scale.value`, without parentheses: make it an attribute or a
    property."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(initial, growth_interval, factor)
        now, self.value = self.value, lambda: now

    def grow(self):
        pass

    def shrink(self):
        pass


@misconception
class CountBeginsAtOne(Right):
    """Your scale grows a step too early the first time, and after each overflow or growth as it should: the count
    begins at 0 in `__init__` too."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(initial, growth_interval, factor)
        self.count = 1


@misconception
class BoundOfItsOwn(Right):
    """Your scale stops at a bound of your own. It may grow as long as it is finite in float32."""

    def grow(self):
        self.value = min(self.value * self.factor, 2.0**24)


@misconception
class BitwiseNot(Right):
    """You wrote `~finite`. Of a Python bool that is −1 or −2, and both count as true: write `not finite`."""

    def update(self, finite):
        self.after_overflow() if ~finite else self.after_finite()
        return not ~finite


@misconception
class WholeNumbers(Right):
    """You keep the scale as a whole number (`int`, `//`). With a factor of 1.5 it is not one: use floats, and `/`."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(int(initial), growth_interval, factor)

    def grow(self):
        self.value = int(self.value * self.factor)

    def shrink(self):
        self.value = max(int(self.value // self.factor), 1)


@misconception
class BackBelowInitial(Right):
    """An overflow takes your scale back to where it began. It is divided by `factor`, from wherever it is."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(initial, growth_interval, factor)
        self.initial = initial

    def shrink(self):
        self.value = max(min(self.value, self.initial) / self.factor, 1.0)


@misconception
class KeptInFloat16(Right):
    """You keep the scale in float16, which ends at 65504. It is a number for float32 computations: a Python float."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(np.float16(initial), growth_interval, np.float16(factor))

    def grow(self):
        with np.errstate(over="ignore"):
            grown = np.float16(self.value * self.factor)
        self.value = grown if np.isfinite(grown) else self.value

    def shrink(self):
        self.value = max(np.float16(self.value / self.factor), np.float16(1))


@misconception
class AnotherName(Right):
    """Your class has no `.value`. Call the attribute that, since the training loop reads it by that name."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        super().__init__(initial, growth_interval, factor)
        del self.value
        self.scale = initial


HINTS = (
    "Besides its value the object has to remember one number. Which, and when does it go back to 0? (On two "
    "occasions.)",
    "`update` has two branches. Not finite: divide, but not below 1, restart the count, return False. Finite: count; "
    "once the count is `growth_interval`, restart it and multiply, if the product is finite in float32; return True.",
    "Keep `self._finite_steps = 0`. In the finite branch: `self._finite_steps += 1`, and if that is "
    "`self._growth_interval`, set it to 0 and let `grown = self.value * self._factor`; take it only `if grown <= "
    "tf.float32.max`. In the other: `self.value = max(self.value / self._factor, 1.0)` and the count to 0.",
)
