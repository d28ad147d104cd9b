"""BitLayout: one value as the bits of several floating-point formats. See `bit_layout.py`."""

from halfbits.widgets.bit_layout.bit_layout import BitLayout

__all__ = ["BitLayout"]
