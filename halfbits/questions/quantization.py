"""The quiz of lesson 04, in the form that jupyterquiz takes. Every number in it is computed."""

from __future__ import annotations

import numpy as np

from halfbits.quantization import grid
from halfbits.questions.forms import choice, numeric

__all__ = ["quiz"]


def quiz() -> list[dict]:
    """Eight questions, each wrong option with the reason why it is wrong."""
    ends = grid([-1.0, 3.0], bits=8, symmetric=False)
    return [
        choice(
            "What does int8 quantization have that a cast to bf16 has not?",
            (
                "A scale, taken from the range of the tensor",
                "A cast looks at one number; a quantization at all of them.",
            ),
            {
                "A loss of precision": "Both lose precision: bf16 keeps eight significant bits.",
                "A smaller file": "Both make the file smaller, to a half and to a quarter.",
                "A training step": "Post-training quantization trains nothing.",
            },
        ),
        numeric(
            "A tensor lies between −1 and 3. Asymmetric, 8 bits, integers from 0 to 255: what is the zero-point?",
            int(ends.zero_point),
            "The scale is 4/255, and 0 lies 1 / (4/255) = 63.75 steps above the lower end: 64.",
            {
                0: "That is the zero-point of a range that begins at 0, or of a symmetric grid.",
                127: "That would be the middle of the range, which here is 1.",
                128: "That would be the middle of the range, which here is 1.",
                63: "63.75 steps lie below 0; the nearest integer is 64.",
                -1: "The zero-point is an integer of the grid, 0 to 255, and not a real number of the range.",
            },
            "How many steps of 4/255 lie between −1 and 0?",
        ),
        numeric(
            "An error is 36 dB below the signal with 6 bits. How many dB will it be with 8 bits, roughly?",
            36 + round(2 * 10 * np.log10(4)),
            "Each bit halves the step and quarters the noise power: 6 dB. Two bits, 12 dB.",
            {
                42: "That is one bit. There are two.",
                38: "A bit is worth more than 1 dB: it halves the step.",
                39: "Half the step is a quarter of the noise power: 6 dB a bit, not 1.5.",
                144: "Decibels are logarithms: a factor becomes a sum.",
            },
            "Half the step: a quarter of the noise power, 10 · log₁₀ 4 dB.",
        ),
        choice(
            "Why do weights usually get symmetric grids, and activations asymmetric ones?",
            (
                "A weight zero-point would cost a sum over the inputs at run time",
                "The term z_w · Σ x changes with every input; z_x · Σ w is known beforehand and goes into the bias.",
            ),
            {
                "Weights are never negative": "They lie on both sides of 0. What is never negative is a ReLU's output.",
                "Asymmetric grids have no exact zero": "They have: the zero-point is an integer, so 0 is on the grid.",
                "Symmetric grids have smaller errors": "Hardly ever; for a ReLU's outputs half of it is unused.",
            },
        ),
        choice(
            "Why one scale per output channel of the weights, but not one per input channel of the activations?",
            (
                "An output's scale leaves the sum; an input's does not",
                "The integer sum runs over the inputs: what differs from term to term cannot be applied after it.",
            ),
            {
                "Activations have no channels": "They have: one for each input of the layer. Those scales would stand "
                "inside the sum.",
                "Activations are all alike": "Often they are not: uneven activations are what still hurts in 4.7.",
                "It would need too much memory": "One float a channel is next to nothing.",
            },
        ),
        choice(
            "What is dynamic in dynamic-range quantization?",
            (
                "The ranges of the activations, at inference",
                "They are taken from each input as it comes; weights and bit width are fixed.",
            ),
            {
                "The bit width, during training": "That is progressive quantization-aware training, another idea.",
                "The scales of the weights": "Those are computed once, when the model is converted.",
                "The ranges, during calibration": "Calibration belongs to full-integer quantization and ends before "
                "inference.",
            },
        ),
        choice(
            "A full-integer model scores 0.97 on the validation set and badly in the app. What do you check first?",
            (
                "Whether app and calibration preprocess the inputs alike",
                "Ranges are fixed at calibration: other inputs are clipped or vanish, and nothing complains.",
            ),
            {
                "Whether the weights are symmetric": "Then it would score badly on the validation set too.",
                "Whether int32 sums overflow": "It takes more than 130,000 largest products to get there.",
                "Whether the phone has int8 units": "That decides how fast it is, not how well it scores.",
            },
        ),
        choice(
            "After `model.quantize('int8')` in Keras 3, what does a Dense layer compute?",
            (
                "int8 products summed in int32, scaled back to float at once",
                "Activations are quantized row by row as they arrive; bias and activation function are float.",
            ),
            {
                "Everything in integers, like a full-integer TFLite model": "Bias, activation function and whatever "
                "stands between the layers are float.",
                "Float products with weights brought back from int8": "That is weight-only; here the inputs "
                "become int8 too.",
                "The same as before; only the file is smaller": "The kernel is an int8 variable, and the "
                "product multiplies int8 numbers.",
            },
        ),
    ]
