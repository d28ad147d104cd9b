"""LossScaleExplorer: real gradients over the range of the 16-bit formats, moved by a loss scale.

The browser gets no list of gradients, however many there are. A scale here is a power of two, so it moves a number by
whole octaves, and the borders of a format cut an octave [2^e, 2^(e+1)) at a few places only. Counts of the pieces
between those places, a handful an octave, are enough to tell the fate of every gradient at every scale, exactly.

`replay` is dynamic loss scaling as Keras does it, on the largest gradient of each step; `loss_scale_explorer.js` does
the same arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import traitlets

from halfbits.formats import FORMATS, FloatFormat
from halfbits.widgets.explorer import Explorer, sources

__all__ = ["LossScaleExplorer", "Step", "replay"]

_FATES = ("zero", "subnormal", "normal", "overflow")
_LOWEST, _HIGHEST = 0, 40  # exponents that the slider offers, more where the replay needs them


class Step(NamedTuple):
    """One step of dynamic loss scaling: the scale it was computed with, and whether it was skipped."""

    scale: float
    skipped: bool


def replay(
    max_gradients: Iterable[float],
    initial_scale: float = 2.0**15,
    growth_interval: int = 2000,
    format: str = "fp16",
) -> list[Step]:
    """Dynamic loss scaling as Keras does it, on the largest gradient of each step.

    A step is skipped, and the scale halved, where largest × scale overflows in the format; after `growth_interval`
    good steps in a row the scale doubles.

    Args:
        max_gradients: the largest magnitude of each step's gradients, not scaled.
        initial_scale: the scale of the first step.
        growth_interval: good steps until the scale doubles.
        format: a name of `halfbits.formats.FORMATS`.

    >>> replay([1.0, 1.0, 1.0], initial_scale=2.0**16)
    [Step(scale=65536.0, skipped=True), Step(scale=32768.0, skipped=False), Step(scale=32768.0, skipped=False)]
    """
    layout = _layout(format)
    if growth_interval < 1:
        raise ValueError(f"growth_interval is at least 1, not {growth_interval}")
    scale, good, steps = float(initial_scale), 0, []
    for largest in max_gradients:
        skipped = not math.isfinite(layout.round(abs(float(largest)) * scale))
        steps.append(Step(scale, skipped))
        good = 0 if skipped else good + 1
        if skipped:
            scale /= 2
        elif good == growth_interval:
            scale, good = 2 * scale, 0
    return steps


class LossScaleExplorer(Explorer):
    """A histogram of gradients on a log₂ axis, with what each format makes of them at a loss scale.

    Args:
        gradients: an array, or a list of arrays in which None is allowed, as `tape.gradient` returns it.
        formats: one row each, names of `halfbits.formats.FORMATS` that have infinities.
        scale: the loss scale to begin with, a power of two.
        max_gradients: the largest gradient of each step of a run; with it the widget replays dynamic scaling.
        initial_scale: where that replay begins, a power of two.
        growth_interval: good steps until it doubles.

    Traits (both can be set and observed; the browser sets them too):
        scale: the loss scale. Setting it moves the histogram.
        step: the step of the replay that is shown. Setting it sets `scale` to the scale of that step.

    Raises:
        ValueError: an unknown format, a scale that is no power of two or out of range, no gradients.

    >>> w = LossScaleExplorer([1e-8, 1.0, 1e6], formats="fp16")
    >>> w.counts()["fp16"]
    {'zero': 1, 'subnormal': 0, 'normal': 1, 'overflow': 1}
    """

    _esm, _css = sources(__file__)

    formats = traitlets.Tuple(read_only=True).tag(sync=True)
    layouts = traitlets.Dict(read_only=True).tag(sync=True)
    cuts = traitlets.List(read_only=True).tag(sync=True)
    cells = traitlets.List(read_only=True).tag(sync=True)
    zeros = traitlets.Int(read_only=True).tag(sync=True)
    not_finite = traitlets.Int(read_only=True).tag(sync=True)
    exponents = traitlets.Tuple(read_only=True).tag(sync=True)
    replayed = traitlets.List(read_only=True).tag(sync=True)
    growth_interval = traitlets.Int(2000, read_only=True).tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        gradients,
        formats: Sequence[str] = ("fp16", "bf16"),
        scale: float = 1.0,
        max_gradients: Iterable[float] | None = None,
        initial_scale: float = 2.0**15,
        growth_interval: int = 2000,
        **kwargs,
    ):
        names = (formats,) if isinstance(formats, str) else tuple(formats)
        if not names or len(set(names)) < len(names):
            raise ValueError("formats needs at least one name, none of them twice")
        layouts = {name: _layout(name) for name in names}
        self._gradients = _flat(gradients)
        largest = [abs(float(g)) for g in max_gradients] if max_gradients is not None else []
        steps = replay(largest, initial_scale, growth_interval, names[0])
        reached = [_exponent(step.scale) for step in steps]
        magnitudes = np.abs(self._gradients)
        counted = magnitudes[np.isfinite(magnitudes) & (magnitudes > 0)]
        cuts = sorted({cut for layout in layouts.values() for cut in _cuts(layout)})
        self._fix(
            formats=names,
            layouts={name: [f.exponent_bits, f.mantissa_bits] for name, f in layouts.items()},
            cuts=cuts,
            cells=_cells(counted, cuts),
            zeros=int((magnitudes == 0).sum()),
            not_finite=int((~np.isfinite(magnitudes)).sum()),
            exponents=(min([_LOWEST, *reached]), max([_HIGHEST, *reached])),
            # JSON has neither infinity nor NaN: such a gradient is None.
            replayed=[
                [exponent, step.skipped, g if math.isfinite(g) else None]
                for exponent, step, g in zip(reached, steps, largest, strict=True)
            ],
            growth_interval=int(growth_interval),
        )
        super().__init__(scale=scale, **kwargs)

    def __repr__(self) -> str:
        # Also the text/plain form of the output: nothing in it depends on the run of the program.
        return (
            f"LossScaleExplorer({self._gradients.size:,} gradients, formats={self.formats!r}, "
            f"scale=2**{_exponent(self.scale)})"
        )

    def counts(self, scale: float | None = None) -> dict[str, dict[str, int]]:
        """What each format makes of the gradients that are not zero, times the scale; cast by `halfbits.formats`.

        Returns:
            For each format: how many become `zero`, `subnormal`, `normal` numbers, or `overflow`. A gradient that is
            infinite or NaN already counts as overflow.
        """
        scale = self.scale if scale is None else scale
        values = np.abs(self._gradients[self._gradients != 0]) * scale
        result = {}
        for name in self.formats:
            kinds = FORMATS[name].classify(FORMATS[name].encode(values))
            kinds = np.where((kinds == "inf") | (kinds == "nan"), "overflow", kinds)
            result[name] = {fate: int((kinds == fate).sum()) for fate in _FATES}
        return result

    @traitlets.validate("scale")
    def _valid_scale(self, proposal):
        exponent = _exponent(proposal.value)
        if not self.exponents[0] <= exponent <= self.exponents[1]:
            low, high = self.exponents
            raise ValueError(f"scale goes from 2**{low} to 2**{high} here, not 2**{exponent}")
        return 2.0**exponent

    @traitlets.validate("step")
    def _valid_step(self, proposal):
        if proposal.value and not 0 <= proposal.value < len(self.replayed):
            raise ValueError(f"there are {len(self.replayed)} steps to replay; no step {proposal.value}")
        return proposal.value

    @traitlets.observe("step")
    def _show_step(self, change):
        # What the browser sets it sets together with the scale: see `set_state`.
        if self.replayed and not self._in_browser_message:
            self.scale = 2.0 ** self.replayed[change.new][0]

    _in_browser_message = False

    def set_state(self, sync_data):
        self._in_browser_message = True
        try:
            super().set_state(sync_data)
        finally:
            self._in_browser_message = False


def _layout(name: str) -> FloatFormat:
    known = [each for each, layout in FORMATS.items() if layout.has_infinity and layout.bits < 64]
    if name not in known:
        raise ValueError(f"unknown format {name!r}; here the known ones are {', '.join(known)}")
    return FORMATS[name]


def _exponent(scale: float) -> int:
    mantissa, exponent = math.frexp(scale) if scale > 0 and math.isfinite(scale) else (0, 0)
    if mantissa != 0.5:
        raise ValueError(f"a loss scale is a power of two here, not {scale!r}")
    return exponent - 1


def _flat(gradients) -> np.ndarray:
    if isinstance(gradients, (list, tuple)) and any(np.ndim(g) or g is None for g in gradients):
        parts = [np.asarray(g).astype(np.float64).ravel() for g in gradients if g is not None]
    else:
        parts = [np.asarray(gradients).astype(np.float64).ravel()]
    values = np.concatenate(parts) if parts else np.empty(0)
    if not values.size:
        raise ValueError("there are no gradients to show")
    return values


def _cuts(layout: FloatFormat) -> tuple[float, float]:
    """Where the format's borders cut an octave, as fractions of it between 1 and 2.

    Half a step below the smallest normal number a tie goes up to it; half a step above the largest number a tie goes
    up to infinity. (The third border, half the smallest subnormal, is a power of two; there the tie goes down.)
    """
    m = layout.mantissa_bits
    return 2 - 2.0**-m, 2 - 2.0 ** -(m + 1)


def _cells(magnitudes: np.ndarray, cuts: Sequence[float]) -> list[list[int]]:
    """[octave, part, count] for each part of an octave that holds a number.

    Part 0 is the power of two itself, part 1 goes from there to the first cut, and so on; a cut belongs to the part
    that begins with it.
    """
    mantissas, exponents = np.frexp(magnitudes)
    fractions = 2 * mantissas
    parts = np.where(fractions == 1, 0, 1 + np.searchsorted(np.asarray(cuts), fractions, side="right"))
    pairs, counts = np.unique(np.stack([exponents - 1, parts], axis=1), axis=0, return_counts=True)
    return [[int(octave), int(part), int(count)] for (octave, part), count in zip(pairs, counts, strict=True)]
