"""Right answers to `polynomial_sparsity`, in ten styles."""

import math
from fractions import Fraction

import numpy as np
import tensorflow as tf


def three_cases(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    if begin_step >= end_step:
        raise ValueError("the end is not after the beginning")
    if step <= begin_step:
        return initial_sparsity
    if step >= end_step:
        return final_sparsity
    rest = (end_step - step) / (end_step - begin_step)
    return final_sparsity + (initial_sparsity - final_sparsity) * rest**power


def clipped_by_numpy(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    if not begin_step < end_step:
        raise ValueError((begin_step, end_step))
    progress = np.clip((step - begin_step) / (end_step - begin_step), 0, 1)
    return final_sparsity + (initial_sparsity - final_sparsity) * np.power(1.0 - progress, power)


def interpolated(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """np.interp holds its ends by itself."""
    if end_step <= begin_step:
        raise ValueError("no steps between")
    rest = np.interp(float(step), [begin_step, end_step], [1.0, 0.0])
    return (1 - rest**power) * final_sparsity + rest**power * initial_sparsity


def tensorflow_scalars(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    if begin_step >= end_step:
        raise ValueError("begin_step is not less than end_step")
    progress = tf.cast(int(step) - begin_step, tf.float64) / float(end_step - begin_step)
    rest = 1.0 - tf.clip_by_value(progress, 0.0, 1.0)
    return final_sparsity + (initial_sparsity - final_sparsity) * rest ** tf.cast(power, tf.float64)


def step_held_in_the_range(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    if begin_step >= end_step:
        raise ValueError("empty schedule")
    step = sorted((begin_step, int(step), end_step))[1]
    distance = initial_sparsity - final_sparsity
    return distance * math.pow((end_step - step) / (end_step - begin_step), power) + final_sparsity


def exact_fractions(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    if begin_step >= end_step:
        raise ValueError("the schedule has no length")
    rest = Fraction(end_step - int(step), end_step - begin_step)
    rest = max(Fraction(0), min(Fraction(1), rest))
    return final_sparsity + (initial_sparsity - final_sparsity) * float(rest) ** power


def through_logarithms(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    if begin_step >= end_step:
        raise ValueError("begin_step >= end_step")
    rest = min(1.0, (end_step - step) / (end_step - begin_step))
    share = math.exp(power * math.log(rest)) if rest > 0 else 0.0
    return final_sparsity - (final_sparsity - initial_sparsity) * share


def piecewise(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    if begin_step >= end_step:
        raise ValueError("nothing between the two steps")

    def between(at):
        return (
            final_sparsity + (initial_sparsity - final_sparsity) * ((end_step - at) / (end_step - begin_step)) ** power
        )

    at = np.array([step], np.float64)
    values = [lambda _: initial_sparsity, between, lambda _: final_sparsity]
    return np.piecewise(at, [at <= begin_step, (at > begin_step) & (at < end_step), at >= end_step], values)[0]


def kept_share_first(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    """In terms of what is kept, the density."""
    if begin_step >= end_step:
        raise ValueError(f"{begin_step} is not before {end_step}")
    dense_first, dense_last = 1 - initial_sparsity, 1 - final_sparsity
    done = max(0, min(end_step - begin_step, step - begin_step)) / (end_step - begin_step)
    return 1 - (dense_last + (dense_first - dense_last) * (1 - done) ** power)


def recursion_to_the_ends(step, begin_step, end_step, initial_sparsity, final_sparsity, power=3):
    if begin_step >= end_step:
        raise ValueError("the end comes first")
    ends = initial_sparsity, final_sparsity
    if step < begin_step:
        return recursion_to_the_ends(begin_step, begin_step, end_step, *ends, power)
    if step > end_step:
        return recursion_to_the_ends(end_step, begin_step, end_step, *ends, power)
    factor = np.float64(1) - np.float64(step - begin_step) / np.float64(end_step - begin_step)
    return ends[1] + (ends[0] - ends[1]) * factor**power
