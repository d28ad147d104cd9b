"""The data that the course trains on: small, real, split once and for all.

>>> data = digits()
>>> [len(part.y) for part in (data.train, data.validation, data.test)]
[1200, 200, 397]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["DataUnavailable", "Examples", "Splits", "digits", "fashion_mnist"]

# One image of the test set is a quarter of a point.
_DIGITS_TEST, _DIGITS_VALIDATION = 397, 200
_FASHION_VALIDATION = 10_000


class DataUnavailable(RuntimeError):
    """The data are not on this machine and could not be fetched."""


class Examples(NamedTuple):
    """Inputs, float32 from 0 to 1 with the examples along the first axis, and labels, int64."""

    x: np.ndarray
    y: np.ndarray


class Splits(NamedTuple):
    """Examples to learn from, to choose settings on, and to report on. No example is in two of them."""

    train: Examples
    validation: Examples
    test: Examples

    @property
    def train_and_validation(self) -> Examples:
        """What to train on once the settings are chosen, before the test."""
        return Examples(*map(np.concatenate, zip(self.train, self.validation, strict=True)))


def digits() -> Splits:
    """8×8 images of handwritten digits, as rows of 64 numbers, 1,797 in all; scikit-learn has them in its wheel.

    The classes have the same shares in each part, and the parts are the same on every machine.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    everything = Examples((x / 16).astype(np.float32), y.astype(np.int64))
    rest, test = _stratified(everything, _DIGITS_TEST)
    return Splits(*_stratified(rest, _DIGITS_VALIDATION), test)


def fashion_mnist() -> Splits:
    """28×28 images of clothes, 50,000 to train on, 10,000 to validate and 10,000 to test; 31 MB from the network once.

    Raises:
        DataUnavailable: there is no network and no earlier download.
    """
    import keras

    try:
        (x, y), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise DataUnavailable(
            "Fashion-MNIST is downloaded once (31 MB, from storage.googleapis.com), and that did not work: "
            f"{error}. Without a network use halfbits.data.digits(), which needs none."
        ) from error
    rest, test = (Examples((a / 255).astype(np.float32), b.astype(np.int64)) for a, b in ((x, y), (x_test, y_test)))
    return Splits(*_stratified(rest, _FASHION_VALIDATION), test)


def _stratified(examples: Examples, held_out: int) -> tuple[Examples, Examples]:
    """The examples in two parts, shuffled, with the same share of each class."""
    from sklearn.model_selection import train_test_split

    x, x_out, y, y_out = train_test_split(*examples, test_size=held_out, stratify=examples.y, random_state=0)
    return Examples(x, y), Examples(x_out, y_out)
