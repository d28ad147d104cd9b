"""BitLayout without a browser: the traits in Python, and the JavaScript arithmetic run in Node.

The JavaScript is held against `halfbits.formats` and, independently of both, against NumPy and ml_dtypes.
"""

import itertools
import json
import math
import struct
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from halfbits.formats import FORMATS
from halfbits.widgets import BitLayout
from tests.javascript import in_node
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
JS = ROOT / "halfbits" / "widgets" / "bit_layout" / "bit_layout.js"
ORACLE = {
    "fp64": np.float64,
    "fp32": np.float32,
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
}
NARROW = ["fp16", "bf16", "fp8_e4m3", "fp8_e5m2"]


def fp64_bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


# ── Python ──


def test_value_is_encoded_in_every_format():
    w = BitLayout(0.1)
    assert w.formats == ("fp32", "fp16", "bf16")
    assert w.bits == {"fp32": 0x3DCCCCCD, "fp16": 0x2E66, "bf16": 0x3DCD}
    w.value = 65520
    assert w.bits["fp16"] == 0x7C00
    assert w.bits["bf16"] == 0x4780


def test_a_row_becomes_the_source():
    w = BitLayout(0.1)
    w.bits = {"fp16": 0x7C00}
    assert w.value == math.inf
    assert w.bits == {"fp32": 0x7F800000, "fp16": 0x7C00, "bf16": 0x7F80}
    w.bits["bf16"] = 0x3F80
    assert w.value == 1
    w.bits = {**w.bits, "fp16": 0x3C01}
    assert w.value == 1 + 2**-10
    assert w.bits["bf16"] == 0x3F80


def test_a_row_set_to_what_it_shows_still_becomes_the_source():
    w = BitLayout(0.1, formats=("fp16",))
    w.bits = {"fp16": np.uint16(0x2E66)}
    assert w.value == 0.1  # all rows as they are: nothing to do
    w = BitLayout(0.1)
    w.bits = {"fp16": 0x2E66}
    assert w.value == float(np.float16(0.1))


def test_nan_keeps_the_pattern_of_its_row():
    w = BitLayout(formats=("fp32", "bf16", "fp8_e5m2"))
    w.bits = {"bf16": 0xFF81}
    assert math.isnan(w.value)
    assert w.bits["bf16"] == 0xFF81
    seen = []
    w.observe(seen.append, ["value", "bits"])
    w.value = w.value
    assert w.bits["bf16"] == 0xFF81
    assert not seen


def test_observers_hear_of_both_and_see_both_in_place():
    w = BitLayout(0.1)
    seen = []
    w.observe(lambda change: seen.append((change.name, w.value, w.bits["fp16"])), ["value", "bits"])
    w.value = 1.0
    assert seen == [("value", 1.0, 0x3C00), ("bits", 1.0, 0x3C00)]
    seen.clear()
    w.value = 1.0
    assert not seen
    w.value = 0.0
    seen.clear()
    w.value = -0.0
    assert seen == [("value", 0.0, 0x8000), ("bits", 0.0, 0x8000)]
    assert math.copysign(1, w.value) == -1


def sent_by_browser(widget, value, bits):
    widget.set_state({"value": f"0x{fp64_bits(value):016x}", "bits": bits})


def test_a_message_from_the_browser():
    w = BitLayout(0.1)
    seen = []
    w.observe(lambda change: seen.append((change.name, w.value)), ["value", "bits"])
    sent_by_browser(w, 1.5, {"fp32": "0x3fc00000", "fp16": "0x3e00", "bf16": "0x3fc0"})
    assert w.value == 1.5
    assert w.bits["fp16"] == 0x3E00
    assert seen == [("value", 1.5), ("bits", 1.5)]


@pytest.mark.parametrize("order", [("value", "bits"), ("bits", "value")])
def test_a_nan_from_the_browser_keeps_its_payload(order):
    w = BitLayout(0.1)
    message = {
        "value": "0x7ff0200000000000",
        "bits": {"fp32": "0x7f810000", "fp16": "0x7c08", "bf16": "0x7f81"},
    }
    w.set_state({key: message[key] for key in order})
    assert w.get_state(["value", "bits"]) == message


def test_what_the_browser_sent_is_not_sent_back(monkeypatch):
    w = BitLayout(0.1)
    sent = []
    monkeypatch.setattr(w, "_send", lambda message, buffers=None: sent.append(message))
    sent_by_browser(w, 1.5, {"fp32": "0x3fc00000", "fp16": "0x3e00", "bf16": "0x3fc0"})
    assert [message["method"] for message in sent if message["method"] != "echo_update"] == []


def test_python_sends_both_in_one_message(monkeypatch):
    w = BitLayout(0.1)
    sent = []
    monkeypatch.setattr(w, "send_state", lambda key=None: sent.append(set(key)))
    w.value = 2.0
    assert sent == [{"value", "bits"}]


def test_state_survives_json():
    w = BitLayout(math.nan, formats=("fp64", "fp16"))
    state = json.loads(json.dumps(w.get_state(["value", "bits", "formats"]), allow_nan=False))
    assert state == {
        "value": "0x7ff8000000000000",
        "bits": {"fp64": "0x7ff8000000000000", "fp16": "0x7e00"},
        "formats": ["fp64", "fp16"],
    }


def test_repr_and_display_text():
    w = BitLayout(0.1)
    text = "BitLayout(value=0.1, formats=('fp32', 'fp16', 'bf16'))"
    assert repr(w) == text
    data, _ = w._repr_mimebundle_()
    assert data["text/plain"] == text
    assert repr(BitLayout(math.nan, formats="fp16")) == "BitLayout(value=nan, formats=('fp16',))"


@pytest.mark.parametrize("formats", [("fp12",), (), ("fp16", "fp16"), ("fp16", "float16")])
def test_bad_formats(formats):
    with pytest.raises(ValueError, match="the known ones are fp64, fp32, tf32, fp16, bf16, fp8_e4m3, fp8_e5m2"):
        BitLayout(formats=formats)


def test_formats_are_fixed():
    w = BitLayout()
    with pytest.raises(Exception, match="read-only"):
        w.formats = ("fp16",)


@pytest.mark.parametrize("bits", [{"fp16": 1 << 16}, {"fp16": -1}, {"fp64": 0}, {}, 3, {"fp16": 1, "bf16": 1}])
def test_bad_bits_change_nothing(bits):
    w = BitLayout(0.1)
    before = dict(w.bits)
    with pytest.raises(ValueError, match=r".+"):
        w.bits = bits
    assert w.bits == before
    assert w.value == 0.1


def test_import_is_light():
    code = "import sys, halfbits.widgets; assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=PATIENCE)


# ── JavaScript ──


@pytest.fixture(scope="session")
def run_js(tmp_path_factory):
    return in_node(JS.read_text(encoding="utf-8"), tmp_path_factory.mktemp("js"), "bit_layout_runner.mjs")


def big(values):
    return [f"{int(v):x}" for v in values]


def interesting_values(name, count=1000):
    """Landmarks, midpoints between neighbours, one float64 step around them, and random patterns of both widths."""
    layout, rng = FORMATS[name], np.random.default_rng(7)
    below = int(layout.encode(layout.limits.max))
    patterns = np.unique(np.concatenate([np.arange(0, 200), np.linspace(0, below - 1, 2 * count).astype(np.uint64)]))
    patterns = patterns[patterns < below].astype(np.uint64)
    low, high = layout.decode(patterns), layout.decode(patterns + 1)
    edge = layout.limits.max + layout.ulp(layout.limits.max) / 2 if name != "fp64" else np.inf
    middles = np.append(low + (high - low) / 2, [edge, layout.limits.min_subnormal / 2])
    near = np.concatenate([low, middles, np.nextafter(middles, 0), np.nextafter(middles, np.inf)])
    anything = rng.integers(0, 2**64, count, dtype=np.uint64).view(np.float64)
    payloads = np.uint64(0x7FF0000000000000) | rng.integers(1, 2**52, 50, dtype=np.uint64)
    specials = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308]
    logs = np.exp2(rng.uniform(-170, 140, count)) * rng.choice([-1, 1], count)
    return np.concatenate([near, -near, anything, specials, payloads.view(np.float64), logs])


def test_js_has_the_same_formats(run_js):
    (table,) = run_js([["table", []]])
    assert table == {
        name: [f.exponent_bits, f.mantissa_bits, f.has_infinity, f.keeps_nan_payload] for name, f in FORMATS.items()
    }
    assert list(table) == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_js_encodes_as_python(run_js, name):
    values = interesting_values(name)
    (got,) = run_js([["encode", [name, big(values.view(np.uint64))]]])
    assert got == big(FORMATS[name].encode(values))


@pytest.mark.parametrize("name", ORACLE)
def test_js_encodes_as_numpy_and_ml_dtypes(run_js, name):
    values = interesting_values(name)
    if name not in ("fp64", "fp32", "fp16"):
        # ml_dtypes casts float64 through float32: keep to values that survive that unchanged.
        with np.errstate(all="ignore"):
            values = values[(values.astype(np.float32).astype(np.float64) == values)]
    values = values[~np.isnan(values)]
    (got,) = run_js([["encode", [name, big(values.view(np.uint64))]]])
    with np.errstate(all="ignore"):
        stored = values.astype(ORACLE[name])
    assert got == big(stored.view(f"u{stored.itemsize}"))


@pytest.mark.parametrize("name", NARROW)
def test_js_knows_every_pattern(run_js, name):
    layout = FORMATS[name]
    patterns = np.arange(1 << layout.bits, dtype=layout.dtype)
    (decoded, classes, up, down) = run_js(
        [[f, [name, big(patterns)]] for f in ("decode", "classify", "nextUp", "nextDown")]
    )
    assert decoded == big(layout.decode(patterns).view(np.uint64))
    assert classes == layout.classify(patterns).tolist()
    assert up == big(layout.next_up(patterns))
    assert down == big(layout.next_down(patterns))
    values = np.array([int(bits, 16) for bits in decoded], dtype=np.uint64).view(np.float64)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        assert np.array_equal(values, patterns.view(ORACLE[name]).astype(np.float64), equal_nan=True)


@pytest.mark.parametrize("name", ["fp64", "fp32", "tf32"])
def test_js_knows_wide_patterns(run_js, name):
    layout = FORMATS[name]
    patterns = np.unique(np.asarray(layout.encode(interesting_values(name))).astype(np.uint64))
    (decoded, classes, up, down) = run_js(
        [[f, [name, big(patterns)]] for f in ("decode", "classify", "nextUp", "nextDown")]
    )
    assert decoded == big(layout.decode(patterns).view(np.uint64))
    assert classes == layout.classify(patterns).tolist()
    assert up == big(layout.next_up(patterns))
    assert down == big(layout.next_down(patterns))


@pytest.mark.parametrize("name", FORMATS)
def test_js_ulp(run_js, name):
    values = interesting_values(name, 300)
    (got,) = run_js([["ulp", [name, big(values.view(np.uint64))]]])
    assert got == big(np.asarray(FORMATS[name].ulp(values)).view(np.uint64))


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_js_row_set_by_hand_is_what_python_makes_of_it(run_js, name):
    formats = ["fp64", "fp32", "fp16", "bf16", "fp8_e4m3"]
    for pattern in (0x0001, 0x7BFF, 0x7C00, 0x7C01, 0x7F81, 0x7FC0, 0x8000, 0xFF81, 0x3C01):
        w = BitLayout(0.1, formats=formats)
        w.bits = {name: pattern}
        (state,) = run_js([["stateOfRow", [formats, name, f"{pattern:x}"]]])
        assert int(state["value"], 16) == fp64_bits(w.value)
        assert {key: int(text, 16) for key, text in state["bits"].items()} == w.bits


PARSED = {
    "0.1": 0.1,
    " 1e-8 ": 1e-8,
    "-.5": -0.5,
    "5.": 5.0,
    "1E3": 1000.0,
    "−65504": -65504.0,
    "2^-24": 2.0**-24,
    "2**-24": 2.0**-24,
    "2⁻²⁴": 2.0**-24,
    "1+2^-9": 1 + 2**-9,
    "1 + 2⁻⁹": 1 + 2**-9,
    "3*2^-24": 3 * 2**-24,
    "1.5×2^(-3)": 1.5 * 2**-3,
    "-2^2": -4.0,
    "2^10-1": 1023.0,
    "1e400": math.inf,
    "-0": -0.0,
    "inf": math.inf,
    "-inf": -math.inf,
    "Infinity": math.inf,
    "∞": math.inf,
    "9007199254740993": 9007199254740992.0,
}


def test_js_parses_numbers(run_js):
    got = run_js([["parse", [text, "fp16"]] for text in PARSED])
    wanted = {text: {"value": f"{fp64_bits(value):x}"} for text, value in PARSED.items()}
    assert dict(zip(PARSED, got, strict=True)) == wanted


def test_js_powers_of_two_are_exact(run_js):
    got = run_js([["parse", [f"2^{n}", "fp16"]] for n in range(-1074, 1024)])
    assert [int(g["value"], 16) for g in got] == [fp64_bits(math.ldexp(1.0, n)) for n in range(-1074, 1024)]


def test_js_parses_patterns_for_the_selected_row(run_js):
    assert run_js([["parse", ["0x7C00", "fp16"]]]) == [{"pattern": "7c00"}]
    assert run_js([["parse", ["0x12345", "fp16"]]]) == [{"error": "0x12345 needs 17 bits; fp16 has 16."}]


NOT_NUMBERS = ["", "hello", "1..2", "0x", "0xg", "1+", "2^", "2^0.5", "1 2", "--1", "1*", "*1", "1e", "65,504"]


def test_js_refuses_what_is_no_number(run_js):
    got = run_js([["parse", [text, "fp16"]] for text in NOT_NUMBERS])
    assert [set(answer) for answer in got] == [{"error"}] * len(NOT_NUMBERS)
    assert all(answer["error"] for answer in got)


def significant_digits(text):
    return len(Decimal(text).normalize().as_tuple().digits)


def test_js_shortest_text_names_the_pattern_as_numpy_does(run_js):
    patterns = np.arange(0x7C00, dtype=np.uint16)
    (texts,) = run_js([["shortestText", ["fp16", big(patterns)]]])
    values = patterns.view(np.float16)
    assert np.array_equal(np.array(texts, dtype=np.float64).astype(np.float16), values)
    # As many digits as NumPy needs; the digits may differ where two such decimals are equally near.
    numpy_texts = [np.format_float_scientific(v) for v in values]
    assert [significant_digits(t) for t in texts] == [significant_digits(t) for t in numpy_texts]


def test_js_exact_text_is_exact(run_js):
    values = np.abs(interesting_values("fp32", 100))
    values = values[np.isfinite(values)]
    (texts,) = run_js([["exactText", [big(values.view(np.uint64))]]])
    assert [Fraction(text) for text in texts] == [Fraction(v) for v in values.tolist()]
    (one, cut) = run_js([["exactText", [big([fp64_bits(0.1)]), most]] for most in (60, 5)])
    assert one == ["0.1000000000000000055511151231257827021181583404541015625"]
    assert cut == ["0.10000…"]


REMARKS = [
    ("fp16", 0.1, "rounded", "Rounded down by 0.4 ulp."),
    ("fp16", 65520.0, "lost", "Overflow: above 65504, the largest fp16 number, by half a step or more"),
    ("fp16", -1e9, "lost", "it became minus infinity"),
    ("fp16", 65519.0, "rounded", "by too little to overflow"),
    ("fp16", 1e-8, "lost", "Underflow: not more than half of 2⁻²⁴, the smallest fp16 subnormal, so it became 0."),
    ("fp16", -(2.0**-25), "lost", "became −0"),
    ("fp16", 1e-6, "tiny", "so 5 of 11 significant bits are left"),
    ("fp16", 2.0**-24, "exact", "as a subnormal with 1 of 11"),
    ("fp16", 2049.0, "rounded", "A tie, half-way between 2048 and 2050: rounded down, to the even mantissa."),
    ("bf16", 257.0, "rounded", "half-way between 256 and 258: rounded down"),
    ("fp16", 2051.0, "rounded", "half-way between 2050 and 2052: rounded up"),
    ("fp16", 257.0, "exact", "Stored exactly."),
    ("fp8_e4m3", 464.0, "rounded", "by too little to overflow"),
    ("fp8_e4m3", 465.0, "lost", "Overflow: above 448, the largest fp8_e4m3 number, and there is no infinity here"),
    ("fp8_e4m3", math.inf, "lost", "Overflow: fp8_e4m3 has no infinity"),
    ("fp16", math.inf, "exact", "Infinity"),
    ("bf16", math.nan, "exact", "NaN"),
    ("fp16", 0.0, "exact", "Stored exactly."),
    ("fp64", 0.1, "exact", "The number itself"),
    ("bf16", 256.99, "rounded", "Rounded down by 0.495 ulp."),
    ("bf16", 256.9999, "rounded", "Rounded down by just under 0.5 ulp."),
]


def test_js_says_what_happened(run_js):
    got = run_js([["remark", [name, f"{fp64_bits(value):x}"]] for name, value, _, _ in REMARKS])
    assert [answer["kind"] for answer in got] == [kind for _, _, kind, _ in REMARKS]
    for answer, (*_, words) in zip(got, REMARKS, strict=True):
        assert words in answer["text"]


def test_js_errors_are_the_exact_ones(run_js):
    for name in ("fp16", "bf16"):
        values = interesting_values(name, 200)
        values = values[np.isfinite(values) & np.isfinite(FORMATS[name].round(values))]
        (got,) = run_js([["roundingError", [name, big(values.view(np.uint64))]]])
        stored = FORMATS[name].round(values)
        assert [float(g["absolute"]) for g in got] == np.abs(stored - values).tolist()
        assert [g["ulps"] <= 0.5 for g in got] == [True] * len(got)


def test_js_formula(run_js):
    def formula(name, pattern):
        (text,) = run_js([["formulaText", [name, f"{pattern:x}"]]])
        return text

    assert formula("fp16", 0x2E66) == "(−1)^0 × 1.1001100110_2 × 2^11−15 = 1.599609375 × 2^−4"
    assert formula("fp16", 0x8011) == "(−1)^1 × 0.0000010001_2 × 2^1−15 = −0.0166015625 × 2^−14"
    assert formula("fp8_e4m3", 0x7E) == "(−1)^0 × 1.110_2 × 2^15−7 = 1.75 × 2^8"
    assert "infinity" in formula("fp16", 0x7C00)
    assert "only NaN" in formula("fp8_e4m3", 0x7F)


@pytest.mark.parametrize("name", NARROW)
def test_js_number_line_counts_every_number(run_js, name):
    layout = FORMATS[name]
    finite = np.unique(layout.decode(np.arange(1 << layout.bits)))
    finite = finite[np.isfinite(finite)]
    windows = list(itertools.product((0.0, 0.1, -2.0, 65520.0, 1e-8), (1e-6, 0.01, 3.0, 1e5)))
    views = run_js([["numbersInView", [name, centre, span, 800]] for centre, span in windows])
    for (centre, span), view in zip(windows, views, strict=True):
        inside = finite[(finite >= centre - span / 2) & (finite <= centre + span / 2)]
        assert int(view["count"], 16) == inside.size
        assert all(-1e-6 <= x <= 800 + 1e-6 for x in itertools.chain(view["ticks"], *view["bands"]))
        if not view["bands"]:
            np.testing.assert_allclose(view["ticks"], ((inside - centre) / span + 0.5) * 800, atol=1e-6)


def test_stories_of_the_presets_are_true(run_js):
    (presets,) = run_js([["presets", []]])
    labels = ["0.1", "65504", "65520", "1e-8", "2049", "257", "1+2⁻⁹", "subnormal", "NaN"]
    assert [p["label"] for p in presets] == labels
    fp16, bf16 = FORMATS["fp16"], FORMATS["bf16"]
    errors = [abs(FORMATS[name].round(0.1) - 0.1) for name in ("fp32", "fp16", "bf16", "fp8_e4m3")]
    assert 0 < errors[0] < errors[1] < errors[2] < errors[3]
    assert fp16.limits.max == 65504
    assert bf16.round(65504) == 65536
    assert bf16.limits.max > 3.3e38
    assert fp16.round(65520) == math.inf
    assert 65520 == (65504 + 65536) / 2
    assert fp16.limits.min_subnormal == 2.0**-24
    assert fp16.round(1e-8) == 0
    assert 1e-8 < 2.0**-25
    assert bf16.round(1e-8) > 0
    assert (fp16.round(2049), fp16.ulp(2048), fp16.ulp(4095), fp16.ulp(4096)) == (2048, 2, 2, 4)
    assert (bf16.round(257), bf16.ulp(256), bf16.ulp(511), bf16.ulp(512), fp16.round(257)) == (256, 2, 2, 4, 257)
    patterns = np.arange(256, dtype=np.uint8)
    assert patterns[FORMATS["fp8_e4m3"].classify(patterns) == "nan"].tolist() == [0x7F, 0xFF]
    assert (fp16.ulp(1), bf16.ulp(1)) == (2.0**-10, 2.0**-7)
    assert (fp16.round(1 + 2**-9), bf16.round(1 + 2**-9)) == (1 + 2**-9, 1)
    assert fp16.limits.min_normal == 2.0**-14
    assert fp16.round(1e-6) == 17 * 2.0**-24
    assert round(100 * (fp16.round(1e-6) / 1e-6 - 1), 1) == 1.3


# ── the static page ──


def test_the_static_page_is_up_to_date():
    subprocess.run([sys.executable, ROOT / "tools" / "bit_explorer.py", "--check"], check=True, timeout=PATIENCE)


def test_the_static_page_loads_nothing():
    page = (ROOT / "docs" / "bit-explorer.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert "import(" not in page
    assert "@import" not in page
