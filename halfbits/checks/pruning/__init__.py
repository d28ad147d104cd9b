"""Masks and schedules, a training step that holds a mask, and whole neurons taken out."""

TITLE = "Pruning"
NOTEBOOK = "04_pruning"
EXERCISES = (
    "magnitude_mask",
    "polynomial_sparsity",
    "global_masks",
    "n_of_m_mask",
    "masked_momentum_step",
    "remove_neurons",
    "neuron_scores",
    "sparse_size",
    "prune_model",
)
