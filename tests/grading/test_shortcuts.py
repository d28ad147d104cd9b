"""A library call that does the whole exercise is caught, however it is reached."""

import importlib

import ml_dtypes
import numpy as np
import pytest
from ml_dtypes import bfloat16 as short

from halfbits.formats import BF16
from halfbits.grading import grade
from halfbits.grading.exercise import load_solutions, units

RIGHT = load_solutions(units()[0])["round_to_bfloat16"]


def by_module(x):
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


def by_name_imported(x):
    return x.astype(short).astype(np.float32)


def by_import_inside(x):
    import ml_dtypes as anything

    return x.astype(anything.bfloat16).astype(np.float32)


def by_dtype_name(x):
    return x.astype("bfloat16").astype(np.float32)


def by_dtype_name_in_a_generator(x):
    return np.array(list(v.astype("bfloat16") for v in x.ravel())).astype(np.float32).reshape(x.shape)


def by_dtype_name_in_a_list(x):
    return np.array([v.astype("bfloat16") for v in x.ravel()]).astype(np.float32).reshape(x.shape)


def by_dtype_name_in_a_lambda(x):
    return (lambda value: value.astype("bfloat16"))(x).astype(np.float32)


def by_dtype_name_of_a_helper(x):
    return x.astype(dtype_name()).astype(np.float32)


def dtype_name():
    return "bfloat16"


def helper(x):
    return x.astype(ml_dtypes.bfloat16)


def by_helper(x):
    return helper(x).astype(np.float32)


def by_inner_function(x):
    def inner(value):
        return value.astype(short)

    return inner(x).astype(np.float32)


def by_lambda_default(x):
    return (lambda value: value.astype(ml_dtypes.bfloat16))(x).astype(np.float32)


def by_the_courses_own_package(x):
    return BF16.round(x).astype(np.float32)


def by_import_module(x):
    return x.astype(importlib.import_module("ml_dtypes").bfloat16).astype(np.float32)


def by_closure():
    dtype = ml_dtypes.bfloat16
    return lambda x: x.astype(dtype).astype(np.float32)


SHORTCUTS = [
    by_module,
    by_name_imported,
    by_import_inside,
    by_dtype_name,
    by_dtype_name_in_a_generator,
    by_dtype_name_in_a_list,
    by_dtype_name_in_a_lambda,
    by_dtype_name_of_a_helper,
    by_helper,
    by_inner_function,
    by_lambda_default,
    by_the_courses_own_package,
    by_import_module,
    by_closure(),
]


@pytest.mark.parametrize("shortcut", SHORTCUTS, ids=lambda f: f.__qualname__.split(".")[0])
def test_a_shortcut_is_caught(shortcut):
    report = grade(shortcut, "round_to_bfloat16")
    assert report.outcome == "failed"
    assert "shortcut" in report.summary
    assert "without" in report.failures[0].name


def test_naming_it_in_the_docstring_is_allowed():
    def documented(x):
        """Rounds to bfloat16, as ml_dtypes would."""
        return RIGHT(x)

    assert grade(documented, "round_to_bfloat16").passed


def test_naming_it_in_the_docstring_of_an_inner_function_is_allowed():
    def documented(x):
        def inner():
            """bfloat16"""
            return RIGHT(x)

        return inner()

    assert grade(documented, "round_to_bfloat16").passed


def test_a_name_of_its_own_is_not_the_global_of_that_name():
    def shadowing(x):
        short = RIGHT

        def inner():
            return short(x)

        return inner()

    assert grade(shadowing, "round_to_bfloat16").passed
