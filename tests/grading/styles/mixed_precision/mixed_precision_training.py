"""Right answers to `mixed_precision_training`, in ten styles."""

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, takewhile
from statistics import fmean

import keras
import numpy as np
import tensorflow as tf


def _finite(gradient):
    return tf.reduce_all(tf.math.is_finite(gradient))


def eager_loop_and_assigned_policies(model, strategy, train_data, epochs=1):
    """No graph and no second copy: a layer that is demoted gets another policy where it stands."""
    if isinstance(train_data, tuple):
        train_data = tf.data.Dataset.from_tensor_slices(train_data).batch(32)
    half = "float32" if strategy.compute_dtype == "float32" else "mixed_" + strategy.compute_dtype
    config = model.get_config()
    for entry in config["layers"]:
        if entry["class_name"] == "InputLayer":
            continue
        name = entry["config"]["name"]
        single = name in strategy.keep_float32 or name == model.layers[-1].name
        entry["config"]["dtype"] = "float32" if single else half
    mixed = type(model).from_config(config)
    mixed.set_weights(model.get_weights())
    if model.compiled:
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        loss_fn = model.loss
    else:
        optimizer = keras.optimizers.Adam(learning_rate=1e-3)
        loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    mixed.compile(optimizer=optimizer, loss=loss_fn, auto_scale_loss=False)
    optimizer.build(mixed.trainable_variables)

    scale = float(strategy.loss_scale)
    good_steps = 0
    strikes = {}
    history = {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": []}
    for epoch in range(epochs):
        losses = []
        skipped = 0
        for step, (x, y) in enumerate(train_data):
            with tf.GradientTape() as tape:
                loss = mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))
                scaled = loss * scale
            variables = mixed.trainable_variables
            pairs = [
                (tf.convert_to_tensor(gradient) / scale, variable)
                for gradient, variable in zip(tape.gradient(scaled, variables), variables, strict=True)
                if gradient is not None
            ]
            bad = {id(variable) for gradient, variable in pairs if not _finite(gradient)}
            for layer in mixed.layers:
                overflowed = any(id(variable) in bad for variable in layer.trainable_variables)
                strikes[layer.name] = strikes.get(layer.name, 0) + 1 if overflowed and scale == 1.0 else 0
                if strikes[layer.name] >= strategy.demote_after and layer.compute_dtype != "float32":
                    layer.dtype_policy = keras.DTypePolicy("float32")
                    history["demoted"].append({"layer": layer.name, "epoch": epoch, "step": step})
            if bad:
                skipped += 1
                good_steps = 0
                scale = max(1.0, scale / 2.0)
                continue
            if pairs:
                optimizer.apply_gradients(pairs)
            losses.append(float(loss))
            good_steps += 1
            if good_steps % strategy.growth_interval == 0:
                scale *= 2.0
        history["loss"].append(sum(losses) / len(losses) if losses else math.nan)
        history["loss_scale"].append(scale)
        history["skipped_steps"].append(skipped)
    return mixed, history


def _copy_with(policies, source):
    """A copy by way of JSON, with these policies by name."""
    config = json.loads(json.dumps(source.get_config()))
    for layer in config["layers"]:
        if layer["config"]["name"] in policies:
            layer["config"]["dtype"] = policies[layer["config"]["name"]]
    twin = source.__class__.from_config(config)
    for new, old in zip(twin.variables, source.variables, strict=True):
        new.assign(old)
    return twin


def graphs_traced_again_for_each_copy(model, strategy, train_data, epochs=1):
    """One graph computes gradients and verdicts, another applies; both are made anew with each copy."""
    batches = train_data
    if not isinstance(train_data, tf.data.Dataset):
        batches = tf.data.Dataset.from_tensor_slices(tuple(map(np.asarray, train_data))).batch(32)
    half = {"float32": "float32"}.get(strategy.compute_dtype, f"mixed_{strategy.compute_dtype}")
    policies = {
        layer.name: "float32" if layer is model.layers[-1] or layer.name in strategy.keep_float32 else half
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    }
    if model.compiled:
        loss, optimizer_config = model.loss, keras.optimizers.serialize(model.optimizer)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer_config = keras.optimizers.serialize(keras.optimizers.Adam(1e-3))

    def made(source, old_optimizer=None):
        mixed = _copy_with(policies, source)
        optimizer = keras.optimizers.deserialize(optimizer_config)
        mixed.compile(optimizer, loss, auto_scale_loss=False)
        optimizer.build(mixed.trainable_variables)
        if old_optimizer is not None:
            for new, old in zip(optimizer.variables, old_optimizer.variables, strict=True):
                new.assign(old)
        own = {layer.name: layer.trainable_variables for layer in mixed.layers if layer.trainable_variables}

        @tf.function(reduce_retracing=True)
        def compute(x, y, scale):
            with tf.GradientTape() as tape:
                value = mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))
                scaled = scale * value
            found = {
                name: [None if g is None else tf.convert_to_tensor(g) / scale for g in gradients]
                for name, gradients in tape.gradient(scaled, own).items()
            }
            verdicts = {
                name: tf.reduce_all([_finite(g) for g in gradients if g is not None] or [True])
                for name, gradients in found.items()
            }
            return value, found, verdicts

        @tf.function
        def apply(found):
            pairs = [
                (gradient, variable)
                for name, gradients in found.items()
                for gradient, variable in zip(gradients, own[name], strict=True)
                if gradient is not None
            ]
            optimizer.apply_gradients(pairs)

        return mixed, compute, apply

    mixed, compute, apply = made(model)
    scale, row, streaks = float(strategy.loss_scale), 0, Counter()
    history = {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": []}
    for epoch in range(epochs):
        total, taken, number = 0.0, 0, -1
        for number, (x, y) in batches.enumerate():
            value, found, verdicts = compute(x, y, tf.constant(scale))
            overflowed = [name for name, fine in verdicts.items() if not fine]
            streaks = Counter({name: streaks[name] + 1 for name in overflowed} if scale == 1 else ())
            if overflowed:
                scale, row = max(scale / 2, 1.0), 0
            else:
                apply(found)
                total, taken, row = total + float(value), taken + 1, row + 1
                if row == strategy.growth_interval:
                    scale, row = scale * 2, 0
            going = [
                layer.name
                for layer in mixed.layers
                if streaks[layer.name] >= strategy.demote_after and policies[layer.name] != "float32"
            ]
            if going:
                policies.update(dict.fromkeys(going, "float32"))
                history["demoted"] += [{"layer": name, "epoch": epoch, "step": int(number)} for name in going]
                mixed, compute, apply = made(mixed, mixed.optimizer)
        history["loss"].append(total / taken if taken else float("nan"))
        history["loss_scale"].append(scale)
        history["skipped_steps"].append(int(number) + 1 - taken)
    return mixed, history


@dataclass
class _Run:
    """What one call of fit keeps in mind; not a Keras object, so that Keras does not wrap its lists."""

    strategy: object
    scale: float
    row: int = 0
    losses: list = field(default_factory=list)
    skipped: int = 0
    overflowed: set = field(default_factory=set)
    scale_of_step: float = 0.0
    streaks: dict = field(default_factory=lambda: defaultdict(int))
    history: dict = field(default_factory=lambda: {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": []})


class _Trainer(keras.Model):
    def __init__(self, mixed, run):
        super().__init__()
        self.mixed, self._run, self.built = mixed, run, True

    def call(self, inputs, training=False):
        return self.mixed(inputs, training=training)

    def train_step(self, data):
        x, y = data
        run = self._run
        with tf.GradientTape(persistent=True) as tape:
            loss = self.mixed.compute_loss(x=x, y=y, y_pred=self.mixed(x, training=True))
            scaled = loss * run.scale
        pairs, run.overflowed, run.scale_of_step = [], set(), run.scale
        for layer in self.mixed.layers:
            for variable in layer.trainable_variables:
                gradient = tape.gradient(scaled, variable.value)
                if gradient is None:
                    continue
                gradient = tf.convert_to_tensor(gradient) / run.scale
                pairs.append((gradient, variable))
                if not _finite(gradient):
                    run.overflowed.add(layer.name)
        if run.overflowed:
            run.skipped, run.row, run.scale = run.skipped + 1, 0, max(run.scale / 2, 1.0)
        else:
            self.mixed.optimizer.apply(*zip(*pairs, strict=True))
            run.losses.append(float(loss))
            run.row += 1
            if run.row == run.strategy.growth_interval:
                run.row, run.scale = 0, run.scale * 2
        return {"loss": loss}


class _Watch(keras.callbacks.Callback):
    def __init__(self, mixed, run):
        super().__init__()
        self.mixed, self.run, self.epoch = mixed, run, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.run.losses, self.run.skipped = epoch, [], 0

    def on_train_batch_end(self, batch, logs=None):
        for layer in self.mixed.layers:
            if layer.name in self.run.overflowed and self.run.scale_of_step == 1:
                self.run.streaks[layer.name] += 1
            else:
                self.run.streaks[layer.name] = 0
            tired = self.run.streaks[layer.name] >= self.run.strategy.demote_after
            if tired and layer.compute_dtype != "float32":
                layer.dtype_policy = "float32"
                self.run.history["demoted"].append({"layer": layer.name, "epoch": self.epoch, "step": batch})

    def on_epoch_end(self, epoch, logs=None):
        history = self.run.history
        history["loss"].append(np.mean(self.run.losses) if self.run.losses else np.nan)
        history["loss_scale"].append(self.run.scale)
        history["skipped_steps"].append(self.run.skipped)


def _prepared(model, strategy):
    """A copy, compiled with an optimizer of its own that has its slots."""
    config = model.get_config()
    single = {model.layers[-1].name, *strategy.keep_float32}
    for entry in config["layers"]:
        if entry["class_name"] != "InputLayer":
            is_half = entry["config"]["name"] not in single and strategy.compute_dtype != "float32"
            entry["config"]["dtype"] = f"mixed_{strategy.compute_dtype}" if is_half else "float32"
    mixed = type(model).from_config(config)
    mixed.set_weights(model.get_weights())
    if model.compiled:
        optimizer, loss = type(model.optimizer).from_config(model.optimizer.get_config()), model.loss
    else:
        optimizer, loss = keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    mixed.compile(optimizer, loss, auto_scale_loss=False)
    optimizer.build(mixed.trainable_variables)
    return mixed


def fit_with_a_train_step_and_a_callback(model, strategy, train_data, epochs=1):
    """The loop is Keras's fit, of a model around the copy."""
    mixed = _prepared(model, strategy)
    run = _Run(strategy, float(strategy.loss_scale))
    if isinstance(train_data, tuple):
        train_data = tf.data.Dataset.from_tensor_slices(train_data).batch(32, drop_remainder=False)
    trainer = _Trainer(mixed, run)
    trainer.compile(run_eagerly=True, jit_compile=False)
    trainer.fit(train_data, epochs=epochs, shuffle=False, verbose=0, callbacks=[_Watch(mixed, run)])
    return mixed, run.history


def loss_scale_optimizer_of_keras(model, strategy, train_data, epochs=1):
    """Keras's own wrapper scales, skips, halves and doubles; the floor at 1 and the demotions are added."""
    mixed = _prepared(model, strategy)
    optimizer = keras.optimizers.LossScaleOptimizer(
        mixed.optimizer, initial_scale=strategy.loss_scale, dynamic_growth_steps=strategy.growth_interval
    )
    optimizer.build(mixed.trainable_variables)
    layers = [layer for layer in mixed.layers if layer.trainable_variables]
    counts = np.zeros(len(layers), int)
    history = {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": []}

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))
            scaled = optimizer.scale_loss(loss)
        nested = tape.gradient(scaled, [layer.trainable_variables for layer in layers])
        nested = [[None if g is None else tf.convert_to_tensor(g) for g in own] for own in nested]
        finite = np.array([all(g is None or bool(_finite(g)) for g in own) for own in nested])
        pairs = [
            (g, variable)
            for own, layer in zip(nested, layers, strict=True)
            for g, variable in zip(own, layer.trainable_variables, strict=True)
            if g is not None
        ]
        optimizer.apply([g for g, _ in pairs], [variable for _, variable in pairs])
        optimizer.dynamic_scale.assign(tf.maximum(optimizer.dynamic_scale, 1.0))
        return float(loss), finite

    def batches():
        if isinstance(train_data, tuple):
            x, y = train_data
            return ((x[i : i + 32], y[i : i + 32]) for i in range(0, len(x), 32))
        return train_data

    for epoch in range(epochs):
        losses, skipped = [], 0
        for number, (x, y) in enumerate(batches()):
            at_one = float(optimizer.dynamic_scale) == 1.0
            loss, finite = step(x, y)
            if finite.all():
                losses.append(loss)
            else:
                skipped += 1
            counts = np.where(finite, 0, counts + 1) if at_one else np.zeros_like(counts)
            for layer in compress(layers, counts >= strategy.demote_after):
                if layer.compute_dtype == "float32":
                    continue
                layer.dtype_policy = keras.dtype_policies.DTypePolicy("float32")
                history["demoted"].append({"layer": layer.name, "epoch": epoch, "step": number})
        history["loss"].append(fmean(losses) if losses else math.nan)
        history["loss_scale"].append(float(optimizer.dynamic_scale))
        history["skipped_steps"].append(skipped)
    return mixed, history


def numpy_gradients_and_a_clone(model, strategy, train_data, epochs=1):
    """clone_model on an uncompiled twin; the gradients are divided and tested as NumPy arrays."""
    half = strategy.compute_dtype if strategy.compute_dtype == "float32" else f"mixed_{strategy.compute_dtype}"

    def clone(layer):
        config = layer.get_config()
        config["dtype"] = "float32" if layer.name in (model.layers[-1].name, *strategy.keep_float32) else half
        return layer.__class__.from_config(config)

    twin = type(model).from_config(model.get_config())
    mixed = keras.models.clone_model(twin, clone_function=clone)
    mixed.set_weights(model.get_weights())
    if model.compiled:
        optimizer = model.optimizer.__class__.from_config(model.optimizer.get_config())
        mixed.compile(optimizer=optimizer, loss=model.loss, auto_scale_loss=False)
    else:
        mixed.compile(optimizer=keras.optimizers.Adam(1e-3), auto_scale_loss=False, loss=_logits_loss)
    owner = {variable.path: layer.name for layer in mixed.layers for variable in layer.trainable_variables}
    data = train_data
    if isinstance(train_data, tuple):
        data = list(zip(*(np.split(a, range(32, len(a), 32)) for a in train_data), strict=True))
    scale, good, bad = np.float64(strategy.loss_scale), 0, dict.fromkeys(owner.values(), 0)
    epochs_losses, scales, skips, demoted = [], [], [], []
    for epoch in range(epochs):
        epochs_losses.append([])
        skips.append(0)
        for number, (x, y) in enumerate(data):
            variables = mixed.trainable_variables
            with tf.GradientTape() as tape:
                loss = mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))
                target = loss * tf.constant(scale, tf.float32)
            tensors = tape.gradient(target, variables)
            kept = [variable for variable, tensor in zip(variables, tensors, strict=True) if tensor is not None]
            arrays = [
                tf.convert_to_tensor(tensor).numpy() / np.float32(scale) for tensor in tensors if tensor is not None
            ]
            overflowed = {owner[v.path] for v, array in zip(kept, arrays, strict=True) if not np.isfinite(array).all()}
            bad = {name: (count + 1) * (scale == 1 and name in overflowed) for name, count in bad.items()}
            if overflowed:
                skips[-1] += 1
                scale, good = np.maximum(scale / 2, 1), 0
            else:
                if not mixed.optimizer.built:
                    mixed.optimizer.build(variables)
                mixed.optimizer.apply([tf.constant(array) for array in arrays], kept)
                epochs_losses[-1].append(loss.numpy())
                good += 1
                scale = scale * 2 if good % strategy.growth_interval == 0 else scale
            for name, count in bad.items():
                if count >= strategy.demote_after and mixed.get_layer(name).compute_dtype != "float32":
                    mixed.get_layer(name).dtype_policy = "float32"
                    demoted.append({"layer": name, "epoch": epoch, "step": number})
        scales.append(float(scale))
    means = [float(np.mean(losses)) if losses else float("nan") for losses in epochs_losses]
    return mixed, {"loss": means, "loss_scale": scales, "skipped_steps": skips, "demoted": demoted}


def _logits_loss(labels, logits):
    return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def one_long_vector_of_gradients(model, strategy, train_data, epochs=1):
    """All gradients end to end, divided and tested at once; the copy is never compiled, the loss is written out."""
    mixed, optimizer, loss_of = _uncompiled_copy(model, strategy)
    layers = [layer for layer in mixed.layers if layer.trainable_variables]
    variables = [variable for layer in layers for variable in layer.trainable_variables]
    owners = [place for place, layer in enumerate(layers) for _ in layer.trainable_variables]
    optimizer.build(variables)
    data = tf.data.Dataset.from_tensor_slices(train_data).batch(32) if type(train_data) is tuple else train_data
    scale, in_a_row, strikes = float(strategy.loss_scale), 0, np.zeros(len(layers), int)
    history = defaultdict(list, demoted=[])

    def sizes_of(places):
        return [math.prod(variables[place].shape) for place in places]

    def joined(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(x, y)
            scaled = loss * scale
        dense = tape.gradient(scaled, variables)
        there = [place for place, gradient in enumerate(dense) if gradient is not None]
        flat = [tf.reshape(tf.convert_to_tensor(dense[place]), [-1]) for place in there]
        return float(loss), there, tf.concat(flat, axis=0) / scale

    def applied(there, vector):
        pieces = zip(there, tf.split(vector, sizes_of(there)), strict=True)
        gradients = [tf.reshape(piece, variables[place].shape) for place, piece in pieces]
        optimizer.apply(gradients, [variables[place] for place in there])

    for epoch in range(epochs):
        losses, skipped = [], 0
        for number, (x, y) in enumerate(data.as_numpy_iterator()):
            loss, there, vector = joined(x, y)
            finite = np.isfinite(vector.numpy())
            layer_of = np.repeat([owners[place] for place in there], sizes_of(there))
            overflowed = np.bincount(layer_of[~finite], minlength=len(layers)) > 0
            strikes = (strikes + 1) * (overflowed & (scale == 1))
            for layer in compress(layers, strikes >= strategy.demote_after):
                if layer.compute_dtype != "float32":
                    history["demoted"].append(dict(layer=layer.name, epoch=epoch, step=number))
                    layer.dtype_policy = keras.DTypePolicy("float32")
            if finite.all():
                applied(there, vector)
                losses.append(loss)
                in_a_row += 1
                scale *= 2.0 ** (in_a_row % strategy.growth_interval == 0)
            else:
                skipped, in_a_row, scale = skipped + 1, 0, max(scale * 0.5, 1.0)
        history["loss"].append(float(np.mean(losses)) if losses else math.nan)
        history["loss_scale"].append(scale)
        history["skipped_steps"].append(skipped)
    return mixed, dict(history)


def _is_fine(gradient):
    return gradient is None or bool(_finite(gradient))


def _uncompiled_copy(model, strategy):
    half = strategy.compute_dtype if strategy.compute_dtype == "float32" else f"mixed_{strategy.compute_dtype}"
    config = model.get_config()
    *others, last = [entry for entry in config["layers"] if entry["class_name"] != "InputLayer"]
    for entry in others:
        entry["config"]["dtype"] = "float32" if entry["config"]["name"] in strategy.keep_float32 else half
    last["config"]["dtype"] = "float32"
    mixed = type(model).from_config(config)
    mixed.set_weights(model.get_weights())
    if model.compiled:
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        row_losses = keras.losses.get(model.loss)
    else:
        optimizer = keras.optimizers.Adam(1e-3)
        row_losses = partial(keras.losses.sparse_categorical_crossentropy, from_logits=True)

    def loss_of(x, y):
        prediction = mixed(x, training=True)
        return tf.add_n([tf.reduce_mean(row_losses(y, prediction)), *mixed.losses])

    return mixed, optimizer, loss_of


def records_of_a_generator(model, strategy, train_data, epochs=1):
    """Each step yields a record; counts, streaks and the history are read off the list of them."""
    mixed = _prepared(model, strategy)
    records = []

    def scale_now():
        scale, row = float(strategy.loss_scale), 0
        for record in records:
            row = 0 if record["bad"] else row + 1
            if record["bad"]:
                scale = max(scale / 2, 1.0)
            elif row == strategy.growth_interval:
                scale, row = scale * 2, 0
        return scale

    def streak(name):
        return len(list(takewhile(lambda record: record["scale"] == 1 and name in record["bad"], reversed(records))))

    def numbered_batches():
        for epoch in range(epochs):
            whole = train_data
            if isinstance(train_data, tuple):
                whole = tf.data.Dataset.zip(tuple(map(tf.data.Dataset.from_tensor_slices, train_data))).batch(32)
            for number, batch in enumerate(whole):
                yield epoch, number, batch

    def steps():
        for epoch, number, (x, y) in numbered_batches():
            scale = scale_now()
            layers = {layer.name: layer.trainable_variables for layer in mixed.layers}
            with tf.GradientTape() as tape:
                loss = mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))
                scaled = scale * loss
            gradients = {
                (name, place): tf.convert_to_tensor(gradient) / scale
                for name, own in tape.gradient(scaled, layers).items()
                for place, gradient in enumerate(own)
                if gradient is not None
            }
            bad = {name for (name, _), gradient in gradients.items() if not _finite(gradient)}
            if not bad:
                mixed.optimizer.apply(gradients.values(), [layers[name][place] for name, place in gradients])
            yield {"epoch": epoch, "step": number, "scale": scale, "loss": float(loss), "bad": bad}

    demoted, scales = [], {}
    for record in steps():
        records.append(record)
        scales[record["epoch"]] = scale_now()
        for layer in mixed.layers:
            if layer.compute_dtype != "float32" and streak(layer.name) >= strategy.demote_after:
                layer.dtype_policy = "float32"
                demoted.append({"layer": layer.name, "epoch": record["epoch"], "step": record["step"]})
    history = {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": demoted}
    for epoch in range(epochs):
        own = [record for record in records if record["epoch"] == epoch]
        taken = [record["loss"] for record in own if not record["bad"]]
        history["loss"].append(fmean(taken) if taken else math.nan)
        history["loss_scale"].append(scales.get(epoch, scale_now()))
        history["skipped_steps"].append(len(own) - len(taken))
    return mixed, history


class _Scaler:
    def __init__(self, scale, growth_interval):
        self.scale, self._growth_interval, self._left = float(scale), growth_interval, growth_interval

    def loss(self, loss):
        return loss * self.scale

    def gradient(self, gradient):
        return tf.convert_to_tensor(gradient) / self.scale

    def update(self, finite):
        self._left = self._left - 1 if finite else self._growth_interval
        if not finite:
            self.scale = max(self.scale / 2, 1.0)
        elif self._left == 0:
            self.scale, self._left = self.scale * 2, self._growth_interval


class _WatchedLayer:
    def __init__(self, layer, patience):
        self.layer, self.patience, self.count, self.gradients = layer, patience, 0, []

    @property
    def variables(self):
        return self.layer.trainable_variables

    def take(self, gradients):
        self.gradients = gradients
        self.finite = all(_is_fine(gradient) for gradient in gradients)
        return self.finite

    def is_tired(self, scale):
        self.count = self.count + 1 if scale == 1 and not self.finite else 0
        return self.count >= self.patience and self.layer.compute_dtype != "float32"

    def demote(self):
        self.layer.dtype_policy = keras.DTypePolicy("float32")

    def apply(self):
        return [(g, v) for g, v in zip(self.gradients, self.variables, strict=True) if g is not None]


class _Session:
    def __init__(self, model, strategy):
        self.mixed = _prepared(model, strategy)
        self.scaler = _Scaler(strategy.loss_scale, strategy.growth_interval)
        self.watched = [_WatchedLayer(layer, strategy.demote_after) for layer in self.mixed.layers]
        self.demoted = []

    def step(self, x, y):
        """The loss, or None where the step was skipped, and who went to float32."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in self.mixed.trainable_variables])
            loss = self.mixed.compute_loss(x=x, y=y, y_pred=self.mixed(x, training=True))
            scaled = self.scaler.loss(loss)
        gradients = tape.gradient(scaled, [watched.variables for watched in self.watched])
        unscaled = [[None if g is None else self.scaler.gradient(g) for g in own] for own in gradients]
        finite = all([watched.take(own) for watched, own in zip(self.watched, unscaled, strict=True)])
        if finite:
            self.mixed.optimizer.apply_gradients([pair for watched in self.watched for pair in watched.apply()])
        tired = [watched for watched in self.watched if watched.is_tired(self.scaler.scale)]
        for watched in tired:
            watched.demote()
        self.scaler.update(finite)
        return (float(loss) if finite else None), [watched.layer.name for watched in tired]

    def epoch(self, epoch, batches):
        losses = []
        for number, (x, y) in enumerate(batches):
            loss, tired = self.step(x, y)
            losses.append(loss)
            self.demoted.extend({"layer": name, "epoch": epoch, "step": number} for name in tired)
        taken = [loss for loss in losses if loss is not None]
        return sum(taken) / len(taken) if taken else math.nan, self.scaler.scale, losses.count(None)


def three_small_classes(model, strategy, train_data, epochs=1):
    if isinstance(train_data, tuple):
        train_data = tf.data.Dataset.from_tensor_slices(train_data).batch(32)
    session = _Session(model, strategy)
    rows = [session.epoch(epoch, train_data) for epoch in range(epochs)]
    losses, scales, skipped = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    return session.mixed, {
        "loss": losses,
        "loss_scale": scales,
        "skipped_steps": skipped,
        "demoted": session.demoted,
    }


def bookkeeping_in_the_graph(model, strategy, train_data, epochs=1):
    """The scale and all counts are TensorFlow variables; Python only changes policies, and then traces again."""
    if isinstance(train_data, tuple):
        train_data = tf.data.Dataset.from_tensor_slices(train_data).batch(32)
    mixed = _prepared(model, strategy)
    layers = [layer for layer in mixed.layers if layer.trainable_variables]
    scale, row = tf.Variable(float(strategy.loss_scale)), tf.Variable(0)
    strikes = tf.Variable(tf.zeros(len(layers), tf.int32))
    total, taken, skipped = tf.Variable(0.0), tf.Variable(0), tf.Variable(0)

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))
            scaled = loss * scale
        nested = tape.gradient(scaled, [layer.trainable_variables for layer in layers])
        verdicts, gradients, variables = [], [], []
        for layer, own in zip(layers, nested, strict=True):
            verdict = tf.constant(True)
            for gradient, variable in zip(own, layer.trainable_variables, strict=True):
                if gradient is not None:
                    gradients.append(tf.convert_to_tensor(gradient) / scale)
                    variables.append(variable)
                    verdict = tf.logical_and(verdict, _finite(gradients[-1]))
            verdicts.append(verdict)
        verdicts = tf.stack(verdicts)
        strikes.assign(tf.where(tf.logical_and(scale == 1.0, tf.logical_not(verdicts)), strikes + 1, 0))

        def take():
            mixed.optimizer.apply(gradients, variables)
            total.assign_add(loss)
            taken.assign_add(1)
            row.assign_add(1)
            grows = tf.equal(row, strategy.growth_interval)
            scale.assign(tf.where(grows, scale * 2.0, scale))
            row.assign(tf.where(grows, 0, row))
            return tf.constant(True)

        def skip():
            skipped.assign_add(1)
            row.assign(0)
            scale.assign(tf.maximum(scale / 2.0, 1.0))
            return tf.constant(False)

        tf.cond(tf.reduce_all(verdicts), take, skip)
        return strikes >= strategy.demote_after

    traced = tf.function(step, autograph=False, reduce_retracing=True)
    history = {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": []}
    for epoch in range(epochs):
        for variable in (total, taken, skipped):
            variable.assign(tf.zeros_like(variable))
        for number, (x, y) in enumerate(train_data):
            tired = traced(x, y).numpy()
            going = [layer for layer in compress(layers, tired) if layer.compute_dtype != "float32"]
            for layer in going:
                layer.dtype_policy = keras.DTypePolicy("float32")
                history["demoted"].append({"layer": layer.name, "epoch": epoch, "step": number})
            if going:
                traced = tf.function(step, autograph=False, reduce_retracing=True)
        history["loss"].append(float(total) / int(taken) if taken > 0 else math.nan)
        history["loss_scale"].append(float(scale))
        history["skipped_steps"].append(int(skipped))
    return mixed, history


def apply_first_and_roll_back(model, strategy, train_data, epochs=1):
    """Every step is applied, and taken back where a gradient was not finite. The scale is the upstream gradient, and
    the copies' policy is the global one for as long as a copy is made."""
    single = {model.layers[-1].name, *strategy.keep_float32}
    half = strategy.compute_dtype if strategy.compute_dtype == "float32" else f"mixed_{strategy.compute_dtype}"

    def rebuilt(source):
        config = source.get_config()
        for entry in config["layers"]:
            if entry["class_name"] != "InputLayer":
                del entry["config"]["dtype"]
            if entry["config"]["name"] in single:
                entry["config"]["dtype"] = "float32"
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(half)
        try:
            copy = type(source).from_config(config)
        finally:
            keras.config.set_dtype_policy(before)
        copy.set_weights(source.get_weights())
        return copy

    mixed = rebuilt(model)
    if model.compiled:
        optimizer, loss = type(model.optimizer).from_config(model.optimizer.get_config()), model.loss
    else:
        optimizer, loss = keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    mixed.compile(optimizer=optimizer, loss=loss, auto_scale_loss=False)
    optimizer.build(mixed.trainable_variables)
    data = train_data
    if isinstance(train_data, tuple):
        data = [tuple(part[start : start + 32] for part in train_data) for start in range(0, len(train_data[0]), 32)]

    def attempt(x, y, scale):
        """Apply, whatever comes; the loss and the layers that overflowed."""
        with tf.GradientTape() as tape:
            value = mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))
        names = [layer.name for layer in mixed.layers for _ in layer.trainable_variables]
        variables = [variable for layer in mixed.layers for variable in layer.trainable_variables]
        gradients = tape.gradient(value, variables, output_gradients=tf.constant(scale))
        found = [
            (tf.convert_to_tensor(gradient) / scale, variable, name)
            for gradient, variable, name in zip(gradients, variables, names, strict=True)
            if gradient is not None
        ]
        mixed.optimizer.apply([gradient for gradient, _, _ in found], [variable for _, variable, _ in found])
        return float(value), {name for gradient, _, name in found if not _finite(gradient)}

    scale, row, counts = float(strategy.loss_scale), 0, dict.fromkeys((layer.name for layer in model.layers), 0)
    history = {key: [] for key in ("loss", "loss_scale", "skipped_steps", "demoted")}
    for epoch in range(epochs):
        losses, skipped = [], 0
        for number, (x, y) in enumerate(data):
            saved = [(v, v.numpy()) for v in [*mixed.trainable_variables, *mixed.optimizer.variables]]
            value, overflowed = attempt(x, y, scale)
            for name in counts:
                counts[name] = counts[name] + 1 if scale == 1.0 and name in overflowed else 0
            if overflowed:
                for variable, old in saved:
                    variable.assign(old)
                skipped, row, scale = skipped + 1, 0, max(scale / 2, 1.0)
            else:
                losses.append(value)
                row = (row + 1) % strategy.growth_interval
                scale = scale if row else scale * 2
            tired = [name for name in counts if counts[name] >= strategy.demote_after and name not in single]
            if tired and half != "float32":
                single.update(tired)
                history["demoted"].extend({"layer": name, "epoch": epoch, "step": number} for name in tired)
                old, mixed = mixed, rebuilt(mixed)
                fresh = type(old.optimizer).from_config(old.optimizer.get_config())
                mixed.compile(optimizer=fresh, loss=loss, auto_scale_loss=False)
                fresh.build(mixed.trainable_variables)
                for new_variable, old_variable in zip(fresh.variables, old.optimizer.variables, strict=True):
                    new_variable.assign(old_variable)
        history["loss"].append(float(np.mean(losses)) if losses else float("nan"))
        history["loss_scale"].append(scale)
        history["skipped_steps"].append(skipped)
    return mixed, history
