"""QuantizationExplorer without a browser: the table and the traits in Python, and the JavaScript run in Node.

The table is held against rounding done here, the grids of the JavaScript against `halfbits.quantization`.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from halfbits.quantization import error, grid
from halfbits.widgets.quantization_explorer import QuantizationExplorer
from tests.javascript import in_node
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = [
    {"bits": b, "clip": c, "symmetric": s, "per_channel": p}
    for b in range(2, 9)
    for c in range(10, 101, 5)
    for s in (False, True)
    for p in (False, True)
]


def some_kernels():
    """Two layers of unequal size, channels of unequal reach, one of them of one sign, one of zeros."""
    rng = np.random.default_rng(4)
    first = rng.normal(0.02, 1, (6, 5)) * [1, 0.1, 3, 0.5, 1]
    first[:, 3], first[:, 4] = np.abs(first[:, 3]), 0
    return {"first": first.astype(np.float32), "second": rng.normal(0, 1, (3, 3, 5, 2)).astype(np.float32)}


def closeness(kernels):
    """A stand-in for an accuracy that every setting changes: how near the kernels are to the float ones, 0 to 1."""
    far = sum(np.abs(kernels[name] - true).mean() for name, true in some_kernels().items())
    return 1 / (1 + far)


@pytest.fixture(scope="module")
def widget():
    return QuantizationExplorer(some_kernels(), closeness)


def rounded(kernel, bits, clip, symmetric, per_channel):
    return grid(kernel, bits, symmetric, -1 if per_channel else None, clip / 100)


# ── Python ──


def test_every_setting_is_what_rounding_all_kernels_gives(widget):
    kernels = some_kernels()
    assert len(widget.table) == len(SETTINGS) == 532
    for setting in SETTINGS:
        found = widget.result(**setting)
        grids = {name: rounded(kernel, **setting) for name, kernel in kernels.items()}
        expected = error(kernels["first"], grids["first"])
        assert found.rounding == pytest.approx(expected.rounding, rel=1e-4)
        assert found.clipping == pytest.approx(expected.clipping, rel=1e-4)
        assert found.sqnr == pytest.approx(expected.sqnr, abs=1e-3)
        assert found.accuracy == pytest.approx(closeness({n: grids[n].round(k) for n, k in kernels.items()}))
    assert len({widget.result(**setting).accuracy for setting in SETTINGS}) > 400  # the setting matters
    assert widget.float_accuracy == 1


def test_the_result_follows_the_controls():
    w = QuantizationExplorer(some_kernels(), closeness, layer="second", bits=3, clip=70, per_channel=True)
    assert w.result() == w.result(3, 70, True, True)
    assert w.result(bits=8) == w.result(8, 70, True, True)
    w.symmetric = False
    assert w.result() == w.result(3, 70, False, True)
    kernel = some_kernels()["second"]
    assert w.result().sqnr == pytest.approx(error(kernel, rounded(kernel, 3, 70, False, True)).sqnr, abs=1e-3)
    assert len(w.ranges) == len(w.counts) == 2


def test_the_histogram_holds_every_weight_once(widget):
    first = some_kernels()["first"]
    assert [sum(channel) for channel in widget.counts] == [6] * 5
    assert widget.ranges == [[float(c.min()), float(c.max())] for c in first.T]
    low, high = widget.edges
    assert low == -high
    edges = np.linspace(low, high, len(widget.counts[0]) + 1)
    assert widget.counts[2] == np.histogram(first[:, 2], edges)[0].tolist()


def test_every_grid_lies_within_the_picture(widget):
    for setting in SETTINGS:
        grids = rounded(some_kernels()["first"][:, :4], **setting)  # the fifth is zeros: its scale is arbitrary
        assert np.min(grids.low) >= widget.edges[0]
        assert np.max(grids.high) <= widget.edges[1]


def test_the_accuracy_function_may_not_change_the_kernels():
    def vandal(kernels):
        for name in kernels:
            kernels[name] *= 0
        return 0.5

    kernels = some_kernels()
    w = QuantizationExplorer(kernels, vandal)
    assert np.array_equal(kernels["first"], some_kernels()["first"])
    assert w.result().sqnr == QuantizationExplorer(some_kernels(), closeness).result().sqnr


def test_the_state_is_json_and_not_large():
    rng = np.random.default_rng(0)
    w = QuantizationExplorer({"wide": rng.normal(size=(64, 64))}, lambda kernels: 0.9)
    text = json.dumps({k: v for k, v in w.get_state().items() if not k.startswith("_")}, allow_nan=False)
    assert len(text) < 60_000


@pytest.mark.parametrize(
    ("trait", "value"), [("bits", 1), ("bits", 9), ("clip", 0), ("clip", 101), ("clip", 52), ("channel", 5)]
)
def test_bad_settings_change_nothing(widget, trait, value):
    before = getattr(widget, trait)
    with pytest.raises(ValueError, match=trait):
        setattr(widget, trait, value)
    assert getattr(widget, trait) == before


@pytest.mark.parametrize("setting", [{"bits": 9}, {"clip": 52}])
def test_no_result_for_a_bad_setting(widget, setting):
    with pytest.raises(ValueError, match="not"):
        widget.result(**setting)


@pytest.mark.parametrize(
    "kernels",
    [{}, {"a": np.ones(3)}, {"a": np.empty((0, 2))}, {"a": np.array([[1, np.nan]])}, {"a": np.full((2, 2), np.inf)}],
)
def test_bad_kernels(kernels):
    with pytest.raises(ValueError, match="kernel"):
        QuantizationExplorer(kernels, closeness)


def test_an_unknown_layer():
    with pytest.raises(ValueError, match="first, second"):
        QuantizationExplorer(some_kernels(), closeness, layer="third")


def test_zeros_have_no_error():
    w = QuantizationExplorer({"zeros": np.zeros((2, 3))}, lambda kernels: 1.0)
    assert w.result() == (0, 0, np.inf, 1)


def test_repr_and_display_text(widget):
    w = QuantizationExplorer(some_kernels(), closeness, bits=4)
    text = "QuantizationExplorer('first', bits=4, clip=100, symmetric=True, per_channel=False)"
    assert repr(w) == text
    assert w._repr_mimebundle_()[0]["text/plain"] == text


def test_import_is_light():
    code = (
        "import sys, halfbits.widgets.quantization_explorer; "
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=PATIENCE)


# ── JavaScript, in Node ──


@pytest.fixture(scope="module")
def run_js(tmp_path_factory):
    return in_node(QuantizationExplorer._esm, tmp_path_factory.mktemp("js"))


def for_js(setting):
    return {("perChannel" if key == "per_channel" else key): value for key, value in setting.items()}


RANGES = [(-1.0, 1.0), (-0.3, 1.2), (0.0, 3.0), (2.0, 3.0), (-3.0, -2.0), (0.0, 0.0), (-0.56, 0.49), (-1e-6, 5.0)]


def test_js_grids_are_pythons(run_js):
    asked = [(r, s) for r in RANGES for s in SETTINGS if not s["per_channel"]]
    found = run_js([["grid", [r, for_js(s)]] for r, s in asked])
    for js, (r, s) in zip(found, asked, strict=True):
        g = grid(np.array(r), s["bits"], s["symmetric"], clip=s["clip"] / 100)
        assert (js["zero"], js["qmin"], js["qmax"]) == (g.zero_point, g.qmin, g.qmax), (r, s)
        assert js["scale"] == pytest.approx(float(g.scale), rel=1e-12)
        assert (js["low"], js["high"]) == (pytest.approx(float(g.low)), pytest.approx(float(g.high)))


def test_js_levels_are_the_numbers_of_the_grid(run_js):
    (found,) = run_js([["levels", [{"scale": 0.5, "zero": 1, "qmin": 0, "qmax": 3}]]])
    assert found == [-0.5, 0, 0.5, 1]


def test_js_finds_the_row_of_every_setting(run_js, widget):
    rows = run_js([["row", [widget.table, for_js(s)]] for s in SETTINGS])
    ratios = run_js([["sqnr", [widget.signal, row]] for row in rows])
    for js, ratio, s in zip(rows, ratios, SETTINGS, strict=True):
        found = widget.result(**s)
        assert (js["rounding"], js["clipping"], js["accuracy"]) == (found.rounding, found.clipping, found.accuracy)
        assert ratio == pytest.approx(found.sqnr)


def test_js_says_it_in_words(run_js, widget):
    setting = {"bits": 3, "clip": 40, "symmetric": False, "per_channel": True}
    found = widget.result(**setting)
    row = {"rounding": 1.5e-4, "clipping": 0, "accuracy": 0.965}
    said, own, infinite = run_js(
        [
            ["summary", [for_js(setting), row, 1.5, 0.97]],
            ["summary", [for_js(setting), found._asdict(), widget.signal, 1]],
            ["decibels", [None]],
        ]
    )
    assert said == (
        "3 bits, asymmetric, per channel, 40 % of the range: rounding error 1.50 × 10⁻⁴, clipping error 0, "
        "SQNR 40.0 dB, accuracy 96.5 %, in float 97.0 %."
    )
    assert f"SQNR {found.sqnr:.1f} dB" in own
    assert infinite == "∞ dB"
