"""Scale and zero-point, fake quantization, integer-only inference, and training that knows of all three."""

TITLE = "Quantization and QAT"
NOTEBOOK = "03_quantization_aware_training"
EXERCISES = (
    "quantization_parameters",
    "quantize",
    "dequantize",
    "per_channel_scales",
    "fake_quantize",
    "MovingAverageObserver",
    "fold_batch_norm",
    "quantized_multiplier",
    "integer_dense",
    "quantization_aware_training",
)
