"""The quiz of lesson 03, in the form that jupyterquiz takes. Every number in it is computed."""

from __future__ import annotations

import numpy as np

from halfbits.questions.forms import choice, numeric

__all__ = ["quiz"]


def quiz() -> list[dict]:
    """Eight questions, each wrong option with the reason why it is wrong."""
    return [
        choice(
            "Under `mixed_bfloat16`, which dtype has a Dense layer's kernel?",
            ("float32", "Variables stay fp32; the layer casts them when it computes."),
            {
                "bfloat16": "That is the compute dtype. The variable dtype of every mixed_ policy is float32.",
                "float16": "fp16 appears nowhere in this policy, and variables are not 16 bits wide in a mixed one.",
                "It changes from float32 to bfloat16 in the first step": "A variable keeps its dtype; only the copy "
                "that a product reads is cast.",
            },
        ),
        choice(
            "You call `set_global_policy('mixed_float16')` after `model = build_model()`. What happens?",
            ("Nothing: the model computes in fp32", "A layer takes the global policy when it is made."),
            {
                "The model computes in fp16 from now on": "Layers that exist keep the policy that they were made with.",
                "Keras raises an error": "It does not even warn; only an audit of the dtypes shows it.",
                "fit switches it on": "fit and compile read the model's own policy, which is float32.",
            },
        ),
        choice(
            "A bf16 model ends in a softmax layer with the global policy. Is that safe, since bf16 has fp32's range?",
            (
                "No: a confidently wrong example gets the gradient zero",
                "The 16-bit probabilities are cast, Keras loses sight of the logits and clips at 1e-7.",
            ),
            {
                "Yes, range is all that a softmax needs": "The probability survives in bf16; the clipping at 1e-7 that "
                "follows does not let it through.",
                "Yes, Keras always goes back to the logits": "Only where the output reaches the loss without a cast.",
                "No: the softmax overflows in bf16": "It subtracts the maximum first and cannot overflow.",
            },
        ),
        choice(
            "In a custom Keras 3 loop, what do you give to `LossScaleOptimizer.apply`?",
            (
                "The gradients of the scaled loss, as they are",
                "apply checks them, skips the step or divides by the scale and applies, and adjusts the scale.",
            ),
            {
                "The gradients, divided by the scale": "Then they are unscaled twice: with SGD and the first scale, a "
                "step 32,768 times too short.",
                "The gradients of the unscaled loss": "apply divides by the scale all the same; and nothing was saved "
                "from underflow.",
                "The gradients and the scale": "It knows its scale.",
            },
        ),
        choice(
            "Which of these has loss scaling switched on by `compile`?",
            ("A model made under mixed_float16", "compile asks the model for its policy and wraps the optimizer."),
            {
                "A float32 model with layers of dtype='mixed_float16'": "compile asks the model, not its layers: no "
                "scaling and no warning.",
                "A model made under mixed_bfloat16": "bf16 has fp32's range; only mixed_float16 is wrapped.",
                "Any model whose optimizer has scale_loss": "Every optimizer has it; a plain one returns the loss as "
                "it is.",
            },
        ),
        numeric(
            "The largest gradient is 2⁻¹⁹. What is the largest exponent k for which it does not overflow in fp16 at "
            "the scale 2ᵏ?",
            _largest_exponent(-19),
            "2⁻¹⁹ × 2³⁴ = 2¹⁵ = 32768 is finite; twice that is 65536, beyond 65520.",
            {
                35: "2¹⁶ = 65536 is infinite in fp16: its largest number is 65504.",
                15: "That is the scale that Keras begins with. Here there is far more room.",
                16: "2¹⁶ is about the largest product: 2⁻¹⁹ × 2ᵏ has to stay below 65520, so k counts from −19.",
            },
            "Find the largest power of two below 65520 first.",
        ),
        choice(
            "The loss scale has fallen to 2⁻⁴⁰ and the number of optimizer steps stands still. What is wrong?",
            (
                "The forward pass makes a NaN or an infinity, which no scale can mend",
                "Every step is skipped and the scale halves each time: find the operation and run it in fp32.",
            ),
            {
                "The learning rate is too small": "Then steps would still be counted; here all of them are skipped.",
                "The gradients underflow": "Underflow is silent: no step is skipped and the scale grows.",
                "The growth interval is too long": "It only says when the scale may grow after good steps.",
            },
        ),
        choice(
            "Two workers reduce the gradients of a mixed_bfloat16 MLP in bf16 instead of fp32. What changes?",
            (
                "Half the bytes, and one more rounding, in the sum",
                "The local gradients are bf16 numbers already (without weight penalties or shared layers); only their "
                "sum is rounded anew.",
            ),
            {
                "Half the bytes, and every gradient is rounded before it is sent": "They came out of bf16 products: "
                "the cast changes none of them.",
                "Half the bytes, and the variables become bf16": "The reduced gradients are cast back; variables stay "
                "fp32.",
                "Nothing, TensorFlow sends fp32 anyway": "The loopback counters say otherwise: half.",
            },
        ),
    ]


def _largest_exponent(gradient_exponent: int) -> int:
    with np.errstate(over="ignore"):
        finite = [k for k in range(64) if np.isfinite(np.float16(2.0 ** (gradient_exponent + k)))]
    return max(finite)
