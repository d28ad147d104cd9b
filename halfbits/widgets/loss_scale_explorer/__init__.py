"""LossScaleExplorer: what a loss scale does to real gradients. See `loss_scale_explorer.py`."""

from halfbits.widgets.loss_scale_explorer.loss_scale_explorer import LossScaleExplorer, Step, replay

__all__ = ["LossScaleExplorer", "Step", "replay"]
