"""The course's own notebook widgets. Importing this loads anywidget and ipywidgets, nothing heavier."""

from halfbits.widgets.bit_layout import BitLayout
from halfbits.widgets.loss_scale_explorer import LossScaleExplorer
from halfbits.widgets.mock_interview import MockInterview
from halfbits.widgets.pruning_explorer import PruningExplorer
from halfbits.widgets.quantization_explorer import QuantizationExplorer

__all__ = ["BitLayout", "LossScaleExplorer", "MockInterview", "PruningExplorer", "QuantizationExplorer"]
