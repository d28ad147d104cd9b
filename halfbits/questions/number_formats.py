"""The quiz of lesson 02, in the form that jupyterquiz takes. Every number in it is computed."""

from __future__ import annotations

from halfbits.formats import BF16, FP16, FP32
from halfbits.questions.forms import choice, numeric

__all__ = ["quiz"]


def quiz() -> list[dict]:
    """Seven questions, each wrong option with the reason why it is wrong."""
    return [
        choice(
            "You may use 16 bits. Which format has the finer steps near 1?",
            ("fp16", "Ten stored mantissa bits against seven: steps of 2⁻¹⁰ against 2⁻⁷."),
            {
                "bf16": "It has the wider range. Its steps near 1 are 2⁻⁷, eight times as coarse as fp16's.",
                "Both the same, they have 16 bits": "The 16 bits are split differently: 5 + 10 in fp16, 8 + 7 in bf16.",
                "It depends on the hardware": "The spacing is a property of the format. Speed depends on the hardware.",
            },
        ),
        numeric(
            "What is the smallest positive integer that fp16 cannot store exactly?",
            _first_missing_integer(FP16),
            "Eleven significant bits (ten stored, one hidden) hold every integer up to 2¹¹ = 2048; 2049 needs twelve.",
            {
                1025: "Ten stored bits and the hidden one make eleven: the integers are exact up to 2¹¹, not 2¹⁰.",
                FP16.limits.max + 1: "Range is not precision: far below the maximum, integers are already missing.",
                FP16.limits.max: "That is the maximum, and it is exact. Integers are missing long before it.",
                2 ** _bits(FP16): "That one is stored exactly: it is a power of two. The next one is not.",
                257: "That is the answer for bf16, which has eight significant bits.",
            },
            "Count the significant bits, the hidden one included.",
        ),
        numeric(
            "You add 1.0 to a bf16 sum again and again, rounding after each addition. At which value does it stall?",
            _stall(BF16),
            "At 256 the step of bf16 is 2, so 256 + 1 is a tie, and ties go to the even pattern: 256.",
            {
                _stall(FP16): "That is where fp16 stalls. bf16 has three mantissa bits fewer.",
                128: "Between 128 and 256 the step is 1: adding 1 still works there.",
                257: "257 is not a bf16 number: between 256 and 512 the step is 2.",
            },
            "Count the significant bits, the hidden one included.",
        ),
        choice(
            "65519.99 is stored in fp16. What is kept?",
            ("65504", "It is nearer to 65504 than to 65536, where the next number would be. From 65520 on it is inf."),
            {
                "inf": "Rounding comes first, and below 65520, midway from 65504 to 65536, it goes down.",
                "65520": "The step up there is 32: 65504 is the largest finite number.",
                "An error is raised": "By default NumPy's casts do not raise; at most there is a warning.",
            },
        ),
        choice(
            "How do you turn a float32 into the nearest bfloat16?",
            (
                "Round its bits to the upper 16, ties to even",
                "bf16 is the upper half of float32's bits; rounding looks at the lower half that goes.",
            ),
            {
                "Cut off the lower 16 bits": "That truncates: off by up to a whole step, and always towards zero.",
                "Rebias the exponent, then cut the mantissa": "Both have 8 exponent bits and bias 127: it stays.",
                "Multiply by a scale and round to an integer": "That is integer quantization. A cast has no scale.",
            },
        ),
        choice(
            "A gradient of 1e-8 and an activation of 70,000 have to be stored in 16 bits. What works without scaling?",
            ("bf16", "It has fp32's exponent: both are ordinary numbers there, with two to three digits."),
            {
                "fp16": "1e-8 becomes 0 (below 2⁻²⁵) and 70,000 becomes infinity (from 65520 on).",
                "fp16, if subnormals are kept": "1e-8 is below half of the smallest subnormal, 2⁻²⁴: still 0.",
                "Neither": "Both lie far inside bf16's range, about 1e-38 to 3e38.",
            },
        ),
        choice(
            "Why do mixed-precision products of 16-bit numbers add up in fp32?",
            (
                "Because a long 16-bit sum stops growing",
                "Once the step of the sum is twice the addend, each addition is rounded away.",
            ),
            {
                "Because fp16 products do not fit in 16 bits, and fp32 sums are exact": "fp16 products are exact in "
                "fp32, sums are not: an fp32 sum of ones stalls too, at 2²⁴.",
                "Because fp32 is faster": "It is not; Tensor Cores add in fp32 since the sum needs it.",
                "Only to avoid overflow": "Range is not the reason: bf16 has almost fp32's, and a bf16 sum of ones "
                f"still stalls at {_stall(BF16)}.",
            },
        ),
    ]


def _bits(fmt) -> int:
    """Significant bits: the stored ones and the hidden one."""
    return fmt.mantissa_bits + 1


def _first_missing_integer(fmt) -> int:
    return next(n for n in range(1, int(FP32.limits.max)) if fmt.round(n) != n)


def _stall(fmt) -> int:
    total = 0.0
    while fmt.round(total + 1.0) != total:
        total = fmt.round(total + 1.0)
    return int(total)
