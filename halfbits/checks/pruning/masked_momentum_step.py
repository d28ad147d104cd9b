"""masked_momentum_step(weight, velocity, gradient, mask, learning_rate, momentum) -> (weight, velocity)."""

from itertools import chain

import keras
import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import CLOSE, hold_each
from halfbits.checks.pruning.common import shuffled, single
from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception

ARRAYS, TENSORS = "as arrays", "as tensors"
SHOW = {6: lambda how: f"→ {how}"}

# Who has an optimizer of Keras take the step builds one in each call.
SECONDS = 30.0

INF, NAN = float("inf"), float("nan")


def use(answer, weight, velocity, gradient, mask, learning_rate, momentum, how):
    """Call the answer with arrays or with tensors, and look at both results as arrays."""
    given = weight, velocity, gradient, mask
    if how == TENSORS:
        given = map(tf.constant, given)
    return plain(answer(*given, learning_rate, momentum))


def hold_one(call):
    """The oracle: NumPy in float64, with tolerances relative to the terms that are added."""
    weight, velocity, gradient, mask, learning_rate, momentum, _ = call.arguments
    w, v, g = (np.where(mask, array, 0).astype(np.float64) for array in (weight, velocity, gradient))
    new_v = momentum * v - learning_rate * g
    largest = max(np.max(np.abs(term), initial=0) for term in (w, momentum * v, learning_rate * g))
    call.equals((np.float32(w + new_v + 0.0), np.float32(new_v + 0.0)), atol=4 * CLOSE * float(largest), because=why)


def why(call):
    """What is wrong with the dropped ones, where they are."""
    got, mask = call.returned, call.arguments[3]
    if type(got) is not tuple or len(got) != 2:
        return ""
    for name, array in zip(("weights", "velocities"), got, strict=True):
        if isinstance(array, np.ndarray) and array.shape == mask.shape and np.any(array[~mask] != 0):
            return f"some dropped {name} are not 0"
    return ""


def hold(answer, *groups):
    """Each case as arrays and as tensors."""
    cases = [(*case, how) for case in chain(*groups) for how in (ARRAYS, TENSORS)]
    hold_each(answer, sorted(cases, key=lambda case: case[-1]), hold_one)


def case(shape, learning_rate=0.5, momentum=0.75, held=False):
    """Weights, velocities and gradients of both signs, every third dropped; held before or not."""
    weight, velocity, gradient = (np.roll(shuffled(*shape), shift) for shift in (0, 1, 2))
    mask = (np.arange(weight.size) % 3 != 1).reshape(shape)
    if held:
        weight, velocity = weight * mask, velocity * mask
    return weight, velocity, gradient, mask, learning_rate, momentum


KEPT, DROPPED = np.array([True] * 3), np.array([False] * 3)


def test_all_kept(answer):
    """Nothing dropped: momentum · v − learning rate · g, and w + v"""
    three = single(1, -2, 3), single(0.5, 0.25, -1), single(2, -4, 1), KEPT
    hold(answer, [(*three, 0.5, 0.5), (*three, 0.25, 0.75), (*three, 0.5, 0.0), (*three, 0.0, 0.5)])


def test_all_dropped(answer):
    """All dropped: zeros, whatever they were"""
    hold(answer, [(single(1, -2, 3), single(0.5, 0.25, -1), single(2, -4, 1), DROPPED, 0.5, 0.5)])


def test_held_before(answer):
    """Dropped weights and velocities that are 0 already"""
    hold(answer, [case(shape, held=True) for shape in ((6,), (3, 4))])


def test_newly_dropped(answer):
    """Dropped weights and velocities that are not 0 yet"""
    hold(answer, [case(shape) for shape in ((6,), (3, 4))])


def test_velocity_goes_on(answer):
    """A gradient of 0, where the velocity alone would move the weight"""
    zeros = np.zeros(6, np.float32)
    weight, velocity, _, mask, *_ = case((6,))
    hold(answer, [(weight, velocity, zeros, mask, 0.5, 0.75), (weight * mask, velocity, zeros, mask, 0.125, 0.5)])


def test_kept_at_zero(answer):
    """Kept weights that are 0, before the step or after it"""
    weight, velocity, gradient = single(0, 0, 1, 0), single(0.5, 0, 0, -1), single(2, -4, 2, 1)
    hold(
        answer, [(weight, velocity, gradient, np.array(kept), 0.5, 0.5) for kept in ([True] * 4, [True] * 3 + [False])]
    )


def test_large_gradients(answer):
    """Large gradients, which Keras's SGD takes as they are"""
    weight, velocity, gradient, mask, *rates = case((6,))
    hold(answer, [(weight, velocity, scale * gradient, mask, *rates) for scale in np.float32([100, 1e6])])


def test_infinite_gradients(answer):
    """An infinite gradient, or NaN, where a weight is dropped"""
    weight, velocity, mask = single(1, 2, 3, 4), single(0.5, 1, -1, 2), np.array([True, False, False, True])
    hold(
        answer,
        [(weight, velocity, single(2, *bad, 1), mask, 0.5, 0.5) for bad in ((INF, -INF), (NAN, 1), (INF, NAN))],
    )


def test_shapes(answer):
    """Shape (), matrices, kernels of convolutions, no elements"""
    hold(answer, [case(shape) for shape in ((1,), (2, 5), (3, 3, 2, 2), (0,), (0, 3))])
    number = np.float32(1.5), np.float32(0.5), np.float32(2)
    arrays = tuple(map(np.array, number))
    hold(answer, [(*arrays, np.array(kept), 0.5, 0.5) for kept in (True, False)])


def test_rates(answer):
    """Learning rates and momenta that are not powers of two"""
    hold(answer, [case((7,), rate, momentum) for rate in (0.01, 0.3, 1.7) for momentum in (0.9, 0.99, 0.0, 0.33)])


def of_keras(weight, velocity, gradient, learning_rate, momentum):
    """What Keras's SGD makes of all weights: the new ones and their velocities."""
    variable, optimizer = keras.Variable(weight), keras.optimizers.SGD(learning_rate, momentum)
    optimizer.build([variable])
    optimizer.momentums[0].assign(velocity)
    optimizer.apply([tf.constant(gradient)], [variable])
    return plain(variable.value), plain(optimizer.momentums[0].value)


def test_like_keras(answer):
    """Three steps as Keras's SGD makes them, where the mask is True"""
    weight, velocity, gradient, mask, *rates = case((3, 4), 0.1, 0.9, held=True)
    cases, wanted = [], []
    for _ in range(3):
        cases.append((weight, velocity, gradient, mask, *rates, ARRAYS))
        weight, velocity = (
            np.where(mask, array, np.float32(0)) for array in of_keras(weight, velocity, gradient, *rates)
        )
        wanted.append((weight, velocity))
        gradient = np.roll(gradient, 1)
    expected = iter(wanted)
    hold_each(answer, cases, lambda call: call.equals(next(expected), atol=1e-5, because=why))


@given(st.lists(st.tuples(*[st.integers(-99, 99)] * 3, st.booleans()), min_size=1, max_size=5), st.floats(0, 2),
       st.floats(0, 0.99))  # fmt: skip
def test_random_steps(answer, rows, learning_rate, momentum):
    """Random steps"""
    *numbers, mask = zip(*rows, strict=True)
    arrays = [np.float32(column) / 8 for column in numbers]
    hold_each(answer, [(*arrays, np.array(mask), learning_rate, momentum, ARRAYS)], hold_one)


def as_arrays(*tensors):
    return map(np.asarray, tensors)


def only(mask, array):
    """Exactly 0 where the mask is False."""
    return np.where(mask, array, np.float32(0))


def moved(velocity, gradient, learning_rate, momentum):
    """The new velocity; no warning for the gradients that are infinite."""
    with np.errstate(invalid="ignore"):
        return np.asarray(momentum * np.asarray(velocity) - learning_rate * np.asarray(gradient))


def right(weight, velocity, gradient, mask, learning_rate, momentum):
    """The right answer, for the misconceptions to be wrong in one place only."""
    weight, velocity, gradient, mask = as_arrays(weight, velocity, gradient, mask)
    velocity = only(mask, moved(velocity, gradient, learning_rate, momentum))
    return only(mask, weight + velocity), velocity


@misconception
def no_mask(weight, velocity, gradient, mask, learning_rate, momentum):
    """You did not use the mask. Where it is False the weight and the velocity are 0 after the step."""
    velocity = moved(velocity, gradient, learning_rate, momentum)
    return np.asarray(weight) + velocity, velocity


@misconception
def gradient_masked_only(weight, velocity, gradient, mask, learning_rate, momentum):
    """You masked the gradient only. The velocity of earlier steps goes on moving a dropped weight, and a weight that is
    not 0 yet stays so: mask the new weight and the new velocity."""
    velocity = moved(velocity, only(np.asarray(mask), np.asarray(gradient)), learning_rate, momentum)
    return np.asarray(weight) + velocity, velocity


@misconception
def gradient_multiplied_only(weight, velocity, gradient, mask, learning_rate, momentum):
    """You multiplied the gradient by the mask, and nothing else. The velocity of earlier steps goes on moving a dropped
    weight, and infinity · 0 is NaN: mask the new weight and the new velocity, with `where`."""
    with np.errstate(invalid="ignore"):
        gradient = np.asarray(gradient) * np.asarray(mask)
    velocity = moved(velocity, gradient, learning_rate, momentum)
    return np.asarray(weight) + velocity, velocity


@misconception
def weight_masked_only(weight, velocity, gradient, mask, learning_rate, momentum):
    """You masked the weight and not the velocity. It goes on growing for a weight that is gone: set it to 0 as well."""
    velocity = moved(velocity, gradient, learning_rate, momentum)
    return only(np.asarray(mask), np.asarray(weight) + velocity), velocity


@misconception
def velocity_masked_only(weight, velocity, gradient, mask, learning_rate, momentum):
    """You masked the velocity and not the weight. A weight that is dropped now may not be 0 yet: mask the new weight
    too."""
    velocity = only(np.asarray(mask), moved(velocity, gradient, learning_rate, momentum))
    return np.asarray(weight) + velocity, velocity


@misconception
def velocity_masked_afterwards(weight, velocity, gradient, mask, learning_rate, momentum):
    """You moved the weight by the whole velocity, and masked that afterwards. The dropped weight has moved by then:
    mask it, too."""
    new = moved(velocity, gradient, learning_rate, momentum)
    return np.asarray(weight) + new, only(np.asarray(mask), new)


@misconception
def zeros_taken_for_dropped(weight, velocity, gradient, mask, learning_rate, momentum):
    """You took a weight that is 0 for a dropped one. The mask alone says what is dropped: a kept weight may be 0, and
    moves on."""
    mask = np.asarray(mask) & (np.asarray(weight) != 0)
    return right(weight, velocity, gradient, mask, learning_rate, momentum)


@misconception
def gradient_clipped(weight, velocity, gradient, mask, learning_rate, momentum):
    """You clipped the gradient. Keras's SGD does not where it is not told to: an infinite one matters only where the
    weight is dropped, and there the mask sees to it."""
    return right(weight, velocity, np.clip(np.asarray(gradient), -1, 1), mask, learning_rate, momentum)


@misconception
def masked_before_the_step(weight, velocity, gradient, mask, learning_rate, momentum):
    """You masked the weight before the step. The step then moves it away from 0: mask after it, and the velocity
    too."""
    new = moved(velocity, gradient, learning_rate, momentum)
    return only(np.asarray(mask), np.asarray(weight)) + new, new


@misconception
def weight_and_gradient_masked(weight, velocity, gradient, mask, learning_rate, momentum):
    """You masked the gradient and the weight, but not the velocity. That of earlier steps is still there: set it to 0
    where the mask is False."""
    mask = np.asarray(mask)
    velocity = moved(velocity, only(mask, np.asarray(gradient)), learning_rate, momentum)
    return only(mask, np.asarray(weight) + velocity), velocity


@misconception
def multiplied_by_the_mask(weight, velocity, gradient, mask, learning_rate, momentum):
    """You multiplied by the mask, and infinity · 0 is NaN. Choose instead: `tf.where(mask, …, 0.0)` or `np.where`."""
    mask = np.asarray(mask)
    with np.errstate(invalid="ignore"):
        velocity = moved(velocity, gradient, learning_rate, momentum) * mask
        return (np.asarray(weight) + velocity) * mask, velocity


@misconception
def inverted(weight, velocity, gradient, mask, learning_rate, momentum):
    """You dropped the weights where the mask is True. True means kept."""
    return right(weight, velocity, gradient, ~np.asarray(mask), learning_rate, momentum)


@misconception
def uphill(weight, velocity, gradient, mask, learning_rate, momentum):
    """You added the gradient: v is momentum · v − learning_rate · g, so that w + v goes downhill."""
    return right(weight, velocity, -np.asarray(gradient), mask, learning_rate, momentum)


@misconception
def velocity_subtracted(weight, velocity, gradient, mask, learning_rate, momentum):
    """You subtracted the velocity from the weight. The minus is in the velocity already: w + v."""
    _, new = right(weight, velocity, gradient, mask, learning_rate, momentum)
    return only(np.asarray(mask), np.asarray(weight) - new), new


@misconception
def velocity_of_the_other_sign(weight, velocity, gradient, mask, learning_rate, momentum):
    """Your velocity is momentum · v + learning_rate · g, and is subtracted. Keras keeps the minus in the velocity:
    momentum · v − learning_rate · g, which is added."""
    mask = np.asarray(mask)
    new = only(mask, moved(velocity, -np.asarray(gradient), learning_rate, momentum))
    return only(mask, np.asarray(weight) - new), new


@misconception
def velocity_of_gradients(weight, velocity, gradient, mask, learning_rate, momentum):
    """Your velocity is momentum · v + g, and the weight moves by −learning_rate · v, as in PyTorch. In Keras the
    learning rate is in the velocity: momentum · v − learning_rate · g, and w + v."""
    mask = np.asarray(mask)
    new = only(mask, moved(velocity, gradient, -1, momentum))
    return only(mask, np.asarray(weight) - np.float32(learning_rate) * new), new


@misconception
def gradient_damped(weight, velocity, gradient, mask, learning_rate, momentum):
    """You multiplied the gradient by 1 − momentum, as in an average. Keras's SGD does not: momentum · v − learning_rate
    · g."""
    return right(weight, velocity, gradient, mask, learning_rate * (1 - momentum), momentum)


@misconception
def nesterov(weight, velocity, gradient, mask, learning_rate, momentum):
    """You added momentum · v − learning_rate · g once more to the weight, with the new v, which is Nesterov's momentum.
    Here it is w + v."""
    mask, gradient = np.asarray(mask), np.asarray(gradient)
    new = only(mask, moved(velocity, gradient, learning_rate, momentum))
    return only(mask, np.asarray(weight) + moved(new, gradient, learning_rate, momentum)), new


@misconception
def moved_by_the_old_velocity(weight, velocity, gradient, mask, learning_rate, momentum):
    """You moved the weight by the old velocity. The new one comes first, and the weight moves by that."""
    mask = np.asarray(mask)
    new = only(mask, moved(velocity, gradient, learning_rate, momentum))
    return only(mask, np.asarray(weight) + np.asarray(velocity)), new


@misconception
def no_momentum(weight, velocity, gradient, mask, learning_rate, momentum):
    """You left out momentum · v: each of your steps goes by its own gradient alone."""
    return right(weight, velocity, gradient, mask, learning_rate, 0.0)


@misconception
def velocity_without_momentum(weight, velocity, gradient, mask, learning_rate, momentum):
    """You kept all of the old velocity. It is multiplied by the momentum."""
    return right(weight, velocity, gradient, mask, learning_rate, 1.0)


@misconception
def rates_swapped(weight, velocity, gradient, mask, learning_rate, momentum):
    """You swapped the learning rate and the momentum. The momentum multiplies the velocity, the learning rate the
    gradient."""
    return right(weight, velocity, gradient, mask, momentum, learning_rate)


@misconception
def learning_rate_twice(weight, velocity, gradient, mask, learning_rate, momentum):
    """You multiplied the velocity by the learning rate as you added it. It is in the velocity already: w + v."""
    mask = np.asarray(mask)
    new = only(mask, moved(velocity, gradient, learning_rate, momentum))
    return only(mask, np.asarray(weight) + np.float32(learning_rate) * new), new


@misconception
def no_learning_rate(weight, velocity, gradient, mask, learning_rate, momentum):
    """You left out the learning rate."""
    return right(weight, velocity, gradient, mask, 1.0, momentum)


@misconception
def old_velocity_returned(weight, velocity, gradient, mask, learning_rate, momentum):
    """You returned the old velocity. The next step needs the new one."""
    return right(weight, velocity, gradient, mask, learning_rate, momentum)[0], only(
        np.asarray(mask), np.asarray(velocity)
    )


@misconception
def velocity_first(weight, velocity, gradient, mask, learning_rate, momentum):
    """You returned the velocity before the weight. The weight comes first."""
    return right(weight, velocity, gradient, mask, learning_rate, momentum)[::-1]


@misconception
def weight_alone(weight, velocity, gradient, mask, learning_rate, momentum):
    """You returned the weight alone. The next step needs the velocity too: return both."""
    return right(weight, velocity, gradient, mask, learning_rate, momentum)[0]


@misconception
def in_a_list(weight, velocity, gradient, mask, learning_rate, momentum):
    """You returned a list. The contract asks for a tuple: `return weight, velocity`."""
    return list(right(weight, velocity, gradient, mask, learning_rate, momentum))


@misconception
def in_float64(weight, velocity, gradient, mask, learning_rate, momentum):
    """You returned float64. The weights are float32, and stay so."""
    return tuple(np.asarray(a, np.float64) for a in right(weight, velocity, gradient, mask, learning_rate, momentum))


@misconception
def item_of_a_tensor(weight, velocity, gradient, mask, learning_rate, momentum):
    """You assigned to a part of an array, `velocity[~mask] = 0`. Tensors cannot be changed: choose with
    `tf.where(mask, velocity, 0.0)`, which takes arrays as well."""
    velocity = momentum * velocity - learning_rate * gradient
    velocity[~mask] = 0
    weight = weight + velocity
    weight[~mask] = 0
    return weight, velocity


@misconception
def changed_in_place(weight, velocity, gradient, mask, learning_rate, momentum):
    """You changed the arrays that you were given (`+=`, `*=`, `weight[…] =`). Make new ones: `weight = weight +
    velocity`."""
    new = right(weight, velocity, gradient, mask, learning_rate, momentum)
    if isinstance(weight, np.ndarray):
        weight[...], velocity[...] = new
    return new


HINTS = (
    "Do Keras's step first, as if there were no mask. What has to be 0 after it? What could be other than 0 where "
    "the gradient is 0?",
    "Both results are masked: the velocity, and the weight. Infinity · 0 is NaN, so choose instead of multiplying: "
    "`tf.where(mask, a, 0.0)` takes arrays and tensors, and has a wherever the mask is True.",
    "`velocity = tf.where(mask, momentum * velocity - learning_rate * gradient, 0.0)`, then `return tf.where(mask, "
    "weight + velocity, 0.0), velocity`.",
)
