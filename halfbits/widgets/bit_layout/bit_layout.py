"""BitLayout: one value shown as the bits of several floating-point formats, side by side.

The browser does its own arithmetic (`bit_layout.js`), so a flipped bit shows at once and a notebook without a
kernel still works. This side does the same arithmetic with `halfbits.formats` when Python is the one to set
something. Both follow one rule, so they cannot drift apart:

* a new `value` is encoded in every format;
* a new pattern in one row makes that row the source: the value is what it decodes to, the other rows follow.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import anywidget
import traitlets

from halfbits.formats import FORMATS, FloatFormat

__all__ = ["BitLayout"]

_HERE = Path(__file__).parent
_DEFAULT_FORMATS = ("fp32", "fp16", "bf16")


class _Rows(dict):
    """What `widget.bits` gives: row name to pattern. Setting an item sets that row of the widget."""

    def __init__(self, widget: BitLayout, patterns: Mapping[str, int]):
        super().__init__(patterns)
        self._widget = widget

    def __setitem__(self, name: str, pattern: int) -> None:
        self._widget.bits = {name: pattern}
        super().update(self._widget.bits)


class _ValueTrait(traitlets.TraitType):
    def set(self, obj: BitLayout, value) -> None:
        obj._move_to(obj._state_of_value(value))


class _BitsTrait(traitlets.TraitType):
    def get(self, obj: BitLayout, cls=None) -> _Rows:
        return _Rows(obj, super().get(obj, cls))

    def set(self, obj: BitLayout, value) -> None:
        obj._move_to(obj._state_of_bits(value))


class _State(NamedTuple):
    """The two traits that only ever move together."""

    value: float
    bits: dict[str, int]


class BitLayout(anywidget.AnyWidget):
    """One value in several floating-point formats, each a row of bits that can be flipped.

    Args:
        value: the number to start from, any Python float (NaN and the infinities too).
        formats: names from `halfbits.formats.FORMATS`, one row each, in this order. Fixed once made.

    Traits (both can be set and observed; the browser sets them too):
        value: the number, exact.
        bits: row name to bit pattern, for example ``{"fp16": 0x2E66}``. Set one row and it becomes the source:
            ``widget.bits = {"fp16": 0x7C00}`` or ``widget.bits["fp16"] = 0x7C00``.

    Raises:
        ValueError: a format is unknown or given twice, or a pattern does not fit its row.

    >>> w = BitLayout(65520)
    >>> w.bits["fp16"] == 0x7C00
    True
    """

    _esm = _HERE / "bit_layout.js"
    _css = _HERE / "bit_layout.css"

    formats = traitlets.Tuple(read_only=True).tag(sync=True)
    # JSON has no NaN and JavaScript no integer beyond 2^53: both travel as hexadecimal bit patterns.
    value = _ValueTrait().tag(
        sync=True,
        to_json=lambda value, widget: _hex(_fp64_bits(value), 64),
        from_json=lambda text, widget: _fp64_value(int(text, 16)),
    )
    bits = _BitsTrait().tag(
        sync=True,
        to_json=lambda bits, widget: {name: _hex(pattern, FORMATS[name].bits) for name, pattern in bits.items()},
        from_json=lambda bits, widget: {name: int(text, 16) for name, text in bits.items()},
    )

    def __init__(self, value: float = 0.1, formats: Sequence[str] = _DEFAULT_FORMATS, **kwargs):
        # Before the base class opens the connection, so that the first message already carries all of it.
        self.set_trait("formats", _known(formats))
        self.value = value
        super().__init__(**kwargs)

    def __repr__(self) -> str:
        # Also the text/plain form of the output: it must not depend on the run, so no id and no address.
        return f"BitLayout(value={self.value!r}, formats={self.formats!r})"

    def _state(self) -> _State | None:
        values = self._trait_values
        return _State(values["value"], values["bits"]) if "bits" in values else None

    def _move_to(self, new: _State) -> None:
        """Put both traits in place, then tell the browser (in one message) and whoever observes."""
        old = self._state()
        self._trait_values.update(new._asdict())
        with self.hold_sync():
            if old is None or not _same(old.value, new.value):
                self._notify_trait("value", old and old.value, new.value)
            if old is None or old.bits != new.bits:
                self._notify_trait("bits", old and old.bits, new.bits)

    def _state_of_value(self, value: float) -> _State:
        value = float(value)
        now = self._state()
        if now and _same(now.value, value):
            return now  # encoding again would lose the payload of a NaN that came from a row
        return _State(value, {name: FORMATS[name].encode(value) for name in self.formats})

    def _state_of_bits(self, patterns: Mapping[str, int]) -> _State:
        patterns = self._checked(patterns)
        now = self._state()
        if patterns == now.bits:
            return now
        changed = [name for name in patterns if patterns[name] != now.bits[name]] or list(patterns)
        for source in changed:
            state = self._state_of_row(source, patterns[source])
            # The browser names all rows at once: the source is the one that explains them.
            if len(changed) == 1 or patterns.items() <= state.bits.items():
                return state
        raise ValueError(f"no row explains the others: set one row at a time, not {', '.join(changed)}")

    def _state_of_row(self, source: str, pattern: int) -> _State:
        value = FORMATS[source].decode(pattern)
        bits = {name: FORMATS[name].encode(value) for name in self.formats}
        # Encoding a NaN again may drop its payload: the row that was set keeps the pattern it was given.
        bits[source] = pattern
        return _State(value, bits)

    def _checked(self, patterns: Mapping[str, int]) -> dict[str, int]:
        if not isinstance(patterns, Mapping) or not patterns:
            raise ValueError("bits is a mapping from a row's name to its pattern, with at least one row")
        for name in patterns:
            if name not in self.formats:
                raise ValueError(f"no row {name!r}; this widget shows {', '.join(self.formats)}")
        return {name: _checked_pattern(FORMATS[name], pattern) for name, pattern in patterns.items()}


def _known(formats: Sequence[str]) -> tuple[str, ...]:
    names = (formats,) if isinstance(formats, str) else tuple(formats)
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names or len(set(names)) < len(names):
        problem = f"unknown format {unknown[0]!r}" if unknown else "formats needs at least one name, none of them twice"
        raise ValueError(f"{problem}; the known ones are {', '.join(FORMATS)}")
    return names


def _checked_pattern(layout: FloatFormat, pattern: int) -> int:
    pattern = operator.index(pattern)
    layout.fields(pattern)  # raises where the pattern does not fit
    return pattern


def _same(one: float, other: float) -> bool:
    """Equal bit for bit: -0.0 differs from 0.0, and a NaN equals itself."""
    return _fp64_bits(one) == _fp64_bits(other)


def _fp64_bits(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def _fp64_value(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def _hex(pattern: int, bits: int) -> str:
    return f"0x{pattern:0{(bits + 3) // 4}x}"
