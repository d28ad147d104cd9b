"""What is computed in half precision, what stays in float32, and what keeps the gradients alive."""

TITLE = "Mixed precision"
NOTEBOOK = "02_mixed_precision_training"
EXERCISES = (
    "mixed_dense",
    "softmax_cross_entropy",
    "scaled_gradients",
    "all_finite",
    "LossScale",
    "master_weight_step",
    "training_memory",
    "mixed_precision_training",
)
