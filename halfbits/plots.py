"""One look for the course's figures: readable in light and dark notebooks and by colour-blind people."""

from __future__ import annotations

from contextlib import AbstractContextManager

import matplotlib.pyplot as plt
from cycler import cycler

__all__ = ["COLOURS", "LINES", "style"]

# Okabe and Ito's palette ("Color Universal Design", 2008), less its yellow, too pale on white.
_BLUE, _VERMILION, _GREEN, _PURPLE, _ORANGE, _SKY, _GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#666666",
)

#: A format has the same colour in every figure.
COLOURS = {
    "fp32": _BLUE,
    "fp16": _VERMILION,
    "bf16": _GREEN,
    "tf32": _PURPLE,
    "fp8_e4m3": _ORANGE,
    "fp8_e5m2": _SKY,
    "other": _GREY,
}

#: And the same line, so that colour is never the only difference.
LINES = {"fp32": "-", "fp16": "--", "bf16": "-.", "tf32": ":", "fp8_e4m3": (0, (5, 1)), "fp8_e5m2": (0, (1, 1))}

_STYLE = {
    "figure.figsize": (8, 4.2),
    "figure.dpi": 100,
    "figure.facecolor": "white",  # opaque, so that black text stays readable in a dark notebook
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": cycler(color=[_BLUE, _VERMILION, _GREEN, _PURPLE, _ORANGE, _SKY]),
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.labelsize": 11,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "font.size": 10,
}


def style() -> AbstractContextManager:
    """A context in which new figures have the course's look: ``with style(): fig, ax = plt.subplots()``."""
    return plt.rc_context(_STYLE)
