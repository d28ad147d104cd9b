"""Natural slips in our solution of a task are named, though a misconception does not repeat them to the last digit."""

import inspect
import sys

import pytest

from halfbits.grading import grade
from halfbits.grading.exercise import find, load_solutions
from tests.grading.mutants import Mutant, made

pytestmark = pytest.mark.thorough

SLIPS = {
    "range_of_all_batches": (
        "0.9 * self.range + 0.1 * seen",
        "tf.stack([tf.minimum(self.range[0], seen[0]), tf.maximum(self.range[1], seen[1])])",
    ),
    "average_too_slow": ("0.9 * self.range + 0.1 * seen", "0.99 * self.range + 0.01 * seen"),
    "activations_of_8_bits": ("bits = strategy.activation_bits", "bits = 8"),
    "weight_bits_for_all": ("bits = strategy.activation_bits", "bits = self.weight_bits"),
    "mean_with_the_wrong_sign": ("(bias - norm.moving_mean.numpy())", "(bias + norm.moving_mean.numpy())"),
    "schedule_without_epoch_0": (
        "bits = strategy.schedule.get(epoch, bits)",
        "bits = strategy.schedule.get(epoch, bits) if epoch else bits",
    ),
}


@pytest.mark.parametrize("misconception", SLIPS)
def test_a_slip_is_named(misconception):
    exercise = find("quantization_aware_training")
    solution = load_solutions(exercise.unit)[exercise.name]
    before, after = SLIPS[misconception]
    source = inspect.getsource(solution)
    assert source.count(before) == 1
    slip = Mutant(exercise.name, misconception, source.replace(before, after))
    report = grade(made(slip, vars(sys.modules[solution.__module__])))
    assert not report.passed
    assert report.misconception == misconception, str(report)
