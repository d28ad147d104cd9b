"""PruningExplorer: the weights of a layer, the mask over them, and what is left: magnitude, bytes, accuracy.

Python makes the masks with `halfbits.pruning` and runs the model each time a setting changes; the browser draws. There
are too many settings to try them all beforehand, since any neuron may be pruned by hand. So without a kernel the widget
shows what it showed when the notebook was saved, and says so when a control is moved.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import traitlets

from halfbits.pruning import global_masks, magnitude_mask, n_of_m_mask, neuron_scores, sizes
from halfbits.widgets.explorer import Explorer, checked_kernel, chosen_layer, sources

__all__ = ["PruningExplorer", "Result"]

STRUCTURES = ("connections", "neurons", "2:4", "global")
_SETTING = ("structure", "sparsity", "layer", "by_hand")
# A heat map shows the weights up to this quantile of the magnitudes; the largest would leave all others pale.
_QUANTILE = 0.99

Layers = dict[str, tuple[np.ndarray, np.ndarray]]


class Result(NamedTuple):
    """What a mask leaves.

    Attributes:
        zeros, weights: how many weights are 0, and how many there are.
        magnitude: the share of Σ|w| that is kept, 0 to 1.
        bytes: those of `halfbits.pruning.sizes`, and `cut`: the dense form without the rows and columns of the neurons
            that are pruned.
    """

    zeros: int
    weights: int
    magnitude: float
    bytes: dict[str, int]

    @property
    def sparsity(self) -> float:
        """The share of the weights that are 0."""
        return self.zeros / self.weights


class PruningExplorer(Explorer):
    """A heat map of a layer's weights with a mask over it, its size, and the accuracy of the model, not retrained.

    The setting is applied to all layers. A pruned neuron loses its incoming weights, its bias and its outgoing weights;
    the neurons of the last layer, the outputs, are not pruned.

    Args:
        layers: (kernel, bias) of each Dense layer, in order, by their names; a kernel is (inputs, units).
        accuracy: the share of examples, 0 to 1, that the model gets right with the layers that it is given, a dict like
            `layers`. It is called once for the layers as they are, and at each change of the setting.
        layer: the name of the layer to show, by default the first.
        structure, sparsity, by_hand: the setting to begin with.

    Traits (all can be set and observed; the browser sets them too):
        structure: "connections", the smallest of each layer; "neurons", those with the lowest `neuron_scores` of each
            hidden layer; "2:4", two of four neighbours along the inputs, whatever the sparsity; "global", the smallest
            of all layers together.
        sparsity: 0 to 100 percent, of the connections or of the neurons.
        layer: the name of the layer to show.
        by_hand: neurons that are pruned (False) or kept (True) whatever the ranking says: {"hidden_1": {"7": False}}.

    `dense_accuracy` is the model's accuracy without a mask.

    Raises:
        ValueError: layers that do not fit each other or 2:4, an empty kernel, one with NaN or infinities, an unknown
            layer, structure or neuron, a sparsity out of range.
    """

    _esm, _css = sources(__file__)

    shapes = traitlets.List(read_only=True).tag(sync=True)
    dense_accuracy = traitlets.Float(read_only=True).tag(sync=True)
    kernel = traitlets.Dict(read_only=True).tag(sync=True)
    outcome = traitlets.Dict(read_only=True).tag(sync=True)
    structure = traitlets.Unicode("connections").tag(sync=True)
    sparsity = traitlets.Int(50).tag(sync=True)
    layer = traitlets.Unicode().tag(sync=True)
    by_hand = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        layers: Mapping[str, tuple[np.ndarray, np.ndarray]],
        accuracy: Callable[[Layers], float],
        layer: str | None = None,
        structure: str = "connections",
        sparsity: int = 50,
        by_hand: Mapping[str, Mapping[str, bool]] | None = None,
        **kwargs,
    ):
        self._layers, self._accuracy = _checked(layers), accuracy
        self._fix(
            shapes=[[name, *kernel.shape] for name, (kernel, _) in self._layers.items()],
            dense_accuracy=float(accuracy(_copies(self._layers))),
        )
        self.layer = chosen_layer(layer, self._layers)
        self.structure, self.sparsity, self.by_hand = structure, sparsity, dict(by_hand or {})
        self._show_kernel()
        self._show_outcome()
        super().__init__(**kwargs)
        self.observe(self._on_setting, list(_SETTING))

    def __repr__(self) -> str:
        # Also the text/plain form of the output: nothing in it depends on the run of the program.
        return f"PruningExplorer({self.layer!r}, structure={self.structure!r}, sparsity={self.sparsity})"

    def masks(self) -> dict[str, np.ndarray]:
        """For each layer which weights are kept: by the ranking, less those of neurons that are pruned."""
        kernels = [kernel for kernel, _ in self._layers.values()]
        if self.structure == "connections":
            chosen = [magnitude_mask(kernel, self.sparsity / 100) for kernel in kernels]
        elif self.structure == "2:4":
            chosen = [n_of_m_mask(kernel, 2, 4, axis=0) for kernel in kernels]
        elif self.structure == "global":
            chosen = global_masks(kernels, self.sparsity / 100)
        else:
            chosen = [np.ones(kernel.shape, bool) for kernel in kernels]
        ends = self._ends().items()
        return {name: mask & np.outer(*kept) for (name, kept), mask in zip(ends, chosen, strict=True)}

    def kept_neurons(self) -> dict[str, np.ndarray]:
        """For each layer which of its neurons are kept: by the ranking, where neurons are ranked, and by hand."""
        kept = self._ranked()
        for name, neurons in self.by_hand.items():
            for neuron, keep in neurons.items():
                kept[name][int(neuron)] = keep
        return kept

    def result(self, layer: str | None = None) -> Result:
        """What the mask leaves of a layer, or, where none is named, of all of them together."""
        results = self._results(self.masks())
        return self._together(results) if layer is None else results[chosen_layer(layer, results)]

    def accuracy(self) -> float:
        """The accuracy of the model under the mask, not retrained."""
        return self._accuracy_under(self.masks())

    def _ranked(self) -> dict[str, np.ndarray]:
        """For each layer which of its neurons the ranking keeps."""
        kept = {name: np.ones(bias.shape, bool) for name, (_, bias) in self._layers.items()}
        if self.structure == "neurons":
            for name in list(kept)[:-1]:
                kept[name] = magnitude_mask(self._scores(name), self.sparsity / 100)
        return kept

    def _scores(self, layer: str) -> np.ndarray:
        """The scores of a layer's neurons; none for the last layer."""
        names = list(self._layers)
        if layer == names[-1]:
            return np.empty(0)
        following, _ = self._layers[names[names.index(layer) + 1]]
        return neuron_scores(*self._layers[layer], following)

    def _ends(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each kernel which of its rows and which of its columns belong to neurons that are kept."""
        kept = self.kept_neurons()
        first = next(iter(self._layers.values()))[0]
        return dict(zip(kept, pairwise([np.ones(len(first), bool), *kept.values()]), strict=True))

    def _results(self, masks: Mapping[str, np.ndarray]) -> dict[str, Result]:
        ends = self._ends()
        return {name: _left(kernel, masks[name], *ends[name]) for name, (kernel, _) in self._layers.items()}

    def _together(self, results: Mapping[str, Result]) -> Result:
        sums = [np.abs(kernel).sum() for kernel, _ in self._layers.values()]
        kept = [each.magnitude * whole for each, whole in zip(results.values(), sums, strict=True)]
        forms = [each.bytes for each in results.values()]
        return Result(
            zeros=sum(each.zeros for each in results.values()),
            weights=sum(each.weights for each in results.values()),
            magnitude=_share(sum(kept), sum(sums)),
            bytes={form: sum(each[form] for each in forms) for form in forms[0]},
        )

    def _accuracy_under(self, masks: Mapping[str, np.ndarray]) -> float:
        kept = self.kept_neurons()
        pruned = {name: (kernel * masks[name], bias * kept[name]) for name, (kernel, bias) in self._layers.items()}
        return float(self._accuracy(pruned))

    def _on_setting(self, change) -> None:
        with self.hold_sync():
            if change.name == "layer":
                self._show_kernel()
            self._show_outcome()

    def _show_kernel(self) -> None:
        kernel, _ = self._layers[self.layer]
        reach = float(np.quantile(np.abs(kernel), _QUANTILE)) or float(np.abs(kernel).max()) or 1.0
        # 1 to 127 and the sign for every weight that is not exactly 0: the browser needs no more to colour it.
        levels = np.sign(kernel) * np.ceil(127 * np.minimum(np.abs(kernel) / reach, 1))
        scores = [float(f"{score:.4g}") for score in self._scores(self.layer)]
        self._fix(kernel={"levels": _base64(levels.astype(np.int8)), "reach": reach, "scores": scores})

    def _show_outcome(self) -> None:
        masks = self.masks()
        results = self._results(masks)
        ranked_out = np.flatnonzero(~self._ranked()[self.layer])
        self._fix(
            outcome={
                "setting": {name: getattr(self, name) for name in _SETTING},
                "mask": _base64(np.packbits(masks[self.layer])),
                "ranked_out": ranked_out.tolist(),
                "layer": results[self.layer]._asdict(),
                "model": self._together(results)._asdict(),
                "accuracy": self._accuracy_under(masks),
            }
        )

    @traitlets.validate("structure")
    def _valid_structure(self, proposal):
        if proposal.value not in STRUCTURES:
            raise ValueError(f"the structure is one of {', '.join(STRUCTURES)}, not {proposal.value!r}")
        return proposal.value

    @traitlets.validate("sparsity")
    def _valid_sparsity(self, proposal):
        if not 0 <= proposal.value <= 100:
            raise ValueError(f"the sparsity goes from 0 to 100 percent, not {proposal.value}")
        return proposal.value

    @traitlets.validate("layer")
    def _valid_layer(self, proposal):
        return chosen_layer(proposal.value, self._layers)

    @traitlets.validate("by_hand")
    def _valid_by_hand(self, proposal):
        hidden = {name: bias.size for name, (_, bias) in list(self._layers.items())[:-1]}
        for name, neurons in proposal.value.items():
            if name not in hidden:
                raise ValueError(f"by_hand: {name!r} is no hidden layer; there are {', '.join(hidden) or 'none'}")
            for neuron in neurons:
                if not str(neuron).isdecimal() or int(neuron) >= hidden[name]:
                    raise ValueError(f"by_hand: {name} has {hidden[name]} neurons; no neuron {neuron}")
        # JSON has no keys but text.
        return {name: {str(n): bool(keep) for n, keep in neurons.items()} for name, neurons in proposal.value.items()}


def _checked(layers: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Layers:
    if not layers:
        raise ValueError("there are no layers to prune")
    checked = {name: (checked_kernel(name, k, np.float32), np.array(b, np.float32)) for name, (k, b) in layers.items()}
    for name, (kernel, bias) in checked.items():
        if kernel.ndim != 2 or bias.shape != kernel.shape[1:]:
            raise ValueError(
                f"{name}: a kernel is (inputs, units) and its bias (units,), not {kernel.shape}, {bias.shape}"
            )
        if len(kernel) % 4:
            raise ValueError(f"{name}: blocks of 4 do not fill {len(kernel)} inputs")
    for (one, (_, bias)), (other, (kernel, _)) in pairwise(checked.items()):
        if bias.size != len(kernel):
            raise ValueError(f"{one} has {bias.size} units, but {other} has {len(kernel)} inputs")
    return checked


def _left(kernel: np.ndarray, mask: np.ndarray, rows: np.ndarray, units: np.ndarray) -> Result:
    """What is left of a kernel; `rows` and `units` are those of neurons that are kept."""
    pruned = kernel * mask
    forms = sizes(pruned) | {"cut": pruned[np.ix_(rows, units)].nbytes}
    return Result(int((pruned == 0).sum()), pruned.size, _share(np.abs(pruned).sum(), np.abs(kernel).sum()), forms)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0


def _copies(layers: Layers) -> Layers:
    return {name: (kernel.copy(), bias.copy()) for name, (kernel, bias) in layers.items()}


def _base64(array: np.ndarray) -> str:
    return b64encode(array.tobytes()).decode("ascii")
