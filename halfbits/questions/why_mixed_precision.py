"""The quiz of lesson 01, in the form that jupyterquiz takes. Every number in it is computed."""

from __future__ import annotations

from halfbits.questions.forms import choice, numeric

__all__ = ["quiz"]

_MILLION = 10**6


def quiz() -> list[dict]:
    """Seven questions, each wrong option with the reason why it is wrong."""
    return [
        choice(
            "What is mixed in mixed-precision training?",
            (
                "A 16-bit format for what is computed, fp32 for what is kept",
                "The weights, the optimizer's slots and the update are fp32; products and activations are 16 bits.",
            ),
            {
                "fp16 in some layers and bf16 in others": "One 16-bit format does for a run; the mixture is with fp32.",
                "fp16 at the start of training, fp32 at the end": "The two are there in every step.",
                "16-bit weights, fp32 activations": "The other way round: the weights are kept in fp32.",
            },
        ),
        numeric(
            "100 million parameters, Adam, everything fp32. How many MB do weights, gradients and slots take together?",
            100 * _MILLION * (4 + 4 + 8) // _MILLION,
            "4 bytes for the weight, 4 for its gradient, 8 for Adam's two slots: 16 a parameter.",
            {
                400: "That is the weights alone.",
                800: "Adam's two slots are missing: 8 bytes more a parameter.",
                1200: "Adam keeps two numbers for each weight, not one.",
            },
            "Add the bytes of one parameter: its weight, its gradient, its slots.",
        ),
        numeric(
            "The same model under mixed_float16 in Keras. How many MB now, if a 16-bit copy of every weight is kept?",
            100 * _MILLION * (2 + 4 + 4 + 8) // _MILLION,
            "Nothing of the 16 bytes shrinks, and the copy adds 2: 18 a parameter.",
            {
                800: "Half of everything would be pure fp16. In mixed precision these parts stay fp32.",
                1600: "The working copy comes on top: 2 bytes a parameter.",
                1400: "The weights do not become 16 bits wide: the fp32 ones stay, and the copy comes on top.",
                1000: "Weights, gradients and slots all stay fp32 in Keras.",
            },
            "Which of the fp32 parts shrink, and what is added?",
        ),
        choice(
            "Which part of the training memory of a stack of dense layers halves?",
            (
                "The activations",
                "They are the results of layers, which are 16 bits wide, and they grow with the batch.",
            ),
            {
                "The optimizer's slots": "They have the dtype of the variables, fp32.",
                "The gradients of the weights": "In Keras they are cast to fp32 when they arrive.",
                "All of it": "Only what is computed is 16 bits wide. At a small batch the sum even rises.",
            },
        ),
        choice(
            "bf16 training has a lower computational complexity than fp32 training. What do you say?",
            (
                "The same operations; the hardware may do more of them a second",
                "The products are as many, and there are casts on top. Throughput is the word.",
            ),
            {
                "True: half the bits, half the operations": "The number of products does not depend on the bits.",
                "True, since products of fewer bits are simpler": "For a circuit, yes. The algorithm's complexity is "
                "a count of operations.",
                "False: it is higher, and therefore slower": "A few casts more, but with units for bf16 it is faster.",
            },
        ),
        choice(
            "A network of width 64 trains no faster in bf16 at a small batch, on a GPU with Tensor Cores. Why?",
            (
                "Its steps are nearly all overhead",
                "Products that small are done before they fill the units; starting them takes the time.",
            ),
            {
                "bf16 needs loss scaling first": "It does not, and scaling would not make it faster.",
                "Tensor Cores compute in fp16 only": "From compute capability 8.0 on they compute in bf16 too.",
                "The master weights slow it down": "They are used in wide networks too, and those gain.",
            },
        ),
        choice(
            "You save a model that was trained under mixed_bfloat16. How large is the file, against fp32's?",
            ("As large", "It holds the variables and the optimizer's slots, which are fp32."),
            {
                "Half": "The working copy is 16 bits wide, but it is made anew in each step and not saved.",
                "Three quarters": "Nothing in it is 16 bits wide.",
                "It depends on the batch size": "Activations are not saved.",
            },
        ),
    ]
