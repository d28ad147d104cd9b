"""QuantizationExplorer: a layer's weights and the grid over them. See `quantization_explorer.py`."""

from halfbits.widgets.quantization_explorer.quantization_explorer import QuantizationExplorer, Result

__all__ = ["QuantizationExplorer", "Result"]
