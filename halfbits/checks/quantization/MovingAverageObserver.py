"""MovingAverageObserver(momentum=0.9): `.update(batch)` and `.range() -> (minimum, maximum)`, a moving average."""

import contextlib
import copy
from itertools import chain

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import hold_each
from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception
from halfbits.grading.values import difference, show

TOLERANCE = 1e-4  # of the largest number: float32 arithmetic over many batches

INF, NAN = float("inf"), float("nan")
DONE, NO_RANGE, REFUSED = "no error", "RuntimeError", "ValueError"
WITHOUT_MESSAGE = "RuntimeError without a message"
BEFORE, UPDATE, RANGE = "range before any batch", "update of batch {}", "range after batch {}"


def shown_options(options):
    return ", ".join(f"{name}={value}" for name, value in options.items()) or "the defaults"


def shown_batches(batches):
    if not batches:
        return "asked before any batch"
    return f"updated with {', '.join(map(show, batches[:4]))}{', …' * (len(batches) > 4)}"


SHOW = {0: shown_options, 1: shown_batches, 2: lambda count: f"a batch for each of {count} observers in turn"}


def use(answer, options, batches, count=1):
    """Make observers, give each a batch in turn, and take down what its range is then, and what a bad batch does.

    Without batches: what the range is before any.
    """
    with class_as_it_was(answer):
        observers = [answer(**options) for _ in range(count)]
        if not batches:
            return {BEFORE: range_of(observers[0], seen=False)}
        seen, seen_bad, outcome = [False] * count, False, {}
        for number, batch in enumerate(batches):
            turn = number % count
            seen[turn] |= is_good(batch)
            seen_bad |= not is_good(batch)
            if seen_bad:
                outcome[UPDATE.format(number + 1)] = error_of(observers[turn].update, batch) or DONE
            else:
                observers[turn].update(batch)  # an error here is the learner's to see
            outcome[RANGE.format(number + 1)] = range_of(observers[turn], seen[turn])
        return outcome


@contextlib.contextmanager
def class_as_it_was(answer):
    """Take back what a call leaves on the class itself, so that the next one begins like the first."""
    before = copy.deepcopy(data_of(answer))
    try:
        yield
    finally:
        for name in data_of(answer).keys() - before.keys():
            delattr(answer, name)
        for name, value in before.items():
            setattr(answer, name, value)


def data_of(answer):
    """The attributes of a class that are no methods."""
    own = vars(answer) if isinstance(answer, type) else {}
    return {
        name: value
        for name, value in own.items()
        if not (name.startswith("__") or callable(value) or hasattr(value, "__get__"))
    }


def is_good(batch):
    numbers = np.asarray(batch)
    return numbers.size > 0 and bool(np.isfinite(numbers).all())


def range_of(observer, seen):
    """Its range as plain numbers, or the error that it raises where it has seen no batch."""
    error = None if seen else error_of(observer.range, needs_message=True)
    try:
        value = error or plain(observer.range())
    except RuntimeError:  # that there is no range, though it has seen a batch
        return NO_RANGE
    # The sign of a zero does not count.
    return tuple(end + 0.0 if isinstance(end, float) else end for end in value) if type(value) is tuple else value


def error_of(method, *arguments, needs_message=False):
    """The kind of error that a call raises; None where there is none."""
    try:
        method(*arguments)
    except NotImplementedError:  # a method that is still to be written
        raise
    except Exception as error:
        kind = next((kind for kind in (ValueError, RuntimeError) if isinstance(error, kind)), type(error))
        return kind.__name__ + (" without a message" if needs_message and not str(error) else "")
    return None


def expected(options, batches, count=1):
    """The oracle: the sum written out, each batch with its weight, in float64."""
    if not batches:
        return {BEFORE: NO_RANGE}
    momentum = options.get("momentum", 0.9)
    taken, seen_bad, outcome = [[] for _ in range(count)], False, {}
    for number, batch in enumerate(batches):
        mine = taken[number % count]
        if is_good(batch):
            numbers = np.asarray(batch, np.float64)
            mine.append((numbers.min(), numbers.max()))
        seen_bad |= not is_good(batch)
        if seen_bad:
            outcome[UPDATE.format(number + 1)] = DONE if is_good(batch) else REFUSED
        outcome[RANGE.format(number + 1)] = average(mine, momentum) if mine else NO_RANGE
    return outcome


def average(ends, momentum):
    """The first batch keeps what the later ones leave of it."""
    later = np.arange(len(ends))[::-1]  # how many batches have come since
    weights = np.power(momentum, later) * np.where(later == len(ends) - 1, 1.0, 1 - momentum)
    return tuple((weights @ np.array(ends)).tolist())


def hold_one(call):
    numbers = [np.abs(np.asarray(batch)).max() for batch in call.arguments[1] if is_good(batch)]
    tolerance = TOLERANCE * float(max(numbers, default=0.0))
    call.equals(expected(*call.arguments), atol=tolerance, because=lambda call: first_difference(call, tolerance))


def first_difference(call, tolerance):
    """After which batch something is wrong, and what."""
    if call.raised is not None:
        return ""
    for what, right in call.expected.items():
        got = call.returned[what]
        if got == WITHOUT_MESSAGE:
            return f"{what}: RuntimeError without a message, where it needs one"
        if difference(got, right, atol=tolerance):
            return f"{what}: {in_words(got)}, where it should be {in_words(right)}"
    return ""


def in_words(outcome):
    return outcome if isinstance(outcome, str) else show(outcome)


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def single(*numbers):
    return np.array(numbers, np.float32)


FIRST, SECOND, THIRD = single(-3, 1, 8), single(2, -7, 1), single(5, 4, 20)
HALF = {"momentum": 0.5}


def test_first_batch(answer):
    """The first batch sets the range"""
    hold(
        answer,
        [(HALF, [batch]) for batch in (FIRST, single(2), single(4, 6), single(-4, -6), single(0, 3))],
        [(HALF, [single(-0.3337, 5001.7)])],
    )


def test_later_batches(answer):
    """Later batches: momentum · old + (1 − momentum) · batch"""
    hold(
        answer,
        [({"momentum": momentum}, [FIRST, SECOND, THIRD]) for momentum in (0.5, 0.75, 0.9)],
        [(HALF, [single(4, 6), single(10, 20), single(5, 7)]), (HALF, [single(-4, -6), single(-1, -2)])],
    )


def test_the_default(answer):
    """The momentum is 0.9 by default"""
    hold(answer, [({}, [FIRST, SECOND, THIRD]), ({}, [single(1), single(2)])])


def test_no_momentum(answer):
    """Momentum 0: the last batch alone"""
    hold(answer, [({"momentum": 0.0}, [FIRST, SECOND, THIRD])])


def test_zeros(answer):
    """Batches whose smallest or largest number is 0"""
    hold(
        answer,
        [(HALF, [single(0, 4), single(0, 8), single(2, 3)]), (HALF, [single(-4, 0), single(-8, -2)])],
        [(HALF, [single(0, 0), single(-2, 4)]), (HALF, [single(-2, 4), single(0, 0), single(0, 2)])],
    )


def test_shapes(answer):
    """Batches of any shape, and of different ones"""
    square = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
    hold(
        answer,
        [(HALF, [square]), (HALF, [square.reshape(2, 3, 2), square[:2]]), (HALF, [square.T, FIRST])],
        [(HALF, [np.array(3, np.float32), square])],
    )


def test_tensors(answer):
    """Tensors in place of arrays"""
    hold(
        answer,
        [(HALF, [tf.constant(FIRST), tf.constant(SECOND)]), ({}, [tf.constant(FIRST), SECOND, THIRD])],
        [({}, [FIRST, tf.constant(SECOND), THIRD]), (HALF, [tf.constant([[1.0, -2.0], [3.0, 4.0]])])],
    )


def test_before_any_batch(answer):
    """Asked before any batch, it raises RuntimeError, with a message"""
    hold(answer, [({}, []), (HALF, [])])


def test_nan(answer):
    """A batch with a NaN raises ValueError and changes nothing"""
    bad = [single(NAN), single(1, NAN, 30), single(-50, NAN), single(NAN, 90)]
    hold(
        answer,
        [(HALF, [FIRST, one]) for one in bad],
        [(HALF, [FIRST, one, SECOND]) for one in bad],
        [(HALF, [one, FIRST, SECOND]) for one in bad],
        [({}, [FIRST, tf.constant(bad[1]), SECOND])],
    )


def test_infinities(answer):
    """A batch with an infinity raises ValueError and changes nothing"""
    bad = [single(INF), single(-INF, 1), single(1, INF, 30), single(-INF, INF)]
    hold(answer, [(HALF, [FIRST, one, SECOND]) for one in bad], [(HALF, [one, FIRST, SECOND]) for one in bad])


def test_large_numbers(answer):
    """Very large numbers, whose sum is beyond float32, are no infinities"""
    hold(answer, [(HALF, [single(2e38, 3e38), single(-2, 5)]), (HALF, [single(-2e38, -3e38)])])


def test_empty_batches(answer):
    """A batch without numbers raises ValueError and changes nothing"""
    bad = [single(), np.zeros((0, 3), np.float32)]
    hold(
        answer,
        [(HALF, [FIRST, one, SECOND]) for one in bad],
        [(HALF, [one, FIRST, SECOND]) for one in bad],
        [(HALF, [FIRST, tf.constant(bad[1]), SECOND])],
    )


def test_several_observers(answer):
    """Several observers know nothing of each other"""
    hold(answer, [(HALF, [FIRST, THIRD, SECOND, single(1, 2)], 2), (HALF, [FIRST, single(NAN), THIRD, SECOND], 3)])


def test_many_batches(answer):
    """Forty batches, with an outlier that is forgotten"""
    batches = [single(-1 - number % 3, 2 + number % 5) for number in range(40)]
    outlier = single(-900, 1000)
    hold(answer, [({"momentum": momentum}, [*batches[:4], outlier, *batches[4:]]) for momentum in (0.5, 0.9)])


@given(
    st.lists(st.lists(st.integers(-999, 999), min_size=1, max_size=3), min_size=1, max_size=4),
    st.sampled_from([0.5, 0.25, 0.9, 0.99]),
)
def test_random_batches(answer, batches, momentum):
    """Random batches"""
    hold(answer, [({"momentum": momentum}, [single(*batch) / 8 for batch in batches])])


class Right:
    """The right answer in parts, for the misconceptions to be wrong in one place only."""

    def __init__(self, momentum=0.9):
        self.momentum = momentum
        self.ends = None

    def update(self, batch):
        batch = np.asarray(batch)
        self.refuse(batch)
        ends = self.ends_of(batch)
        self.ends = self.first(ends) if self.ends is None else self.later(ends)

    def refuse(self, batch):
        if batch.size == 0 or not np.isfinite(batch).all():
            raise ValueError("bad batch")

    def ends_of(self, batch):
        return float(batch.min()), float(batch.max())

    def first(self, ends):
        return ends

    def later(self, ends):
        return self.averaged(self.ends, ends)

    def averaged(self, old, new):
        return tuple(self.momentum * a + (1 - self.momentum) * b for a, b in zip(old, new, strict=True))

    def range(self):
        if self.ends is None:
            raise RuntimeError("no batch yet")
        return self.ends


@misconception
class BeginsAtZero(Right):
    """You begin with the range from 0 to 0 and average the first batch with it. The first batch sets the range, or the
    zeros would be in it for a long time."""

    def first(self, ends):
        return self.averaged((0.0, 0.0), ends)


@misconception
class MomentumTheOtherWay(Right):
    """You gave the batch the weight `momentum` and the old range the rest. It is the old range that keeps its momentum:
    momentum · old + (1 − momentum) · batch."""

    def later(self, ends):
        return self.averaged(ends, self.ends)


@misconception
class WholeBatchAdded(Right):
    """You added the whole batch to momentum · old. The weights have to add up to 1: the batch has 1 − momentum."""

    def later(self, ends):
        return tuple(self.momentum * a + b for a, b in zip(self.ends, ends, strict=True))


@misconception
class NeverShrinks(Right):
    """You keep the smallest and the largest number of all batches. That range never shrinks, and one outlier decides
    for good: average them."""

    def later(self, ends):
        return min(self.ends[0], ends[0]), max(self.ends[1], ends[1])


@misconception
class AverageOnlyWhereItGrows(Right):
    """You average only what goes beyond the old range. Batches with a narrower range count as well: it has to be able
    to shrink."""

    def later(self, ends):
        return super().later((min(self.ends[0], ends[0]), max(self.ends[1], ends[1])))


@misconception
class OnlyTheMaximumAveraged(Right):
    """You average the maximum and keep the smallest minimum of all. Both ends are moving averages."""

    def later(self, ends):
        return min(self.ends[0], ends[0]), super().later(ends)[1]


@misconception
class LastBatchOnly(Right):
    """You keep the last batch alone. The old range has to stay with the weight `momentum`."""

    def later(self, ends):
        return ends


@misconception
class FirstBatchOnly(Right):
    """Your range does not change after the first batch. Each later one has the weight 1 − momentum."""

    def later(self, ends):
        return self.ends


@misconception
class PlainMean(Right):
    """You take the mean of all batches. In a moving average the recent ones count more: momentum · old +
    (1 − momentum) · batch."""

    count = 1

    def later(self, ends):
        self.count += 1
        return tuple(a + (b - a) / self.count for a, b in zip(self.ends, ends, strict=True))


@misconception
class CorrectedForTheStart(Right):
    """You begin at 0 and divide by 1 − momentum^t, as Adam does. Here the first batch sets the range and keeps the
    weight that the later ones leave it."""

    steps, sums = 0, (0.0, 0.0)

    def first(self, ends):
        self.steps += 1
        self.sums = self.averaged(self.sums, ends)
        return tuple(one / (1 - self.momentum**self.steps) for one in self.sums)

    later = first


@misconception
class FactorWiredIn(Right):
    """You used 0.9 whatever `momentum` says."""

    def __init__(self, momentum=0.9):
        super().__init__(0.9)


@misconception
class AnotherDefault(Right):
    """Your default is not 0.9. (0.99 is Keras's for batch normalization.)"""

    def __init__(self, momentum=0.99):
        super().__init__(momentum)


@misconception
class FirstByItsValue(Right):
    """You look at the range to see whether a batch has come, and take a 0 for none. ReLU gives a minimum of 0 all the
    time: begin with None, and ask `is None`."""

    def later(self, ends):
        return super().later(ends) if self.ends[0] else ends


@misconception
class FirstByEachValue(Right):
    """You look at each end of the range to see whether a batch has come, and take a 0 for none. ReLU gives a minimum of
    0 all the time: begin with None, and ask `is None`."""

    def later(self, ends):
        averaged = super().later(ends)
        return tuple(new if old == 0 else one for old, new, one in zip(self.ends, ends, averaged, strict=True))


@misconception
class ZerosForNone(Right):
    """You take a range from 0 to 0 for none at all. A batch of zeros is a batch like any other: begin with None, and
    ask `is None`."""

    def later(self, ends):
        return super().later(ends) if any(self.ends) else ends

    def range(self):
        if not any(super().range()):
            raise RuntimeError("no batch yet")
        return self.ends


@misconception
class NanTaken(Right):
    """You take a batch with a NaN as it is. From then on the range is NaN, for ever: look before you average, with
    `np.isfinite(batch).all()`, and raise ValueError."""

    def refuse(self, batch):
        if batch.size == 0 or np.isinf(batch).any():
            raise ValueError("bad batch")


@misconception
class NothingChecked(Right):
    """You do not look whether all numbers are finite. A NaN or an infinity stays in the range for ever: look before you
    average, with `np.isfinite(batch).all()`, and raise ValueError."""

    def refuse(self, batch):
        pass


@misconception
class NanSkipped(Right):
    """You take the smallest and the largest of the other numbers where there is a NaN. Then nobody notices that the
    network has gone wrong: raise ValueError."""

    def refuse(self, batch):
        if batch.size == 0 or np.isinf(batch).any() or np.isnan(batch).all():
            raise ValueError("bad batch")

    def ends_of(self, batch):
        return float(np.nanmin(batch)), float(np.nanmax(batch))


@misconception
class BadBatchSkipped(Right):
    """You skip a batch that is not finite without a word. The caller has to learn of it: raise ValueError."""

    def update(self, batch):
        if is_good(batch) or not np.size(batch):
            super().update(batch)


@misconception
class EveryBadBatchSkipped(Right):
    """You skip a batch that is not finite, or empty, without a word. The caller has to learn of it: raise
    ValueError."""

    def update(self, batch):
        if is_good(batch):
            super().update(batch)


@misconception
class InfinityTaken(Right):
    """You refuse NaN, but not infinities. One in an average stays in it for ever: `np.isfinite` is False for both."""

    def refuse(self, batch):
        if batch.size == 0 or np.isnan(batch).any():
            raise ValueError("bad batch")


@misconception
class EmptyBatchSkipped(Right):
    """You skip an empty batch without a word. It has no smallest number: raise ValueError."""

    def update(self, batch):
        if np.size(batch):
            super().update(batch)


@misconception
class CheckedTooLate(Right):
    """You change the range before you have looked at the batch. The error comes, but too late: look first."""

    def update(self, batch):
        batch = np.asarray(batch)
        if batch.size == 0:
            raise ValueError("bad batch")
        ends = self.ends_of(batch)
        self.ends = self.first(ends) if self.ends is None else self.later(ends)
        self.refuse(batch)


@misconception
class RangeCheckedInsteadOfTheBatch(Right):
    """You change the range first and look whether it is finite then. The error comes, but the range is spoilt already,
    and every good batch after it is refused: look at the batch, before anything else."""

    def update(self, batch):
        batch = np.asarray(batch)
        if batch.size == 0:
            raise ValueError("bad batch")
        ends = self.ends_of(batch)
        self.ends = self.first(ends) if self.ends is None else self.later(ends)
        if not np.isfinite(self.ends).all():
            raise ValueError("bad batch")


@misconception
class Asserted(Right):
    """You refuse a bad batch with `assert`. That raises AssertionError, and nothing at all under `python -O`: raise
    ValueError."""

    def refuse(self, batch):
        assert batch.size > 0
        assert np.isfinite(batch).all()


@misconception
class BadBatchCountsAsFirst(Right):
    """You take note that a batch has come before you refuse it. After a bad first batch there is no range yet: look
    whether the batch is good before anything else."""

    def refuse(self, batch):
        bad = batch.size == 0 or not np.isfinite(batch).all()
        if bad and self.ends is None:
            self.ends = 0.0, 0.0
        super().refuse(batch)


@misconception
class BadBatchStartsAgain(Right):
    """You forget the range when a bad batch comes. It stays as it was."""

    def refuse(self, batch):
        if batch.size == 0 or not np.isfinite(batch).all():
            self.ends = None
        super().refuse(batch)


@misconception
class ZerosBeforeAnyBatch(Right):
    """Asked before any batch, you give a range of zeros. It looks like an answer, and the network is quantized with
    nonsense: raise RuntimeError."""

    def range(self):
        return (0.0, 0.0) if self.ends is None else self.ends


@misconception
class InfinitiesBeforeAnyBatch(Right):
    """Asked before any batch, you give a range of infinities, which nothing can be quantized with: raise
    RuntimeError."""

    def range(self):
        return (INF, -INF) if self.ends is None else self.ends


@misconception
class NoneBeforeAnyBatch(Right):
    """Asked before any batch, you return None. Raise RuntimeError, with a message that says what is missing."""

    def range(self):
        return self.ends


@misconception
class NonesBeforeAnyBatch(Right):
    """Asked before any batch, you return (None, None). Raise RuntimeError, with a message that says what is missing."""

    def range(self):
        return (None, None) if self.ends is None else self.ends


@misconception
class AnAccidentBeforeAnyBatch(Right):
    """Asked before any batch, you stumble over an attribute that is not there yet. Make it in `__init__`, as None, and
    raise RuntimeError with a message that says what is missing."""

    def range(self):
        if self.ends is None:
            raise AttributeError("minimum")
        return self.ends


@misconception
class ValueErrorBeforeAnyBatch(Right):
    """Asked before any batch, you raise ValueError. No argument is wrong; it is too early: RuntimeError."""

    def range(self):
        if self.ends is None:
            raise ValueError("no batch yet")
        return self.ends


@misconception
class SharedByAll(Right):
    """All your observers share one range: it belongs to the class. Make it in `__init__`, with `self`."""

    everybody = None

    def __init__(self, momentum=0.9):
        super().__init__(momentum)  # which empties it for all of them

    @property
    def ends(self):
        return type(self).everybody

    @ends.setter
    def ends(self, value):
        type(self).everybody = value


@misconception
class Symmetric(Right):
    """You made the range symmetric. The observer gives the numbers as they are; symmetric scales are made later."""

    def ends_of(self, batch):
        largest = float(np.abs(batch).max())
        return -largest, largest


@misconception
class Widened(Right):
    """You widened the range to hold 0. `quantization_parameters` does that; the observer gives the numbers as they
    are."""

    def ends_of(self, batch):
        return min(float(batch.min()), 0.0), max(float(batch.max()), 0.0)


@misconception
class Magnitudes(Right):
    """You looked at the magnitudes. The smallest number is the most negative one: no `abs`."""

    def ends_of(self, batch):
        return float(np.abs(batch).min()), float(np.abs(batch).max())


@misconception
class MaximumFirst(Right):
    """You return (maximum, minimum). The minimum comes first."""

    def range(self):
        return super().range()[::-1]


@misconception
class AListReturned(Right):
    """You return a list. The contract asks for a tuple, which nobody can change from outside: `return minimum,
    maximum`."""

    def range(self):
        return list(super().range())


@misconception
class OverTheFirstAxisOnly(Right):
    """You took the minimum and the maximum along the first axis alone. One range is for all numbers of the batch: no
    `axis`."""

    def ends_of(self, batch):
        return batch.min(axis=0) if batch.ndim else batch, batch.max(axis=0) if batch.ndim else batch


@misconception
class StartsAgainWhenAsked(Right):
    """Asking for the range makes you begin again. It changes nothing: only `update` does."""

    def range(self):
        ends, self.ends = super().range(), None
        return ends


@misconception
class WithoutMessage(Right):
    """Your RuntimeError has no message. Say what is missing: `raise RuntimeError("…")`."""

    def range(self):
        if self.ends is None:
            raise RuntimeError
        return self.ends


@misconception
class AttributeNamedRange(Right):
    """You store the range as `self.range`, which hides the method `range`: it is no longer there to be called. Give the
    attribute another name."""

    def __init__(self, momentum=0.9):
        super().__init__(momentum)
        self.range = None

    def update(self, batch):
        super().update(batch)
        self.range = self.ends


@misconception
class MinimumOfATensor(Right):
    """You call `batch.min()`, and a tensor has no such method. Begin with `batch = np.asarray(batch)`."""

    def update(self, batch):
        self.refuse(np.asarray(batch))
        ends = self.ends_of(batch)
        self.ends = self.first(ends) if self.ends is None else self.later(ends)


@misconception
class SizeOfATensor(Right):
    """You ask for `batch.size`, which a tensor does not have. Begin with `batch = np.asarray(batch)`."""

    def update(self, batch):
        if batch.size == 0:
            raise ValueError("bad batch")
        super().update(batch)


@misconception
class WidenedWhenAsked(Right):
    """`range()` widens the range to hold 0. `quantization_parameters` does that; the observer gives the numbers as they
    are."""

    def range(self):
        minimum, maximum = super().range()
        return min(minimum, 0), max(maximum, 0)


@misconception
class InHalfPrecision(Right):
    """You went through float16, which has 11 bits for the digits and ends at 65504. Leave the batch in float32."""

    def ends_of(self, batch):
        with np.errstate(all="ignore"):
            return super().ends_of(batch.astype(np.float16).astype(np.float32))


@misconception
class MomentumZeroReplaced(Right):
    """You take momentum 0 for none given: `momentum or 0.9` is 0.9 for it. 0 is a momentum like any other."""

    def __init__(self, momentum=0.9):
        super().__init__(momentum or 0.9)


@misconception
class MinimumZeroForNone(Right):
    """When asked, you take a minimum of 0 for no batch at all. ReLU gives it all the time: begin with None, and ask `is
    None`."""

    def range(self):
        if not super().range()[0]:
            raise RuntimeError("no batch has been seen yet")
        return self.ends


@misconception
class BatchSorted(Right):
    """You sorted the caller's array in place. Use `batch.min()` and `batch.max()`, or `np.sort`, which makes a new
    one."""

    def update(self, batch):
        if isinstance(batch, np.ndarray) and batch.size and batch.ndim:
            batch.sort()
        super().update(batch)


@misconception
class MeanOverTheRows(Right):
    """You took the mean of the ranges of the rows. One smallest and one largest number of the whole batch is asked
    for."""

    def ends_of(self, batch):
        rows = batch.reshape(batch.shape[0] if batch.ndim else 1, -1)
        return float(rows.min(1).mean()), float(rows.max(1).mean())


HINTS = (
    "Three things can happen in `update`: the batch is bad, it is the first good one, or a later one. Which of them "
    "has to be looked for first, so that a bad batch changes nothing? And how does the observer know that none has "
    "come?",
    "Keep the range in one attribute that is None at first, and ask `is None` (a minimum of 0 is a range as well). "
    "`np.isfinite(batch).all()` is False where there is a NaN or an infinity; `batch.size` is 0 for an empty batch.",
    "`update`: raise ValueError if the batch is bad; then, with its own `minimum` and `maximum`, either set the range, "
    "or make it `momentum * old + (1 - momentum) * new` at both ends. `range`: raise RuntimeError with a message if "
    "there is none, else return the tuple.",
)
