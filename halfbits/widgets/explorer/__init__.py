"""What the explorers share: the base class, and JavaScript and CSS that go before their own. See `explorer.py`."""

from halfbits.widgets.explorer.explorer import Explorer, checked_kernel, chosen_layer, sources

__all__ = ["Explorer", "checked_kernel", "chosen_layer", "sources"]
