"""halfbits.data: what is in the parts, and that nothing is in two of them."""

import itertools
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest

from halfbits import data
from halfbits.data import digits
from tests.waiting import PATIENCE


def test_the_digits_are_split_as_said():
    splits = digits()
    assert [part.x.shape for part in splits] == [(1200, 64), (200, 64), (397, 64)]
    assert [part.y.shape for part in splits] == [(1200,), (200,), (397,)]
    for x, y in splits:
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert (x.min(), x.max()) == (0, 1)


def test_every_class_has_its_share_in_every_part():
    splits = digits()
    shares = [np.bincount(y, minlength=10) / len(y) for _, y in splits]
    for share in shares:
        np.testing.assert_allclose(share, 0.1, atol=0.006)


def test_every_digit_is_in_one_part_and_no_image_is_in_two():
    from sklearn.datasets import load_digits

    parts = [[row.tobytes() for row in x] for x, _ in digits()]
    everything = [row.tobytes() for row in (load_digits().data / 16).astype(np.float32)]
    assert sorted(itertools.chain(*parts)) == sorted(everything)
    assert sum(len(set(part)) for part in parts) == len(set(everything))


def test_the_images_keep_their_labels():
    from sklearn.datasets import load_digits

    original = load_digits()
    label = {(row / 16).astype(np.float32).tobytes(): y for row, y in zip(original.data, original.target, strict=True)}
    assert all(label[row.tobytes()] == y for part in digits() for row, y in zip(*part, strict=True))


def test_the_split_is_always_the_same():
    for one, other in zip(digits(), digits(), strict=True):
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.y, other.y)


def test_train_and_validation_together():
    splits = digits()
    x, y = splits.train_and_validation
    assert (len(x), len(y)) == (1400, 1400)
    np.testing.assert_array_equal(x[1200:], splits.validation.x)
    np.testing.assert_array_equal(y[:1200], splits.train.y)


def test_the_digits_need_no_tensorflow():
    code = "import sys; from halfbits import data; data.digits(); assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)


@pytest.mark.tensorflow
def test_without_a_network_fashion_mnist_says_what_to_do():
    import keras

    failure = mock.Mock(side_effect=Exception("URL fetch failure"))
    with (
        mock.patch.object(keras.datasets.fashion_mnist, "load_data", failure),
        pytest.raises(data.DataUnavailable, match=r"URL fetch failure.*digits\(\)"),
    ):
        data.fashion_mnist()


@pytest.mark.tensorflow
def test_fashion_mnist_where_it_can_be_had():
    import keras

    random = np.random.default_rng(0)
    labels = np.arange(60_000, dtype=np.uint8) % 10
    images = random.integers(0, 256, (60_000, 28, 28), dtype=np.uint8)
    loaded = (images, labels), (images[:10_000], labels[:10_000])
    with mock.patch.object(keras.datasets.fashion_mnist, "load_data", return_value=loaded):
        splits = data.fashion_mnist()
    assert [part.x.shape for part in splits] == [(50_000, 28, 28), (10_000, 28, 28), (10_000, 28, 28)]
    for x, y in splits:
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert (x.min(), x.max()) == (0, 1)
    np.testing.assert_array_equal(splits.test.x, (images[:10_000] / 255).astype(np.float32))
