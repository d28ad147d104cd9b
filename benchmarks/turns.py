"""What the benchmarks of training steps share: random data, and two trainings that take turns."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from halfbits.measure import Times

BATCH = 128


def examples(width: int, steps: int) -> tf.data.Dataset:
    """So many batches, in memory."""
    random = np.random.default_rng(0)
    x, y = random.random((BATCH * steps, width), np.float32), random.integers(0, 10, BATCH * steps)
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).cache()


def seconds_of(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class TakingTurns:
    """A data set for a loop of ours that has another model train an epoch before each of ours, and times both.

    Args:
        theirs: trains the other model for an epoch.
        data: the examples; our loop gets them from here.
    """

    def __init__(self, theirs: Callable[[], object], data: tf.data.Dataset):
        self._theirs, self._data, self.element_spec = theirs, data, data.element_spec
        self._seconds: dict[str, list[float]] = {"ours": [], "theirs": []}

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self):
        self._seconds["theirs"].append(seconds_of(self._theirs))
        start = time.perf_counter()
        yield from self._data
        self._seconds["ours"].append(time.perf_counter() - start)

    def times(self) -> Times:
        """Without the first round, which traces and warms up."""
        return Times({name: seconds[1:] for name, seconds in self._seconds.items()})
