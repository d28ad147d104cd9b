"""PruningExplorer without a browser: the masks, sizes and accuracy in Python, and the JavaScript run in Node.

What the widget says is held against `halfbits.pruning` and against a network run here.
"""

import json
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest

from halfbits.pruning import global_masks, magnitude_mask, n_of_m_mask, neuron_scores, sizes
from halfbits.widgets.pruning_explorer import PruningExplorer, Result
from tests.javascript import in_node
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
SHAPES = {"one": (8, 12), "two": (12, 8), "out": (8, 3)}


def some_layers():
    rng = np.random.default_rng(5)
    return {
        name: (rng.normal(0, 1 + i, shape).astype(np.float32), rng.normal(0, 1, shape[1]).astype(np.float32))
        for i, (name, shape) in enumerate(SHAPES.items())
    }


X = np.random.default_rng(6).normal(size=(300, 8)).astype(np.float32)


def outputs(layers):
    x = X
    *hidden, (kernel, bias) = layers.values()
    for k, b in hidden:
        x = np.maximum(x @ k + b, 0)
    return x @ kernel + bias


def agreement(layers):
    """The share of examples with the class that the unpruned network gives."""
    return float(np.mean(outputs(layers).argmax(axis=1) == outputs(some_layers()).argmax(axis=1)))


def explorer(**settings):
    return PruningExplorer(some_layers(), agreement, **settings)


def kernels():
    return {name: kernel for name, (kernel, _) in some_layers().items()}


# ── Python ──


@pytest.mark.parametrize("sparsity", [0, 37, 50, 90, 100])
def test_the_masks_are_those_of_halfbits(sparsity):
    w = explorer(sparsity=sparsity)
    share = sparsity / 100
    for name, mask in w.masks().items():
        assert np.array_equal(mask, magnitude_mask(kernels()[name], share))
    w.structure = "global"
    for mask, expected in zip(w.masks().values(), global_masks(list(kernels().values()), share), strict=True):
        assert np.array_equal(mask, expected)
    w.structure = "2:4"
    for name, mask in w.masks().items():
        assert np.array_equal(mask, n_of_m_mask(kernels()[name], 2, 4, axis=0))


def test_neurons_go_by_their_scores_with_all_that_is_theirs():
    w = explorer(structure="neurons", sparsity=25)
    layers = some_layers()
    one = magnitude_mask(neuron_scores(*layers["one"], layers["two"][0]), 0.25)
    two = magnitude_mask(neuron_scores(*layers["two"], layers["out"][0]), 0.25)
    assert one.sum() == 9
    assert two.sum() == 6
    kept = w.kept_neurons()
    assert [kept[name].tolist() for name in SHAPES] == [one.tolist(), two.tolist(), [True] * 3]
    masks = w.masks()
    assert np.array_equal(masks["one"], np.broadcast_to(one, (8, 12)))
    assert np.array_equal(masks["two"], np.outer(one, two))
    assert np.array_equal(masks["out"], np.outer(two, np.ones(3, bool)))


def test_the_accuracy_is_that_of_a_network_from_which_the_neurons_are_really_taken_out():
    w = explorer(structure="neurons", sparsity=50)
    one, two, _ = w.kept_neurons().values()
    (k1, b1), (k2, b2), (k3, b3) = some_layers().values()
    small = {"one": (k1[:, one], b1[one]), "two": (k2[one][:, two], b2[two]), "out": (k3[two], b3)}
    assert w.accuracy() == agreement(small) == w.outcome["accuracy"]
    assert w.accuracy() < w.dense_accuracy == 1
    assert w.result().bytes["cut"] == sum(kernel.nbytes for kernel, _ in small.values())


def test_without_pruned_neurons_the_biases_stay():
    w = explorer(sparsity=100)
    assert w.accuracy() == agreement({name: (0 * kernel, bias) for name, (kernel, bias) in some_layers().items()})


@pytest.mark.parametrize("structure", ["connections", "neurons", "2:4", "global"])
def test_the_result_is_what_the_masked_kernels_have(structure):
    w = explorer(structure=structure, sparsity=60)
    pruned = {name: kernel * w.masks()[name] for name, kernel in kernels().items()}
    for name, kernel in pruned.items():
        found = w.result(name)
        assert found.zeros == (kernel == 0).sum()
        assert found.weights == kernel.size
        assert found.sparsity == found.zeros / kernel.size
        assert found.magnitude == pytest.approx(np.abs(kernel).sum() / np.abs(kernels()[name]).sum())
        assert {form: found.bytes[form] for form in sizes(kernel)} == sizes(kernel)
    whole = w.result()
    assert whole.zeros == sum(w.result(name).zeros for name in pruned)
    assert whole.weights == sum(kernel.size for kernel in pruned.values())
    everything = [np.concatenate([np.abs(k).ravel() for k in some.values()]).sum() for some in (pruned, kernels())]
    assert whole.magnitude == pytest.approx(everything[0] / everything[1])
    for form in ("dense", "gzip", "bitmap", "csr"):
        assert whole.bytes[form] == sum(sizes(kernel)[form] for kernel in pruned.values())
    assert w.outcome["layer"] == w.result("one")._asdict()
    assert w.outcome["model"] == whole._asdict()


def test_a_neuron_pruned_by_hand_loses_its_weights_bias_and_outgoing_weights():
    w = explorer(sparsity=0, by_hand={"one": {"4": False}})
    assert not w.masks()["one"][:, 4].any()
    assert not w.masks()["two"][4].any()
    assert w.result().zeros == 8 + 8
    layers = some_layers()
    layers["one"][0][:, 4] = 0
    layers["one"][1][4] = 0
    assert w.accuracy() == agreement(layers)
    w.by_hand = {}
    assert w.result().zeros == 0


def test_the_hand_has_the_last_word():
    w = explorer(structure="neurons", sparsity=50)
    lowest = int(np.flatnonzero(~w.kept_neurons()["two"])[0])
    w.by_hand = {"two": {lowest: True}}
    assert w.by_hand == {"two": {str(lowest): True}}
    assert w.masks()["two"][:, lowest].any()
    w.sparsity = 100
    assert w.kept_neurons()["two"].sum() == 1
    w.by_hand = {"two": {lowest: False}}
    w.sparsity = 0
    assert (~w.kept_neurons()["two"]).sum() == 1
    assert w.outcome["ranked_out"] == []


def test_the_browser_gets_the_shown_layer():
    w = explorer(sparsity=50, layer="two")
    for name in ("two", "out"):
        w.layer = name
        kernel = kernels()[name]
        levels = np.frombuffer(b64decode(w.kernel["levels"]), np.int8).reshape(kernel.shape)
        assert np.array_equal(np.sign(levels), np.sign(kernel))
        reach = np.quantile(np.abs(kernel), 0.99)
        assert w.kernel["reach"] == pytest.approx(reach)
        assert np.abs(levels / 127 - np.clip(kernel / reach, -1, 1)).max() <= 1 / 127
        bits = np.unpackbits(np.frombuffer(b64decode(w.outcome["mask"]), np.uint8))[: kernel.size]
        assert np.array_equal(bits.reshape(kernel.shape), w.masks()[name])
        assert w.outcome["setting"]["layer"] == name
    assert w.kernel["scores"] == []
    w.layer = "two"
    expected = neuron_scores(*some_layers()["two"], kernels()["out"])
    assert w.kernel["scores"] == pytest.approx(expected.tolist(), rel=1e-3)


def test_a_message_from_the_browser_is_answered():
    w = explorer()
    w.set_state({"structure": "neurons", "sparsity": 75, "layer": "two", "by_hand": {"one": {"0": True}}})
    setting = {"structure": "neurons", "sparsity": 75, "layer": "two", "by_hand": {"one": {"0": True}}}
    assert w.outcome["setting"] == setting
    assert w.outcome["accuracy"] == w.accuracy()
    assert w.outcome["layer"] == w.result("two")._asdict()


def test_the_input_is_left_alone():
    def vandal(layers):
        for kernel, bias in layers.values():
            kernel *= 0
            bias *= 0
        return 0.5

    layers = some_layers()
    w = PruningExplorer(layers, vandal)
    w.sparsity = 10
    assert all(np.array_equal(layers[name][0], kernel) for name, kernel in kernels().items())
    assert w.result() == explorer(sparsity=10).result()


def test_the_state_is_json_and_not_large():
    rng = np.random.default_rng(0)
    shapes = [(64, 256), (256, 128), (128, 10)]
    layers = {str(i): (rng.normal(size=shape), np.zeros(shape[1])) for i, shape in enumerate(shapes)}
    w = PruningExplorer(layers, lambda layers: 0.9)
    text = json.dumps({k: v for k, v in w.get_state().items() if not k.startswith("_")}, allow_nan=False)
    assert len(text) < 40_000


@pytest.mark.parametrize(
    ("trait", "value"),
    [
        ("structure", "channels"),
        ("sparsity", -1),
        ("sparsity", 101),
        ("layer", "three"),
        ("by_hand", {"out": {"0": False}}),
        ("by_hand", {"one": {"12": False}}),
        ("by_hand", {"one": {"-1": False}}),
        ("by_hand", {"three": {"0": False}}),
    ],
)
def test_bad_settings_change_nothing(trait, value):
    w = explorer()
    before = getattr(w, trait), w.outcome
    with pytest.raises(ValueError, match=trait):
        setattr(w, trait, value)
    assert (getattr(w, trait), w.outcome) == before


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({}, "no layers"),
        ({"a": (np.ones((4, 2)), np.ones(3))}, "units"),
        ({"a": (np.ones((4, 2, 2)), np.ones(2))}, "inputs, units"),
        ({"a": (np.ones((6, 2)), np.ones(2))}, "blocks of 4"),
        ({"a": (np.ones((4, 4)), np.ones(4)), "b": (np.ones((8, 2)), np.ones(2))}, "a has 4 units, but b has 8"),
        ({"a": (np.full((4, 2), np.nan), np.ones(2))}, "finite"),
        ({"a": (np.empty((4, 0)), np.empty(0))}, "kernel"),
    ],
)
def test_bad_layers(layers, words):
    with pytest.raises(ValueError, match=words):
        PruningExplorer(layers, agreement)


def test_zeros_are_zeros_and_lose_nothing():
    w = PruningExplorer({"zeros": (np.zeros((4, 2)), np.zeros(2))}, lambda layers: 1.0, sparsity=50)
    found = w.result()
    assert isinstance(found, Result)
    assert (found.zeros, found.sparsity, found.magnitude) == (8, 1, 1)


def test_repr_and_display_text():
    w = explorer(structure="2:4")
    text = "PruningExplorer('one', structure='2:4', sparsity=50)"
    assert repr(w) == text
    assert w._repr_mimebundle_()[0]["text/plain"] == text


def test_import_is_light():
    code = (
        "import sys, halfbits.widgets.pruning_explorer; "
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=PATIENCE)


# ── JavaScript, in Node ──


@pytest.fixture(scope="module")
def run_js(tmp_path_factory):
    return in_node(PruningExplorer._esm, tmp_path_factory.mktemp("js"))


def test_js_reads_what_python_sends(run_js):
    w = explorer(structure="global", sparsity=70)
    kernel = kernels()["one"]
    levels, mask = run_js([["levelsOf", [w.kernel["levels"]]], ["maskOf", [w.outcome["mask"], kernel.size]]])
    assert np.array_equal(np.sign(levels), np.sign(kernel).ravel())
    assert np.array_equal(mask, w.masks()["one"].ravel())


def test_js_paints_what_is_kept_and_nothing_else(run_js):
    colours = [[1, 2, 3], [4, 5, 6]]
    levels = [-127, -1, 0, 1, 127, 127]
    (found,) = run_js([["pixels", [levels, [True, True, True, True, True, False], colours]]])
    rows = np.reshape(found, (-1, 4)).tolist()
    assert [row[:3] for row in rows] == [[1, 2, 3], [1, 2, 3], [0, 0, 0], [4, 5, 6], [4, 5, 6], [0, 0, 0]]
    opacities = [row[3] for row in rows]
    assert opacities == [255, opacities[1], 0, opacities[1], 255, 0]
    assert 60 < opacities[1] < 100  # faint, and yet not nothing


@pytest.mark.slow
def test_js_clicks_do_in_python_what_they_say(run_js):
    """Every neuron is clicked twice, whatever the ranking and the hand said before."""
    for structure, by_hand in (("neurons", {}), ("neurons", {"one": {"0": True, "1": False}}), ("connections", {})):
        w = explorer(structure=structure, sparsity=50, by_hand=by_hand)
        start = w.kept_neurons()["one"].tolist()
        ranked_out = w.outcome["ranked_out"]
        for neuron in range(12):
            setting = {**w.outcome["setting"], "by_hand": w.by_hand}
            pruned, after = run_js([[name, [setting, ranked_out, neuron]] for name in ("isPruned", "clicked")])
            assert pruned == (not w.kept_neurons()["one"][neuron])
            w.by_hand = after
            assert w.kept_neurons()["one"][neuron] == pruned
        assert w.kept_neurons()["one"].tolist() == [not kept for kept in start]
        for neuron in range(12):
            setting = {**w.outcome["setting"], "by_hand": w.by_hand}
            (w.by_hand,) = run_js([["clicked", [setting, ranked_out, neuron]]])
        assert w.kept_neurons()["one"].tolist() == start
        notes = w.by_hand.get("one", {})
        assert all(keep == (int(neuron) in ranked_out) for neuron, keep in notes.items())  # nothing that goes without
        assert bool(notes) == bool(by_hand)


def test_js_clicks_leave_other_layers_alone(run_js):
    setting = {"layer": "one", "by_hand": {"two": {"3": False}, "one": {"1": False}}}
    on, off = run_js([["clicked", [setting, [], 2]], ["clicked", [setting, [], 1]]])
    assert on == {"two": {"3": False}, "one": {"1": False, "2": False}}
    assert off == {"two": {"3": False}}


def test_js_knows_one_setting_from_another(run_js):
    setting = {"structure": "global", "sparsity": 5, "layer": "a", "by_hand": {"a": {"1": True}, "b": {"0": False}}}
    again = {**setting, "by_hand": {"b": {"0": False}, "a": {"1": True}}}
    others = [
        {**setting, "structure": "2:4"},
        {**setting, "sparsity": 6},
        {**setting, "layer": "b"},
        {**setting, "by_hand": {}},
        {**setting, "by_hand": {"a": {"1": False}, "b": {"0": False}}},
    ]
    found = run_js([["sameSetting", [setting, other]] for other in [again, *others]])
    assert found == [True] + [False] * 5


def test_js_says_it_in_words(run_js):
    w = explorer(structure="neurons", sparsity=25, by_hand={"one": {"0": False}})
    scores = [0.5, 2.0, 1.0]
    setting = {"layer": "a", "by_hand": {"a": {"0": True}}}
    said, kept, pruned, *texts = run_js(
        [
            ["summary", [w.outcome, 0.975]],
            ["neuronText", [setting, [0, 2], scores, 0]],
            ["neuronText", [setting, [0, 2], scores, 2]],
            *[["settingText", [{"structure": s, "sparsity": 30}]] for s in ("connections", "2:4", "global")],
        ]
    )
    result = w.result()
    assert said == (
        f"25 % of the neurons, in each hidden layer, 1 neuron by hand: "
        f"{result.zeros} of {result.weights} weights are 0, {100 * result.magnitude:.1f} % of the magnitude kept, "
        f"accuracy {100 * w.accuracy():.1f} %, dense 97.5 %."
    )
    assert kept == "Neuron 0: kept by hand. Score 0.500, number 1 of 3 from the lowest."
    assert pruned == "Neuron 2: pruned. Score 1.00, number 2 of 3 from the lowest."
    assert texts == [
        "30 % of the connections, in each layer",
        "50 %, two of four neighbours along the inputs",
        "30 % of the connections, all layers ranked together",
    ]
