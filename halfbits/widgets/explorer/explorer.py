"""What the explorers share. A browser gets `explorer.js` and `explorer.css` before the files of the widget itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import anywidget
import numpy as np

__all__ = ["Explorer", "checked_kernel", "chosen_layer", "sources"]

_HERE = Path(__file__)


class Explorer(anywidget.AnyWidget):
    """A widget that shows what it was made from: some traits are fixed once it is made."""

    def _fix(self, **values) -> None:
        """Set traits, read-only ones too."""
        for name, value in values.items():
            self.set_trait(name, value)


def sources(file: str) -> tuple[str, str]:
    """JavaScript and CSS for the widget whose Python is `file`: the shared ones, then those that lie beside it."""
    js, css = (
        "\n".join(path.with_suffix(suffix).read_text(encoding="utf-8") for path in (_HERE, Path(file)))
        for suffix in (".js", ".css")
    )
    return js, css


def checked_kernel(name: str, kernel, dtype=np.float64) -> np.ndarray:
    """The kernel of a layer as an array of its own.

    Raises:
        ValueError: it has fewer than two axes, no number, or NaN or infinities.
    """
    kernel = np.array(kernel, dtype)
    if kernel.ndim < 2 or not kernel.size or not np.isfinite(kernel).all():
        raise ValueError(f"the kernel of {name} needs two axes or more, and finite numbers")
    return kernel


def chosen_layer(layer: str | None, names: Iterable[str]) -> str:
    """The layer to show: the first where none is named.

    Raises:
        ValueError: there is no such layer.
    """
    names = list(names)
    if layer is None:
        return names[0]
    if layer not in names:
        raise ValueError(f"no layer {layer!r} here; there are {', '.join(names)}")
    return layer
