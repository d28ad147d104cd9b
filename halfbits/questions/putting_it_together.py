"""The quiz of lesson 07, in the form that jupyterquiz takes. Every number in it is computed."""

from __future__ import annotations

from itertools import pairwise

from halfbits.questions.forms import choice, numeric

__all__ = ["quiz"]


def _weights(*widths: int) -> int:
    return sum(inputs * units for inputs, units in pairwise(widths))


def quiz() -> list[dict]:
    """Eight questions, each wrong option with the reason why it is wrong."""
    narrow, wide = _weights(64, 128, 64, 10), _weights(64, 256, 128, 10)
    return [
        choice(
            "A model is trained under mixed_bfloat16 and saved. How large is the file, compared with float32 training?",
            (
                "The same",
                "The variables are float32 under every mixed policy, and the variables are what is saved.",
            ),
            {
                "Half": "Half would need bfloat16 variables. Only the computation is in bfloat16.",
                "A quarter": "That is int8, which no mixed policy writes.",
                "Larger, as both copies are saved": "There is one copy; the casts are made as the model runs.",
            },
        ),
        choice(
            "A pruned network, 80 % zeros, goes through plain QAT. What happens to the zeros?",
            (
                "Most of them move away from 0",
                "The gradient of a pruned weight is not 0, and nothing tells the optimizer that it was pruned.",
            ),
            {
                "They stay: 0 is on the grid": "Rounding keeps a zero, training does not.",
                "They stay: their gradient is 0": "A gradient comes from the input and the error, not the weight.",
                "Their number grows, by rounding": "A few small weights round to 0; many more leave it.",
            },
        ),
        numeric(
            "A 64-256-128-10 network becomes 64-128-64-10. What per cent of the kernels' weights are left, rounded?",
            round(100 * narrow / wide),
            f"{narrow:,} of {wide:,}: the first and last kernels halve, the middle one falls to a quarter.",
            {
                50: "That holds for the first and the last kernel; the middle one loses rows and columns.",
                25: "That holds for the middle kernel only.",
            },
            "Count 64·128 + 128·64 + 64·10, and 64·256 + 256·128 + 128·10.",
        ),
        choice(
            "80 % of the connections are set to zero, then half the neurons are removed. What is the sparsity now?",
            (
                "Less than 80 %",
                "The units that stay are those with many strong connections; the zeros go with the others.",
            ),
            {
                "80 %, as before": "Only if the zeros were spread evenly over strong and weak units.",
                "90 %": "Removed neurons are no zeros: they are no longer counted at all.",
                "40 %": "Zeros and neurons do not halve each other. Count what is left.",
            },
        ),
        choice(
            "Which step makes the uncompressed .tflite file smaller?",
            (
                "Removing neurons, and int8",
                "The first leaves fewer weights, the second fewer bytes a weight.",
            ),
            {
                "Zeroing connections": "A zero takes the room of a number, until something encodes it.",
                "Training in bf16": "The variables stay float32.",
                "QAT without conversion": "The wrapped model is float32; only the converter writes int8.",
            },
        ),
        choice(
            "After the chain a network has 0.975 ± 0.007 over five seeds, another order of the steps 0.970 ± 0.005. "
            "What do you report?",
            (
                "No clear difference",
                "Half a point is within the spread of the seeds, and two images of 397.",
            ),
            {
                "The first order is better": "Five other seeds may turn it round: the spread is as large as the gap.",
                "The second order is more stable": "Two standard deviations of five values each tell nothing so fine.",
                "Only the best seed of each": "The maximum rewards luck. Report the mean and the spread.",
            },
        ),
        choice(
            "At 8 bits PTQ is as accurate as QAT. What do you ship?",
            (
                "The PTQ model",
                "It needs no training, no labels and no second framework, and the zeros stay by themselves.",
            ),
            {
                "The QAT model, to be safe": "It is more code and more training, and may lose the zeros, for no gain.",
                "Both, averaged": "There is no gain to add up.",
                "Neither: something must be wrong": "At 8 bits on a well-scaled network it is what one expects.",
            },
        ),
        choice(
            "Which baseline belongs beside a chain of pruning and quantization?",
            (
                "A small dense network from scratch, with PTQ",
                "It reaches a small file in one training, without a mask. If it is as good, the chain was not needed.",
            ),
            {
                "The untrained large network": "Everything beats it; it says nothing about the chain.",
                "The large network after one epoch": "A baseline has to get as much training as the chain.",
                "The chain without its last step": "That measures one step. It does not ask whether to prune at all.",
            },
        ),
    ]
