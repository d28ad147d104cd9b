"""LossScaleExplorer without a browser: the traits in Python, and the JavaScript counts run in Node.

The counts are held against NumPy's and ml_dtypes' actual casts.
"""

import json
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from halfbits.formats import FORMATS
from halfbits.widgets.loss_scale_explorer import LossScaleExplorer, Step, replay
from tests.javascript import in_node
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
DTYPES = {"fp16": np.float16, "bf16": ml_dtypes.bfloat16, "fp8_e5m2": ml_dtypes.float8_e5m2}
FATES = ("zero", "subnormal", "normal", "overflow")


def borders(name):
    """Numbers on, just below and just above every border of a format."""
    limits = FORMATS[name].limits
    edges = [limits.min_subnormal / 2, limits.min_subnormal, limits.min_normal - limits.min_subnormal / 2]
    edges += [limits.min_normal, limits.max, limits.max + FORMATS[name].ulp(limits.max) / 2, 1.0]
    edges = np.array(edges, np.float32)
    near = np.concatenate([edges, np.nextafter(edges, np.float32(0)), np.nextafter(edges, np.float32(np.inf))])
    return near[np.isfinite(near) & (near != 0)]


def adversarial(name):
    """float32 numbers: borders, and the same borders as seen through a scale; plain noise; both signs."""
    rng = np.random.default_rng(3)
    near = borders(name).astype(np.float64)
    shifted = np.concatenate([near * 2.0**-k for k in (1, 7, 15, 24)])
    noise = np.exp2(rng.uniform(-60, 20, 2000)) * rng.choice([-1, 1], 2000)
    values = np.concatenate([near, shifted, -near, noise]).astype(np.float32)
    tiny = np.finfo(np.float32).tiny  # smaller ones would be changed by the cast to float32 itself
    return values[(np.abs(values) >= tiny) & np.isfinite(values)]


def cast_counts(values, name, exponent):
    """What NumPy's (or ml_dtypes') cast makes of values × 2^exponent."""
    dtype = DTYPES[name]
    with np.errstate(all="ignore"):
        scaled = np.abs(values.astype(np.float64)) * 2.0**exponent
        if name != "fp16":  # ml_dtypes goes through float32, which holds these exactly or overflows as they would
            scaled = scaled.astype(np.float32)
        stored = scaled.astype(dtype).astype(np.float64)
    least = float(ml_dtypes.finfo(dtype).smallest_normal)
    return {
        "zero": int((stored == 0).sum()),
        "subnormal": int(((stored > 0) & (stored < least)).sum()),
        "normal": int(((stored >= least) & np.isfinite(stored)).sum()),
        "overflow": int(np.isinf(stored).sum()),
    }


# ── Python ──


def test_counts_of_a_few_numbers():
    w = LossScaleExplorer([2.0**-25, 2.0**-24, 2.0**-14, 65504.0, 65520.0, 0.0])
    assert w.counts()["fp16"] == {"zero": 1, "subnormal": 1, "normal": 2, "overflow": 1}
    assert w.counts()["bf16"] == {"zero": 0, "subnormal": 0, "normal": 5, "overflow": 0}
    w.scale = 2.0
    assert w.counts()["fp16"] == {"zero": 0, "subnormal": 2, "normal": 1, "overflow": 2}
    assert w.counts(1.0)["fp16"]["zero"] == 1
    assert w.zeros == 1


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("exponent", [0, 1, 15, 24, 40])
def test_python_counts_as_the_casts_do(name, exponent):
    values = adversarial(name)
    assert LossScaleExplorer(values, formats=name).counts(2.0**exponent)[name] == cast_counts(values, name, exponent)


def test_lists_of_tensors_with_none():
    w = LossScaleExplorer([np.ones((2, 3), np.float32), None, np.zeros(4), np.float32(2).reshape(())])
    assert sum(w.counts()["fp16"].values()) == 7
    assert w.zeros == 4
    assert sum(cell[2] for cell in w.cells) == 7


def test_what_is_not_finite_already_counts_as_overflow():
    w = LossScaleExplorer([1.0, np.inf, -np.inf, np.nan])
    assert w.not_finite == 3
    assert w.counts()["fp16"] == {"zero": 0, "subnormal": 0, "normal": 1, "overflow": 3}


def test_the_state_is_small_and_is_json():
    rng = np.random.default_rng(0)
    w = LossScaleExplorer(rng.normal(size=200_000) * 1e-6, max_gradients=[1.0, np.inf, np.nan])
    text = json.dumps({k: v for k, v in w.get_state().items() if not k.startswith("_")}, allow_nan=False)
    assert len(text) < 5_000


def test_replay_is_keras_rule():
    steps = replay([1.0] * 6, initial_scale=2.0**17, growth_interval=2)
    assert steps == [
        Step(2.0**17, True),
        Step(2.0**16, True),
        Step(2.0**15, False),
        Step(2.0**15, False),
        Step(2.0**16, True),
        Step(2.0**15, False),
    ]
    assert [s.skipped for s in replay([65519.99, 65520.0, np.nan, -70000.0], initial_scale=1.0)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.tensorflow
def test_replay_agrees_with_keras_itself():
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(5)
    largest = np.exp2(rng.uniform(-22, -14, 300)).astype(np.float32)
    optimizer = keras.mixed_precision.LossScaleOptimizer(
        keras.optimizers.SGD(0.0), initial_scale=2.0**38, dynamic_growth_steps=7
    )
    w = keras.Variable(0.0)
    optimizer.build([w])
    seen = []
    for g in largest:
        scale = float(optimizer.dynamic_scale)
        with np.errstate(over="ignore"):
            half = np.float16(np.float64(g) * scale)
        optimizer.apply([tf.cast(tf.constant(half), tf.float32)], [w])
        seen.append((scale, bool(np.isinf(half))))
    assert [tuple(step) for step in replay(largest, 2.0**38, 7)] == seen
    assert 20 < sum(skipped for _, skipped in seen) < 280


def test_setting_the_step_sets_the_scale():
    w = LossScaleExplorer([1.0], max_gradients=[1.0] * 5, initial_scale=2.0**17)
    w.step = 1
    assert w.scale == 2.0**16
    w.step = 4
    assert w.scale == 2.0**15
    with pytest.raises(ValueError, match="5 steps"):
        w.step = 5


def test_a_message_from_the_browser():
    w = LossScaleExplorer([1.0], max_gradients=[1.0] * 5, initial_scale=2.0**17)
    w.set_state({"scale": 8.0})
    assert w.scale == 8
    w.set_state({"step": 2, "scale": 32768.0})
    assert (w.step, w.scale) == (2, 2.0**15)


@pytest.mark.parametrize("scale", [0.0, 3.0, -2.0, np.inf, np.nan, 2.0**41, 0.5])
def test_bad_scales_change_nothing(scale):
    w = LossScaleExplorer([1.0], scale=4.0)
    with pytest.raises(Exception, match="scale"):
        w.scale = scale
    assert w.scale == 4


@pytest.mark.parametrize("formats", ["fp8_e4m3", "fp12", (), ("fp16", "fp16"), "fp64"])
def test_bad_formats(formats):
    with pytest.raises(ValueError, match=r"format"):
        LossScaleExplorer([1.0], formats=formats)


def test_no_gradients():
    for nothing in ([], [None], np.empty((0, 3))):
        with pytest.raises(ValueError, match="no gradients"):
            LossScaleExplorer(nothing)


def test_repr_and_display_text():
    w = LossScaleExplorer(np.ones(1234), scale=2.0**15)
    text = "LossScaleExplorer(1,234 gradients, formats=('fp16', 'bf16'), scale=2**15)"
    assert repr(w) == text
    assert w._repr_mimebundle_()[0]["text/plain"] == text


def test_the_input_is_left_alone():
    values = np.array([1.0, -2.0], np.float32)
    LossScaleExplorer(values)
    assert values.tolist() == [1.0, -2.0]


def test_import_is_light():
    code = (
        "import sys, halfbits.widgets.loss_scale_explorer; "
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=PATIENCE)


# ── JavaScript ──


@pytest.fixture(scope="session")
def run_js(tmp_path_factory):
    return in_node(LossScaleExplorer._esm, tmp_path_factory.mktemp("js"))


@pytest.mark.parametrize("name", DTYPES)
def test_js_counts_as_the_casts_do(run_js, name):
    values = adversarial(name)
    w = LossScaleExplorer(values, formats=tuple(DTYPES))  # the cuts of all formats, not only of this one
    # Below 0 the way through float32 of ml_dtypes' casts would round twice.
    exponents = list(range(-10 if name == "fp16" else 0, 41))
    found = run_js([["counts", [w.layouts[name], w.cuts, w.cells, e]] for e in exponents])
    assert found == [cast_counts(values, name, e) for e in exponents]


def test_js_columns_hold_every_gradient_once(run_js):
    w = LossScaleExplorer(adversarial("fp16"))
    (bars,) = run_js([["columns", [w.layouts["fp16"], w.cuts, w.cells, 15, -40, 10]]])
    assert [bar["octave"] for bar in bars] == list(range(-40, 11))
    found = {fate: sum(bar[fate] for bar in bars) for fate in FATES}
    assert found == w.counts(2.0**15)["fp16"]
    assert all(bar["total"] == sum(bar[fate] for fate in FATES) for bar in bars)


def test_js_shares_are_never_rounded_away(run_js):
    shares = run_js([["percent", [n, 1_000_000]] for n in (0, 1, 5_000, 500_000, 999_999, 1_000_000)])
    assert shares == ["0 %", "< 0.01 %", "0.50 %", "50.0 %", "> 99.99 %", "100 %"]


def test_js_tells_what_a_step_did(run_js):
    w = LossScaleExplorer([1.0], max_gradients=[1.0, 1.0, 1.0, np.nan], initial_scale=2.0**16, growth_interval=2)
    texts = run_js([["stepText", [w.replayed, i, 2]] for i in range(4)])
    assert "Overflow: the step is skipped and the scale halved to 2¹⁵" in texts[0]
    assert texts[1].endswith("Finite: the weights move.")
    assert "doubles to 2¹⁶" in texts[2]
    assert "not finite" in texts[3]
