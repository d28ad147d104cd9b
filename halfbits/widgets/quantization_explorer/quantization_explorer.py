"""QuantizationExplorer: the weights of a layer, the quantization grid over them, and what the model makes of it.

Every setting is tried in Python when the widget is made: all kernels of the model are rounded, the model runs on its
examples, and the error of the shown layer is split. The browser gets that table, so that what it shows was computed
and not estimated, and still works where there is no kernel. It computes the places of the grid lines itself, from the
range of each channel, as `halfbits.quantization.grid` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import traitlets

from halfbits.quantization import error, grid
from halfbits.widgets.explorer import Explorer, checked_kernel, chosen_layer, sources

__all__ = ["QuantizationExplorer", "Result"]

_BITS = range(2, 9)
_CLIPS = range(10, 101, 5)
_BINS = 108


class Result(NamedTuple):
    """One setting: the parts of the layer's mean squared error, its SQNR in dB, and the model's accuracy, 0 to 1."""

    rounding: float
    clipping: float
    sqnr: float
    accuracy: float


class QuantizationExplorer(Explorer):
    """A histogram of a layer's weights with a quantization grid over it, the error, and the accuracy of the model.

    Args:
        kernels: the float kernels of the model by the names of their layers; the channels lie along the last axis.
        accuracy: the share of examples, 0 to 1, that the model gets right with the kernels that it is given, a dict
            like `kernels`. It is called once for the kernels as they are and once for each of 532 settings.
        layer: the name of the layer to show, by default the first. The setting is applied to all of them.
        bits, clip, symmetric, per_channel: the setting to begin with.

    Traits (all can be set and observed; the browser sets them too):
        bits: 2 to 8.
        clip: how much of the range the grid covers, 10 to 100 percent in steps of 5.
        symmetric: whether the zero-point is 0 and the grid reaches equally far on both sides.
        per_channel: whether each channel has its own grid.
        channel: the channel whose grid is drawn when there is one for each.

    Raises:
        ValueError: no kernels, an empty one, one with NaN or infinities, an unknown layer, a setting out of range.
    """

    _esm, _css = sources(__file__)

    layer = traitlets.Unicode(read_only=True).tag(sync=True)
    edges = traitlets.Tuple(read_only=True).tag(sync=True)
    counts = traitlets.List(read_only=True).tag(sync=True)
    ranges = traitlets.List(read_only=True).tag(sync=True)
    table = traitlets.List(read_only=True).tag(sync=True)
    signal = traitlets.Float(read_only=True).tag(sync=True)
    float_accuracy = traitlets.Float(read_only=True).tag(sync=True)
    bits = traitlets.Int(8).tag(sync=True)
    clip = traitlets.Int(100).tag(sync=True)
    symmetric = traitlets.Bool(True).tag(sync=True)
    per_channel = traitlets.Bool(False).tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        kernels: Mapping[str, np.ndarray],
        accuracy: Callable[[dict[str, np.ndarray]], float],
        layer: str | None = None,
        **kwargs,
    ):
        kernels = {name: checked_kernel(name, kernel) for name, kernel in kernels.items()}
        if not kernels:
            raise ValueError("there are no kernels to quantize")
        layer = chosen_layer(layer, kernels)
        shown = kernels[layer].reshape(-1, kernels[layer].shape[-1])
        # A third beyond the largest weight: as far as a zero-point that is rounded can push an end of the grid.
        reach = 1.34 * (np.abs(shown).max() or 1.0)
        counts = [np.histogram(column, _BINS, (-reach, reach))[0].tolist() for column in shown.T]
        self._fix(
            layer=layer,
            edges=(-float(reach), float(reach)),
            counts=counts,
            ranges=[[float(column.min()), float(column.max())] for column in shown.T],
            table=[_row(kernels, layer, accuracy, *setting) for setting in _settings()],
            signal=float(np.mean(shown**2)),
            float_accuracy=float(accuracy(dict(kernels))),
        )
        super().__init__(**kwargs)

    def __repr__(self) -> str:
        # Also the text/plain form of the output: nothing in it depends on the run of the program.
        return (
            f"QuantizationExplorer({self.layer!r}, bits={self.bits}, clip={self.clip}, "
            f"symmetric={self.symmetric}, per_channel={self.per_channel})"
        )

    def result(
        self,
        bits: int | None = None,
        clip: int | None = None,
        symmetric: bool | None = None,
        per_channel: bool | None = None,
    ) -> Result:
        """What a setting costs; what is not given is as the controls say."""
        asked = (bits, clip, symmetric, per_channel)
        shown = (self.bits, self.clip, self.symmetric, self.per_channel)
        bits, clip, symmetric, per_channel = (s if a is None else a for a, s in zip(asked, shown, strict=True))
        if bits not in _BITS or clip not in _CLIPS:
            raise ValueError(f"bits go from 2 to 8 and clip from 10 to 100 in steps of 5, not {bits} and {clip}")
        rounding, clipping, accuracy = self.table[_index(bits, clip, symmetric, per_channel)]
        with np.errstate(divide="ignore"):
            sqnr = float(10 * np.log10(np.divide(self.signal, rounding + clipping))) if self.signal else np.inf
        return Result(rounding, clipping, sqnr, accuracy)

    @traitlets.validate("bits")
    def _valid_bits(self, proposal):
        if proposal.value not in _BITS:
            raise ValueError(f"bits go from 2 to 8 here, not {proposal.value}")
        return proposal.value

    @traitlets.validate("clip")
    def _valid_clip(self, proposal):
        if proposal.value not in _CLIPS:
            raise ValueError(f"clip goes from 10 to 100 percent in steps of 5, not {proposal.value}")
        return proposal.value

    @traitlets.validate("channel")
    def _valid_channel(self, proposal):
        if not 0 <= proposal.value < len(self.ranges):
            raise ValueError(f"there are {len(self.ranges)} channels; no channel {proposal.value}")
        return proposal.value


def _settings() -> list[tuple[int, int, bool, bool]]:
    """All settings, in the order of the table."""
    switches = (False, True)
    return [(b, c, s, p) for b in _BITS for c in _CLIPS for s in switches for p in switches]


def _index(bits: int, clip: int, symmetric: bool, per_channel: bool) -> int:
    place = _BITS.index(bits) * len(_CLIPS) + _CLIPS.index(clip)
    return 4 * place + 2 * symmetric + per_channel


def _row(kernels, layer, accuracy, bits, clip, symmetric, per_channel) -> list[float]:
    """Rounding error and clipping error of the shown layer, and the accuracy, for one setting."""
    axis = -1 if per_channel else None
    grids = {name: grid(kernel, bits, symmetric, axis, clip / 100) for name, kernel in kernels.items()}
    correct = accuracy({name: grids[name].round(kernel) for name, kernel in kernels.items()})
    found = error(kernels[layer], grids[layer])
    return [_short(found.rounding), _short(found.clipping), float(correct)]


def _short(value: float) -> float:
    """Five digits, so that the state of the widget stays small."""
    return float(f"{value:.4e}")
