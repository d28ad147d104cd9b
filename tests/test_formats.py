"""halfbits.formats held against NumPy, ml_dtypes and exact arithmetic, on every pattern where that is possible.

Two oracles, neither of them ours. NumPy's float16 casts round once, so they are used as they are. ml_dtypes' casts
from float64 go through float32 and round twice (shown below in test_ml_dtypes_rounds_float64_twice): they are
trusted for inputs that are exact in float32, and for the rest we compare with the exact rule, "the nearest of the
values that ml_dtypes decodes, the even pattern on a tie".
"""

import bisect
import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from halfbits.formats import BF16, FORMATS, FP8_E4M3, FP8_E5M2, FP16, FP32, FP64, TF32, FloatFormat

REFERENCE = {
    FP16: np.float16,
    BF16: ml_dtypes.bfloat16,
    FP8_E4M3: ml_dtypes.float8_e4m3fn,
    FP8_E5M2: ml_dtypes.float8_e5m2,
}
IEEE = {FP16: np.float16, FP32: np.float32, FP64: np.float64}

small_formats = pytest.mark.parametrize("fmt", REFERENCE, ids=lambda f: f.name)
every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)


def all_patterns(fmt):
    return np.arange(1 << fmt.bits, dtype=fmt.dtype)


def reference_decode(fmt, patterns):
    with np.errstate(invalid="ignore"):  # a signalling NaN that is widened raises the flag
        return patterns.view(REFERENCE[fmt]).astype(np.float64)


def reference_encode(fmt, values):
    """The cast of the library; only for float64 values that are exact in float32, unless fmt is FP16."""
    with np.errstate(all="ignore"):
        return values.astype(REFERENCE[fmt]).view(fmt.dtype)


def positive_finite(fmt):
    """Every finite value >= 0 in rising order, as the library (not we) decodes it. The index is the pattern."""
    values = reference_decode(fmt, np.arange(1 << (fmt.bits - 1), dtype=fmt.dtype))
    values = values[np.isfinite(values)]
    assert (np.diff(values) > 0).all()
    return values


def sign_bit(fmt):
    return 1 << (fmt.bits - 1)


def bits64(values):
    return np.asarray(values, np.float64).view(np.uint64)


# --- every pattern ---------------------------------------------------------------------------------------------------


@small_formats
def test_every_pattern_decodes_as_the_library_does(fmt):
    patterns = all_patterns(fmt)
    ours, theirs = fmt.decode(patterns), reference_decode(fmt, patterns)
    nan = np.isnan(theirs)
    # Bits, not values: -0.0 == 0.0.
    np.testing.assert_array_equal(bits64(ours)[~nan], bits64(theirs)[~nan])
    # A NaN keeps its sign. Its payload is not compared: hardware sets the quiet bit of a signalling NaN that it
    # widens, and ml_dtypes' conversions drop the payload.
    assert np.isnan(ours[nan]).all()
    np.testing.assert_array_equal(np.signbit(ours[nan]), np.signbit(theirs[nan]))


@small_formats
def test_every_pattern_survives_the_round_trip(fmt):
    patterns = all_patterns(fmt)
    nan = np.isnan(fmt.decode(patterns))
    ours = fmt.encode(fmt.decode(patterns))
    np.testing.assert_array_equal(ours[~nan], patterns[~nan])
    if fmt.keeps_nan_payload:
        np.testing.assert_array_equal(ours, patterns)


@small_formats
def test_every_pattern_reencodes_as_the_library_does(fmt):
    # Both sides encode the same float64 numbers, so NaN too is compared bit for bit.
    values = reference_decode(fmt, all_patterns(fmt))
    np.testing.assert_array_equal(fmt.encode(values), reference_encode(fmt, values))


def test_fp16_nans_with_the_quiet_bit_set_keep_their_payload_as_numpy_does():
    # All 2,046 NaN patterns. Widening float16 to float64 and back, NumPy keeps the payload; whether a signalling
    # NaN (top mantissa bit 0) is quietened on the way depends on the CPU's conversion instruction (F16C sets the
    # bit, NumPy's own C routine does not). So the quiet bit is set on both sides before they are compared.
    patterns = all_patterns(FP16)
    patterns = patterns[np.isnan(FP16.decode(patterns))]
    assert len(patterns) == 2 * (2**10 - 1)
    theirs = reference_encode(FP16, reference_decode(FP16, patterns))
    quiet = np.uint16(0x0200)
    np.testing.assert_array_equal(FP16.encode(FP16.decode(patterns)) | quiet, theirs | quiet)


# --- midpoints -------------------------------------------------------------------------------------------------------


def midpoints(fmt):
    """Between each two neighbours >= 0, and between the maximum and what would follow it with one exponent more."""
    values = positive_finite(fmt)
    return np.append((values[:-1] + values[1:]) / 2, values[-1] + (values[-1] - values[-2]) / 2)


@small_formats
def test_midpoints_are_exact(fmt):
    values, middle = positive_finite(fmt), midpoints(fmt)
    for i in np.linspace(0, len(values) - 2, 200, dtype=int):
        assert 2 * Fraction(middle[i]) == Fraction(values[i]) + Fraction(values[i + 1])


@small_formats
def test_every_midpoint_goes_to_the_even_neighbour_as_in_the_library(fmt):
    # A midpoint needs one bit more than the format, so it is exact in float32 and the library's cast is sound.
    middle = midpoints(fmt)
    assert (middle == middle.astype(np.float32)).all()
    for values, sign in ((middle, 0), (-middle, sign_bit(fmt))):
        ours = fmt.encode(values)
        np.testing.assert_array_equal(ours, reference_encode(fmt, values))
        np.testing.assert_array_equal(ours, (np.arange(len(middle)) + 1) // 2 * 2 + sign)


@small_formats
def test_one_fp64_ulp_beside_every_midpoint_goes_to_the_nearer_neighbour(fmt):
    # The nearer neighbour of what lies strictly between two is known without any library.
    middle, lower = midpoints(fmt), np.arange(len(midpoints(fmt)))
    for sign in (1.0, -1.0):
        offset = sign_bit(fmt) if sign < 0 else 0
        np.testing.assert_array_equal(fmt.encode(sign * np.nextafter(middle, 0)), lower + offset)
        np.testing.assert_array_equal(fmt.encode(sign * np.nextafter(middle, np.inf)), lower + 1 + offset)


def test_one_fp64_ulp_beside_every_midpoint_agrees_with_numpy():
    for beside in (np.nextafter(midpoints(FP16), 0), np.nextafter(midpoints(FP16), np.inf)):
        for values in (beside, -beside):
            np.testing.assert_array_equal(FP16.encode(values), reference_encode(FP16, values))


@pytest.mark.parametrize("fmt", [BF16, FP8_E4M3, FP8_E5M2], ids=lambda f: f.name)
def test_one_fp32_ulp_beside_every_midpoint_agrees_with_ml_dtypes(fmt):
    middle = midpoints(fmt).astype(np.float32)
    for beside in (np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(np.inf))):
        for values in (beside, -beside):
            np.testing.assert_array_equal(fmt.encode(values), reference_encode(fmt, values))


def test_ml_dtypes_rounds_float64_twice():
    # Why the oracle above is not a cast. If this ever fails, ml_dtypes has changed and the cast can be used.
    value = np.nextafter(257.0, np.inf)  # just above the midpoint of 256 and 258
    assert float(np.float64(value).astype(ml_dtypes.bfloat16)) == 256.0
    assert BF16.round(value) == 258.0


# --- random values ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def random_float32():
    rng = np.random.default_rng(20231201)
    patterns = rng.integers(0, 2**32, 1_000_000, dtype=np.uint32)
    special = [0, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF, 1]
    return np.concatenate([patterns, np.array(special, np.uint32)]).view(np.float32)


@small_formats
def test_a_million_random_float32_patterns_encode_as_in_the_library(fmt, random_float32):
    theirs = reference_encode(fmt, random_float32)
    with np.errstate(invalid="ignore"):
        widened = random_float32.astype(np.float64)
    ours = fmt.encode(random_float32)
    nan = np.isnan(random_float32)
    assert nan.sum() > 3000
    assert np.isinf(random_float32).sum() == 2
    np.testing.assert_array_equal(ours[~nan], theirs[~nan])
    # encode takes float64, and hardware that widens a signalling float32 NaN sets its quiet bit; NumPy's cast from
    # float32 to float16 may keep the NaN signalling. So the library too casts the widened NaN, and the quiet bit is
    # set on both sides before they are compared.
    theirs = reference_encode(fmt, widened)
    quiet = np.array(1 << (fmt.mantissa_bits - 1), fmt.dtype)
    np.testing.assert_array_equal(ours[nan] | quiet, theirs[nan] | quiet)


@small_formats
def test_random_values_in_range_go_to_the_nearest_in_exact_arithmetic(fmt):
    # Uniform float32 patterns seldom fall into the narrow formats' range, so draw float64 exponents inside it.
    rng = np.random.default_rng(7)
    values = positive_finite(fmt).tolist()
    low, high = math.log2(values[1]) - 3, math.log2(values[-1])
    for x in np.exp2(rng.uniform(low, high, 2000)).tolist():
        i = min(bisect.bisect_right(values, x) - 1, len(values) - 2)
        below, above = Fraction(x) - Fraction(values[i]), Fraction(values[i + 1]) - Fraction(x)
        nearest = i if below < above or (below == above and i % 2 == 0) else i + 1
        assert fmt.encode(x) == nearest
        assert fmt.encode(-x) == nearest | sign_bit(fmt)


@pytest.mark.parametrize("fmt", IEEE, ids=lambda f: f.name)
def test_random_values_agree_with_the_machine(fmt):
    rng = np.random.default_rng(11)
    bits = rng.integers(0, 2**64, 200_000, dtype=np.uint64)
    values = bits.view(np.float64)
    values = np.append(values[np.isfinite(values)], rng.normal(size=100_000))
    with np.errstate(all="ignore"):
        theirs = values.astype(IEEE[fmt])
    np.testing.assert_array_equal(fmt.encode(values), theirs.view(fmt.dtype))
    np.testing.assert_array_equal(bits64(fmt.decode(theirs.view(fmt.dtype))), bits64(theirs.astype(np.float64)))


# --- FP32, FP64, TF32 ------------------------------------------------------------------------------------------------


def test_fp64_patterns_are_what_they_were():
    rng = np.random.default_rng(3)
    patterns = rng.integers(0, 2**64, 100_000, dtype=np.uint64)
    patterns = np.append(patterns, np.array([0, 1 << 63, 0x7FF << 52, 0xFFF << 52, (0x7FF << 52) | 1], np.uint64))
    np.testing.assert_array_equal(bits64(FP64.decode(patterns)), patterns)
    np.testing.assert_array_equal(FP64.encode(patterns.view(np.float64)), patterns)


def test_fp32_midpoints_and_their_neighbours_agree_with_numpy():
    rng = np.random.default_rng(5)
    edges = [0, 1, 0x007FFFFE, 0x007FFFFF, 0x00800000, 0x3F7FFFFF, 0x3F800000, 0x7F7FFFFE]
    patterns = np.append(rng.integers(0, 0x7F7FFFFF, 50_000), edges).astype(np.uint32)
    low, high = patterns.view(np.float32).astype(float), (patterns + np.uint32(1)).view(np.float32).astype(float)
    middle = (low + high) / 2
    for values in (middle, np.nextafter(middle, 0), np.nextafter(middle, np.inf)):
        np.testing.assert_array_equal(FP32.encode(values), values.astype(np.float32).view(np.uint32))


def test_tf32_is_fp32_with_thirteen_mantissa_bits_fewer():
    assert (TF32.bits, TF32.exponent_bits, TF32.mantissa_bits) == (19, FP32.exponent_bits, FP16.mantissa_bits)
    patterns = np.arange(1 << 19, dtype=np.uint32)
    with np.errstate(invalid="ignore"):
        theirs = (patterns << np.uint32(13)).view(np.float32).astype(np.float64)
    ours = TF32.decode(patterns)
    nan = np.isnan(theirs)
    np.testing.assert_array_equal(bits64(ours)[~nan], bits64(theirs)[~nan])
    np.testing.assert_array_equal(np.isnan(ours), nan)
    np.testing.assert_array_equal(TF32.encode(ours), patterns)


@pytest.mark.parametrize(
    ("fmt", "value", "pattern"),
    [
        (FP32, 1.0, 0x3F800000),
        (FP32, -0.0, 0x80000000),
        (FP32, 0.1, 0x3DCCCCCD),
        (FP32, 3.5e38, 0x7F800000),
        (FP32, 16777217.0, 0x4B800000),
        (FP64, 0.1, 0x3FB999999999999A),
        (FP64, math.inf, 0x7FF0000000000000),
        (TF32, 1.0, 0x1FC00),
        (TF32, 1 + 2**-11, 0x1FC00),
        (TF32, 1 + 3 * 2**-11, 0x1FC02),
        (FP16, 65519.99, 0x7BFF),
        (FP16, 65520.0, 0x7C00),
        (FP16, 2.0**-25, 0x0000),
        (FP16, math.nextafter(2.0**-25, 1), 0x0001),
        (BF16, 257.0, 0x4380),
        (BF16, 259.0, 0x4382),
        (FP8_E4M3, 448.0, 0x7E),
        (FP8_E4M3, 464.0, 0x7E),
        (FP8_E4M3, math.nextafter(464.0, 500), 0x7F),
        (FP8_E4M3, -math.inf, 0xFF),
        (FP8_E5M2, 57344.0, 0x7B),
        (FP8_E5M2, 61440.0, 0x7C),
    ],
)
def test_known_patterns(fmt, value, pattern):
    assert fmt.encode(value) == pattern


# --- limits, ulp, neighbours, classes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fmt", "info"),
    [(f, np.finfo(t)) for f, t in IEEE.items()]
    + [(f, ml_dtypes.finfo(REFERENCE[f])) for f in (BF16, FP8_E4M3, FP8_E5M2)],
    ids=lambda x: getattr(x, "name", ""),
)
def test_limits_are_those_of_finfo(fmt, info):
    ours = fmt.limits
    assert ours.max == float(info.max)
    assert ours.min_normal == float(info.smallest_normal)
    assert ours.min_subnormal == float(info.smallest_subnormal)
    assert ours.epsilon == float(info.eps)
    assert (fmt.exponent_bits, fmt.mantissa_bits, fmt.bits) == (info.iexp, info.nmant, info.bits)


@pytest.mark.parametrize(
    ("fmt", "precision"),
    [(f, np.finfo(t).precision) for f, t in IEEE.items()] + [(BF16, ml_dtypes.finfo(ml_dtypes.bfloat16).precision)],
    ids=lambda x: getattr(x, "name", ""),
)
def test_decimal_digits_are_those_of_finfo(fmt, precision):
    # Not FP8: ml_dtypes says 1 digit there, C's formula floor(mantissa_bits * log10(2)) says 0.
    assert fmt.limits.decimal_digits == precision


@pytest.mark.parametrize(("fmt", "lost"), [(FP16, "2049"), (BF16, "257"), (FP32, "8589973e3")])
def test_so_many_decimal_digits_survive_and_one_more_does_not(fmt, lost):
    # The definition of C's FLT_DIG. Each lost number is rounded to one that reads differently.
    digits = fmt.limits.decimal_digits

    def survives(text, n):
        return float(f"{fmt.round(float(text)):.{n - 1}e}") == float(text)

    rng = np.random.default_rng(1)
    for d in rng.integers(10 ** (digits - 1), 10**digits, 500).tolist():
        assert all(survives(f"{d}e{s}", digits) for s in (-3, -1, 0, 1))
    assert not survives(lost, digits + 1)


def test_limits_of_tf32_lie_between_fp16_and_fp32():
    assert TF32.limits.epsilon == FP16.limits.epsilon
    assert TF32.limits.min_normal == FP32.limits.min_normal
    assert TF32.limits.max == (2 - 2.0**-10) * 2.0**127


@pytest.mark.parametrize("fmt", IEEE, ids=lambda f: f.name)
def test_ulp_is_numpys_spacing(fmt):
    dtype = IEEE[fmt]
    patterns = all_patterns(FP16) if fmt is FP16 else np.random.default_rng(2).integers(0, 2**63, 50_000)
    patterns = (patterns & ((1 << (fmt.bits - 1)) - 1)).astype(fmt.dtype)
    values = patterns.view(dtype)
    values = values[np.isfinite(values) & (values < np.finfo(dtype).max)]
    expected = np.abs(np.spacing(values)).astype(np.float64)
    np.testing.assert_array_equal(fmt.ulp(values.astype(np.float64)), expected)
    np.testing.assert_array_equal(fmt.ulp(-values.astype(np.float64)), expected)


@small_formats
def test_ulp_is_the_gap_above_every_finite_value(fmt):
    values = positive_finite(fmt)
    np.testing.assert_array_equal(fmt.ulp(values[:-1]), np.diff(values))
    np.testing.assert_array_equal(fmt.ulp(midpoints(fmt)[:-1]), np.diff(values))  # not representable: the gap it is in


@every_format
def test_ulp_at_the_ends(fmt):
    limits = fmt.limits
    top_gap = limits.max - fmt.decode(fmt.encode(limits.max) - 1)
    assert fmt.ulp(0.0) == fmt.ulp(-0.0) == fmt.ulp(limits.min_subnormal) == limits.min_subnormal
    assert fmt.ulp(limits.min_normal) == limits.min_subnormal
    assert fmt.ulp(1.0) == limits.epsilon
    assert fmt.ulp(limits.max) == fmt.ulp(-limits.max) == top_gap
    if fmt is not FP64:
        assert fmt.ulp(limits.max * 4) == top_gap
    assert all(math.isnan(fmt.ulp(v)) for v in (math.inf, -math.inf, math.nan))


@small_formats
def test_neighbours_of_every_pattern(fmt):
    patterns = all_patterns(fmt)
    with np.errstate(all="ignore"):
        values = patterns.view(REFERENCE[fmt])
        up = np.nextafter(values, np.array(np.inf, REFERENCE[fmt]))
        down = np.nextafter(values, np.array(-np.inf, REFERENCE[fmt]))
    if fmt is FP8_E4M3:  # no infinity to aim at: use the definition, the next in the order of the values
        finite = np.sort(np.unique(reference_decode(fmt, patterns)))
        finite = finite[np.isfinite(finite)]
        here = reference_decode(fmt, patterns)
        ok = np.isfinite(here)
        index = np.searchsorted(finite, here[ok])
        higher, lower = finite[np.minimum(index + 1, len(finite) - 1)], finite[np.maximum(index - 1, 0)]
        np.testing.assert_array_equal(fmt.decode(fmt.next_up(patterns))[ok], higher)
        np.testing.assert_array_equal(fmt.decode(fmt.next_down(patterns))[ok], lower)
        return
    finite = np.isfinite(reference_decode(fmt, patterns))
    # Values are compared: NumPy and IEEE 754 agree on them; the sign of a zero result is tested below.
    for ours, theirs in ((fmt.next_up(patterns), up), (fmt.next_down(patterns), down)):
        np.testing.assert_array_equal(fmt.decode(ours)[finite], theirs.astype(np.float64)[finite])


@every_format
def test_neighbours_at_zero_and_at_the_ends(fmt):
    zero, minus_zero = 0, sign_bit(fmt)
    top, most_negative = fmt.encode(fmt.limits.max), fmt.encode(-fmt.limits.max)
    assert fmt.next_up(zero) == fmt.next_up(minus_zero) == 1
    assert fmt.next_down(zero) == fmt.next_down(minus_zero) == minus_zero | 1
    assert fmt.next_up(minus_zero | 1) == minus_zero  # IEEE 754-2019, 5.3.1: nextUp(-min) is -0
    assert fmt.next_down(1) == zero
    if fmt.has_infinity:
        infinity = fmt.encode(math.inf)
        assert fmt.next_up(top) == fmt.next_up(infinity) == infinity
        assert fmt.next_down(infinity) == top
        assert fmt.next_up(fmt.encode(-math.inf)) == most_negative
    else:
        assert fmt.next_up(top) == top
        assert fmt.next_down(most_negative) == most_negative
    nan = fmt.encode(math.nan)
    assert fmt.next_up(nan) == fmt.next_down(nan) == nan


@small_formats
def test_next_down_undoes_next_up(fmt):
    patterns = np.arange(1, fmt.encode(fmt.limits.max), dtype=fmt.dtype)
    np.testing.assert_array_equal(fmt.next_down(fmt.next_up(patterns)), patterns)


@small_formats
def test_classes_of_every_pattern(fmt):
    patterns = all_patterns(fmt)
    kinds, counts = np.unique(fmt.classify(patterns), return_counts=True)
    m, e = fmt.mantissa_bits, fmt.exponent_bits
    expected = {
        "zero": 2,
        "subnormal": 2 * (2**m - 1),
        "normal": 2 * (2**e - 2) * 2**m,
        "inf": 2,
        "nan": 2 * (2**m - 1),
    }
    if not fmt.has_infinity:
        expected |= {"normal": expected["normal"] + 2 * (2**m - 1), "nan": 2}
        del expected["inf"]
    assert dict(zip(kinds.tolist(), counts.tolist(), strict=True)) == expected
    values, kind = reference_decode(fmt, patterns), fmt.classify(patterns)
    np.testing.assert_array_equal(kind == "nan", np.isnan(values))
    np.testing.assert_array_equal(kind == "inf", np.isinf(values))
    np.testing.assert_array_equal(kind == "zero", values == 0)
    tiny = float(ml_dtypes.finfo(REFERENCE[fmt]).smallest_normal)
    np.testing.assert_array_equal(kind == "subnormal", (values != 0) & (np.abs(values) < tiny))


@small_formats
def test_fields_put_together_again_are_the_pattern(fmt):
    patterns = all_patterns(fmt)
    sign, exponent, mantissa = (part.astype(np.int64) for part in fmt.fields(patterns))
    again = sign << (fmt.bits - 1) | exponent << fmt.mantissa_bits | mantissa
    np.testing.assert_array_equal(again, patterns)
    assert mantissa.max() < 1 << fmt.mantissa_bits
    assert exponent.max() < 1 << fmt.exponent_bits


# --- shapes, scalars, types, errors ----------------------------------------------------------------------------------

METHODS_ON_PATTERNS = ["decode", "classify", "next_up", "next_down"]
METHODS_ON_VALUES = ["encode", "round", "ulp"]


@every_format
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_arrays_keep_their_shape(fmt, shape):
    patterns, values = np.ones(shape, np.int64), np.full(shape, 1.5)
    for name, argument in [(n, patterns) for n in METHODS_ON_PATTERNS] + [(n, values) for n in METHODS_ON_VALUES]:
        result = getattr(fmt, name)(argument)
        assert isinstance(result, np.ndarray), name
        assert np.shape(result) == shape, name
    assert all(np.shape(part) == shape for part in fmt.fields(patterns))


@every_format
@pytest.mark.parametrize("one", [1, np.uint8(1), np.int64(1)])
def test_scalars_give_python_numbers(fmt, one):
    assert type(fmt.decode(one)) is float
    assert type(fmt.next_up(one)) is int
    assert type(fmt.classify(one)) is str
    assert all(type(part) is int for part in fmt.fields(one))
    for value in (float(one), np.float32(one), np.float64(one), one):
        assert type(fmt.encode(value)) is int
        assert type(fmt.round(value)) is float
        assert type(fmt.ulp(value)) is float


@every_format
def test_array_results_have_the_documented_types(fmt):
    patterns = [0, 1, 2]
    assert fmt.decode(patterns).dtype == fmt.round([1.0]).dtype == fmt.ulp([1.0]).dtype == np.float64
    assert fmt.encode([1.0]).dtype == fmt.next_up(patterns).dtype == fmt.next_down(patterns).dtype == fmt.dtype
    assert fmt.dtype == {8: np.uint8, 16: np.uint16, 19: np.uint32, 32: np.uint32, 64: np.uint64}[fmt.bits]


@small_formats
def test_narrow_input_dtypes_give_the_same_answers(fmt):
    values = positive_finite(fmt)[:200]
    stored = values.astype(REFERENCE[fmt])
    np.testing.assert_array_equal(fmt.encode(stored), np.arange(len(values)))
    np.testing.assert_array_equal(fmt.encode(stored.astype(np.float32)), np.arange(len(values)))


@every_format
def test_inputs_are_not_changed(fmt):
    patterns, values = np.array([0, 1, 3], fmt.dtype), np.array([0.1, -2.0, 1e30])
    kept = patterns.copy(), values.copy()
    for name in [*METHODS_ON_PATTERNS, "fields"]:
        getattr(fmt, name)(patterns)
    for name in METHODS_ON_VALUES:
        getattr(fmt, name)(values)
    np.testing.assert_array_equal(patterns, kept[0])
    np.testing.assert_array_equal(values, kept[1])


@every_format
@pytest.mark.parametrize("name", [*METHODS_ON_PATTERNS, "fields"])
def test_what_is_not_a_pattern_is_refused(fmt, name):
    method = getattr(fmt, name)
    for bad in (1.0, -1, [0, -1], np.array([0.5]), "1"):
        with pytest.raises(ValueError, match=f"{fmt.name} pattern"):
            method(bad)
    if fmt.bits < 64:
        for too_wide in (1 << fmt.bits, [0, 1 << fmt.bits]):
            with pytest.raises(ValueError, match=f"{fmt.bits} bits"):
                method(too_wide)


def test_a_format_of_ones_own():
    # The 8-bit E4M3 of IEEE style (with infinities), which ml_dtypes has too.
    e4m3 = FloatFormat("e4m3", 4, 3, keeps_nan_payload=False)
    patterns = np.arange(256, dtype=np.uint8)
    theirs = patterns.view(ml_dtypes.float8_e4m3).astype(np.float64)
    nan = np.isnan(theirs)
    np.testing.assert_array_equal(bits64(e4m3.decode(patterns))[~nan], bits64(theirs)[~nan])
    np.testing.assert_array_equal(e4m3.encode(theirs), theirs.astype(ml_dtypes.float8_e4m3).view(np.uint8))
    assert e4m3.limits.max == 240.0
    assert math.isnan(e4m3.decode(0x7F))


def test_formats_are_listed_under_their_names():
    assert {name: fmt.name for name, fmt in FORMATS.items()} == {n: n for n in FORMATS}
    assert list(FORMATS) == ["fp64", "fp32", "tf32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2"]
