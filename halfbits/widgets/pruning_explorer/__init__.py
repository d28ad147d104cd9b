"""PruningExplorer: a layer's weights under a mask. See `pruning_explorer.py`."""

from halfbits.widgets.pruning_explorer.pruning_explorer import PruningExplorer, Result

__all__ = ["PruningExplorer", "Result"]
