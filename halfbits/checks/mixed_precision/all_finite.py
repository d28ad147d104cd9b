"""all_finite(gradients) -> bool: whether no gradient holds an infinity or a NaN."""

import ml_dtypes
import numpy as np
import tensorflow as tf

from halfbits.checks.tensors import in_graph, plain
from halfbits.grading.exercise import misconception
from halfbits.grading.values import show

EAGER, GRAPH = "in eager mode", "inside tf.function"
INF, NAN = float("inf"), float("nan")

SHOW = {0: lambda gradients: f"[{', '.join(map(shown, gradients))}]", 1: lambda where: f"→ {where}"}


def shown(gradient):
    """A gradient; a sparse one, which is the pair of its rows and their indices here, by its name."""
    return f"IndexedSlices{show(gradient)}" if isinstance(gradient, tuple) else show(gradient)


def use(answer, gradients, where):
    """Call the answer with tensors in place of the arrays."""
    tensors = [as_tensor(gradient) for gradient in gradients]
    return plain(answer(tensors) if where == EAGER else in_graph(answer, tensors))


def as_tensor(gradient):
    if isinstance(gradient, tuple):
        rows, indices = gradient
        return tf.IndexedSlices(tf.constant(rows), tf.constant(indices), tf.constant([10, rows.shape[1]]))
    return None if gradient is None else tf.constant(gradient)


def expected(gradients, where):
    """The oracle: NumPy, number by number."""
    arrays = [gradient[0] if isinstance(gradient, tuple) else gradient for gradient in gradients]
    return all(bool(np.isfinite(array.astype(np.float64)).all()) for array in arrays if array is not None)


def hold(answer, lists, where=EAGER):
    answer.each([(gradients, where) for gradients in lists], expected)


def single(*numbers):
    return np.array(numbers, np.float32)


def half(*numbers):
    return np.array(numbers, np.float16)


def brain(*numbers):
    return np.array(numbers, ml_dtypes.bfloat16)


def test_all_finite(answer):
    """Finite gradients of several shapes"""
    hold(answer, [[single(1)], [single(0, -2)], [single(1, 2), single([3, 4], [5, 6])], [np.float32(3)]])


def test_infinities_and_nan(answer):
    """An infinity of either sign, or a NaN, in any place"""
    bad = (INF, -INF, NAN)
    hold(answer, [[single(number)] for number in bad])
    hold(answer, [[single(*row)] for number in bad for row in ((number, 1, 2), (1, 2, number), (-1, number, 1))])
    hold(answer, [[single([1, 2], [number, 4])] for number in bad] + [[np.float32(number)] for number in bad])


def test_any_gradient_of_the_list(answer):
    """In the first, the last or any other gradient"""
    fine, other = single(1, 2), single([3], [4])
    for bad in (single(1, INF), single(NAN)):
        hold(answer, [[bad, fine, other], [fine, bad, other], [fine, other, bad], [bad, bad]])


def test_opposite_infinities(answer):
    """Infinities of opposite sign do not cancel"""
    hold(answer, [[single(INF, -INF)], [single(INF), single(-INF)], [half(-INF, INF, 0)]])


def test_huge_and_finite(answer):
    """Huge and finite numbers, whose sum and squares overflow"""
    fp16, bf16, fp32 = 65504.0, float(ml_dtypes.finfo(ml_dtypes.bfloat16).max), float(np.finfo(np.float32).max)
    lists = [[single(65510)], [single(70000)], [single(1e20, 1e20)], [single(fp32, fp32)], [single(-fp32, -fp32)]]
    lists += [[half(300, 300)], [half(fp16, fp16)], [half(-fp16, -fp16)], [brain(bf16, bf16), single(fp32)]]
    hold(answer, [*lists, [single(fp32), single(fp32)], [half(*[60000] * 9), half(60000)], [single(1e30, 1e-30)]])


def test_dtypes(answer):
    """float16, bfloat16, float32 and float64 in one list"""
    fine = [half(1, 2), brain(3), single(4), np.array([1e300])]
    lists = [fine, fine[::-1]]
    for number in (INF, NAN):
        lists += [[*fine, half(number)], [brain(number), *fine], [*fine, np.array([1.0, number])]]
    hold(answer, lists)


def test_none(answer):
    """None among them, and an empty list"""
    hold(answer, [[None, single(1)], [single(1), None], [None], [None, None], []])
    hold(answer, [[None, single(INF)], [single(NAN), None], [None, single(1), None, single(-INF)]])


def test_without_elements(answer):
    """Tensors without elements"""
    empty, flat = np.zeros((0, 3), np.float32), np.zeros(0, np.float16)
    hold(answer, [[empty], [flat, empty], [single(1), flat], [empty, single(INF)], [single(NAN), flat]])


def test_sparse(answer):
    """tf.IndexedSlices: their values count"""
    sparse = [(single([1, 2]), [3]), (single([1, 2], [3, 4]), [0, 7]), (half([1], [2], [3]), [2, 1, 2])]
    hold(answer, [[one] for one in sparse] + [[single(1), *sparse, None]])
    for number in (INF, -INF, NAN):
        hold(answer, [[(single([1, number]), [3])], [single(1), (half([1], [number]), [4, 0])]])


def test_inside_tf_function(answer):
    """Inside tf.function, where the lengths are unknown"""
    hold(answer, [[single(1, 2), None, (single([1, 2]), [3])], [single(1), half([1, INF])]], GRAPH)
    hold(answer, [[(single([1, NAN]), [3])], [np.zeros((0, 3), np.float32)]], GRAPH)


def right(gradients):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return every(tf.math.is_finite, gradients)


def every(test, gradients):
    result = tf.constant(True)
    for gradient in gradients:
        if gradient is not None:
            result = result & tf.reduce_all(test(values_of(gradient)))
    return result


def values_of(gradient):
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def present(gradients):
    return [values_of(gradient) for gradient in gradients if gradient is not None]


@misconception
def none_not_expected(gradients):
    """You did not expect None in the list. It stands for a variable that the loss does not depend on: skip it."""
    result = tf.constant(True)
    for gradient in gradients:
        result = result & tf.reduce_all(tf.math.is_finite(values_of(gradient)))
    return result


@misconception
def none_is_not_finite(gradients):
    """You count None as not finite. It has nothing in it that could be infinite; with your answer, a model with one
    unused variable would never take a step."""
    return tf.constant(False) if any(gradient is None for gradient in gradients) else right(gradients)


@misconception
def nan_only(gradients):
    """You looked for NaN only. A gradient that overflows is an infinity first; `tf.math.is_finite` is False for
    both."""
    return every(lambda values: ~tf.math.is_nan(values), gradients)


@misconception
def infinity_only(gradients):
    """You looked for infinities only. ∞ − ∞ is NaN, and it does as much harm; `tf.math.is_finite` is False for both."""
    return every(lambda values: ~tf.math.is_inf(values), gradients)


@misconception
def positive_infinity_only(gradients):
    """You missed −∞. Gradients overflow in both directions; `tf.math.is_finite` is False for both."""
    return every(lambda values: ~(tf.math.is_nan(values) | (values == INF)), gradients)


@misconception
def last_gradient_only(gradients):
    """Your result is that of the last gradient: each one overwrites what the one before has said. Combine them with `&`
    (`tf.logical_and`)."""
    return right(present(gradients)[-1:])


@misconception
def first_gradient_only(gradients):
    """You decide on the first gradient: the `return` stands inside the loop. Go through all of them first."""
    return right(present(gradients)[:1])


@misconception
def one_finite_gradient_is_enough(gradients):
    """You combine the gradients with `or`: one finite gradient is enough for you. *All* of them must be finite."""
    results = [right([gradient]) for gradient in gradients if gradient is not None]
    return tf.reduce_any(tf.stack(results)) if results else tf.constant(True)


@misconception
def one_finite_element_is_enough(gradients):
    """You asked whether *any* element is finite. One infinity is enough to ruin the weights: `tf.reduce_all`."""
    result = tf.constant(True)
    for values in present(gradients):
        result = result & tf.reduce_any(tf.math.is_finite(values))
    return result


@misconception
def the_other_way_round(gradients):
    """You answer the opposite question. True means that everything is finite, and the step can be applied."""
    return ~right(gradients)


@misconception
def sum_of_the_elements(gradients):
    """You added the elements up and looked at the sum. A sum of huge and finite numbers overflows: look at the
    elements, with `tf.math.is_finite`."""
    return every(lambda values: tf.math.is_finite(tf.reduce_sum(values)), gradients)


@misconception
def global_norm(gradients):
    """You looked at the norm. The squares of huge and finite numbers overflow (of 300 already, in float16), and good
    steps are skipped: look at the elements."""
    return every(lambda values: tf.math.is_finite(tf.reduce_sum(values * values)), gradients)


@misconception
def largest_element(gradients):
    """You looked at the largest element. In a tensor without elements that is −∞, and the step is skipped for nothing;
    `tf.reduce_all` of nothing is True."""
    return every(lambda values: tf.math.is_finite(tf.reduce_max(tf.abs(values))), gradients)


@misconception
def below_the_largest_of_float16(gradients):
    """You compared with 65504, float16's largest number. Unscaled gradients are float32 and may be larger: what matters
    is whether they are finite."""
    return every(lambda values: tf.abs(tf.cast(values, tf.float64)) <= 65504.0, gradients)


@misconception
def cast_to_float16(gradients):
    """You cast to float16 before you looked. A finite float32 of 65520 or more becomes an infinity by that: look at the
    elements as they come."""
    return every(lambda values: tf.math.is_finite(tf.cast(values, tf.float16)), gradients)


@misconception
def one_dtype_for_all(gradients):
    """You joined the gradients into one tensor. `tf.concat` takes tensors of one dtype only, and copies all gradients
    on top of that: look at each by itself."""
    flat = [tf.reshape(values, [-1]) for values in present(gradients)]
    return tf.reduce_all(tf.math.is_finite(tf.concat(flat, axis=0))) if flat else tf.constant(True)


@misconception
def sparse_not_looked_at(gradients):
    """You looked at `tf.Tensor` only, and passed over `tf.IndexedSlices`. The gradient of an embedding is one: look at
    its `.values`."""
    return right([gradient for gradient in gradients if isinstance(gradient, tf.Tensor)])


@misconception
def empty_list_is_not_finite(gradients):
    """You answer False where there is nothing to look at. Nothing in it is infinite: start with True."""
    return right(gradients) if present(gradients) else tf.constant(False)


@misconception
def empty_list_raises(gradients):
    """You fail where there is nothing to look at (`tf.stack` and the like want one tensor at least). With nothing that
    is not finite the answer is True: start with True."""
    return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(values)) for values in present(gradients)]))


@misconception
def numpy_inside_tf_function(gradients):
    """You left TensorFlow (`.numpy()`). Inside `tf.function` there are no values yet, only a graph is drawn: use `tf`
    operations, and return their result."""
    return all(bool(tf.reduce_all(tf.math.is_finite(values)).numpy()) for values in present(gradients))


@misconception
def np_isfinite_inside_tf_function(gradients):
    """You called NumPy on a tensor. Inside `tf.function` it has no values yet, only a graph is drawn: use
    `tf.math.is_finite` and `tf.reduce_all`."""
    return all(bool(np.isfinite(values).all()) for values in present(gradients))


@misconception
def python_bool_inside_tf_function(gradients):
    """You asked for a Python bool of a tensor (`bool(…)`, `all(…)`, `and`). Inside `tf.function` it has no value yet:
    combine with `&` or `tf.logical_and`, and return the tensor."""
    return all(bool(tf.reduce_all(tf.math.is_finite(values))) for values in present(gradients))


@misconception
def return_inside_the_loop(gradients):
    """You return from inside the loop, under an `if` on a tensor. Inside `tf.function` that `if` becomes a part of the
    graph, and both its branches would have to return: keep the result in a variable, and return it after the loop."""
    for gradient in gradients:
        if gradient is not None and not tf.reduce_all(tf.math.is_finite(values_of(gradient))):
            return False
    return True


@misconception
def cast_to_float32(gradients):
    """You cast to float32 before you looked. A finite float64 of 3.5·10³⁸ and more becomes an infinity by that: look at
    the elements as they come."""
    return every(lambda values: tf.math.is_finite(tf.cast(values, tf.float32)), gradients)


@misconception
def one_answer_a_gradient(gradients):
    """You return one answer for each gradient. One for all of them is asked for: combine them."""
    return [tf.reduce_all(tf.math.is_finite(values)) for values in present(gradients)]


@misconception
def raises_where_not_finite(gradients):
    """You raise an error where a gradient is not finite (`tf.debugging.check_numerics`). An overflow is no error here
    but an answer, False: the training skips the step and goes on."""
    for values in present(gradients):
        tf.debugging.check_numerics(values, "gradient")
    return tf.constant(True)


@misconception
def one_axis_only(gradients):
    """You reduced along one axis only. A matrix leaves a vector of answers then, and a scalar has no axis:
    `tf.reduce_all` without `axis` takes all of them."""
    result = tf.constant(True)
    for values in present(gradients):
        result = result & tf.reduce_all(tf.math.is_finite(values), axis=0)
    return result


@misconception
def by_rows(gradients):
    """You go through the rows of a gradient in Python. A scalar has none, and inside `tf.function` their number may be
    unknown: ask the whole tensor at once."""
    result = True
    for values in present(gradients):
        for row in values:
            if not bool(tf.reduce_all(tf.math.is_finite(row))):
                result = False
    return result


@misconception
def size_from_the_static_shape(gradients):
    """You count the elements by the static `.shape`. Inside `tf.function` a length may be unknown, None; you need no
    count: `tf.reduce_all` of nothing is True."""
    return right([values for values in present(gradients) if np.prod(values.shape) != 0])


@misconception
def stacked_elements(gradients):
    """You put the gradients, element by element, into one tensor. Their shapes differ, and that fails: reduce each of
    them to one answer first."""
    finite = [tf.math.is_finite(values) for values in present(gradients)]
    return tf.reduce_all(tf.stack(finite)) if finite else tf.constant(True)


@misconception
def below_the_largest_of_its_dtype(gradients):
    """You compared with the largest number of the dtype, and excluded it. That number is finite: `tf.math.is_finite`
    knows."""
    return every(lambda values: tf.abs(values) < values.dtype.max, gradients)


HINTS = (
    "There is a function that says of every element whether it is finite. What has to be done so that a whole tensor "
    "gives one answer, and a whole list? What is the answer for nothing at all?",
    "`tf.reduce_all(tf.math.is_finite(values))` is the answer for one tensor, also for one without elements. Skip "
    "None; of `tf.IndexedSlices` take `.values`. Inside `tf.function` keep to tensors: no `bool(…)`, no `and`, no "
    "`.numpy()`.",
    "Start with `finite = tf.constant(True)`, and in the loop over the gradients that are not None: `finite = finite "
    "& tf.reduce_all(tf.math.is_finite(values))`. Return `finite` after the loop.",
)
