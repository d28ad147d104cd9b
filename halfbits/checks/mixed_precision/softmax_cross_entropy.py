"""softmax_cross_entropy(logits, labels) -> tf.Tensor: a stable float32 mean loss from half-precision logits."""

import ml_dtypes
import numpy as np
import tensorflow as tf

from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception

# The library calls that do all of it.
FORBIDDEN = (
    "sparse_softmax_cross_entropy_with_logits",
    "sparse_softmax_cross_entropy",
    "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2",
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "SparseCategoricalCrossentropy",
    "CategoricalCrossentropy",
)

RTOL, ATOL = 1e-4, 1e-6
LOSS, GRADIENT = "the loss", "the gradient of the logits"

SHOW = {2: lambda what: f"→ {what}"}

# Who makes a (batch, batch) matrix of the hundred thousand rows may be out of memory, and TensorFlow waits ten seconds
# for some before it says so.
SECONDS = REPLAY_SECONDS = 30.0


def use(answer, logits, labels, what):
    """Call the answer with tensors, and look at one thing."""
    logits, labels = tf.constant(logits), tf.constant(labels)
    if what == LOSS:
        return plain(answer(logits, labels))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = answer(logits, labels)
    if not tf.is_tensor(loss):
        return loss
    gradient = tape.gradient(loss, logits)
    return "no gradient" if gradient is None else plain(gradient)


def log_softmax(logits):
    """In float64."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def expected(logits, labels, what):
    """The oracle: NumPy in float64, where nothing in the range of half-precision logits overflows."""
    rows, log_probabilities = np.arange(len(labels)), log_softmax(logits)
    if what == LOSS:
        return plain(np.float32(-log_probabilities[rows, labels].mean()))
    gradient = np.exp(log_probabilities)
    gradient[rows, labels] -= 1
    return plain((gradient / len(labels)).astype(logits.dtype))


def hold(answer, cases, what=LOSS):
    first = None
    for logits, labels in cases:
        call = answer(logits, np.array(labels, np.int32) if isinstance(labels, list) else labels, what)
        try:
            wanted = expected(*call.arguments)
            # A gradient is rounded to half precision, and small ones to the gap of its subnormals.
            rtol, atol = (RTOL, ATOL) if what == LOSS else (float(ml_dtypes.finfo(wanted.dtype).eps), 2e-7)
            call.equals(wanted, rtol=rtol, atol=atol, because=no_gradient)
        except AssertionError as mismatch:
            first = first or mismatch
    if first:
        raise first


def no_gradient(call):
    return "no gradient reaches the logits" if isinstance(call.returned, str) else ""


def half(*rows, dtype=np.float16):
    return np.array(rows, dtype)


def brain(*rows):
    return half(*rows, dtype=ml_dtypes.bfloat16)


def pattern(batch, classes, dtype):
    """Logits between −4 and 4, and labels: each row another."""
    logits = (np.arange(batch * classes) * 7 % 17 / 2 - 4).reshape(batch, classes).astype(dtype)
    return logits, (np.arange(batch) * 3 % classes).astype(np.int64)


def test_small_batches(answer):
    """The mean loss of a few rows, a float32 scalar"""
    cases = [(half([0.0, 0.0]), [0]), (half([1.0, 0.0]), [1]), (half([1.0, 2.0, 4.0], [3.0, 0.0, 0.0]), [0, 2])]
    hold(answer, [*cases, (brain([1.0, 0.0], [0.0, 2.0], [1.0, 1.0]), [1, 0, 1])])


def test_unequal_sizes(answer):
    """More rows than classes, more classes than rows, as many; one row, one class; float16 and bfloat16"""
    sizes = [(5, 3), (2, 7), (4, 4), (1, 6), (3, 1), (40, 10)]
    hold(answer, [pattern(*size, dtype) for size in sizes for dtype in (np.float16, ml_dtypes.bfloat16)])


def test_many_classes(answer):
    """More classes than half precision has whole numbers, and a thousand rows"""
    many = [pattern(2, 300, ml_dtypes.bfloat16)[0], pattern(2, 2100, np.float16)[0]]
    hold(answer, [(many[0], [257, 259]), (many[1], [2049, 2051]), pattern(1000, 3, np.float16)])


def test_huge_logits(answer):
    """Logits of ±60000 give a finite loss"""
    big = 60000.0
    rows = [[big, 0.0], [0.0, big], [-big, 0.0], [big, -big], [-big, big], [-big, -big], [big, big]]
    hold(answer, [(half(row), [label]) for row in rows for label in (0, 1)])
    hold(answer, [(brain(row), [1]) for row in ([1e6, 0.0], [1e30, -1e30], [-1e9, -1e9])])


def test_moderate_logits(answer):
    """Logits of ±100, whose exponentials float32 does not have"""
    rows = [[100.0, 99.0], [-100.0, -101.0], [100.0, -100.0], [-200.0, -200.0]]
    hold(answer, [(half(row), [label]) for row in rows for label in (0, 1)])


def test_confident_and_wrong(answer):
    """Rows that are confident and wrong: the loss goes on growing"""
    hold(answer, [(half([gap, 0.0, 0.0]), [label]) for gap in (12.0, 20.0, 30.0, 50.0, 90.0) for label in (1, 2)])
    hold(answer, [(half([20.0, 0.0], [0.0, 1.0], [0.0, 40.0]), [1, 1, 0])])


def test_confident_and_right(answer):
    """Rows that are confident and right: a small loss keeps its digits, and is never below zero"""
    hold(answer, [(half([gap, 0.0, 0.0]), [0]) for gap in (2.0, 4.0, 6.0, 8.0, 20.0, 1000.0)])


def test_rows_of_unequal_size(answer):
    """Rows of very different size in one batch"""
    cases = [
        (half([0.0, 1.0], [200.0, 201.0]), [0, 0]),
        (half([-1000.0, -1001.0, -1002.0], [1000.0, 1001.0, 1002.0]), [2, 0]),
        (half([30000.0, 30016.0], [1.0, 2.0], [-30000.0, -30016.0]), [0, 1, 1]),
    ]
    hold(answer, cases)


def test_close_and_far_from_zero(answer):
    """Logits that are close to each other and far from zero: the loss keeps its digits"""
    hold(answer, [(half([big] * 3), [1]) for big in (4096.0, -4096.0, 30000.0, 60000.0)])
    hold(answer, [(half([8192.0, 8200.0]), [1]), (brain([2.0**20, 2.0**20]), [0])])


def test_large_batch(answer):
    """A hundred thousand rows: neither their sum nor their number fits into float16, and bfloat16 lacks the digits"""
    for dtype in (np.float16, ml_dtypes.bfloat16):
        hold(answer, [pattern(100_000, 2, dtype)])


def test_gradient(answer):
    """A gradient reaches the logits in their own dtype, finite for logits of ±60000 too"""
    cases = [pattern(2, 3, np.float16), pattern(4, 2, ml_dtypes.bfloat16), (half([60000.0, -60000.0]), [1])]
    hold(answer, [*cases, (half([60000.0, -60000.0, 0.0], [1.0, 2.0, 3.0]), [0, 1])], GRADIENT)


def loss_of(logits, labels, axis=1):
    """The right losses of the rows, for the misconceptions to be wrong in one place only."""
    shifted = logits - tf.reduce_max(logits, axis=axis, keepdims=True)
    return tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - picked(shifted, labels)


def picked(rows, labels):
    return tf.gather(rows, labels, axis=1, batch_dims=1)


def single(logits):
    return tf.cast(logits, tf.float32)


@misconception
def computed_in_half(logits, labels):
    """You computed in the dtype of the logits and cast the result. −60000 − 60000 is −∞ in float16 already: cast the
    logits to float32 before anything else."""
    return single(tf.reduce_mean(loss_of(logits, labels)))


@misconception
def cast_after_the_subtraction(logits, labels):
    """You subtracted the maximum in half precision and cast then. The difference is −∞ in float16 where it is −65520 or
    below, and loses digits elsewhere: cast first."""
    shifted = single(logits - tf.reduce_max(logits, axis=1, keepdims=True))
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - picked(shifted, labels))


@misconception
def mean_in_half(logits, labels):
    """You took the mean in half precision. The sum of many losses does not fit, and small ones are lost beside it: stay
    in float32 to the end."""
    return single(tf.reduce_mean(tf.cast(loss_of(single(logits), labels), logits.dtype)))


@misconception
def returned_in_half(logits, labels):
    """You cast the loss back to the dtype of the logits. The loss stays in float32: it is one number, and it is going
    to be scaled."""
    return tf.cast(tf.reduce_mean(loss_of(single(logits), labels)), logits.dtype)


@misconception
def no_maximum_subtracted(logits, labels):
    """You took the exponentials of the logits as they are. exp(89) is infinite in float32 too: subtract the largest
    logit of each row first, which does not change the softmax."""
    logits = single(logits)
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(logits), axis=1)) - picked(logits, labels))


@misconception
def maximum_of_the_batch(logits, labels):
    """You subtracted the largest logit of the whole batch. In a row far below it every exponential is 0, and log(0) is
    −∞: each row needs its own maximum (`axis=1, keepdims=True`)."""
    return tf.reduce_mean(loss_of(single(logits), labels, axis=None))


@misconception
def maximum_of_each_column(logits, labels):
    """You took the maximum over the batch (axis 0). The softmax of a row runs over its classes: axis 1."""
    logits = single(logits)
    shifted = logits - tf.reduce_max(logits, axis=0, keepdims=True)
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - picked(shifted, labels))


@misconception
def softmax_over_the_batch(logits, labels):
    """You normalized over the batch (axis 0). The classes of one row add up to 1: axis 1."""
    logits = single(logits)
    return tf.reduce_mean(-picked(tf.nn.log_softmax(logits, axis=0), labels))


@misconception
def logarithm_of_the_softmax(logits, labels):
    """You took the softmax and then its logarithm. The softmax of a confident wrong row is 0 in float32, and log(0) is
    −∞. Stay with logarithms: log Σ exp − logit."""
    return tf.reduce_mean(-tf.math.log(picked(tf.nn.softmax(single(logits)), labels)))


@misconception
def clipped_probabilities(logits, labels):
    """You clipped the probabilities, or added a small number, to keep away from log(0). No loss is above 16 or so then,
    and a confident wrong row has no gradient left. Without a softmax of its own there is nothing to clip."""
    probabilities = tf.clip_by_value(tf.nn.softmax(single(logits)), 1e-7, 1.0 - 1e-7)
    return tf.reduce_mean(-tf.math.log(picked(probabilities, labels)))


@misconception
def epsilon_in_the_logarithm(logits, labels):
    """You added a small number to the probability, inside the logarithm. It bounds the loss of a confident wrong row.
    Do not compute the probability at all: log Σ exp(z − m) − (z_y − m) is its negative logarithm, and is never
    log(0)."""
    return tf.reduce_mean(-tf.math.log(picked(tf.nn.softmax(single(logits)), labels) + 1e-7))


@misconception
def maximum_added_back(logits, labels):
    """You added the maximum back before you subtracted the label's logit. At 60000 float32 has gaps of 0.004, which is
    what becomes of the loss. Subtract from the *shifted* logit: log Σ exp(z − m) − (z_y − m)."""
    logits = single(logits)
    maximum = tf.reduce_max(logits, axis=1)
    log_sum = tf.math.log(tf.reduce_sum(tf.exp(logits - maximum[:, None]), axis=1)) + maximum
    return tf.reduce_mean(log_sum - picked(logits, labels))


@misconception
def sum_for_mean(logits, labels):
    """You added the losses up. The *mean* over the batch is asked for, so that the gradients do not grow with the batch
    size."""
    return tf.reduce_sum(loss_of(single(logits), labels))


@misconception
def mean_over_the_classes_too(logits, labels):
    """You took the mean over a (batch, classes) matrix that is zero except at the labels. That divides by the number of
    classes as well: one loss a row, then the mean over the rows."""
    return tf.reduce_mean(loss_of(single(logits), labels)) / single(tf.shape(logits)[1])


@misconception
def one_loss_per_row(logits, labels):
    """You returned the losses of the rows. Take their mean, one number."""
    return loss_of(single(logits), labels)


@misconception
def sign_forgotten(logits, labels):
    """Your loss has the other sign. The loss is *minus* the log-probability of the label, and never below zero."""
    return -tf.reduce_mean(loss_of(single(logits), labels))


@misconception
def largest_logit_for_the_label(logits, labels):
    """You took the row's largest logit, and not that of its label: the loss does not depend on the labels then."""
    logits = single(logits)
    return tf.reduce_mean(loss_of(logits, tf.argmax(logits, axis=1)))


@misconception
def in_float64(logits, labels):
    """You computed in float64. That is more than is needed, and slow on most accelerators: float32 is asked for, and
    its dtype is checked."""
    return tf.reduce_mean(loss_of(tf.cast(logits, tf.float64), labels))


@misconception
def outside_tensorflow(logits, labels):
    """You left TensorFlow (NumPy, `.numpy()`), where the tape cannot follow: no gradient reaches the logits. Use `tf`
    operations only."""
    return tf.constant(loss_of(single(logits), labels).numpy().mean())


@misconception
def softmax_by_hand(logits, labels):
    """You divided exp(z) by the sum of the exp(z). exp(89) is infinite in float32, and ∞/∞ is NaN; a confident wrong
    row gives log(0). Subtract each row's maximum, and stay with logarithms: log Σ exp − logit."""
    powers = tf.exp(single(logits))
    return tf.reduce_mean(-tf.math.log(picked(powers / tf.reduce_sum(powers, axis=1, keepdims=True), labels)))


@misconception
def maximum_without_keepdims(logits, labels):
    """You took the maximum without `keepdims=True`. It has the shape (batch,) then, and is subtracted along the wrong
    axis, or does not fit."""
    logits = single(logits)
    shifted = logits - tf.reduce_max(logits, axis=1)
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - picked(shifted, labels))


@misconception
def column_against_row(logits, labels):
    """You subtracted a (batch,) tensor from a (batch, 1) one. That makes a (batch, batch) matrix, which has the same
    mean and takes batch² numbers: give both the same shape."""
    shifted = single(logits) - tf.reduce_max(single(logits), axis=1, keepdims=True)
    rows = tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1, keepdims=True))
    return tf.reduce_mean(rows - picked(shifted, labels))


@misconception
def labels_of_the_first_row(logits, labels):
    """You gathered along axis 1 without `batch_dims=1`. That takes the columns of all labels from every row; each row
    needs its own."""
    shifted = single(logits) - tf.reduce_max(single(logits), axis=1, keepdims=True)
    return tf.reduce_mean(
        tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - tf.gather(shifted, labels, axis=1)[:, 0]
    )


@misconception
def labels_in_half(logits, labels):
    """You cast the labels to the dtype of the logits. bfloat16 has no 257 and float16 no 2049, so that two classes
    become one: labels stay integers."""
    logits32 = single(logits)
    classes = tf.cast(tf.range(tf.shape(logits)[1]), logits.dtype)
    hit = single(classes[None] == tf.cast(labels, logits.dtype)[:, None])
    shifted = logits32 - tf.reduce_max(logits32, axis=1, keepdims=True)
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - tf.reduce_sum(hit * shifted, axis=1))


@misconception
def int32_labels_only(logits, labels):
    """You put the labels beside a `tf.range`, which is int32. Labels may be int64: cast one to the other."""
    shifted = single(logits) - tf.reduce_max(single(logits), axis=1, keepdims=True)
    places = tf.stack([tf.range(tf.shape(logits)[0]), labels], axis=1)
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - tf.gather_nd(shifted, places))


@misconception
def mean_of_the_row_subtracted(logits, labels):
    """You subtracted the mean of each row. The largest exponential can still overflow: subtract the row's maximum."""
    shifted = single(logits) - tf.reduce_mean(single(logits), axis=1, keepdims=True)
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - picked(shifted, labels))


@misconception
def epsilon_in_the_sum(logits, labels):
    """You added a small number to the sum inside the logarithm. With the row's maximum subtracted the sum is 1 or more
    and needs no such help; a small loss becomes that number instead."""
    logits = single(logits)
    shifted = logits - tf.reduce_max(logits, axis=1, keepdims=True)
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1) + 1e-4) - picked(shifted, labels))


@misconception
def other_base(logits, labels):
    """Your logarithm has base 2. The loss is measured in nats, with the natural logarithm: `tf.math.log`."""
    return tf.reduce_mean(loss_of(single(logits), labels)) / np.float32(np.log(2.0))


@misconception
def clipped_logits(logits, labels):
    """You clipped the shifted logits. A row that is more confident than your bound, and wrong, gets too small a loss,
    and no gradient: after the maximum is subtracted nothing can overflow."""
    logits = single(logits)
    shifted = tf.maximum(logits - tf.reduce_max(logits, axis=1, keepdims=True), -80.0)
    return tf.reduce_mean(tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - picked(shifted, labels))


@misconception
def gradient_stopped(logits, labels):
    """You stopped the gradient of more than the maximum. It flows through the sum of the exponentials too, where it
    makes the probabilities."""
    logits = single(logits)
    shifted = logits - tf.reduce_max(logits, axis=1, keepdims=True)
    log_sum = tf.math.log(tf.reduce_sum(tf.exp(tf.stop_gradient(shifted)), axis=1))
    return tf.reduce_mean(log_sum - picked(shifted, labels))


@misconception
def batch_size_in_half(logits, labels):
    """You cast the batch size to half precision. 100000 is infinite in float16, and bfloat16 rounds it: divide in
    float32, or use `tf.reduce_mean`."""
    rows = loss_of(single(logits), labels)
    return tf.reduce_sum(rows) / single(tf.cast(tf.shape(logits)[0], logits.dtype))


@misconception
def losses_in_half(logits, labels):
    """You computed the losses of the rows in half precision, and only their mean in float32. −60000 − 60000 is −∞ in
    float16 already, and digits are lost: cast the logits before anything else."""
    return tf.reduce_mean(single(loss_of(logits, labels)))


HINTS = (
    "Two things go wrong with half-precision logits, and a third goes wrong in float32 too. What is 60000 − (−60000) "
    "in float16? What is the sum of a hundred thousand losses? And what is exp(100) in float32?",
    "Cast the logits to float32 in the first line. Then subtract each row's maximum (`tf.reduce_max(…, axis=1, "
    "keepdims=True)`): the largest exponential is 1 then, and the sum can neither overflow nor be 0. Keep to "
    "logarithms: no softmax, no division.",
    "With `shifted = logits - maximum`, the loss of each row is `tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1))`"
    " minus `tf.gather(shifted, labels, axis=1, batch_dims=1)`. `tf.reduce_mean` of that is the answer.",
)
