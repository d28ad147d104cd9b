"""Values that pass between checks and answers: copied, compared and shown."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from halfbits.grading.guard import Budget

#: What `difference` says where the two values say it all.
DIFFERENT = "it is another value"

_SHOWING_SECONDS = 1.0
_SHOWN_DEPTH = 6
_SHOWN_ITEMS = 6
_SHOWN_CHARACTERS = 160


def snapshot(value):
    """A copy in which arrays and containers are new; anything else is passed on as it is."""
    if isinstance(value, np.ndarray):
        return _copy_as_laid_out(value)
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(snapshot(item) for item in value)
    return value


def _copy_as_laid_out(array: np.ndarray) -> np.ndarray:
    """A copy with the same strides, so that what fails on a transposed or strided array fails on the copy."""
    low, high = np.lib.array_utils.byte_bounds(array)
    offset = array.__array_interface__["data"][0] - low
    copy = np.ndarray(array.shape, array.dtype, np.empty(high - low, np.uint8), offset, array.strides)
    copy[...] = array
    return copy


def unchanged(now, before) -> bool:
    """Whether a value still equals its snapshot, to the bit."""
    if type(now) is not type(before):
        return False
    if isinstance(before, np.ndarray):
        return now.dtype == before.dtype and now.shape == before.shape and now.tobytes() == before.tobytes()
    if isinstance(before, dict):
        return now.keys() == before.keys() and all(unchanged(now[key], before[key]) for key in before)
    if type(before) in (list, tuple):
        return len(now) == len(before) and all(map(unchanged, now, before))
    return now is before or type(before) is not set or now == before


def difference(got, expected, rtol: float = 0.0, atol: float = 0.0) -> str | None:
    """Why a value is not the expected one, in a sentence, or None where it is.

    The expected value's type says what is asked for: a Python float or int asks for any real scalar of that value
    (NumPy's and TensorFlow's too), a bool for any boolean, an array or a NumPy scalar for its dtype and shape as
    well, a str for that text, a mapping, list or tuple for the same keys or length with values compared likewise.
    NaN equals NaN; zeros differ by their sign.
    """
    got, expected = _to_numpy(got), _to_numpy(expected)
    if got is None and expected is not None:
        return "it returned None"
    if isinstance(expected, Mapping):
        return _mapping_difference(got, expected, rtol, atol)
    if isinstance(expected, (bool, np.bool_)):
        return _bool_difference(got, expected)
    if isinstance(expected, (np.ndarray, np.generic)):
        return _array_difference(got, np.asarray(expected), rtol, atol)
    if isinstance(expected, numbers.Real):
        return _number_difference(got, expected, rtol, atol)
    if isinstance(expected, str):
        return _text_difference(got, expected)
    if type(expected) in (list, tuple):
        return _sequence_difference(got, expected, rtol, atol)
    return None if type(got) is type(expected) and got == expected else DIFFERENT


def _to_numpy(value):
    """A TensorFlow tensor as its NumPy value; anything else as it is."""
    return value.numpy() if hasattr(value, "numpy") and hasattr(value, "dtype") else value


def _kind(value) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    return f"a value of type {type(value).__name__}"


def _text_difference(got, expected: str) -> str | None:
    if not isinstance(got, str):
        return f"it is {_kind(got)}, not a str"
    return None if got == expected else DIFFERENT


def _sequence_difference(got, expected: list | tuple, rtol: float, atol: float) -> str | None:
    if not isinstance(got, type(expected)):  # a named tuple is a tuple
        return f"it is {_kind(got)}, not a {type(expected).__name__}"
    if len(got) != len(expected):
        return f"it has {len(got)} items, not {len(expected)}"
    for index, (item, wanted) in enumerate(zip(got, expected, strict=True)):
        reason = difference(item, wanted, rtol, atol)
        if reason:
            return f"item {index}: {_instead(item, wanted, reason)}"
    return None


def _mapping_difference(got, expected: Mapping, rtol: float, atol: float) -> str | None:
    if not isinstance(got, Mapping):
        return f"it is {_kind(got)}, not a dict"
    missing, extra = [k for k in expected if k not in got], [k for k in got if k not in expected]
    if missing:
        return f"the key {missing[0]!r} is missing"
    if extra:
        return f"the key {extra[0]!r} is one too many"
    for key, value in expected.items():
        reason = difference(got[key], value, rtol, atol)
        if reason:
            return f"{key!r}: {_instead(got[key], value, reason)}"
    return None


def _instead(got, expected, reason: str) -> str:
    return f"{show(got)} instead of {show(expected)}" if reason == DIFFERENT else reason


def _bool_difference(got, expected) -> str | None:
    if not isinstance(got, (bool, np.bool_)) and not (isinstance(got, np.ndarray) and got.dtype == bool):
        return f"it is {_kind(got)}, not a bool"
    if np.ndim(got):
        return f"it is {_kind(got)}, not one bool"
    return None if bool(got) == bool(expected) else DIFFERENT


def _number_difference(got, expected: numbers.Real, rtol: float, atol: float) -> str | None:
    if isinstance(got, (bool, np.bool_)) or not (isinstance(got, numbers.Real) or _is_real_array(got)):
        return f"it is {_kind(got)}, not a number"
    if np.ndim(got):
        return f"it is {_kind(got)}, not one number"
    if isinstance(expected, int):
        # Python compares integers with floats exactly, however large.
        value = got.item() if isinstance(got, (np.ndarray, np.generic)) else got
        return None if value == expected else DIFFERENT
    try:
        return _values_difference(np.asarray(got, np.float64), np.asarray(expected, np.float64), rtol, atol)
    except OverflowError:  # an int or a Fraction beyond float64
        return DIFFERENT


def _is_real_array(value) -> bool:
    if not isinstance(value, (np.ndarray, np.generic)):
        return False
    try:
        value.astype(np.float64)  # ml_dtypes' scalars are numbers too, though NumPy does not count them among them
    except (TypeError, ValueError):
        return False
    return value.dtype.kind not in "cOSU"


def _array_difference(got, expected: np.ndarray, rtol: float, atol: float) -> str | None:
    if not isinstance(got, (np.ndarray, np.generic)):
        return f"it is {_kind(got)}, not a NumPy {'array' if expected.ndim else 'scalar'}"
    got = np.asarray(got)
    if got.dtype != expected.dtype:
        return f"its dtype is {got.dtype}, not {expected.dtype}"
    if got.shape != expected.shape:
        return f"its shape is {got.shape}, not {expected.shape}"
    if expected.dtype.kind in "biuOSU":
        return None if np.array_equal(got, expected) else _first_difference(got != expected)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return _values_difference(got.astype(np.float64), expected.astype(np.float64), rtol, atol)


def _values_difference(got: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> str | None:
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, and of numbers near the largest
        close = np.isfinite(expected) & (np.abs(got - expected) <= atol + rtol * np.abs(expected))
    nan_differs = np.isnan(got) != np.isnan(expected)
    sign_differs = (got == 0) & (expected == 0) & (np.signbit(got) != np.signbit(expected))
    differs = ~((got == expected) | close | np.isnan(expected)) | nan_differs | sign_differs
    if not differs.any():
        return None
    if sign_differs.any() and not (differs & ~sign_differs).any():
        return "the zero has the other sign"
    return _first_difference(differs)


def _first_difference(differs: np.ndarray) -> str:
    if not np.ndim(differs):
        return DIFFERENT
    index = tuple(int(i) for i in np.argwhere(differs)[0])
    place = index[0] if len(index) == 1 else index
    return f"{np.count_nonzero(differs)} of {differs.size} elements differ, the first at index {place}"


def show(value) -> str:
    """A value in one short line, the same under every NumPy version."""
    try:
        return Budget(_SHOWING_SECONDS).run(_shown, (value,))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a learner's own class may do anything
        return f"<{type(value).__name__}, which cannot be shown: {type(error).__name__}>"


def _shown(value, depth: int = _SHOWN_DEPTH) -> str:
    if not depth:
        return "…"
    value = _to_numpy(value)
    if isinstance(value, np.ndarray):
        text = _show_array(value)
    elif isinstance(value, (bool, np.bool_)):
        text = str(bool(value))
    elif isinstance(value, str):
        text = repr(str(value[: 8 * _SHOWN_CHARACTERS]))
    elif isinstance(value, np.generic):
        text = f"{value.dtype}({_show_number(value)})"
    elif isinstance(value, type):
        text = value.__name__
    elif isinstance(value, float):
        text = _show_number(value)
    elif type(value) in (list, tuple):
        text = _show_sequence(value, depth)
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{_shown(key)}: {_shown(item, depth - 1)}" for key, item in value.items()) + "}"
    else:
        text = _safe_repr(value)
    return shortened(text)


def shortened(text: str) -> str:
    """At most so much of a text as a person reads."""
    return text if len(text) <= 4 * _SHOWN_CHARACTERS else text[: 4 * _SHOWN_CHARACTERS] + " …"


def _safe_repr(value) -> str:
    try:
        text = repr(value)
    except Exception as error:  # a learner's __repr__
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    # The address in a default repr is noise.
    return text if " at 0x" not in text else f"<{type(value).__name__}>"


def _show_sequence(items: list | tuple, depth: int) -> str:
    shown = ", ".join(_shown(item, depth - 1) for item in items[:_SHOWN_ITEMS])
    if len(items) > _SHOWN_ITEMS:
        return f"[{shown}, …], {len(items)} items"
    return f"[{shown}]" if isinstance(items, list) else f"({shown}{',' * (len(items) == 1)})"


def _show_array(array: np.ndarray) -> str:
    items = [_show_number(item) for item in array.reshape(-1)[:_SHOWN_ITEMS]]
    dots = ", …" if array.size > _SHOWN_ITEMS else ""
    shape = f", shape={array.shape}" if array.ndim != 1 or dots else ""
    return f"array([{', '.join(items)}{dots}], {array.dtype}{shape})"


def _show_number(number) -> str:
    if isinstance(number, (bool, np.bool_)):
        return str(bool(number))
    if isinstance(number, (int, np.integer)):
        return (
            str(int(number)) if abs(int(number)).bit_length() < 1000 else f"an int of {int(number).bit_length()} bits"
        )
    try:
        value = float(number)
    except (TypeError, ValueError):
        return _safe_repr(number)
    # The exact value where that is short, else the shortest decimal that names it in its own type: for the float32
    # next to 0.1 that is 0.1, not 0.10000000149011612. NumPy's own text for a float16 drops digits: 6.55e+04.
    exact = repr(value)
    if not isinstance(number, np.floating) or number.itemsize == 2:
        return exact
    short = str(number)
    return short if len(exact) > 17 or len(exact) - len(short) > 5 else exact


def in_powers_of_two(number: float) -> str:
    """A number as powers of two next to a whole number, where its decimals are long and the powers few.

    2**-24 is easier to work with by hand than 5.960464477539063e-08.
    """
    shown = repr(number)
    if len(shown) <= 7 or not math.isfinite(number):
        return shown
    whole = round(number) if 0.5 <= abs(number) < 2**17 else 0
    terms = _signed_powers(Fraction(number) - whole)
    if whole:
        terms.insert(0, f"{'-' if whole < 0 else '+'} {abs(whole)}")
    if len(terms) > 3:
        return shown
    return terms[0].replace("+ ", "").replace("- ", "-") + "".join(f" {term}" for term in terms[1:])


def _signed_powers(number: Fraction) -> list[str]:
    """The shortest sum and difference of powers of two that makes the number, largest first."""
    numerator, power, terms = abs(number.numerator), 1 - number.denominator.bit_length(), []
    while numerator:
        digit = 2 - numerator % 4 if numerator % 2 else 0  # 1, 0 or -1
        if digit:
            size = 2**power if power in (0, 1) else f"2**{power}"
            terms.insert(0, f"{'+' if (digit > 0) == (number > 0) else '-'} {size}")
        numerator, power = (numerator - digit) // 2, power + 1
    return terms
