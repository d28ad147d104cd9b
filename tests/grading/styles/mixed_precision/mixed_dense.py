"""Right answers to `mixed_dense`, in ten styles."""

import keras
import tensorflow as tf


def matmul_operator(x, kernel, bias, compute_dtype):
    def half(tensor):
        return tf.cast(tensor, compute_dtype)

    return half(x) @ half(kernel) + half(bias)


def keras_ops(x, kernel, bias, compute_dtype):
    x = keras.ops.cast(x, compute_dtype)
    product = keras.ops.matmul(x, keras.ops.cast(kernel, compute_dtype))
    return keras.ops.add(product, keras.ops.cast(bias, compute_dtype))


def each_example_a_matrix_of_one_row(x, kernel, bias, compute_dtype):
    x, kernel, bias = tf.nest.map_structure(lambda operand: tf.cast(operand, compute_dtype), (x, kernel, bias))
    return tf.squeeze(tf.matmul(tf.expand_dims(x, -2), kernel), axis=-2) + bias


def tensordot_and_bias_add(x, kernel, bias, compute_dtype):
    product = tf.tensordot(tf.cast(x, compute_dtype), tf.cast(kernel, compute_dtype), axes=1)
    return tf.nn.bias_add(product, tf.cast(bias, compute_dtype))


def rows_of_a_flat_matrix(x, kernel, bias, compute_dtype):
    """All leading dimensions as one, and back."""
    inputs, units = kernel.shape
    rows = tf.reshape(tf.cast(x, compute_dtype), [-1, inputs])
    product = tf.raw_ops.MatMul(a=rows, b=tf.cast(kernel, compute_dtype))
    biased = tf.raw_ops.AddV2(x=product, y=tf.cast(bias, compute_dtype))
    return tf.reshape(biased, tf.concat([tf.shape(x)[:-1], [units]], axis=0))


def layer_with_a_policy(x, kernel, bias, compute_dtype):
    """Keras's own layer, called with copies of these variables in place of its own."""
    layer = keras.layers.Dense(kernel.shape[1], dtype=compute_dtype)
    layer.build(x.shape)
    copies = [tf.cast(kernel, compute_dtype), tf.cast(bias, compute_dtype)]
    return layer.stateless_call(copies, [], tf.cast(x, compute_dtype))[0]


def gradient_written_out(x, kernel, bias, compute_dtype):
    """The backward pass by hand: the casts' gradients cast back."""

    @tf.custom_gradient
    def dense(x, kernel, bias):
        half_x, half_kernel = tf.cast(x, compute_dtype), tf.cast(kernel, compute_dtype)

        def backward(upstream):
            to_x = tf.matmul(upstream, half_kernel, transpose_b=True)
            to_kernel = tf.tensordot(half_x, upstream, [leading := list(range(x.shape.rank - 1)), leading])
            to_bias = tf.reduce_sum(upstream, axis=leading)
            return tf.cast(to_x, x.dtype), tf.cast(to_kernel, tf.float32), tf.cast(to_bias, tf.float32)

        return tf.matmul(half_x, half_kernel) + tf.cast(bias, compute_dtype), backward

    return dense(x, tf.convert_to_tensor(kernel), tf.convert_to_tensor(bias))


def one_unit_after_the_other(x, kernel, bias, compute_dtype):
    x = tf.cast(x, compute_dtype)
    columns = tf.unstack(tf.cast(kernel, compute_dtype), axis=1)
    starts = tf.unstack(tf.cast(bias, compute_dtype))
    units = [tf.linalg.matvec(x, column) + start for column, start in zip(columns, starts, strict=True)]
    return tf.stack(units, axis=-1)


@tf.function
def _traced_product(x, kernel):
    return tf.matmul(x, tf.transpose(kernel), transpose_b=True)


def product_in_a_graph(x, kernel, bias, compute_dtype):
    """The bias is added outside: TensorFlow may join the two in a graph, and then rounds once instead of twice."""
    x, kernel, bias = tf.nest.map_structure(lambda operand: tf.cast(operand, compute_dtype), (x, kernel, bias))
    return _traced_product(x, kernel) + bias


def numpy_names_of_tensorflow(x, kernel, bias, compute_dtype):
    tnp = tf.experimental.numpy
    x, kernel, bias = (tf.cast(tf.convert_to_tensor(operand), compute_dtype) for operand in (x, kernel, bias))
    return tnp.add(tnp.dot(x, kernel), tnp.broadcast_to(bias, bias.shape))
