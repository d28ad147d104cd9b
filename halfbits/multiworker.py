"""Data-parallel training by several worker processes on this machine: tf.distribute.MultiWorkerMirroredStrategy.

`train` starts the workers, gives each its share of every batch, and brings back what they measured. The gradients are
averaged over all workers in a dtype of your choice: that is what goes over the wire.

TensorFlow's server listens on every network interface, whatever address it is given, and asks for no password. So the
workers run in a network of their own (`halfbits.loopback`); without one they do not start unless you say so.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from halfbits.loopback import NOT_POSSIBLE

__all__ = ["NotApart", "Report", "Run", "WorkersFailed", "train"]

_ROOT = Path(__file__).resolve().parents[1]
_BATCH, _RATE = 128, 0.2


@dataclass(frozen=True)
class Run:
    """One training run.

    Args:
        payload_bytes: the gradients of one worker in one step, in the dtype that they are averaged in.
        wire_bytes: what the loopback device carried per step, for all workers together; None where the system does
            not count it (only Linux does).
        unchanged: the share of one worker's gradient entries in the last step that the cast left as they were.
        step_seconds: the median step.
        test_accuracy: after the last step.
        weights: the variables after the last step, as NumPy arrays.
        workers_agree: whether all workers ended with the same bits.
    """

    payload_bytes: int
    wire_bytes: float | None
    unchanged: float
    step_seconds: float
    test_accuracy: float
    weights: list
    workers_agree: bool


@dataclass(frozen=True)
class Report:
    """What the workers did.

    Args:
        runs: by the name under `reduce_in`.
        fit_error: what Keras's own `fit` raised in the same workers, as "type: first line"; None where it trained.
    """

    runs: dict[str, Run]
    fit_error: str | None


class WorkersFailed(RuntimeError):
    """A worker ended with an error, or not in time; the message holds the end of what they wrote."""


class NotApart(RuntimeError):
    """This system does not let the workers have a network of their own."""


def train(
    reduce_in: Sequence[str] = ("keras", "float32", "bfloat16"),
    policy: str = "mixed_bfloat16",
    workers: int = 2,
    steps: int = 24,
    width: int = 1024,
    seconds: float = 240,
    open_ports: bool = False,
) -> Report:
    """Train a network of two hidden layers on the digits, in worker processes that share the work.

    Every run begins with the same weights and takes the same batches of 128, `128 / workers` examples a worker. The
    workers compute on the CPU.

    Args:
        reduce_in: one run for each: a dtype to average the gradients in, or "keras", which leaves it to Keras.
        policy: the dtype policy of the model, one that needs no loss scaling.
        workers: how many processes.
        steps: how many steps a run, at least 2; the first is not measured, for it traces the function.
        width: units of each hidden layer.
        seconds: the time limit for all of it.
        open_ports: whether the workers may run in the machine's own network, where there can be none apart. Their
            ports are then open to whoever reaches this machine.

    Raises:
        ValueError: there are fewer than 2 steps. Nothing was started.
        NotApart: there can be no network apart, and `open_ports` is off. Nothing was started.
        WorkersFailed: a worker failed or the time is up. No worker is left running.
    """
    if steps < 2:
        raise ValueError(f"steps must be at least 2, for the first is not measured; it is {steps}")
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="halfbits-workers-") as name:
        folder = Path(name)
        job = {"reduce_in": list(reduce_in), "policy": policy, "workers": workers, "steps": steps, "width": width}
        _run_cluster({**job, "folder": name}, folder, seconds, open_ports)
        told = [json.loads((folder / f"{task}.json").read_text()) for task in range(workers)]
        runs = {}
        for run in reduce_in:
            ended = []
            for task in range(workers):
                with np.load(folder / f"{task}-{run}.npz") as arrays:
                    ended.append([arrays[key] for key in arrays.files])
            agree = all(np.array_equal(a, b) for other in ended[1:] for a, b in zip(ended[0], other, strict=True))
            runs[run] = Run(**told[0]["runs"][run], weights=ended[0], workers_agree=agree)
        return Report(runs, told[0]["fit_error"])


def _run_cluster(job: dict, folder: Path, seconds: float, open_ports: bool) -> None:
    command = [sys.executable, "-m", "halfbits.multiworker", "cluster", json.dumps(job)]
    apart = [sys.executable, "-m", "halfbits.loopback", *command]
    log = folder / "cluster.log"
    with log.open("wb") as output:
        code = _run(apart, output, seconds)
        if code == NOT_POSSIBLE:
            if not open_ports:
                raise NotApart(
                    f"The workers cannot have a network of their own ({log.read_text().strip()}), and TensorFlow's "
                    "ports would be open to everybody who reaches this machine. train(open_ports=True) runs them "
                    "all the same."
                )
            code = _run(command, output, seconds)
    if code:
        why = f"did not end within {seconds:g} s" if code is _TOO_LATE else f"ended with {code}"
        logs = "\n".join(each.read_text(errors="replace")[-1500:] for each in sorted(folder.glob("*.log")))
        raise WorkersFailed(f"The workers {why}:\n{logs}")


_TOO_LATE = "too late"


def _run(command: list[str], output, seconds: float) -> int | str:
    """Run a command and all that it starts, at most so long; its exit status."""
    group = {"start_new_session": True} if hasattr(os, "killpg") else {}
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **group)
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return _TOO_LATE
    finally:  # also where the reader interrupts the cell
        if group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


# ── the process that starts the workers and waits for them ──


def _cluster(job: dict) -> int:
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(job["workers"])]
    workers = []
    for task in range(job["workers"]):
        place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": task}}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(place),
            "CUDA_VISIBLE_DEVICES": "-1",  # they would fight for one GPU
            "KERAS_BACKEND": "tensorflow",
        }
        with open(Path(job["folder"]) / f"worker-{task}.log", "wb") as log:
            command = [sys.executable, "-m", "halfbits.multiworker", "worker", json.dumps(job)]
            workers.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    # One that has failed leaves the others waiting for it: stop at the first.
    while any(worker.poll() is None for worker in workers) and not any(worker.poll() for worker in workers):
        time.sleep(0.05)
    for worker in workers:
        worker.kill()
    return next((worker.returncode for worker in workers if worker.returncode), 0)


def _free_ports(count: int) -> list[int]:
    """Ports of the loopback device that nothing listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


# ── a worker ──


def _worker(job: dict) -> None:
    import keras
    import tensorflow as tf

    from halfbits.data import digits

    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # reads TF_CONFIG and waits for the other workers
    task = strategy.cluster_resolver.task_id
    data = digits()
    runs = {run: _train(keras, tf, strategy, job, run, task, data) for run in job["reduce_in"]}
    told = {"runs": runs, "fit_error": _fit(keras, strategy, job, data)}
    (Path(job["folder"]) / f"{task}.json").write_text(json.dumps(told))


def _train(keras, tf, strategy, job: dict, run: str, task: int, data) -> dict:
    import numpy as np

    with strategy.scope():  # a variable made in here is mirrored: each worker has a copy, all begin alike
        model = _model(keras, job)
        optimizer = keras.optimizers.SGD(_RATE)
        optimizer.build(model.trainable_variables)
    variables = model.trainable_variables
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    dtype = tf.float32 if run == "keras" else tf.as_dtype(run)

    def replica_step(x, y):
        with tf.GradientTape() as tape:
            loss = cross_entropy(y, model(x, training=True))
        gradients = tape.gradient(loss, variables)  # float32, like the variables
        if run == "keras":  # its optimizers *sum* over the workers, so the mean needs a division
            optimizer.apply([g / job["workers"] for g in gradients], variables)
            return tf.constant(1.0)
        sent = [tf.cast(g, dtype) for g in gradients]
        mean = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, sent)
        for variable, g in zip(variables, mean, strict=True):
            variable.value.assign_sub(_RATE * tf.cast(g, tf.float32))
        same = [tf.reduce_sum(tf.cast(tf.cast(s, g.dtype) == g, g.dtype)) for s, g in zip(sent, gradients, strict=True)]
        return tf.add_n(same) / sum(v.value.shape.num_elements() for v in variables)

    @tf.function
    def step(x, y):
        return strategy.run(replica_step, args=(x, y))

    examples = data.train_and_validation
    order = np.random.default_rng(0)  # the same in every worker
    seconds, carried = [], None
    for number in range(job["steps"]):
        mine = order.choice(len(examples.y), _BATCH, replace=False)[task :: job["workers"]]
        x, y = tf.constant(examples.x[mine]), tf.constant(examples.y[mine])
        began = time.perf_counter()
        unchanged = float(step(x, y))
        seconds.append(time.perf_counter() - began)
        if number == 0:  # traced, warm, and all workers here: count from now on
            carried = _loopback_bytes()
    after = _loopback_bytes()
    np.savez(Path(job["folder"]) / f"{task}-{run}.npz", *(np.asarray(v) for v in variables))
    logits = np.asarray(model(data.test.x, training=False))
    return {
        "payload_bytes": sum(int(np.prod(v.shape)) for v in variables) * dtype.size,
        "wire_bytes": None if carried is None else (after - carried) / (job["steps"] - 1),
        "unchanged": unchanged,
        "step_seconds": float(np.median(seconds[1:])),
        "test_accuracy": float(np.mean(logits.argmax(axis=1) == data.test.y)),
    }


def _model(keras, job: dict):
    from halfbits.models import mlp

    keras.config.set_dtype_policy(job["policy"])
    model = mlp(keras, hidden=(job["width"], job["width"]), seed=0)
    model.add(keras.layers.Activation("linear", dtype="float32", name="float32_logits"))
    return model


def _fit(keras, strategy, job: dict, data) -> str | None:
    """What Keras's own `fit` says to this strategy."""
    try:
        with strategy.scope():
            model = _model(keras, {**job, "width": 8})
            model.compile(keras.optimizers.SGD(_RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(*data.train, batch_size=_BATCH, epochs=1, verbose=0)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return None


def _loopback_bytes() -> int | None:
    """What the loopback device has sent since it came up."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/dev").read_text().splitlines():
            name, _, counters = line.partition(":")
            if name.strip() == "lo":
                return int(counters.split()[8])
    return None


if __name__ == "__main__":
    if sys.argv[1] == "cluster":
        sys.exit(_cluster(json.loads(sys.argv[2])))
    _worker(json.loads(sys.argv[2]))
