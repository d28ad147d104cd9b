"""The quizzes: well-formed, and every wrong option says why it is wrong."""

import ml_dtypes
import numpy as np
import pytest

from halfbits.questions import (
    mixed_precision,
    number_formats,
    pruning,
    putting_it_together,
    quantization,
    quantization_aware_training,
    why_mixed_precision,
)

QUIZZES = [
    why_mixed_precision,
    number_formats,
    mixed_precision,
    quantization,
    quantization_aware_training,
    pruning,
    putting_it_together,
]


@pytest.mark.parametrize("module", QUIZZES)
def test_every_question_has_one_right_answer_and_reasons(module):
    quiz = module.quiz()
    for item in quiz:
        right = [a for a in item["answers"] if a.get("correct")]
        assert len(right) == 1, item["question"]
        assert all(len(a["feedback"]) > 15 for a in item["answers"]), item["question"]
        texts = [a.get("answer", a.get("value")) for a in item["answers"]]
        assert len(set(texts)) == len(texts), item["question"]


def test_numeric_answers_agree_with_the_libraries():
    quiz = number_formats.quiz()
    values = [a["value"] for item in quiz if item["type"] == "numeric" for a in item["answers"] if a.get("correct")]
    integers = np.arange(1, 4096)
    missing = integers[integers.astype(np.float16).astype(int) != integers][0]
    ones = np.ones(1000, ml_dtypes.bfloat16)
    stalled = float(np.add.accumulate(ones)[-1])
    assert values == [missing, stalled]
