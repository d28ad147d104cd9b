"""The quiz of lesson 05, in the form that jupyterquiz takes."""

from __future__ import annotations

from halfbits.questions.forms import choice, numeric

__all__ = ["quiz"]


def quiz() -> list[dict]:
    """Eight questions, each wrong option with the reason why it is wrong."""
    bits = 2
    levels = 2 * (2 ** (bits - 1) - 1) + 1
    return [
        choice(
            "In which dtype are the weights stored while quantization-aware training runs?",
            (
                "float32, and not on the grid",
                "They are rounded anew in each forward pass; the small updates add up in float.",
            ),
            {
                "int8": "No update is as large as a step of the grid; in int8 every one would be lost.",
                "float32, with values on the grid": "The fake-quantized copies are; the variables are not.",
                "float16": "Mixed precision is another matter: QAT rounds to a grid, in float32.",
            },
        ),
        choice(
            "What does the straight-through estimator give as the gradient of a fake quantization?",
            (
                "1 inside the range, 0 outside",
                "The gradient of the clipped line that the staircase follows.",
            ),
            {
                "The derivative of the staircase": "That is 0 almost everywhere, and then no kernel learns.",
                "1 everywhere": "Outside the range the output is clipped and does not move.",
                "The scale": "The division by the scale and the product with it cancel.",
            },
        ),
        choice(
            "You write `tf.round(w / s) * s`, with a constant s, and train through it. What happens to the kernels?",
            (
                "Nothing: they stay as they are, to the last bit",
                "Rounding passes no gradient. Only what has no rounding between itself and the loss learns.",
            ),
            {
                "TensorFlow raises an error": "Not as long as another variable, a bias say, has "
                "a gradient: Keras's `fit` only warns.",
                "They learn, only slower": "A gradient of 0 is not a small gradient.",
                "They land on the grid": "Only their rounded copies do.",
            },
        ),
        numeric(
            "A symmetric 2-bit kernel with one scale for the tensor: how many different numbers can it compute with?",
            levels,
            "−s, 0 and s. The fourth code, −2, is left out so that the grid is symmetric.",
            {
                4: "Two bits have four codes, but a symmetric grid leaves −2 out.",
                2: "That would be one bit, or a grid without 0.",
                1: "1 is the largest integer of the grid; −1 and 0 belong to it as well.",
            },
            "The integers run from −(2^(b−1) − 1) to 2^(b−1) − 1.",
        ),
        choice(
            "A freshly wrapped TFMOT model scores 0.10 on ten classes, the float model 0.97. First suspect?",
            (
                "Its ranges were never set: no batch has run in training mode",
                "The range of the input starts as 0 to 0, so every image becomes zeros.",
            ),
            {
                "8 bits are too few for this network": "With sensible ranges 8 bits seldom cost a point.",
                "The weights were lost in wrapping": "They are all there; a step with learning rate 0 shows it.",
                "The learning rate": "Nothing has been trained yet.",
            },
        ),
        choice(
            "Why does QAT fold batch normalization before it rounds the kernel?",
            (
                "Because inference runs the folded kernel, on that kernel's grid",
                "Per tensor the integers of the unfolded kernel are others, so training would adapt to the wrong ones.",
            ),
            {
                "Because folding makes training faster": "It may, but that is not why: the rounding has to match.",
                "Because batch normalization cannot be trained with an estimator": "It can. What it cannot do is hold "
                "still: the statistics of a batch shake the grid.",
                "Because folding changes the outputs for the better": "In float it changes nothing.",
            },
        ),
        choice(
            "QAT at 2 bits reaches 0.96, PTQ 0.49. What do you ask before you believe in the gain?",
            (
                "Whether PTQ had its best range, and float the same extra epochs",
                "Here a better range alone took PTQ from about 0.5 to about 0.9.",
            ),
            {
                "Whether QAT used 8-bit gradients": "Gradients are float32 in QAT.",
                "Whether the test images were in the calibration": "Worth asking, but it would help PTQ, not hurt it.",
                "Nothing: 47 points are 47 points": "Against a baseline at its worst they are easily had.",
            },
        ),
        choice(
            "Kernels trained with 4 bits go, rounded, into a plain Keras model. How large is its int8 TFLite file?",
            (
                "As large as that of an 8-bit model",
                "Each weight takes a byte. Fewer bits save space only in a format that packs them.",
            ),
            {
                "Half as large": "It would be, if two weights went into a byte. A plain model does not say that "
                "they fit.",
                "Conversion fails": "It does not, and it says nothing either.",
                "As large as float32": "int8 is a quarter of that, whatever the bits in training.",
            },
        ),
    ]
