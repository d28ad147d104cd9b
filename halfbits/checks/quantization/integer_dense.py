"""integer_dense(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, …) -> np.ndarray: int8 alone."""

import contextlib
import math
from fractions import Fraction

import numpy as np
import tensorflow as tf

from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception

ONE = (2**30, 1)  # the multiplier 1
FLOATS = "floats"

SHOW = {9: lambda what: "asking whether an array of floats was made"}


class Watched(np.ndarray):
    """An array that takes note where it, or one that is computed from it, holds floats."""

    float_seen = False

    def __array_finalize__(self, parent):
        if self.dtype.kind == "f":
            Watched.float_seen = True


def use(answer, *arguments):
    """What the answer returns, as an array where it is a tensor; or whether it makes an array of floats on the way."""
    if not isinstance(arguments[-1], str):
        return plain(answer(*arguments))
    Watched.float_seen = False
    answer(*[value.view(Watched) if isinstance(value, np.ndarray) else value for value in arguments[:-1]])
    return Watched.float_seen or draws_floats(answer, arguments[:-1])


def draws_floats(answer, arguments):
    """Whether a tensor of floats is in the graph that the answer draws; one without TensorFlow draws none."""
    graph = tf.Graph()
    # A graph's tensor has no values; what asks for them fails there, and has drawn what came before.
    with graph.as_default(), contextlib.suppress(Exception):
        answer(*arguments)
    return any(output.dtype.is_floating for operation in graph.get_operations() for output in operation.outputs)


def expected(
    x_q,
    w_q,
    bias_q,
    x_zero_point,
    out_zero_point,
    mantissas,
    shifts,
    activation_min=-128,
    activation_max=127,
    what="output",
):
    """The oracle: Python's integers and fractions, which neither overflow nor round."""
    if what == FLOATS:
        return False
    accumulators = (x_q.astype(object) - int(x_zero_point)) @ w_q.astype(object) + bias_q.astype(object)
    output = np.zeros(accumulators.shape, np.int8)
    mantissas, shifts = (np.broadcast_to(values, bias_q.shape).tolist() for values in (mantissas, shifts))
    for row, unit in np.ndindex(accumulators.shape):
        exact = Fraction(accumulators[row, unit] * mantissas[unit]) / Fraction(2) ** (31 - shifts[unit])
        rounded = math.floor(exact + Fraction(1, 2))
        output[row, unit] = min(max(rounded + int(out_zero_point), activation_min), activation_max)
    return output


def eight(*rows):
    return np.array(rows, np.int8)


def bias(*numbers):
    return np.array(numbers, np.int32)


def accumulators(numbers, mantissa, shift, out_zero_point=0):
    """A layer whose accumulators are these numbers, since all its weights are 0."""
    return eight([5]), eight([0] * len(numbers)), bias(*numbers), 0, out_zero_point, mantissa, shift


def layer(batch, inputs, units, seed=0, dtype=np.int32):
    """Numbers of all sizes, scales for each unit that fill the range of the output, and zero-points that are not 0."""
    random = np.random.default_rng(seed)
    x_q = random.integers(-128, 128, (batch, inputs)).astype(np.int8)
    w_q = random.integers(-127, 128, (inputs, units)).astype(np.int8)
    bias_q = random.integers(-20_000, 20_000, units).astype(np.int32)
    mantissas = random.integers(2**30, 2**31, units).astype(dtype)
    shifts = random.integers(-9, -5, units).astype(dtype)
    return x_q, w_q, bias_q, int(random.integers(-128, 100)), int(random.integers(-90, 90)), mantissas, shifts


def test_products_and_bias(answer):
    """x_q · w_q + bias_q, with zero-points 0 and the multiplier 1"""
    layers = [
        (eight([3]), eight([2]), bias(5)),
        (eight([1, 2]), eight([3], [4]), bias(-20)),
        (eight([1, 2, 3], [-4, 5, 6]), eight([1, -2], [3, 4], [5, -6]), bias(10, -20)),
        (eight([1, -2], [3, 4]), eight([5, 6], [-7, 8]), bias(0, 1)),
    ]
    answer.each([(*one, 0, 0, *ONE) for one in layers], expected)


def test_zero_point_of_the_input(answer):
    """x_zero_point, which is what a real 0 is in x_q"""
    points = (3, -5, -128, 127)
    layers = [(eight([3, -5]), eight([2, 1], [-1, 3]), bias(5, -7), point, 0, *ONE) for point in points]
    answer.each(layers, expected)


def test_zero_point_of_the_output(answer):
    """out_zero_point, which is what a real 0 is in the output"""
    quarter = (2**30, -1)
    layers = [(eight([3, -5]), eight([2, 1], [-1, 3]), bias(50, -80), 4, point) for point in (16, -7, -30, 60)]
    answer.each([(*one, *multiplier) for one in layers for multiplier in (ONE, quarter)], expected)


def test_sums_beyond_16_bits(answer):
    """Differences and products beyond int8, sums beyond int16"""
    layers = [
        (eight([127]), eight([1]), bias(0), -128, 0, 2**30, 0),
        (eight([127]), eight([127]), bias(0), -128, 0, 2**30, -8),
        (eight([100, 100, 100]), eight([120], [120], [120]), bias(0), 0, 0, 2**30, -9),
        (eight([127, 127, 127]), eight([127], [127], [127]), bias(0), -128, 0, 2**30, -9),
        (eight([-128] * 20), eight(*[[-127, 127]] * 20), bias(-40_000, 3), 127, -3, 2**30, -13),
    ]
    answer.each(layers, expected)


def test_large_accumulators(answer):
    """Accumulators up to 2**31 − 1"""
    large = [2**31 - 1, -(2**31), 2**24 + 1, -(2**24) - 1, 2_000_000_001, 123_456_789]
    cases = [accumulators(large, mantissa, shift, 9) for mantissa, shift in ((1_234_567_890, -24), (2**31 - 1, -25))]
    answer.each([accumulators([100_000], 2**30, -10), *cases], expected)


def test_nearest(answer):
    """To the nearest integer"""
    thirds = [accumulators([number], 1_431_655_765, -1, 2) for number in (1, 2, 4, 5, -1, -2, -4, -5)]
    quarters = [accumulators(list(range(-9, 10, 2)), 2**30, shift, -3) for shift in (-1, -2)]
    answer.each([*thirds, *quarters], expected)


def test_ties(answer):
    """Exactly half-way: up, as the formula has it, for negative numbers too"""
    cases = [accumulators([number], 2**30, 0, 3) for number in (1, 3, 5, -1, -3, -5)]
    cases += [accumulators([6, 10, -6, -10, 2, -2], 2**30, -1), accumulators([5, 15, -5, -15], 1_717_986_918, -3)]
    answer.each(cases, expected)


def twice_rounded(mantissa, shift):
    """Accumulators that come out otherwise where the product is rounded to 32 bits first, and no ties."""
    numbers = []
    for number in range(-4000, 4000):
        product = number * mantissa
        once = (product + (1 << 30 - shift)) >> 31 - shift
        twice = ((product + (1 << 30) >> 31) + (1 << -shift - 1)) >> -shift
        if once != twice and product % 2 ** (31 - shift) != 2 ** (30 - shift) and -128 <= once < 127:
            numbers.append(number)
    return [accumulators([number], mantissa, shift) for number in numbers[::5]]


def test_rounded_once(answer):
    """Rounded once: where a first rounding of the product makes a tie of what is none"""
    answer.each([*twice_rounded(1_500_000_001, -2), *twice_rounded(1_234_567_890, -4)], expected)


def test_near_a_tie(answer):
    """Products that lie nearer to a tie than float32 can tell, or even float64"""
    for_float32 = [
        accumulators([-11_644], 1_245_260_177, -6),
        accumulators([-5_153], 1_346_917_791, -6),
        accumulators([1_202_147], 1_653_638_936, -14, 5),
        accumulators([147_342_633], 1_184_412_615, -20),
    ]
    for_float64 = [
        accumulators([462_254_338], 1_890_081_403, -23),  # 10 below a tie, of a product of 60 bits
        accumulators([555_142_963], 1_922_663_499, -22),
        accumulators([-951_495_529], 1_159_629_105, -22),
        accumulators([608_452_668], 1_239_789_021, -21, -60),
    ]
    answer.each([*for_float32, *for_float64], expected)


def test_one_multiplier_a_unit(answer):
    """A mantissa and a shift for each unit, in int32 and in int64"""
    two = (eight([50, 60]), eight([3, 3, 3], [2, 2, 2]), bias(0, 0, 0), 10, 5)
    different = [
        (*two, np.array([2**30, 2**30, 3 * 2**29], dtype), np.array([0, -2, -1], dtype))
        for dtype in (np.int32, np.int64)
    ]
    layers = [
        layer(batch, 5, units, dtype=dtype)
        for batch, units in ((2, 3), (3, 2), (3, 3))
        for dtype in (np.int32, np.int64)
    ]
    answer.each([*different, *layers], expected)


def test_numpy_numbers(answer):
    """Zero-points, mantissa and shift as NumPy's integers"""
    one = (eight([100, -5]), eight([20, 11], [-10, 30]), bias(500, -700))
    layers = [(*one, *[kind(n) for n in (-128, 7, 1_234_567_890, -5)]) for kind in (np.int32, np.int64)]
    answer.each(layers, expected)


def test_other_multipliers(answer):
    """Multipliers above 1, of 2**-32, and 0"""
    cases = [
        accumulators([1, -1, 5, -13], 2**30, 3, 1),
        accumulators([3, -3, 7], 1_800_000_000, 2, -4),
        accumulators([2**20, -(2**20) - 1, 1_500_000, -1_500_000], 2**30, 12, 1),  # beyond int32 once requantized
        accumulators([2**31 - 1, -(2**31), 2**31 - 2**8], 2**31 - 1, -31, 4),
        accumulators([2**31 - 1, -5, 100], 0, 0, 33),
        (*accumulators([300, 300, -300], 0, 0, 33)[:5], np.array([2**30, 0, 2**30], np.int32), bias(-2, 0, -1)),
    ]
    answer.each(cases, expected)


def test_clipped(answer):
    """What lies outside the range goes to its end, after out_zero_point is added"""
    numbers = [127, 128, 200, 300, 70_000, -128, -129, -200, -300, -70_000]
    answer.each([accumulators(numbers, *ONE, point) for point in (0, 10, -10, 127, -128)], expected)


def test_activation(answer):
    """activation_min and activation_max, as for a ReLU or a ReLU6 in the same step"""
    numbers = [-300, -60, -9, 0, 7, 60, 300]
    bounds = [(-5, 127), (-5, 20), (-128, 40), (0, 127), (-60, -7)]
    answer.each([(*accumulators(numbers, *ONE, -5), *pair) for pair in bounds], expected)


def test_sizes(answer):
    """One unit, one input, one image, and none"""
    answer.each([layer(*size) for size in ((3, 4, 1), (3, 1, 4), (1, 3, 2), (0, 3, 2), (2, 70, 5))], expected)


def test_many_layers(answer):
    """Layers at random"""
    answer.each([layer(7, 20, 6, seed) for seed in range(1, 9)], expected)


def test_no_floats(answer):
    """No array of floats on the way"""
    # As many as it takes for the grader to give weight to them: one twentieth of all calls.
    layers = [(*layer(2, 3, 4, seed), -100, 100) for seed in range(12)]
    answer.each([(*one, FLOATS) for one in layers], expected, because=float_was_made)


def float_was_made(call):
    return "an array became float" if call.returned is True else ""


def accumulated(x_q, w_q, bias_q, x_zero_point):
    return (x_q.astype(np.int64) - x_zero_point) @ w_q.astype(np.int64) + bias_q


def requantized(acc, mantissas, shifts):
    mantissas, shifts = np.asarray(mantissas, np.int64), np.asarray(shifts, np.int64)
    return (acc * mantissas + (np.int64(1) << (30 - shifts))) >> (31 - shifts)


def clipped(y, activation_min=-128, activation_max=127):
    return np.clip(y, activation_min, activation_max).astype(np.int8)


def right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """The right answer in parts, for the misconceptions to be wrong in one place only."""
    y = requantized(accumulated(x_q, w_q, bias_q, x_zero_point), mantissas, shifts)
    return clipped(y + out_zero_point, *activation)


def real(mantissas, shifts):
    return np.ldexp(np.asarray(mantissas, np.float64), np.asarray(shifts) - 31)


@misconception
def no_zero_point_of_the_input(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You left out x_zero_point. A real number is scale · (x_q − x_zero_point): subtract it before the product."""
    return right(x_q, w_q, bias_q, 0, out_zero_point, mantissas, shifts, *activation)


@misconception
def zero_point_added_to_the_input(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You added x_zero_point. A real number is scale · (x_q − x_zero_point): subtract it. (TFLite's kernels add an
    *offset*, which is the negative of it.)"""
    return right(x_q, w_q, bias_q, -int(x_zero_point), out_zero_point, mantissas, shifts, *activation)


@misconception
def zero_point_subtracted_once(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You subtracted x_zero_point from the sum. It belongs to each input: subtract it from x_q, or x_zero_point times
    the sum of a unit's weights from its accumulator."""
    acc = accumulated(x_q, w_q, bias_q, 0) - x_zero_point
    return clipped(requantized(acc, mantissas, shifts) + out_zero_point, *activation)


@misconception
def subtracted_in_int8(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You subtracted in int8, where 127 − (−128) wraps around to −1. Cast x_q to int32 first."""
    difference = x_q.astype(np.int64) - x_zero_point
    wrapped = ((difference + 128) % 256 - 128).astype(np.int8)
    return right(wrapped, w_q, bias_q, 0, out_zero_point, mantissas, shifts, *activation)


@misconception
def products_in_int8(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You multiplied in int8, and NumPy adds up in the same dtype: what is beyond ±127 wraps around. Cast both x_q and
    w_q to int32 first."""
    acc = (x_q - np.int64(x_zero_point)).astype(np.int8) @ w_q + bias_q
    return clipped(requantized(acc.astype(np.int64), mantissas, shifts) + out_zero_point, *activation)


@misconception
def sums_in_int16(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You added up in int16. Three products of int8 numbers can be beyond 32767: accumulators have 32 bits."""
    acc = (x_q.astype(np.int16) - np.int16(x_zero_point)) @ w_q.astype(np.int16) + bias_q
    return clipped(requantized(acc.astype(np.int64), mantissas, shifts) + out_zero_point, *activation)


@misconception
def product_in_int32(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You multiplied the int32 accumulator by the mantissa as it came, a Python int or an int32: NumPy stays in int32,
    and the product, which has up to 62 bits, wraps around. Cast both to int64 before."""
    acc = accumulated(x_q, w_q, bias_q, x_zero_point).astype(np.int32)
    y = (acc * mantissas + (1 << (30 - shifts))) >> (31 - shifts)
    return clipped(y + out_zero_point, *activation)


@misconception
def product_of_arrays_in_int32(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """Your mantissas and shifts are int64 where they come as numbers, and stay int32 where they come as an int32 array.
    The product, which has up to 62 bits, wraps around there: `np.asarray(…, np.int64)`."""
    acc = accumulated(x_q, w_q, bias_q, x_zero_point).astype(np.int32)
    mantissas, shifts = np.array(mantissas), np.array(shifts)
    y = (acc * mantissas + (1 << (30 - shifts))) >> (31 - shifts)
    return clipped(y + out_zero_point, *activation)


@misconception
def half_in_int32(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You computed 2^(30 − shift) in int32 where the shifts are int32. It has no room for 2^31, and what you add is
    lost or negative: cast the shifts to int64 first, too."""
    y = (accumulated(x_q, w_q, bias_q, x_zero_point) * mantissas + (1 << (30 - shifts))) >> (31 - shifts)
    return clipped(y + out_zero_point, *activation)


@misconception
def through_float32(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You requantized in float32: `round(acc · multiplier)`. So does XNNPACK; it is right most of the time, but float32
    has 24 bits, and ties go to the even neighbour. Use the formula of the contract, in int64."""
    acc = accumulated(x_q, w_q, bias_q, x_zero_point).astype(np.float32)
    y = np.rint(acc * real(mantissas, shifts).astype(np.float32))
    return clipped(y.astype(np.int64) + out_zero_point, *activation)


@misconception
def through_float64(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You requantized in float64: `round(acc · multiplier)`. Ties go to the even neighbour there, 53 bits are not the
    62 of the product, and integer-only hardware has no floats: use the formula of the contract, in int64."""
    y = np.rint(accumulated(x_q, w_q, bias_q, x_zero_point) * real(mantissas, shifts))
    return clipped(y.astype(np.int64) + out_zero_point, *activation)


@misconception
def through_float64_half_up(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You requantized in float64: `floor(acc · multiplier + 0.5)`. Its 53 bits are not the 62 of the product, and
    integer-only hardware has no floats: use the formula of the contract, in int64."""
    y = np.floor(accumulated(x_q, w_q, bias_q, x_zero_point) * real(mantissas, shifts) + 0.5)
    return clipped(y.astype(np.int64) + out_zero_point, *activation)


@misconception
def through_float64_and_cut_off(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You rounded a float by adding 0.5 and cutting off: that is wrong for negative numbers, which go towards 0.
    Use the formula of the contract, in int64, whose `>>` goes down."""
    y = accumulated(x_q, w_q, bias_q, x_zero_point) * real(mantissas, shifts) + 0.5
    return clipped(y.astype(np.int64) + out_zero_point, *activation)


@misconception
def floats_added_up(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """The result is right, but you went through floats. Up to 2^53 a float64 holds integers exactly; hardware for
    integer-only inference has none: stay in int32 and int64."""
    acc = (x_q.astype(np.float64) - x_zero_point) @ w_q.astype(np.float64) + bias_q
    return clipped(requantized(acc.astype(np.int64), mantissas, shifts) + out_zero_point, *activation)


@misconception
def floats_shifted(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You shifted floats. `>>` is for integers: an accumulator that was added up in floats stays a float when it is
    multiplied by an integer. Add up in int32."""
    acc = (x_q.astype(np.float64) - x_zero_point) @ w_q + bias_q
    return clipped(requantized(acc, mantissas, shifts) + out_zero_point, *activation)


@misconception
def float32_added_up(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You added up in float32, which holds integers exactly up to 2^24 only. Accumulators are int32."""
    acc = (x_q.astype(np.float32) - np.float32(x_zero_point)) @ w_q.astype(np.float32) + bias_q.astype(np.float32)
    return clipped(requantized(acc.astype(np.int64), mantissas, shifts) + out_zero_point, *activation)


@misconception
def rounded_twice(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You rounded twice, as gemmlowp does: the product to 32 bits, and that after the shift. The first rounding can
    make a tie of what is none. Shift once, by 31 − shift, with one 2^(30 − shift) added before."""
    acc, shifts = accumulated(x_q, w_q, bias_q, x_zero_point), np.asarray(shifts, np.int64)
    left, to_the_right = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    product = (acc << left) * np.asarray(mantissas, np.int64)
    high = (np.abs(product) + np.where(product < 0, 2**30 - 1, 2**30) >> 31) * np.sign(product)
    mask = (np.int64(1) << to_the_right) - 1
    y = (high >> to_the_right) + ((high & mask) > (mask >> 1) + (high < 0))
    return clipped(y + out_zero_point, *activation)


@misconception
def rounded_twice_half_up(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You rounded twice: once where you shift by 31, and once where you shift by the rest. The first rounding can make
    a tie of what is none. Shift once, by 31 − shift, with one 2^(30 − shift) added before."""
    acc, shifts = accumulated(x_q, w_q, bias_q, x_zero_point), np.asarray(shifts, np.int64)
    left, to_the_right = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    high = ((acc << left) * np.asarray(mantissas, np.int64) + 2**30) >> 31
    return clipped((high + (np.int64(1) << to_the_right >> 1) >> to_the_right) + out_zero_point, *activation)


@misconception
def rounded_down(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You did not round, or what you added was lost in int32: `>>` goes down to the next integer. Add half of what is
    shifted away, 2^(30 − shift), in int64, before."""
    shifts = np.asarray(shifts, np.int64)
    y = accumulated(x_q, w_q, bias_q, x_zero_point) * np.asarray(mantissas, np.int64) >> (31 - shifts)
    return clipped(y + out_zero_point, *activation)


@misconception
def rounded_to_zero(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You cut the fraction off, towards 0. Take the nearest integer: add 2^(30 − shift) before the shift by 31 −
    shift."""
    product = accumulated(x_q, w_q, bias_q, x_zero_point) * np.asarray(mantissas, np.int64)
    y = np.sign(product) * (np.abs(product) >> (31 - np.asarray(shifts, np.int64)))
    return clipped(y + out_zero_point, *activation)


@misconception
def ties_away_from_zero(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You round negative ties down, away from 0. The formula rounds every tie up: −2.5 becomes −2. Add 2^(30 − shift)
    whatever the sign, and shift."""
    acc = accumulated(x_q, w_q, bias_q, x_zero_point)
    y = np.sign(acc) * requantized(np.abs(acc), mantissas, shifts)
    return clipped(y + out_zero_point, *activation)


@misconception
def half_without_the_shift(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You added 2^30 whatever the shift. Half of what is shifted away is 2^(30 − shift)."""
    shifts = np.asarray(shifts, np.int64)
    y = (accumulated(x_q, w_q, bias_q, x_zero_point) * np.asarray(mantissas, np.int64) + 2**30) >> (31 - shifts)
    return clipped(y + out_zero_point, *activation)


@misconception
def a_whole_added(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You added 2^(31 − shift) before the shift, which is a whole 1 after it. Half of that rounds to nearest: 2^(30 −
    shift)."""
    shifts = np.asarray(shifts, np.int64)
    product = accumulated(x_q, w_q, bias_q, x_zero_point) * np.asarray(mantissas, np.int64)
    return clipped((product >> (31 - shifts)) + 1 + out_zero_point, *activation)


@misconception
def shift_ignored(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You left out the shift. The multiplier is mantissa · 2^(shift − 31): shift to the right by 31 − shift."""
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, np.zeros_like(shifts), *activation)


@misconception
def shift_of_the_other_sign(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You shifted to the right by 31 + shift. The multiplier is mantissa · 2^(shift − 31): it is 31 − shift, which is
    more than 31 for a small multiplier."""
    acc, shifts = accumulated(x_q, w_q, bias_q, x_zero_point), np.asarray(shifts, np.int64)
    whole = np.maximum(31 + shifts, 1)
    y = acc * np.asarray(mantissas, np.int64) + (np.int64(1) << (whole - 1)) >> whole
    return clipped(y + out_zero_point, *activation)


@misconception
def mantissa_over_30_bits(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """Your result is twice as far from the zero-point as it should be. The shift to the right is by 31 − shift, and
    what is added before by 2^(30 − shift)."""
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, np.asarray(shifts) + 1, *activation)


@misconception
def first_multiplier_for_all(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You used the multiplier of the first unit for all. Per-channel weights have one scale a unit, and so does the
    accumulator."""
    mantissa, shift = np.ravel(mantissas)[0], np.ravel(shifts)[0]
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissa, shift, *activation)


@misconception
def no_bias(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You left out the bias. It has the accumulator's scale: add it before requantization."""
    return right(x_q, w_q, np.zeros_like(bias_q), x_zero_point, out_zero_point, mantissas, shifts, *activation)


@misconception
def bias_after_requantization(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You added the bias after requantization. It is an int32 with the accumulator's scale: add it before."""
    acc = accumulated(x_q, w_q, np.zeros_like(bias_q), x_zero_point)
    return clipped(requantized(acc, mantissas, shifts) + bias_q + out_zero_point, *activation)


@misconception
def zero_points_swapped(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You swapped the two zero-points. x_zero_point is subtracted from x_q, out_zero_point is added at the end."""
    return right(x_q, w_q, bias_q, out_zero_point, x_zero_point, mantissas, shifts, *activation)


@misconception
def zero_point_subtracted_from_the_weights(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation
):
    """You subtracted x_zero_point from the weights too. They have zero-points of their own, and those are 0."""
    acc = (x_q.astype(np.int64) - x_zero_point) @ (w_q.astype(np.int64) - x_zero_point) + bias_q
    return clipped(requantized(acc, mantissas, shifts) + out_zero_point, *activation)


@misconception
def no_zero_point_of_the_output(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You left out out_zero_point. Add it after requantization, before the clip."""
    return right(x_q, w_q, bias_q, x_zero_point, 0, mantissas, shifts, *activation)


@misconception
def zero_point_subtracted_from_the_output(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation
):
    """You subtracted out_zero_point. The output is real / scale + zero-point: on the way in it is subtracted, on the
    way out added."""
    return right(x_q, w_q, bias_q, x_zero_point, -int(out_zero_point), mantissas, shifts, *activation)


@misconception
def zero_point_before_requantization(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You added out_zero_point to the accumulator. It is in steps of the output's scale: add it after
    requantization."""
    acc = accumulated(x_q, w_q, bias_q, x_zero_point) + int(out_zero_point)
    return clipped(requantized(acc, mantissas, shifts), *activation)


@misconception
def zero_point_after_the_clip(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You added out_zero_point after the clip, and the sum can leave the range. Clip last, and cast after that."""
    low, high = activation or (-128, 127)
    y = requantized(accumulated(x_q, w_q, bias_q, x_zero_point), mantissas, shifts)
    return (np.clip(y, low, high) + out_zero_point).astype(np.int8)


@misconception
def not_clipped(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You cast to int8 without a clip, or before it: 128 wraps around to −128. Clip in int32 or int64, then cast."""
    y = requantized(accumulated(x_q, w_q, bias_q, x_zero_point), mantissas, shifts) + out_zero_point
    return np.clip(y.astype(np.int8), *(activation or (-128, 127)))


@misconception
def clipped_to_minus_127(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You clip at −127. It is the weights that leave −128 out, to be symmetric; outputs use it."""
    low, high = activation or (-128, 127)
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, max(low, -127), high)


@misconception
def activation_ignored(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You clip to −128…127 whatever activation_min and activation_max say."""
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts)


@misconception
def only_the_lower_bound(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You do not look at activation_max. A ReLU6 ends below 127."""
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation[:1])


@misconception
def only_the_upper_bound(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You do not look at activation_min. For a ReLU it is out_zero_point, which is a real 0."""
    activation = (-128, activation[1]) if activation else ()
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation)


@misconception
def relu_always(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You put a ReLU into every layer. activation_min and activation_max say whether there is one; by default there is
    none."""
    low, high = activation or (-128, 127)
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, max(low, int(out_zero_point)), high)


@misconception
def returned_in_int32(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You did not cast the result. The next layer takes int8: `.astype(np.int8)` after the clip."""
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation).astype(np.int32)


@misconception
def returned_in_int64(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You returned the int64 that the product needs. The next layer takes int8: `.astype(np.int8)` after the clip."""
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation).astype(np.int64)


@misconception
def weights_transposed(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You transposed the weights. TFLite keeps them as (units, inputs); here they come as (inputs, units), as in
    Keras: `x @ w`."""
    acc = (x_q.astype(np.int32) - x_zero_point) @ w_q.T.astype(np.int32) + bias_q
    return clipped(requantized(acc, mantissas, shifts) + out_zero_point, *activation)


@misconception
def requantized_to_int32(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You cast to int32 before the clip. With a multiplier above 1 the result may be beyond ±2^31, and wraps around:
    clip in int64, then cast."""
    y = requantized(accumulated(x_q, w_q, bias_q, x_zero_point), mantissas, shifts)
    return clipped(y.astype(np.int32) + out_zero_point, *activation)


@misconception
def shifted_to_the_left_in_int32(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You shifted the accumulator to the left in int32, where it has no room. One shift to the right, by 31 − shift, of
    the product in int64 does all."""
    shifts = np.asarray(shifts, np.int64)
    acc = (accumulated(x_q, w_q, bias_q, x_zero_point) << np.maximum(shifts, 0)).astype(np.int32)
    y = requantized(acc, mantissas, np.minimum(shifts, 0))
    return clipped(y + out_zero_point, *activation)


@misconception
def ties_to_even(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You round ties to the even neighbour. The formula rounds every tie up: 2.5 becomes 3, and −2.5 becomes −2."""
    whole = 31 - np.asarray(shifts, np.int64)
    product = accumulated(x_q, w_q, bias_q, x_zero_point) * np.asarray(mantissas, np.int64)
    down, rest, half = product >> whole, product & ((np.int64(1) << whole) - 1), np.int64(1) << (whole - 1)
    return clipped(down + ((rest > half) | ((rest == half) & (down % 2 == 1))) + out_zero_point, *activation)


@misconception
def ties_down(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You round ties down. The formula rounds every tie up: what is added before the shift is a whole half,
    2^(30 − shift)."""
    whole = 31 - np.asarray(shifts, np.int64)
    product = accumulated(x_q, w_q, bias_q, x_zero_point) * np.asarray(mantissas, np.int64)
    return clipped((product + (np.int64(1) << (whole - 1)) - 1 >> whole) + out_zero_point, *activation)


@misconception
def multiplier_as_one_number(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You want one Python int of `mantissas` or `shifts`, which may be arrays: `np.asarray(…, np.int64)` takes both."""
    return right(x_q, w_q, bias_q, x_zero_point, out_zero_point, int(mantissas), int(shifts), *activation)


@misconception
def bias_changed_in_place(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation):
    """You changed bias_q, which belongs to the caller. `bias_q += …` works in place: write `… + bias_q`."""
    y = right(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, *activation)
    bias_q += 1
    return y


HINTS = (
    "Four steps: subtract the input's zero-point and add up the products; multiply by the multiplier; add the output's "
    "zero-point; clip and cast. Which dtype has room for each? x_q − x_zero_point needs nine bits already.",
    "Cast x_q and w_q to int32 before anything else. The accumulator times the mantissa needs int64, and so does "
    "2^(30 − shift): make int64 arrays of mantissas and shifts with `np.asarray(…, np.int64)`, which takes scalars "
    "too. `>>` shifts whole arrays.",
    "`acc = (x_q.astype(np.int32) - x_zero_point) @ w_q.astype(np.int32) + bias_q`; then `y = (acc * mantissas + "
    "(np.int64(1) << (30 - shifts))) >> (31 - shifts)` with the int64 arrays; then clip `y + out_zero_point` to "
    "activation_min and activation_max, and `.astype(np.int8)`.",
)
