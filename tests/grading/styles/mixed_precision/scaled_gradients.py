"""Right answers to `scaled_gradients`, in ten styles."""

import keras
import tensorflow as tf


def loop_with_an_if(loss_fn, variables, loss_scale):
    with tf.GradientTape() as tape:
        loss = loss_fn()
        scaled_loss = tf.multiply(loss, loss_scale)
    unscaled = []
    for gradient in tape.gradient(scaled_loss, variables):
        if gradient is None:
            unscaled.append(None)
        elif isinstance(gradient, tf.IndexedSlices):
            unscaled.append(tf.cast(tf.convert_to_tensor(gradient), tf.float32) / loss_scale)
        else:
            unscaled.append(tf.cast(gradient, tf.float32) / loss_scale)
    return unscaled


def scale_as_the_upstream_gradient(loss_fn, variables, loss_scale):
    """The loss times the scale has the gradient of the loss, begun with the scale in place of 1."""
    with tf.GradientTape() as tape:
        loss = loss_fn()
    start = tf.cast(loss_scale, tf.float32) * tf.ones_like(loss)
    gradients = tape.gradient(loss, variables, output_gradients=start)
    return [g if g is None else tf.cast(tf.convert_to_tensor(g), tf.float32) / start for g in gradients]


def sparse_stays_sparse(loss_fn, variables, loss_scale):
    def unscaled(gradient):
        if gradient is None:
            return None
        if isinstance(gradient, tf.IndexedSlices):
            return tf.IndexedSlices(unscaled(gradient.values), gradient.indices, gradient.dense_shape)
        return tf.divide(tf.cast(gradient, tf.float32), loss_scale)

    with tf.GradientTape() as tape:
        scaled_loss = loss_scale * loss_fn()
    return [unscaled(gradient) for gradient in tape.gradient(scaled_loss, variables)]


def reciprocal_of_the_scale(loss_fn, variables, loss_scale):
    """One division, and a product for each variable."""
    scale = tf.convert_to_tensor(loss_scale, tf.float32)
    inverse = tf.math.reciprocal(scale)
    with tf.GradientTape() as tape:
        scaled_loss = scale * loss_fn()
    gradients = tape.gradient(scaled_loss, variables)
    return list(map(lambda g: None if g is None else inverse * tf.cast(tf.convert_to_tensor(g), tf.float32), gradients))


def persistent_tape_variable_by_variable(loss_fn, variables, loss_scale):
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        for variable in variables:
            tape.watch(variable)
        scaled_loss = loss_fn() * tf.cast(loss_scale, tf.float32)
    result = []
    for variable in variables:
        gradient = tape.gradient(scaled_loss, variable)
        if gradient is not None:
            gradient = tf.cast(gradient, tf.float32) / tf.cast(loss_scale, tf.float32)
        result.append(gradient)
    del tape
    return result


def identity_whose_gradient_is_scaled(loss_fn, variables, loss_scale):
    @tf.custom_gradient
    def scaled_on_the_way_back(loss):
        return tf.identity(loss), lambda upstream: upstream * loss_scale

    with tf.GradientTape() as tape:
        loss = scaled_on_the_way_back(loss_fn())
    gradients = {str(i): g for i, g in enumerate(tape.gradient(loss, variables)) if g is not None}
    return [
        tf.cast(tf.convert_to_tensor(gradients[key]), tf.float32) / loss_scale if key in gradients else None
        for key in map(str, range(len(variables)))
    ]


def zeros_where_unconnected_and_back(loss_fn, variables, loss_scale):
    """Ask for the list twice: once to know which there are, once to compute."""
    with tf.GradientTape(persistent=True) as tape:
        scaled_loss = tf.math.multiply(loss_fn(), loss_scale)
    is_there = [gradient is not None for gradient in tape.gradient(scaled_loss, variables)]
    filled = tape.gradient(scaled_loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    dense = [tf.cast(tf.convert_to_tensor(gradient), tf.float32) for gradient in filled]
    return [gradient / loss_scale if there else None for gradient, there in zip(dense, is_there, strict=True)]


def symbolic_gradients_of_a_graph(loss_fn, variables, loss_scale):
    """tf.gradients, which works in graphs only."""
    missing = []

    @tf.function(autograph=False)
    def compute(scale):
        gradients = tf.gradients(loss_fn() * scale, variables)
        missing.extend(gradient is None for gradient in gradients)
        return [tf.cast(tf.convert_to_tensor(g), tf.float32) / scale for g in gradients if g is not None]

    present = iter(compute(tf.convert_to_tensor(loss_scale, tf.float32)))
    return [None if is_missing else next(present) for is_missing in missing]


def keras_ops_with_a_float64_quotient(loss_fn, variables, loss_scale):
    ops = keras.ops
    with tf.GradientTape() as tape:
        scaled_loss = ops.multiply(loss_fn(), ops.cast(loss_scale, "float32"))
    gradients = tape.gradient(scaled_loss, variables)
    for place, gradient in enumerate(gradients):
        if gradient is not None:
            wide = ops.cast(ops.convert_to_tensor(gradient, sparse=False), "float64")
            gradients[place] = ops.cast(ops.divide(wide, ops.cast(loss_scale, "float64")), "float32")
    return gradients


def nested_map(loss_fn, variables, loss_scale):
    """Only the gradients that there are go through tf.nest."""
    with tf.GradientTape() as tape:
        target = loss_fn() * loss_scale
    named = dict(enumerate(variables))
    gradients = {i: tf.convert_to_tensor(g) for i, g in tape.gradient(target, named).items() if g is not None}
    single = tf.nest.map_structure(lambda tensor: tf.cast(tensor, tf.float32), gradients)
    unscaled = tf.nest.map_structure(lambda tensor: tf.truediv(tensor, loss_scale), single)
    return [unscaled.get(i) for i in named]
