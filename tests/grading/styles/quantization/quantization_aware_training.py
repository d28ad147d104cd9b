"""Right answers to `quantization_aware_training`, in ten styles."""

import math

import keras
import numpy as np
import tensorflow as tf

_LAYERS = keras.layers
_WEIGHTED = (_LAYERS.Dense, _LAYERS.Conv2D, _LAYERS.DepthwiseConv2D)
_WEIGHTLESS = (
    *(_LAYERS.InputLayer, _LAYERS.ReLU, _LAYERS.Activation, _LAYERS.Dropout, _LAYERS.Flatten),
    *(_LAYERS.Reshape, _LAYERS.Add, _LAYERS.MaxPooling2D, _LAYERS.AveragePooling2D),
    *(_LAYERS.GlobalMaxPooling2D, _LAYERS.GlobalAveragePooling2D),
)


class _Through(_LAYERS.Layer):
    def call(self, x, training=None, mask=None):
        return x


class _Model(keras.Model):
    """Predicts once it has been trained; `_forward(x, training)` is the network."""

    def __init__(self, network, forward=None):
        super().__init__(name="quantized")
        self.network, self._forward, self.calibrated = network, forward or network, False
        self.built = True

    def call(self, x, training=False):
        if not training and not self.calibrated:
            raise RuntimeError("never calibrated: train this model on a batch")
        return self._forward(x, training=training)


def _folded(layer, norm):
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy() if layer.use_bias else 0.0
    factor = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    factor = factor * norm.gamma.numpy() if norm.scale else factor
    shift = norm.beta.numpy() if norm.center else 0.0
    is_depthwise = isinstance(layer, _LAYERS.DepthwiseConv2D)
    by_channel = factor.reshape(kernel.shape[2:]) if is_depthwise else factor
    return [kernel * by_channel, (bias - norm.moving_mean.numpy()) * factor + shift]


def _copy(model, wrap=lambda layer: layer, kinds=None, call=None):
    """A copy with the normalizations folded; `wrap` takes a weighted layer, `kinds` its class, `call` the calls."""
    source = keras.models.clone_model(type(model).from_config(model.get_config()))
    source.set_weights(model.get_weights())
    norms = {}
    for layer in source.layers:
        readers = [r for r in source.layers if any(t is layer.output for t in tf.nest.flatten(r.input))]
        plain = isinstance(layer, _WEIGHTED) and layer.activation is keras.activations.linear
        norm = readers[0] if plain and len(readers) == 1 else None
        if isinstance(norm, _LAYERS.BatchNormalization) and norm.axis in (-1, len(layer.output.shape) - 1):
            norms[layer.name] = norm
    gone = {norm.name for norm in norms.values()}

    def made(layer):
        if layer.name in gone:
            return _Through(name=layer.name)
        if not isinstance(layer, _WEIGHTED + _WEIGHTLESS):
            raise ValueError(f"the layer {layer.name} is not supported")
        config = layer.get_config()
        if not isinstance(layer, _WEIGHTED):
            return type(layer).from_config(config)
        norm = norms.get(layer.name)
        kind = kinds[type(layer).__name__] if kinds else type(layer)
        new = kind.from_config(config | ({"use_bias": True} if norm else {}))
        new.build(layer.input.shape)
        weights = _folded(layer, norm) if norm else layer.get_weights()
        for variable, value in zip(new.trainable_variables, weights, strict=True):
            variable.assign(value)
        return wrap(new)

    if call is not None:
        source = keras.Model(source.inputs, source.outputs[0])
        return keras.models.clone_model(source, clone_function=made, call_function=call)
    return keras.models.clone_model(source, clone_function=made)


def _compiled(quantized, model, **settings):
    if model.compiled:
        optimizer, loss = type(model.optimizer).from_config(model.optimizer.get_config()), model.loss
    else:
        optimizer, loss = keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    quantized.compile(optimizer, loss, jit_compile=False, **settings)
    optimizer.build(quantized.network.trainable_variables)
    return optimizer


def _batches(data):
    return tf.data.Dataset.from_tensor_slices(data).batch(32) if isinstance(data, tuple) else data


def _bits(strategy, epoch):
    reached = [start for start in strategy.schedule if start <= epoch]
    return strategy.schedule[max(reached)] if reached else strategy.weight_bits


def _axes(layer, strategy):
    rank = len(layer.kernel.shape)
    kept = (2 if isinstance(layer, _LAYERS.DepthwiseConv2D) else 1) if strategy.per_channel else 0
    return list(range(rank - kept))


def _on_grid(kernel, axes, bits):
    """The rounded kernel, without a gradient; `bits` may be a tensor."""
    kernel = tf.stop_gradient(tf.convert_to_tensor(kernel))
    scale = tf.reduce_max(tf.abs(kernel), axes, keepdims=True) / (2.0 ** tf.cast(bits, tf.float32) - 2.0) * 2.0
    return tf.round(tf.math.divide_no_nan(kernel, scale)) * scale


def _product(layer, x, kernel):
    """What a weighted layer computes, with this kernel."""
    if isinstance(layer, _LAYERS.Dense):
        x = keras.ops.matmul(x, kernel)
    else:
        convolve = keras.ops.conv if isinstance(layer, _LAYERS.Conv2D) else keras.ops.depthwise_conv
        x = convolve(x, kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate)
    return layer.activation(x + layer.bias if layer.use_bias else x)


class _Range(_LAYERS.Layer):
    """Rounds what comes, with a moving range kept as a weight."""

    def __init__(self, bits, of):
        super().__init__(name=f"range_of_{of}")
        self.bits = bits
        self.ends = self.add_weight(shape=(2,), initializer=keras.initializers.Constant(math.nan), trainable=False)

    def call(self, x, training=False):
        ends = tf.convert_to_tensor(self.ends)
        if training:
            seen = tf.stack([tf.reduce_min(x), tf.reduce_max(x)])
            ends = tf.stop_gradient(tf.where(tf.math.is_nan(ends), seen, 0.9 * ends + 0.1 * seen))
            self.ends.assign(ends)
        low, high = tf.minimum(ends[0], 0.0), tf.maximum(ends[1], 0.0)
        return tf.quantization.fake_quant_with_min_max_vars(x, low, high, self.bits)


class _EagerWrapper(_LAYERS.Layer):
    def __init__(self, layer, strategy):
        super().__init__(name=layer.name, activity_regularizer=layer.activity_regularizer)
        self.layer, self.strategy, self.bits = layer, strategy, strategy.weight_bits
        self.low = self.high = None

    def call(self, x, training=False):
        if self.low is None and not training:
            return _product(self.layer, x, self.layer.kernel)  # Keras looks at the shapes
        if training:
            low, high = float(tf.reduce_min(x)), float(tf.reduce_max(x))
            self.low = low if self.low is None else 0.9 * self.low + 0.1 * low
            self.high = high if self.high is None else 0.9 * self.high + 0.1 * high
        top = 2**self.strategy.activation_bits - 1
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        scale = (high - low) / top or 1.0
        zero_point = round(-low / scale)
        x = tf.clip_by_value(x, -zero_point * scale, (top - zero_point) * scale)
        x = x + tf.stop_gradient(tf.round(x / scale) * scale - x)
        kernel = tf.convert_to_tensor(self.layer.kernel)
        rounded = _on_grid(kernel, _axes(self.layer, self.strategy), self.bits)
        return _product(self.layer, x, kernel + tf.stop_gradient(rounded - kernel))


def eager_wrappers_with_ranges_in_python(model, strategy, train_data, epochs=1):
    """No graph anywhere: ranges are Python floats, bits an attribute, the gradient is made with stop_gradient."""
    network = _copy(model, lambda layer: _EagerWrapper(layer, strategy))
    quantized = _Model(network)
    optimizer = _compiled(quantized, model, run_eagerly=True)
    history = {"loss": [], "weight_bits": []}
    for epoch in range(epochs):
        bits = _bits(strategy, epoch)
        for layer in network.layers:
            if isinstance(layer, _EagerWrapper):
                layer.bits = bits
        losses = []
        for x, y in _batches(train_data):
            with tf.GradientTape() as tape:
                loss = quantized.compute_loss(x=x, y=y, y_pred=quantized(x, training=True))
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            losses.append(float(loss))
        history["loss"].append(sum(losses) / len(losses))
        history["weight_bits"].append(bits)
    quantized.calibrated = epochs > 0
    return quantized, history


class _Scoped(_LAYERS.Layer):
    """The layer itself runs, in a scope where its kernel is another; the gradient is a custom one."""

    def __init__(self, layer, strategy, bits):
        super().__init__(name=layer.name, activity_regularizer=layer.activity_regularizer)
        self.layer, self.bits, self.axes = layer, bits, _axes(layer, strategy)
        self.rounding = _Range(strategy.activation_bits, self.name)

    def call(self, x, training=False):
        @tf.custom_gradient
        def through(kernel):
            return _on_grid(kernel, self.axes, self.bits[0]), lambda gradient: gradient

        x = self.rounding(x, training=training)
        rounded = through(tf.convert_to_tensor(self.layer.kernel))
        with keras.StatelessScope(state_mapping=[(self.layer.kernel, rounded)]):
            return self.layer(x)


def a_graph_for_each_bit_width(model, strategy, train_data, epochs=1):
    """The bits are a constant of the graph; graphs are kept by bit width and found again."""
    bits = (strategy.weight_bits,)
    wrappers = []

    def wrap(layer):
        wrappers.append(_Scoped(layer, strategy, bits))
        return wrappers[-1]

    quantized = _Model(_copy(model, wrap))
    optimizer, variables = _compiled(quantized, model), quantized.network.trainable_variables

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = quantized.compute_loss(x=x, y=y, y_pred=quantized(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    graphs, history = {}, {"loss": [], "weight_bits": []}
    for epoch in range(epochs):
        width = _bits(strategy, epoch)
        for wrapper in wrappers:
            wrapper.bits = (width,)
        graph = graphs.setdefault(width, tf.function(step, reduce_retracing=True))
        history["loss"].append(float(np.mean([graph(x, y) for x, y in _batches(train_data)])))
        history["weight_bits"].append(width)
    quantized.calibrated = epochs > 0
    return quantized, history


def fit_and_a_callback_that_sets_the_bits(model, strategy, train_data, epochs=1):
    """Keras's own fit and train_step; one graph, which reads the bits from a variable."""
    bits = tf.Variable(strategy.weight_bits, trainable=False)
    history = {"loss": [], "weight_bits": []}

    class Schedule(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            bits.assign(_bits(strategy, epoch))

        def on_epoch_end(self, epoch, logs=None):
            history["loss"].append(float(logs["loss"]))
            history["weight_bits"].append(int(bits))

    class Wrapped(_LAYERS.Wrapper):
        def __init__(self, layer):
            super().__init__(layer, name=layer.name, activity_regularizer=layer.activity_regularizer)
            self.rounding, self.built = _Range(strategy.activation_bits, self.name), True

        def call(self, x, training=False):
            kernel = tf.convert_to_tensor(self.layer.kernel)
            kernel += tf.stop_gradient(_on_grid(kernel, _axes(self.layer, strategy), bits) - kernel)
            return _product(self.layer, self.rounding(x, training=training), kernel)

    quantized = _Model(_copy(model, Wrapped))
    _compiled(quantized, model)
    if epochs:
        quantized.fit(_batches(train_data), epochs=epochs, shuffle=False, verbose=0, callbacks=[Schedule()])
    quantized.calibrated = epochs > 0
    return quantized, history


def _of_kind(kind, strategy, state):
    """A subclass of a Keras layer that rounds before it computes."""

    class Quantized(kind):
        def build(self, shape):
            super().build(shape)
            self.rounding = _Range(strategy.activation_bits, self.name)

        def call(self, x, training=False):
            axes = _axes(self, strategy)
            through = tf.grad_pass_through(lambda kernel: _on_grid(kernel, axes, state["bits"]))
            kernel = through(tf.convert_to_tensor(self.kernel))
            return _product(self, self.rounding(x, training=training), kernel)

    return Quantized


def subclassed_layers_and_train_on_batch(model, strategy, train_data, epochs=1):
    """Dense, Conv2D and DepthwiseConv2D are subclassed and made from configs; grad_pass_through; train_on_batch."""
    state = {"bits": strategy.weight_bits}
    kinds = {kind.__name__: _of_kind(kind, strategy, state) for kind in _WEIGHTED}
    quantized = _Model(_copy(model, kinds=kinds))
    _compiled(quantized, model, run_eagerly=True)
    history = {"loss": [], "weight_bits": []}
    for epoch in range(epochs):
        state["bits"] = _bits(strategy, epoch)
        losses = []
        for x, y in _batches(train_data):
            quantized.reset_metrics()
            losses.append(float(quantized.train_on_batch(x, y)))
        history["loss"].append(math.fsum(losses) / len(losses))
        history["weight_bits"].append(state["bits"])
    quantized.calibrated = epochs > 0
    return quantized, history


def graph_interpreted_layer_by_layer(model, strategy, train_data, epochs=1):
    """A float network stands there unchanged; a function walks over it and rounds on the way."""
    network = _copy(model)
    state = {"bits": strategy.weight_bits}
    ranges = {}
    top = 2.0**strategy.activation_bits - 1

    def rounded(name, x, training):
        if training:
            seen = np.array([tf.reduce_min(x), tf.reduce_max(x)])
            ranges[name] = 0.9 * ranges[name] + 0.1 * seen if name in ranges else seen
        low, high = float(min(ranges[name][0], 0)), float(max(ranges[name][1], 0))
        scale = (high - low) / top or 1.0
        zero_point = round(-low / scale)
        lowest, highest = -zero_point * scale, (top - zero_point) * scale

        @tf.custom_gradient
        def quantize(x):
            q = tf.clip_by_value(tf.round(x / scale), -zero_point, top - zero_point)
            return q * scale, lambda g: tf.where((x >= lowest) & (x <= highest), g, 0.0)

        return quantize(x)

    def forward(x, training):
        values = {id(network.inputs[0]): tf.convert_to_tensor(x, tf.float32)}
        for layer in network.layers:
            if isinstance(layer, _LAYERS.InputLayer):
                continue
            given = tf.nest.map_structure(lambda tensor: values[id(tensor)], layer.input)
            if isinstance(layer, _WEIGHTED):
                kernel = tf.convert_to_tensor(layer.kernel)
                kernel += tf.stop_gradient(_on_grid(kernel, _axes(layer, strategy), state["bits"]) - kernel)
                out = _product(layer, rounded(layer.name, given, training), kernel)
                if layer.activity_regularizer:
                    quantized.add_loss(layer.activity_regularizer(out))
            else:
                out = layer(given, training=training)
            values[id(layer.output)] = out
        return values[id(network.outputs[0])]

    quantized = _Model(network, forward)
    optimizer = _compiled(quantized, model, run_eagerly=True)
    history = {"loss": [], "weight_bits": []}
    for epoch in range(epochs):
        state["bits"] = _bits(strategy, epoch)
        total = number = 0
        for x, y in _batches(train_data):
            number += 1
            with tf.GradientTape() as tape:
                loss = quantized.compute_loss(x=x, y=y, y_pred=quantized(x, training=True))
            optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
            total += float(loss)
        history["loss"].append(total / number)
        history["weight_bits"].append(state["bits"])
    quantized.calibrated = epochs > 0
    return quantized, history


def _with_rounded_inputs(model, strategy):
    """A folded copy in which a layer that rounds stands before each weighted one."""

    def call(layer, *arguments, **settings):
        if isinstance(layer, _WEIGHTED):
            return layer(_Range(strategy.activation_bits, layer.name)(*arguments), **settings)
        return layer(*arguments, **settings)

    return _copy(model, call=call)


def _penalty(pairs):
    """The regularization of variables, at these values."""
    return sum((variable.regularizer(value) for variable, value in pairs if variable.regularizer), tf.constant(0.0))


def _sums(*gradients):
    """The gradients of one variable after the other, added up where there are any."""
    return [tf.add_n([g for g in several if g is not None]) for several in zip(*gradients, strict=True)]


def kernels_swapped_and_restored(model, strategy, train_data, epochs=1):
    """The rounded kernels are put into the network for the passes forward and back, and then the float ones again."""
    network = _with_rounded_inputs(model, strategy)
    weighted = [layer for layer in network.layers if isinstance(layer, _WEIGHTED)]
    state = {"bits": strategy.weight_bits}

    def swap():
        kept = [tf.identity(layer.kernel.value) for layer in weighted]
        for layer in weighted:
            layer.kernel.assign(_on_grid(layer.kernel, _axes(layer, strategy), state["bits"]))
        return kept

    def restore(kept):
        for layer, kernel in zip(weighted, kept, strict=True):
            layer.kernel.assign(kernel)

    def predict(x, training):
        kept = swap()
        out = network(x, training=training)
        restore(kept)
        return out

    quantized = _Model(network, predict)
    optimizer, variables = _compiled(quantized, model), network.trainable_variables
    network.compile(loss=quantized.loss)

    @tf.function(reduce_retracing=True)
    def step(x, y, bits):
        state["bits"] = bits
        kept = swap()
        with tf.GradientTape() as tape:
            loss = network.compute_loss(x=x, y=y, y_pred=network(x, training=True))
            loss -= _penalty((v, v.value) for v in variables)
        gradients = tape.gradient(loss, variables)
        restore(kept)
        with tf.GradientTape() as tape:
            penalty = _penalty((v, v.value) for v in variables)
        optimizer.apply(_sums(gradients, tape.gradient(penalty, variables)), variables)
        return loss + penalty

    history = {"loss": [], "weight_bits": []}
    for epoch in range(epochs):
        bits = _bits(strategy, epoch)
        losses = [step(x, y, tf.constant(bits)).numpy() for x, y in _batches(train_data)]
        history["loss"].append(float(np.mean(losses)))
        history["weight_bits"].append(bits)
        state["bits"] = bits
    quantized.calibrated = epochs > 0
    return quantized, history


def stateless_calls_with_rounded_weights(model, strategy, train_data, epochs=1):
    """Weights are arguments: the tape watches the rounded ones, and their gradients go to the float ones."""
    network = _with_rounded_inputs(model, strategy)
    trainable, others = network.trainable_variables, network.non_trainable_variables
    axes = {id(one.kernel): _axes(one, strategy) for one in network.layers if isinstance(one, _WEIGHTED)}
    bits = [strategy.weight_bits]

    def rounded():
        return [_on_grid(v, axes[id(v)], bits[0]) if id(v) in axes else tf.identity(v.value) for v in trainable]

    def predict(x, training):
        return network.stateless_call(rounded(), [v.value for v in others], x, training=training)[0]

    quantized = _Model(network, predict)
    optimizer = _compiled(quantized, model)
    history = {"loss": [], "weight_bits": []}
    for epoch in range(epochs):
        bits[0] = _bits(strategy, epoch)
        losses = []
        for x, y in _batches(train_data):
            values = rounded()
            with tf.GradientTape() as tape:
                tape.watch(values)
                out, states, more = network.stateless_call(
                    values, [v.value for v in others], x, training=True, return_losses=True
                )
                loss = quantized.compute_loss(x=x, y=y, y_pred=out)  # with the penalty of the float weights
                loss += sum(more) - _penalty(zip(trainable, values, strict=True))
            optimizer.apply(_sums(*tape.gradient(loss, (values, trainable))), trainable)
            for variable, state in zip(others, states, strict=True):
                variable.assign(state)
            losses.append(loss)
        history["loss"].append(float(tf.reduce_mean(losses)))
        history["weight_bits"].append(bits[0])
    quantized.calibrated = epochs > 0
    return quantized, history


class _Noisy(_LAYERS.Layer):
    """Adds to the kernel what rounding does to it, which is computed elsewhere and kept in a weight."""

    def __init__(self, layer, strategy):
        super().__init__(name=layer.name, activity_regularizer=layer.activity_regularizer)
        self.layer, self.axes = layer, _axes(layer, strategy)
        self.rounding = _Range(strategy.activation_bits, self.name)
        self.noise = self.add_weight(shape=layer.kernel.shape, initializer="zeros", trainable=False)

    def refresh(self, bits):
        self.noise.assign(_on_grid(self.layer.kernel, self.axes, bits) - self.layer.kernel)

    def call(self, x, training=False):
        kernel = tf.convert_to_tensor(self.layer.kernel) + self.noise
        return _product(self.layer, self.rounding(x, training=training), kernel)


def rounding_error_kept_as_noise(model, strategy, train_data, epochs=1):
    """The network has no rounding of kernels in it: their errors are weights, made anew before each step."""
    wrappers = []

    def wrap(layer):
        wrappers.append(_Noisy(layer, strategy))
        return wrappers[-1]

    quantized = _Model(_copy(model, wrap))
    optimizer, variables = _compiled(quantized, model), quantized.network.trainable_variables

    @tf.function(reduce_retracing=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = quantized.compute_loss(x=x, y=y, y_pred=quantized(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    history = {"loss": [], "weight_bits": []}
    for epoch in range(epochs):
        bits, mean = _bits(strategy, epoch), keras.metrics.Mean()
        for x, y in _batches(train_data):
            for wrapper in wrappers:
                wrapper.refresh(bits)
            mean.update_state(step(x, y))
        for wrapper in wrappers:
            wrapper.refresh(bits)
        history["loss"].append(float(mean.result()))
        history["weight_bits"].append(bits)
    quantized.calibrated = epochs > 0
    return quantized, history


def whole_epochs_in_one_graph(model, strategy, train_data, epochs=1):
    """The loop over the batches is in the graph, by Dataset.reduce; the bits are a weight that the graph is given."""
    bits = keras.Variable(float(strategy.weight_bits), trainable=False)

    def wrap(layer):
        return _Scoped(layer, strategy, [bits])

    quantized = _Model(_copy(model, wrap))
    optimizer, variables = _compiled(quantized, model), quantized.network.trainable_variables
    data = _batches(train_data)

    def step(total, batch):
        with tf.GradientTape() as tape:
            loss = quantized.compute_loss(x=batch[0], y=batch[1], y_pred=quantized(batch[0], training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return total[0] + loss, total[1] + 1.0

    @tf.function
    def epoch_of(width):
        bits.assign(width)
        total, number = data.reduce((0.0, 0.0), step)
        return total / number

    widths = [_bits(strategy, epoch) for epoch in range(epochs)]
    losses = [float(epoch_of(tf.constant(float(width)))) for width in widths]
    quantized.calibrated = epochs > 0
    return quantized, {"loss": losses, "weight_bits": widths}


class _Stepping(_Model):
    """Has a train_step of its own, in which the gradients of the rounded kernels are applied to the float ones."""

    def prepare(self, strategy):
        self.strategy, self.width = strategy, tf.Variable(strategy.weight_bits, trainable=False)
        self.weighted = [layer for layer in self.network.layers if isinstance(layer, _WEIGHTED)]
        self._forward = lambda x, training: self.with_kernels(self.kernels(), x, training)[0]

    def kernels(self):
        return [_on_grid(layer.kernel, _axes(layer, self.strategy), self.width) for layer in self.weighted]

    def with_kernels(self, kernels, x, training):
        pairs = zip(self.weighted, kernels, strict=True)
        scope = [(layer.kernel, kernel) for layer, kernel in pairs]
        with keras.StatelessScope(state_mapping=scope, collect_losses=True) as state:
            out = self.network(x, training=training)
        for variable in self.network.non_trainable_variables if training else ():
            value = state.get_current_value(variable)
            if value is not None:
                variable.assign(value)
        return out, sum(state.losses)

    def train_step(self, data):
        x, y = data
        kernels, variables = self.kernels(), self.network.trainable_variables
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            out, penalties = self.with_kernels(kernels, x, True)
            loss = self.compute_loss(x=x, y=y, y_pred=out) + penalties
        of_kernels, of_floats = tape.gradient(loss, (kernels, variables))
        own = {id(layer.kernel): g for layer, g in zip(self.weighted, of_kernels, strict=True)}
        self.optimizer.apply(_sums([own.get(id(v)) for v in variables], of_floats), variables)
        return {"loss": loss}


def train_step_with_gradients_of_rounded_kernels(model, strategy, train_data, epochs=1):
    """A train_step of our own, run batch by batch in one epoch of fit after the other."""
    quantized = _Stepping(_with_rounded_inputs(model, strategy))
    quantized.prepare(strategy)
    _compiled(quantized, model)
    history = {"loss": [], "weight_bits": []}
    for epoch in range(epochs):
        losses = []
        note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs, to=losses: to.append(logs["loss"]))
        quantized.width.assign(_bits(strategy, epoch))
        quantized.fit(_batches(train_data), initial_epoch=epoch, epochs=epoch + 1, verbose=0, callbacks=[note])
        history["loss"].append(float(np.mean(losses)))
        history["weight_bits"].append(int(quantized.width))
    quantized.calibrated = epochs > 0
    return quantized, history
