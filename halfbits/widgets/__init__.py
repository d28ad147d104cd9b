"""The course's own notebook widgets. Importing this loads anywidget and ipywidgets, nothing heavier."""

from halfbits.widgets.bit_layout import BitLayout

__all__ = ["BitLayout"]
