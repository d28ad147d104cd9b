"""The quiz of lesson 06, in the form that jupyterquiz takes. Every number in it is computed."""

from __future__ import annotations

from halfbits.pruning import polynomial_sparsity
from halfbits.questions.forms import choice, numeric

__all__ = ["quiz"]


def quiz() -> list[dict]:
    """Eight questions, each wrong option with the reason why it is wrong."""
    halfway = round(100 * polynomial_sparsity(50, 0, 100, 0.0, 0.8))
    units_left = 50 * 50 // 100
    return [
        choice(
            "90 % of a float32 kernel are zeros. How large is the file that Keras saves?",
            (
                "As large as before",
                "A zero has four bytes like any number; only an encoding, such as gzip, makes use of it.",
            ),
            {
                "A tenth": "That would need a format that leaves the zeros out. Keras's does not.",
                "Half": "Nothing in the file's format depends on the values.",
                "A little larger, for the mask": "A stripped model has no mask; a wrapped one has, and is much larger.",
            },
        ),
        choice(
            "Which kind of pruning is faster with ordinary dense kernels?",
            (
                "Removing neurons or channels",
                "The matrices become smaller, and every kernel does less work.",
            ),
            {
                "Setting 90 % of the connections to zero": "A dense kernel multiplies zeros as it does other numbers.",
                "2:4": "Only hardware and kernels that read the pattern skip the zeros.",
                "All kinds, once they are stripped": "Stripping removes masks and counters, not zeros.",
            },
        ),
        numeric(
            "Half the units of two hidden layers that follow each other are removed. "
            "What per cent of the kernel between them is left?",
            units_left,
            "Half of its rows and half of its columns are gone.",
            {
                50: "Both its inputs and its outputs are halved.",
                75: "That is the share that goes.",
                0: "Half of the rows stay, and in each half of the columns.",
            },
            "Think of the rows and of the columns.",
        ),
        numeric(
            "Zhu and Gupta's cubic schedule from 0 % to 80 %: what is the sparsity halfway, in per cent?",
            halfway,
            "80 − 80 · (1 − 0.5)³ = 70: most of it goes early.",
            {
                40: "That is a straight line, power 1.",
                60: "That is power 2.",
                10: "That is 80 · 0.5³, what is still to go.",
            },
            "final − final · (1 − progress)³.",
        ),
        choice(
            "A weight is masked, and its gradient is set to 0. Why can it still move?",
            (
                "Because of the optimizer's momentum from before",
                "The velocity goes on pushing; so the mask is applied to the variable after each update.",
            ),
            {
                "Because of rounding": "0 minus 0 is 0. Something has to push it.",
                "Because the loss changes": "The loss reaches a weight through its gradient only.",
                "It cannot": "With plain SGD it cannot; with momentum or Adam it does.",
            },
        ),
        choice(
            "TFMOT: PolynomialDecay(0, 0.9, begin_step=0, end_step=150), a training of 152 steps. What happens?",
            (
                "The sparsity ends below 0.9",
                "Masks are updated at every 100th step by default; the update at step 150 never comes.",
            ),
            {
                "It ends at 0.9": "Only if end_step is reached by a whole number of `frequency` steps, 100 by default.",
                "Nothing is pruned": "There is one update that counts, at step 100.",
                "It raises an error": "It is silent: look at the zeros yourself.",
            },
        ),
        choice(
            "Pruned to 90 % and fine-tuned for 15 epochs, a network is 0.2 points better than before. "
            "What do you compare it with first?",
            (
                "The dense network after the same 15 epochs",
                "Otherwise the gain may be that of the training, and not of the pruning.",
            ),
            {
                "The pruned network before fine-tuning": "That says what fine-tuning repairs, and no more.",
                "A network pruned to 95 %": "That is another question. Rule out the extra training first.",
                "Nothing: the gain is clear": "0.2 points are less than one image of 397, and the training differs.",
            },
        ),
        choice(
            "What is rewinding?",
            (
                "Training on from weights of an early step, under the final mask",
                "Frankle et al.: the mask comes from the end, the weights from the beginning of the training.",
            ),
            {
                "Training on from the final weights": "That is fine-tuning.",
                "Letting pruned weights grow back": "That is dynamic sparse training; the mask stays here.",
                "Training new random weights under the mask": "That is the control that the lottery ticket is held "
                "against.",
            },
        ),
    ]
