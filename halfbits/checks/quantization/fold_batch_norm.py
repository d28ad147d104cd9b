"""fold_batch_norm(kernel, bias, gamma, beta, mean, variance, epsilon) -> (kernel, bias): two layers made one."""

import functools

import keras
import numpy as np

from halfbits.grading.exercise import misconception

# A few roundings in float32, of numbers up to a hundred.
TOLERANCE = {"rtol": 1e-5, "atol": 2e-5}


def expected(kernel, bias, gamma, beta, mean, variance, epsilon):
    """The oracle, in float64 and without folding: what both layers make of an input of zeros is the bias, and what an
    input of one 1 adds to that is its row of the kernel."""
    kernel, gamma, beta, mean, variance = (
        np.asarray(array, np.float64) for array in (kernel, gamma, beta, mean, variance)
    )
    bias = 0.0 if bias is None else np.asarray(bias, np.float64)

    def batch_norm(z):
        return gamma * (z - mean) / np.sqrt(variance + epsilon) + beta

    of_zeros = batch_norm(np.zeros_like(mean) + bias)
    return np.float32(batch_norm(kernel + bias) - of_zeros), np.float32(of_zeros)


def single(*numbers):
    return np.array(numbers, np.float32)


def layer(shape, with_bias=True, epsilon=0.1, seed=0):
    """Numbers with nothing special about them: no 0, no 1, no two channels alike."""
    random = np.random.default_rng(seed)
    channels = shape[-1]

    def drawn(*shape):
        return (random.uniform(0.5, 3, shape) * random.choice([-1, 1], shape)).astype(np.float32)

    kernel, gamma, beta, mean, bias = drawn(*shape), drawn(channels), drawn(channels), drawn(channels), drawn(channels)
    return kernel, bias if with_bias else None, gamma, beta, mean, drawn(channels) ** 2 + np.float32(0.3), epsilon


def none_was_used(call):
    """That there was no bias is what most answers forget that raise a TypeError."""
    return "bias is None here" if call.arguments[1] is None and isinstance(call.raised, TypeError) else ""


def hold(answer, layers):
    """Hold the answer on all layers, and report the first that fails."""
    hold_pairs(answer, [(one, expected(*one)) for one in layers])


def hold_pairs(answer, pairs):
    """Hold the answer on layers with what is asked for, and report the first that fails."""
    first = None
    for one, wanted in pairs:
        call = answer(*one)
        try:
            call.equals(wanted, **TOLERANCE, because=none_was_used)
        except AssertionError as mismatch:
            first = first or mismatch
    if first:
        raise first


def test_dense(answer):
    """A Dense layer"""
    one = (single([3]), single(5), single(4), single(7), single(2), single(3), 1.0)
    two = (single([3, -1]), single(5, 6), single(4, 3), single(7, -5), single(2, 8), single(3, 8), 1.0)
    hold(answer, [one, two, layer((2, 3)), layer((4, 2)), layer((3, 3))])


def test_conv2d(answer):
    """A Conv2D layer"""
    shapes = [(1, 1, 1, 2), (1, 1, 2, 1), (2, 3, 4, 5), (2, 2, 3, 3), (3, 3, 3, 3), (1, 4, 2, 3)]
    hold(answer, [layer(shape, seed=seed) for seed, shape in enumerate(shapes)])


def test_without_a_bias(answer):
    """`bias` is None: the folded layer has one all the same"""
    one = (single([3]), None, single(4), single(7), single(2), single(3), 1.0)
    hold(answer, [one, layer((2, 3), with_bias=False), layer((3, 2, 4, 5), with_bias=False)])


def test_epsilon(answer):
    """`epsilon` from 1e-6 to 2, small and large against the variance"""
    small = [
        (*layer((2, 3), seed=seed)[:5], single(0.01, 0.04, 0.09), epsilon) for seed, epsilon in enumerate(EPSILONS)
    ]
    hold(answer, [*small, *[layer((2, 3), epsilon=epsilon) for epsilon in EPSILONS]])


EPSILONS = (1e-3, 1e-6, 0.03, 2.0)


def test_variance_zero(answer):
    """A channel that was always the same has variance 0"""
    hold(answer, [(*layer((2, 3))[:5], single(0, 1, 0), 0.25), (*layer((2, 1, 2, 3))[:5], single(4, 0, 0), 0.01)])


@functools.cache
def of_keras(shape, with_bias):
    """A layer, and what Keras's own two layers make in float64 of the inputs that `expected` speaks of."""
    case = layer(shape, with_bias, seed=9)
    kernel, bias, gamma, beta, mean, variance, epsilon = case
    options = {"use_bias": with_bias, "dtype": "float64"}
    if len(shape) == 2:
        first = keras.layers.Dense(shape[-1], **options)
    else:
        first = keras.layers.Conv2D(shape[-1], shape[:2], **options)
    both = keras.Sequential(
        [keras.Input(shape[:-1]), first, keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")]
    )
    both.set_weights([kernel, *([bias] if with_bias else []), gamma, beta, mean, variance])
    inputs = np.prod(shape[:-1])
    of_zeros = np.array(both(np.zeros((1, *shape[:-1])))).reshape(-1)
    of_ones = np.array(both(np.eye(inputs).reshape(inputs, *shape[:-1]))).reshape(shape)
    return case, (np.float32(of_ones - of_zeros), np.float32(of_zeros))


def test_like_keras(answer):
    """As Keras's Dense and Conv2D followed by its BatchNormalization in inference"""
    hold_pairs(answer, [of_keras(shape, with_bias) for shape in ((3, 4), (2, 2, 3, 4)) for with_bias in (True, False)])


def scale_of(gamma, variance, epsilon):
    return gamma / np.sqrt(variance + np.float32(epsilon))


def or_zero(bias):
    return np.float32(0) if bias is None else bias


def right(kernel, bias, gamma, beta, mean, variance, epsilon):
    """The right answer, for the misconceptions to be wrong in one place only."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale, (or_zero(bias) - mean) * scale + beta


@misconception
def no_square_root(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You divided by the variance. Batch normalization divides by the standard deviation: `np.sqrt(variance +
    epsilon)`."""
    return right(kernel, bias, gamma, beta, mean, (variance + np.float32(epsilon)) ** 2, 0.0)


@misconception
def no_epsilon(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You left out epsilon. It is added to the variance, under the root, at inference as well: a channel of variance 0
    would be divided by 0."""
    return right(kernel, bias, gamma, beta, mean, variance, 0.0)


@misconception
def epsilon_outside_the_root(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You added epsilon to the standard deviation. It is added to the variance, under the root."""
    return right(kernel, bias, gamma, beta, mean, (np.sqrt(variance) + np.float32(epsilon)) ** 2, 0.0)


@misconception
def keras_default_epsilon(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You used 0.001 whatever `epsilon` says. That is Keras's default; the layer at hand may have another."""
    return right(kernel, bias, gamma, beta, mean, variance, 1e-3)


@misconception
def square_root_multiplied(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You multiplied by the standard deviation. Batch normalization divides by it, so that the channel gets a spread
    of 1 before gamma."""
    scale = gamma * np.sqrt(variance + np.float32(epsilon))
    return kernel * scale, (or_zero(bias) - mean) * scale + beta


@misconception
def no_gamma(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You left out gamma. The scale of a channel is gamma / √(variance + epsilon)."""
    return right(kernel, bias, np.ones_like(gamma), beta, mean, variance, epsilon)


@misconception
def only_normalized(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You left out gamma and beta. Batch normalization scales by the one and adds the other after it has brought the
    channel to mean 0 and spread 1."""
    return right(kernel, bias, np.ones_like(gamma), np.zeros_like(beta), mean, variance, epsilon)


@misconception
def gamma_and_beta_swapped(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You swapped gamma and beta. Gamma multiplies, beta is added."""
    return right(kernel, bias, beta, gamma, mean, variance, epsilon)


@misconception
def gamma_on_the_kernel_only(kernel, bias, gamma, beta, mean, variance, epsilon):
    """Gamma is in your kernel, but not in your bias. It multiplies all that has been normalized, the old bias and the
    mean too."""
    return kernel * scale_of(gamma, variance, epsilon), right(
        kernel, bias, np.ones_like(gamma), beta, mean, variance, epsilon
    )[1]


@misconception
def gamma_on_the_bias_only(kernel, bias, gamma, beta, mean, variance, epsilon):
    """Gamma is in your bias, but not in your kernel. Both are multiplied by the same scale, gamma / √(variance +
    epsilon)."""
    return kernel * scale_of(np.ones_like(gamma), variance, epsilon), right(
        kernel, bias, gamma, beta, mean, variance, epsilon
    )[1]


@misconception
def no_beta(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You left out beta. It is added at the end, so it is added to the new bias."""
    return right(kernel, bias, gamma, np.zeros_like(beta), mean, variance, epsilon)


@misconception
def beta_scaled(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You multiplied beta by the scale. Beta is added after the scaling: only the old bias and the mean are scaled."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale, (or_zero(bias) - mean + beta) * scale


@misconception
def no_mean(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You left out the mean. Batch normalization subtracts it before it scales, so the new bias has − mean · scale."""
    return right(kernel, bias, gamma, beta, np.zeros_like(mean), variance, epsilon)


@misconception
def mean_not_scaled(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You did not scale the mean. It is subtracted before the scaling: (bias − mean) · scale + beta."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale, or_zero(bias) * scale - mean + beta


@misconception
def mean_added(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You added the mean. Batch normalization subtracts it: (bias − mean) · scale + beta."""
    return right(kernel, bias, gamma, beta, -mean, variance, epsilon)


@misconception
def old_bias_lost(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You left out the layer's old bias. It goes through the normalization too: (bias − mean) · scale + beta."""
    return right(kernel, None, gamma, beta, mean, variance, epsilon)


@misconception
def old_bias_not_scaled(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You did not scale the old bias. It comes before the normalization, like the mean: (bias − mean) · scale +
    beta."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale, or_zero(bias) - mean * scale + beta


@misconception
def bias_and_mean_not_scaled(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You scaled the kernel only. The old bias and the mean are scaled as well: (bias − mean) · scale + beta."""
    return kernel * scale_of(gamma, variance, epsilon), or_zero(bias) - mean + beta


@misconception
def old_bias_kept(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You returned the old bias. Mean and beta go into it, and it is scaled: (bias − mean) · scale + beta."""
    return kernel * scale_of(gamma, variance, epsilon), np.zeros_like(mean) + or_zero(bias)


@misconception
def kernel_not_scaled(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You left the kernel as it was. The layer's output is scaled, so each output channel of the kernel is: kernel ·
    scale."""
    return kernel.copy(), right(kernel, bias, gamma, beta, mean, variance, epsilon)[1]


@misconception
def scaled_along_the_inputs(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You scaled the kernel along its inputs. The normalization is of the *output* channels, which are the last axis:
    `kernel * scale` broadcasts over it without any reshaping."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale[:, np.newaxis], (or_zero(bias) - mean) * scale + beta


@misconception
def scaled_along_the_first_axis(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You scaled the kernel along its first axis. PyTorch keeps the output channels there; Keras keeps them on the
    last axis, in Dense and Conv2D: `kernel * scale` broadcasts over it."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1)), (or_zero(bias) - mean) * scale + beta


@misconception
def one_scale_for_all(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You scaled the whole kernel by the scale of the first channel. Every channel has its own."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale[0], (or_zero(bias) - mean) * scale + beta


@misconception
def none_stays_none(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You returned None for the bias where there was none. The normalization brings one with it: beta − mean ·
    scale."""
    kernel, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    return kernel, None if bias is None else new_bias


@misconception
def none_gives_zeros(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You returned a bias of zeros where there was none. The normalization brings one with it: beta − mean ·
    scale."""
    kernel, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    return kernel, np.zeros_like(new_bias) if bias is None else new_bias


@misconception
def none_gives_beta(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You returned beta as the bias where there was none. The mean is subtracted all the same: beta − mean · scale."""
    kernel, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    return kernel, beta if bias is None else new_bias


@misconception
def none_in_a_difference(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You computed with None. A layer without a bias has a bias of 0: `if bias is None: bias = 0.0`."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale, (bias - mean) * scale + beta


@misconception
def none_in_a_product(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You multiplied None by the scale. A layer without a bias has a bias of 0: `if bias is None: bias = 0.0`."""
    scale = scale_of(gamma, variance, epsilon)
    return kernel * scale, bias * scale - mean * scale + beta


@misconception
def in_float64(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You returned float64. The layers compute in float32: `.astype(np.float32)` at the end."""
    return tuple(np.asarray(array, np.float64) for array in right(kernel, bias, gamma, beta, mean, variance, epsilon))


@misconception
def float64_from_zeros(kernel, bias, gamma, beta, mean, variance, epsilon):
    """Your new bias is float64 where there was no old one. `np.zeros(…)` is float64 unless it is told otherwise: use
    `np.zeros_like(mean)`, a plain 0.0, or `.astype(np.float32)` at the end."""
    new_kernel, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    return new_kernel, new_bias.astype(np.float64) if bias is None else new_bias


@misconception
def bias_in_two_dimensions(kernel, bias, gamma, beta, mean, variance, epsilon):
    """Your bias has more than one axis. Its shape is (channels,), as it was."""
    kernel, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    return kernel, new_bias[np.newaxis]


@misconception
def kernel_flattened(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You brought the kernel of the convolution into two dimensions and left it there. It keeps its four axes."""
    new_kernel, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    return new_kernel.reshape(-1, kernel.shape[-1]), new_bias


@misconception
def bias_first(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You returned the bias before the kernel. The kernel comes first."""
    return right(kernel, bias, gamma, beta, mean, variance, epsilon)[::-1]


@misconception
def changed_in_place(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You changed an argument (`*=`, `+=`, `out=`). The weights that you were given are still those of the layer that
    is not folded: write `kernel = kernel * scale`, which makes a new array."""
    _, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    kernel *= scale_of(gamma, variance, epsilon)
    return kernel, new_bias


@misconception
def bias_changed_in_place(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You changed the bias that you were given (`-=`, `*=`, `+=`). It is still that of the layer that is not folded:
    write `bias = bias - mean`, which makes a new array."""
    kernel, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    if bias is not None:
        bias -= mean
    return kernel, new_bias


@misconception
def bias_changed_in_place_and_none(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You changed the bias that you were given (`-=`), and there may be none. Write `bias - mean`, which makes a new
    array, with a bias of 0 for None."""
    kernel, new_bias = right(
        kernel, np.zeros_like(mean) if bias is None else bias, gamma, beta, mean, variance, epsilon
    )
    bias -= mean
    return kernel, new_bias


@misconception
def none_copied(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You called a method of `bias`, which is None where the layer has none: `if bias is None: bias = 0.0`."""
    bias = bias.copy()
    return right(kernel, bias, gamma, beta, mean, variance, epsilon)


@misconception
def in_a_list(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You returned a list. The contract asks for a tuple: `return kernel, bias`."""
    return list(right(kernel, bias, gamma, beta, mean, variance, epsilon))


@misconception
def magnitude_of_gamma(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You took the magnitude of gamma. It may be negative, and keeps its sign."""
    return right(kernel, bias, np.abs(gamma), beta, mean, variance, epsilon)


@misconception
def scale_in_half_precision(kernel, bias, gamma, beta, mean, variance, epsilon):
    """Your scale went through float16, which has 11 bits for the digits. Compute in float32."""
    scale = scale_of(gamma, variance, epsilon).astype(np.float16).astype(np.float32)
    return kernel * scale, (or_zero(bias) - mean) * scale + beta


@misconception
def four_axes_for_all(kernel, bias, gamma, beta, mean, variance, epsilon):
    """You gave the scale four axes, and a Dense kernel gets four of them. Leave it with one: `kernel * scale`
    broadcasts over the last axis of both kinds."""
    new_kernel, new_bias = right(kernel, bias, gamma, beta, mean, variance, epsilon)
    return new_kernel.reshape((1,) * (4 - kernel.ndim) + kernel.shape), new_bias


HINTS = (
    "Write down what the two layers do to one output channel: y = x · kernel + bias, and then gamma · (y − mean) / "
    "√(variance + epsilon) + beta. Which numbers is x multiplied by in the end, and what is added to that?",
    "With scale = gamma / √(variance + epsilon), y = x · (kernel · scale) + (bias − mean) · scale + beta. The scale "
    "has one number a channel, and the channels are the last axis of both kinds of kernel. No bias is a bias of 0.",
    "`scale = gamma / np.sqrt(variance + epsilon)`, `bias = 0.0 if bias is None else bias`, then return "
    "`(kernel * scale, (bias - mean) * scale + beta)`, both as float32.",
)
