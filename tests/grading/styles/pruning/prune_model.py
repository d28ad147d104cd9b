"""Right answers to `prune_model`, in ten styles: ten ways to train, to choose weights, to cut arrays."""

import heapq
import math
import tempfile
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

_LAYERS = keras.layers
_PRUNED = (_LAYERS.Dense, _LAYERS.Conv2D)
_CHAIN = (
    *_PRUNED,
    *(_LAYERS.BatchNormalization, _LAYERS.InputLayer, _LAYERS.ReLU, _LAYERS.Activation, _LAYERS.Dropout),
    *(_LAYERS.Flatten, _LAYERS.MaxPooling2D, _LAYERS.AveragePooling2D),
    *(_LAYERS.GlobalMaxPooling2D, _LAYERS.GlobalAveragePooling2D),
)


def _check(model, percentage, structure, data, epochs):
    if math.isnan(percentage) or percentage < 0 or percentage > 100:
        raise ValueError(f"no percentage: {percentage}")
    if structure not in {"connections", "neurons"}:
        raise ValueError(f"no structure: {structure}")
    if epochs > 0 and data is None:
        raise ValueError("no data")
    if structure == "neurons":
        _check_chain(model.layers)


def _check_chain(layers):
    has_begun = False
    for layer in layers:
        has_begun = has_begun or isinstance(layer, _PRUNED)
        if not isinstance(layer, _CHAIN) and (has_begun or not isinstance(layer, _LAYERS.Reshape)):
            raise ValueError(f"cannot go through {layer.name}")


def _pruned(model):
    return [layer for layer in model.layers if isinstance(layer, _PRUNED)]


def _copy(model):
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def _compiled(copy, model, **settings):
    if model.compiled:
        optimizer, loss = type(model.optimizer).from_config(model.optimizer.get_config()), model.loss
    else:
        optimizer, loss = keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    copy.compile(optimizer, loss, jit_compile=False, **settings)
    optimizer.build(copy.trainable_variables)
    return copy


def _batches(data):
    return tf.data.Dataset.from_tensor_slices(data).batch(32) if isinstance(data, tuple) else data


def _of_schedule(done, steps, percentage):
    return percentage / 100 * (1 - (1 - done / steps) ** 3)


def _kept(model, percentage, score):
    """The places of the units that stay, by the name of their layer; `score(incoming, bias, outgoing)` for all units,
    the arrays of shapes (inputs, units), (units,) and (places, units, outputs)."""
    kept = {}
    for layer, reader in pairwise(_pruned(model)):
        kernel, *bias = layer.get_weights()
        units = kernel.shape[-1]
        outgoing = reader.get_weights()[0].reshape(-1, units, reader.kernel.shape[-1])
        scores = score(kernel.reshape(-1, units), bias[0] if bias else np.zeros(units, np.float32), outgoing)
        left = units - round(percentage / 100 * units)
        if left == 0:
            raise ValueError(f"nothing left of {layer.name}")
        kept[layer.name] = sorted(sorted(range(units), key=lambda unit, scores=scores: float(scores[unit]))[-left:])
    return kept


def _by_norms(incoming, bias, outgoing):
    return np.hypot(np.linalg.norm(incoming, axis=0), bias) * np.linalg.norm(outgoing, axis=(0, 2))


def _reshaped(model, kept):
    """The weights of all layers without the units that go: which number belongs to which unit is found by reshaping."""
    weights, units, stay = [], 1, [0]
    for layer in model.layers:
        arrays = layer.get_weights()
        if isinstance(layer, _PRUNED):
            kernel = arrays[0]
            rows = kernel.reshape(-1, units, kernel.shape[-1])[:, stay]
            arrays[0] = rows.reshape(*kernel.shape[:-2], -1, kernel.shape[-1])
            units = kernel.shape[-1]
            stay = kept.get(layer.name, list(range(units)))
            arrays = [array[..., stay] for array in arrays]
        elif arrays:
            arrays = [array.reshape(-1, units)[:, stay].ravel() for array in arrays]
        weights += arrays
    return weights


def _from_narrower_config(model, kept):
    """The same kind of model, from a config in which the numbers of units are others; without its weights."""
    config = model.get_config()
    for layer in config["layers"]:
        layer.pop("build_config", None)
        if layer["config"]["name"] in kept:
            key = "units" if "units" in layer["config"] else "filters"
            layer["config"][key] = len(kept[layer["config"]["name"]])
    config.pop("build_input_shape", None)
    return type(model).from_config(config)


def _without_units(model, percentage):
    """The way of the answers that differ elsewhere."""
    kept = _kept(model, percentage, _by_norms)
    copy = _from_narrower_config(model, kept)
    copy.set_weights(_reshaped(model, kept))
    return copy


def _smallest(magnitudes, count):
    mask = np.ones(magnitudes.size, bool)
    mask[np.argsort(magnitudes, axis=None)[:count]] = False
    return mask.reshape(magnitudes.shape)


def keras_fit_and_a_callback(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Keras trains; the callback remembers no mask but the places that are 0."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    copy = _copy(model) if structure == "connections" else _without_units(model, pruning_percentage)
    kernels = [layer.kernel for layer in _pruned(copy)] if structure == "connections" else []
    dropped = [np.array([], int) for _ in kernels]

    def drop(sparsity):
        for i, kernel in enumerate(kernels):
            flat = kernel.numpy().ravel()
            flat[dropped[i]] = 0
            dropped[i] = np.argsort(np.abs(flat), kind="stable")[: round(sparsity * flat.size)]
            flat[dropped[i]] = 0
            kernel.assign(flat.reshape(kernel.shape))

    class Drop(keras.callbacks.Callback):
        done = 0

        def on_train_batch_end(self, batch, logs=None):
            self.done += 1
            drop(_of_schedule(self.done, steps, pruning_percentage))

    if epochs:
        data = _batches(train_data)
        steps = epochs * len(data)
        _compiled(copy, model).fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=[Drop()])
    else:
        drop(pruning_percentage / 100)
    return copy


def train_on_batch_and_python_lists(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """No arrays where weights are chosen: a heap of (magnitude, place)."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    copy = _copy(model) if structure == "connections" else _without_units(model, pruning_percentage)
    zeros = {layer.name: set() for layer in _pruned(copy)} if structure == "connections" else {}

    def drop(sparsity):
        for name, places in zeros.items():
            kernel, *bias = copy.get_layer(name).get_weights()
            flat = [0.0 if i in places else w for i, w in enumerate(kernel.ravel().tolist())]
            lowest = heapq.nsmallest(round(sparsity * len(flat)), ((abs(w), i) for i, w in enumerate(flat)))
            places.update(i for _, i in lowest)
            flat = [0.0 if i in places else w for i, w in enumerate(flat)]
            copy.get_layer(name).set_weights([np.array(flat, np.float32).reshape(kernel.shape), *bias])

    if not epochs:
        drop(pruning_percentage / 100)
        return copy
    _compiled(copy, model)
    data = [batch for _ in range(epochs) for batch in _batches(train_data)]
    for done, (x, y) in enumerate(data, start=1):
        copy.train_on_batch(x, y)
        drop(_of_schedule(done, len(data), pruning_percentage))
    return copy


def all_in_one_graph(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Masks are variables; the step, the ranking and the counting are TensorFlow operations in one tf.function."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    copy = _copy(model) if structure == "connections" else _without_units(model, pruning_percentage)
    kernels = [layer.kernel for layer in _pruned(copy)] if structure == "connections" else []
    masks = [tf.Variable(tf.ones(kernel.shape), trainable=False) for kernel in kernels]

    def drop(sparsity):
        for kernel, mask in zip(kernels, masks, strict=True):
            weights = tf.reshape(tf.convert_to_tensor(kernel) * mask, [-1])
            count = tf.cast(tf.round(sparsity * tf.cast(tf.size(weights), tf.float64)), tf.int32)
            ranks = tf.argsort(tf.argsort(tf.abs(weights), stable=True))
            mask.assign(tf.reshape(tf.cast(ranks >= count, tf.float32), mask.shape))
            kernel.assign(tf.reshape(weights, mask.shape) * mask)

    if not epochs:
        drop(tf.constant(pruning_percentage, tf.float64) / 100)
        return copy
    optimizer = _compiled(copy, model).optimizer

    @tf.function(reduce_retracing=True)
    def step(x, y, part):
        with tf.GradientTape() as tape:
            loss = copy.compute_loss(x=x, y=y, y_pred=copy(x, training=True))
        variables = copy.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        drop(tf.cast(pruning_percentage / 100, tf.float64) * (1 - (1 - part) ** 3))

    data = _batches(train_data)
    steps = epochs * len(data)
    for done, (x, y) in enumerate(data.repeat(epochs)):
        step(x, y, tf.constant((done + 1) / steps, tf.float64))
    return copy


class _Masked(keras.Model):
    """A functional model that drops weights at the end of its train_step."""

    def train_step(self, data):
        logs = super().train_step(data)
        self.after_a_step()
        return logs


def functional_subclass_with_its_train_step(
    model, pruning_percentage, structure="connections", train_data=None, epochs=0
):
    """Trained through a subclass of Model around the copy's layers; the copy itself is returned. Eager, so that the end
    of train_step is plain NumPy; ranks by lexsort."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    copy = _copy(model) if structure == "connections" else _without_units(model, pruning_percentage)
    layers = _pruned(copy) if structure == "connections" else []

    def drop(sparsity):
        for layer in layers:
            weights = layer.kernel.numpy()
            if hasattr(layer, "mask_of_weights"):
                weights *= layer.mask_of_weights
            flat = weights.reshape(-1)
            order = np.lexsort((np.arange(flat.size), np.abs(flat)))
            layer.mask_of_weights = np.ones(flat.size)
            layer.mask_of_weights[order[: int(np.rint(sparsity * flat.size))]] = 0
            layer.mask_of_weights = layer.mask_of_weights.reshape(weights.shape)
            layer.kernel.assign(weights * layer.mask_of_weights)

    if not epochs:
        drop(pruning_percentage / 100)
        return copy
    trainer = _compiled(_Masked(copy.inputs, copy.outputs[0]), model, run_eagerly=True)
    data, done = _batches(train_data), 0

    def after_a_step():
        nonlocal done
        done += 1
        drop(_of_schedule(done, epochs * len(data), pruning_percentage))

    trainer.after_a_step = after_a_step
    trainer.fit(data, epochs=epochs, shuffle=False, verbose=0)
    return copy


class _Holding(keras.constraints.Constraint):
    """A mask that Keras's optimizers apply at the end of a step."""

    def __init__(self, kernel):
        self.mask = tf.Variable(tf.ones(kernel.shape), trainable=False)

    def __call__(self, w):
        return w * self.mask


def masks_as_constraints(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """What was dropped is held at 0 by a constraint on the kernel while training."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    copy = _copy(model) if structure == "connections" else _without_units(model, pruning_percentage)
    kernels = [layer.kernel for layer in _pruned(copy)] if structure == "connections" else []
    for kernel in kernels:
        kernel.constraint = _Holding(kernel)

    def drop(sparsity):
        for kernel in kernels:
            magnitudes = np.abs(kernel.numpy())
            count = round(sparsity * magnitudes.size)
            mask = np.ones(magnitudes.size, np.float32)
            if count:
                mask[np.argpartition(magnitudes, count - 1, axis=None)[:count]] = 0
            kernel.constraint.mask.assign(mask.reshape(magnitudes.shape))
            kernel.assign(kernel.constraint(kernel.numpy()))

    if epochs:
        optimizer, done = _compiled(copy, model).optimizer, 0
        data = _batches(train_data)
        for _ in range(epochs):
            for x, y in data:
                with tf.GradientTape() as tape:
                    loss = copy.compute_loss(x=x, y=y, y_pred=copy(x, training=True))
                gradients = tape.gradient(loss, copy.trainable_variables)
                optimizer.apply_gradients(zip(gradients, copy.trainable_variables, strict=True))
                done += 1
                drop(_of_schedule(done, epochs * len(data), pruning_percentage))
    else:
        drop(pruning_percentage / 100)
    for kernel in kernels:
        kernel.constraint = None
    return copy


def only_the_further_weights(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """At each step as many of the living weights go as are missing; biases and gradients untouched. A loop over the
    arrays of a batch in memory, without tf.data."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    copy = _copy(model) if structure == "connections" else _without_units(model, pruning_percentage)
    kernels = [layer.kernel for layer in _pruned(copy)] if structure == "connections" else []
    alive = [np.arange(math.prod(kernel.shape)) for kernel in kernels]

    def drop(sparsity):
        for i, kernel in enumerate(kernels):
            flat = kernel.numpy().flatten()
            missing = round(sparsity * flat.size) - (flat.size - len(alive[i]))
            order = np.argsort(np.abs(flat[alive[i]]))
            alive[i] = np.sort(alive[i][order[missing:]])
            weights = np.zeros_like(flat)
            weights[alive[i]] = flat[alive[i]]
            kernel.assign(weights.reshape(kernel.shape))

    if not epochs:
        drop(pruning_percentage / 100)
        return copy
    _compiled(copy, model)
    variables = copy.trainable_variables
    batches = list(_batches(train_data).as_numpy_iterator())
    for done in range(epochs * len(batches)):
        x, y = batches[done % len(batches)]
        with tf.GradientTape() as tape:
            loss = copy.compute_loss(x=x, y=y, y_pred=copy(x, training=True))
        copy.optimizer.apply(tape.gradient(loss, variables))
        drop(_of_schedule(done + 1, epochs * len(batches), pruning_percentage))
    return copy


def threshold_and_ties_in_order(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """All below a threshold, and of those at it the first ones; with loss, penalties and averages by hand."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    copy = _copy(model) if structure == "connections" else _without_units(model, pruning_percentage)
    names = [layer.name for layer in _pruned(copy)] if structure == "connections" else []
    masks = dict.fromkeys(names, 1.0)

    def drop(sparsity):
        for name in names:
            weights = copy.get_layer(name).kernel.numpy() * masks[name]
            count, magnitudes = round(sparsity * weights.size), np.abs(weights).ravel()
            threshold = np.sort(magnitudes)[count - 1] if count else -1.0
            mask = magnitudes > threshold
            at_it = np.flatnonzero(magnitudes == threshold)
            mask[at_it[count - np.count_nonzero(magnitudes < threshold) :]] = True
            masks[name] = mask.reshape(weights.shape)
            copy.get_layer(name).kernel.assign(np.where(masks[name], weights, 0))

    if not epochs:
        drop(pruning_percentage / 100)
        return copy
    optimizer = _compiled(copy, model).optimizer
    cost = keras.losses.get(copy.loss)

    @tf.function
    def gradients(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(cost(y, copy(x, training=True))) + sum(copy.losses)
        return tape.gradient(loss, copy.trainable_variables)

    data, done = _batches(train_data), 0
    for _ in range(epochs):
        for x, y in data:
            optimizer.apply(gradients(x, y), copy.trainable_variables)
            done += 1
            drop(_of_schedule(done, epochs * len(data), pruning_percentage))
    return copy


def _traced_units(model, kept):
    """Which unit each number of a layer's output belongs to, carried through the network as an array of that shape."""
    weights, ids, stay = [], None, None
    for layer in model.layers:
        arrays, shape = layer.get_weights(), tuple(layer.output.shape[1:])
        if isinstance(layer, _PRUNED):
            if ids is not None:
                arrays[0] = arrays[0][..., np.isin(ids.reshape(-1, ids.shape[-1])[0], stay), :]
            units = arrays[0].shape[-1]
            stay = kept.get(layer.name, range(units))
            stay = np.array(list(stay))
            arrays = [array[..., stay] for array in arrays]
            ids = np.broadcast_to(np.arange(units), shape)
        elif ids is not None:
            if arrays:
                places = np.isin(ids.reshape(-1, ids.shape[-1])[0], stay)
                arrays = [array[places] for array in arrays]
            is_flat = isinstance(layer, _LAYERS.Flatten)
            ids = ids.reshape(-1) if is_flat else np.broadcast_to(ids.reshape(-1, ids.shape[-1])[0], shape)
        weights.append(arrays)
    return weights


def layers_called_one_by_one(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Without units: new layers called on each other, their weights by units carried along as arrays of places.
    Without connections: a fresh copy by `clone_model`, masks by two argsorts."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    if structure == "neurons":
        kept = _kept(model, pruning_percentage, lambda w, b, out: ((w**2).sum(0) + b**2) * (out**2).sum((0, 2)))
        x = first = keras.Input(model.input_shape[1:])
        new = []
        for layer in model.layers:
            if isinstance(layer, _LAYERS.InputLayer):
                continue
            config = layer.get_config()
            if layer.name in kept:
                config |= {("units" if "units" in config else "filters"): len(kept[layer.name])}
            new.append(type(layer).from_config(config))
            x = new[-1](x)
        copy = keras.Model(first, x)
        weights = [arrays for arrays in _traced_units(model, kept) if arrays]
        for layer, arrays in zip((layer for layer in new if layer.weights), weights, strict=True):
            layer.set_weights(arrays)
    else:
        copy = keras.models.clone_model(type(model).from_config(model.get_config()))
        for old, layer in zip(model.layers, copy.layers, strict=True):
            layer.set_weights(old.get_weights())
    layers = _pruned(copy) if structure == "connections" else []
    masks = [np.ones(layer.kernel.shape) for layer in layers]

    def drop(sparsity):
        for i, layer in enumerate(layers):
            weights = layer.kernel.numpy() * masks[i]
            ranks = np.abs(weights).argsort(axis=None).argsort().reshape(weights.shape)
            masks[i] = ranks >= round(sparsity * weights.size)
            layer.kernel.assign(weights * masks[i])

    if not epochs:
        drop(pruning_percentage / 100)
        return copy
    _compiled(copy, model)
    data, done = _batches(train_data), 0
    for _ in range(epochs):
        for x, y in data:
            copy.train_on_batch(x, y)
            done += 1
            drop(_of_schedule(done, epochs * len(data), pruning_percentage))
    return copy


def selection_matrices_and_a_file(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """The copy comes from a file. Units go by products with columns of the identity; scores by TensorFlow."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    with tempfile.TemporaryDirectory() as folder:
        plain = _copy(model)  # of the architecture alone: the file of a compiled model has its loss
        plain.save(Path(folder) / "model.keras")
        copy = keras.models.load_model(Path(folder) / "model.keras", compile=False)
    if structure == "neurons":

        def score(incoming, bias, outgoing):
            rows = tf.concat([incoming, bias[None]], axis=0)
            return tf.norm(rows, axis=0) * tf.sqrt(tf.reduce_sum(tf.square(outgoing), axis=(0, 2)))

        kept = _kept(model, pruning_percentage, score)
        selection = np.eye(1, dtype=np.float32)
        weights = []
        for layer in model.layers:
            arrays = layer.get_weights()
            if not arrays:
                continue
            size = arrays[0].shape[-2] if isinstance(layer, _PRUNED) else len(arrays[0])
            of_inputs = np.kron(np.eye(size // len(selection), dtype=np.float32), selection)
            if isinstance(layer, _PRUNED):
                units = arrays[0].shape[-1]
                selection = np.eye(units, dtype=np.float32)[:, kept.get(layer.name, range(units))]
                weights.append(np.einsum("...iu,ij,uv->...jv", arrays[0], of_inputs, selection))
                weights += [array @ selection for array in arrays[1:]]
            else:
                weights += [array @ of_inputs for array in arrays]
        copy = _from_narrower_config(model, kept)
        copy.set_weights(weights)
    kernels = [layer.kernel for layer in _pruned(copy)] if structure == "connections" else []
    masks = [tf.ones(kernel.shape, tf.bool) for kernel in kernels]

    def drop(sparsity):
        for i, kernel in enumerate(kernels):
            weights = tf.where(masks[i], tf.convert_to_tensor(kernel), 0.0)
            left = math.prod(kernel.shape) - round(sparsity * math.prod(kernel.shape))
            _, places = tf.math.top_k(tf.reshape(tf.abs(weights), [-1]), k=left)
            mask = tf.scatter_nd(places[:, None], tf.ones_like(places), [math.prod(kernel.shape)])
            masks[i] = tf.reshape(mask == 1, kernel.shape)
            kernel.assign(tf.where(masks[i], weights, 0.0))

    if epochs:
        data = _batches(train_data)
        steps = iter(range(1, epochs * len(data) + 1))
        end = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: drop(_of_schedule(next(steps), epochs * len(data), percentage))
        )
        percentage = pruning_percentage
        _compiled(copy, model, run_eagerly=True).fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=[end])
    else:
        drop(pruning_percentage / 100)
    return copy


def neurons_one_at_a_time(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Units are deleted from the arrays one by one, the highest place first; masks by `np.put`, steps by a generator of
    (part of the way, batch)."""
    _check(model, pruning_percentage, structure, train_data, epochs)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    kept = {}
    if structure == "neurons":
        kept = _kept(model, pruning_percentage, _by_norms)
        for name in kept:
            units = model.get_layer(name).kernel.shape[-1]
            for unit in sorted(set(range(units)) - set(kept[name]), reverse=True):
                _delete(model.layers, weights, name, unit)
    copy = _from_narrower_config(model, kept)
    for layer in copy.layers:
        layer.set_weights(weights[layer.name])
    kernels = [layer.kernel for layer in _pruned(copy)] if structure == "connections" else []
    zeros = [np.array([], int)] * len(kernels)

    def drop(part):
        for i, kernel in enumerate(kernels):
            array = kernel.numpy()
            np.put(array, zeros[i], 0)
            mask = _smallest(np.abs(array), round(part * array.size))
            zeros[i] = np.flatnonzero(~mask)
            np.put(array, zeros[i], 0)
            kernel.assign(array)

    def way(data):
        for epoch in range(epochs):
            for number, batch in enumerate(data, 1):
                yield (epoch * len(data) + number) / (epochs * len(data)), batch

    if not epochs:
        drop(pruning_percentage / 100)
        return copy
    _compiled(copy, model)
    for part, (x, y) in way(_batches(train_data)):
        copy.train_on_batch(x, y)
        drop(pruning_percentage / 100 * (1 - (1 - part) ** 3))
    return copy


def _delete(layers, weights, name, unit):
    """Take one unit of a layer out of its own arrays and of all that reads it."""
    place = [layer.name for layer in layers].index(name)
    units = weights[name][0].shape[-1]
    weights[name] = [np.delete(array, unit, axis=-1) for array in weights[name]]
    for layer in layers[place + 1 :]:
        arrays = weights[layer.name]
        axis = -2 if isinstance(layer, _PRUNED) else -1
        if arrays:
            gone = range(unit, arrays[0].shape[axis], units)
            cut = 1 if isinstance(layer, _PRUNED) else len(arrays)
            weights[layer.name] = [np.delete(array, list(gone), axis=axis) for array in arrays[:cut]] + arrays[cut:]
        if isinstance(layer, _PRUNED):
            return
