# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 02 · Number formats: fp16 and bf16 beside fp32
#
# After this lesson you can say what the bits of fp16 and bf16 buy, predict where each one breaks, and prove it in
# two lines of Python. It loads no TensorFlow.
#
# ## 1. The question
#
# > *What are fp16 and bf16? How do they differ from fp32?*
#
# It sounds like a definition. The interviewer listens for consequences: which of the two overflows, which one loses
# small updates, and what a training framework does about each.

# %% [markdown]
# ## 2. The answer in 60 seconds
#
# All three are binary floating-point numbers (浮点数): a sign bit, an exponent field, a mantissa field.
# **Exponent bits buy range (范围), mantissa bits buy precision (精度).**
#
# - **fp32** (单精度): 1 + 8 + 23 bits. Magnitudes from about 1e-38 to 3e38, 6 to 7 decimal digits.
# - **fp16** (半精度, IEEE binary16): 1 + 5 + 10 bits. About 3 digits, but nothing above 65504, and what is below 3e-8
#   becomes zero.
# - **bf16** (bfloat16): 1 + 8 + 7 bits, which are the upper half of fp32's. fp32's range, and 2 to 3 digits.
#
# Both take half of fp32's memory. fp16 fails by *range*: large activations overflow, and small gradients
# vanish unless the loss is scaled. bf16 fails by *precision*: a small update is rounded away, so weights and long sums
# stay in fp32. Neither is faster in itself: speed comes from hardware that computes in the format, or from moving half
# the bytes.

# %% [markdown]
# ## 3. What the source article says
#
# Three of its claims, in our words, and what the cells below will show:
#
# - **A1.** Mixed precision turns parameters and intermediate values into fp16, or into bf16, which is smaller still.
#   **Wrong.** Both have 16 bits (4.2). And the variables stay fp32: that is what is *mixed*; the lesson on mixed
#   precision shows it.
# - **B1.** Of the two, bf16 is the richer one in range *and* in precision. **Half wrong.** In range, yes. In
#   precision it is the poorer one: 7 mantissa bits against 10 (4.2, 4.5).
# - **B2.** Both are "half precision". **Loose.** Half precision is IEEE's binary16. Some papers call bf16 so too and
#   mean only its 16 bits; its layout is fp32's, cut short (4.8).

# %% [markdown]
# ## 4. Evidence
#
# `halfbits.formats` knows each format as a bit layout. It agrees bit for bit with NumPy and ml_dtypes on every pattern
# of fp16 and bf16 (of a NaN, on its sign); `tests/test_formats.py` holds it to that.

# %%
import matplotlib.pyplot as plt
import ml_dtypes  # gives NumPy the type ml_dtypes.bfloat16
import numpy as np

from halfbits.formats import BF16, FORMATS, FP8_E4M3, FP8_E5M2, FP16, FP32, TF32
from halfbits.plots import COLOURS, LINES, style
from halfbits.widgets import BitLayout

bfloat16 = ml_dtypes.bfloat16
THREE = (FP32, FP16, BF16)

# %% [markdown]
# ### 4.1 Flip some bits
#
# The number 0.1 in three formats. Click a bit, or type a number.
#
# 1. **Type 65520.** What does fp16 make of it, and what does bf16?
# 2. **Type 257**, then 259. Why does bf16 step over both?
# 3. In fp16's row, **flip the lowest bit of the exponent**, then the lowest of the mantissa. Which one doubles or
#    halves the number, and which one nudges it?

# %% tags=["nbval-ignore-output"]
explorer = BitLayout(0.1)
explorer

# %% [markdown]
# Whatever you do up there, Python sees. Run the next cell again after you have flipped something.

# %% tags=["nbval-ignore-output"]
print("value:", explorer.value)
for name, pattern in explorer.bits.items():
    print(f"{name}: {pattern:#0{2 + FORMATS[name].bits // 4}x}")

# %% [markdown]
# The words, once:
#
# | term | symbol | meaning |
# |---|---|---|
# | sign 符号 | *s* | the top bit: 1 is negative |
# | exponent 指数 (as stored: 阶码) | *e* | the next *E* bits; the number lies from 2^(e−b) to the next power of two |
# | bias 偏置 | *b* | 2^(E−1) − 1; subtracted from *e* |
# | mantissa 尾数 | *m* | the low *M* bits; IEEE's word is trailing significand |
# | normal number 正规数（规格化数） | | *e* neither all zeros nor all ones: ±(1 + m/2^M) · 2^(e−b), 1 not stored |
# | subnormal 次正规数（非规格化数） | | *e* = 0 and *m* ≠ 0: ±(m/2^M) · 2^(1−b), evenly spaced down to zero |
# | ulp 最后一位上的单位值 | ulp(x) | the gap from the largest number ≤ \|x\| to the next one above |
# | machine epsilon 机器精度 | ε | the gap just above 1: 2^−M (some texts mean u by either name) |
# | unit roundoff 单位舍入误差 | u | ε/2: rounding's relative error stays below it in the range of the normal numbers |
# | rounding 舍入 | | here always to the nearest number; in a tie, to the one whose last bit is 0 (向偶数舍入) |
# | overflow 上溢 | | the result is too large and becomes an infinity (in E4M3: NaN) |
# | underflow 下溢 | | the result is too small: it loses digits as a subnormal, or becomes zero |
#
# The first rows at work, on the fp16 pattern of 3.0:

# %%
pattern = FP16.encode(3.0)
s, e, m = FP16.fields(pattern)
print(f"{pattern:016b}  ->  s={s}  e={e}  m={m}")
print(
    f"(-1)^{s} * (1 + {m}/1024) * 2^({e} - {FP16.bias}) = {(-1) ** s * (1 + m / 1024) * 2 ** (e - FP16.bias)}"
)
assert FP16.decode(pattern) == 3.0

# %% [markdown]
# ### 4.2 Range and precision, from the layout alone
#
# Nothing is looked up here: two field widths give every number in the table. *Predict first: which of the two 16-bit
# formats has the smaller ε?*

# %%
print(f"{'':16}{'fp32':>12}{'fp16':>12}{'bf16':>12}")
for what in ("bits", "exponent_bits", "mantissa_bits", "bias"):
    print(f"{what:16}" + "".join(f"{getattr(f, what):>12}" for f in THREE))
for what in ("max", "min_normal", "min_subnormal", "epsilon"):
    print(f"{what:16}" + "".join(f"{getattr(f.limits, what):>12.4g}" for f in THREE))
print(f"{'decimal digits':16}" + "".join(f"{f.limits.decimal_digits:>12}" for f in THREE))

# %% [markdown]
# "Decimal digits" is the strict count: every decimal number of so many digits survives the way in and out, as long as
# it lies in the range of the normal numbers.
#
# Claims A1 and B1, settled:

# %%
assert FP16.bits == BF16.bits == 16  # A1: neither is smaller
assert BF16.limits.max > 1e33 * FP16.limits.max  # B1: the range, yes
assert BF16.limits.epsilon == 8 * FP16.limits.epsilon  # B1: the precision, no
print("steps just above 1:  fp16", FP16.limits.epsilon, "  bf16", BF16.limits.epsilon)
print("numbers in [1, 2):   fp16", 2**FP16.mantissa_bits, "      bf16", 2**BF16.mantissa_bits)

# %% [markdown]
# ### 4.3 Where fp16 runs out
#
# The largest finite number is 65504. The step up there is 32, so the next number *would* be 65536: what lies below
# the midpoint, 65520, rounds down, and the midpoint itself is a tie that goes up. *Predict: what becomes of 65519.99?*

# %%
for x in (65504.0, 65519.99, 65520.0, 70000.0):
    with np.errstate(over="ignore"):
        stored = np.float64(x).astype(np.float16)
    print(f"{x:>9}  fp16 {float(stored):>9}   bf16 {BF16.round(x):>9}")
    assert float(stored) == FP16.round(x)

# %% [markdown]
# At the other end, subnormals reach down to 2⁻²⁴ ≈ 6e-8. Half of that, 2⁻²⁵, is a tie between 0 and 2⁻²⁴, and 0 is
# the even one. So 2⁻²⁵ and everything below it become zero.

# %%
edge = 2.0**-25
for label, x in (
    ("2^-24", 2.0**-24),
    ("just above 2^-25", np.nextafter(edge, 1)),
    ("2^-25", edge),
    ("1e-8", 1e-8),
):
    stored = float(np.float64(x).astype(np.float16))
    print(f"{label:>17}  fp16 {stored:.3g}   bf16 {BF16.round(x):.3g}")
    assert stored == FP16.round(x)
assert FP16.round([edge, np.nextafter(edge, 1)]).tolist() == [0, 2.0**-24]

# %% [markdown]
# Real constants meet these limits every day. Below: a learning rate, two epsilons that optimizers use, a mask value
# for attention, a token position, and 1/3.

# %%
constants = {
    "learning rate 3e-4": 3e-4,
    "Adam epsilon 1e-7": 1e-7,
    "Adam epsilon 1e-8": 1e-8,
    "attention mask -1e9": -1e9,
    "position 4097": 4097.0,
    "1/3": 1 / 3,
}
for label, x in constants.items():
    print(f"{label:20}" + "".join(f"  {f.name} {f.round(x):<11.6g}" for f in THREE))
assert FP16.round([1e-8, -1e9, 4097]).tolist() == [0, -np.inf, 4096]

# %% [markdown]
# In fp16, one epsilon is gone (while Adam's two moments are 0 as well, its update is 0/0, which is NaN), the other is
# 19 % too large, and the mask is −inf (a row in which everything is masked becomes NaN). bf16 keeps their size. Neither
# has a position 4097.

# %% [markdown]
# ### 4.4 Where bf16 runs out of digits
#
# bf16 has eight significant bits: seven stored and the hidden 1. That is enough for every integer up to 256. From
# there to 512 the step is 2, and 257 is not there. *It lies midway between 256 and 258. Which one gets it? And 259?*

# %%
for n in range(255, 262):
    below = BF16.decode(BF16.encode(n))
    print(n, "->", int(below), "   tie" if n > 256 and n % 2 else "")
assert BF16.round([257, 259]).tolist() == [256, 260]
assert np.array([257, 259], np.float32).astype(bfloat16).tolist() == [256, 260]

# %% [markdown]
# Ties go to the *even pattern*: 256 is `0x4380`, 258 is `0x4381`, 260 is `0x4382`. So 257 goes down and 259 goes up,
# and rounding has no drift. The same happens in every format, at its own place:

# %%
for f in THREE:
    last = 2 ** (f.mantissa_bits + 1)
    assert f.round([last, last + 1, last + 2]).tolist() == [last, last, last + 2]
    print(
        f"{f.name}: every integer up to {last:>10,}; {last + 1:,} is the first that is missing"
    )

# %% [markdown]
# ### 4.5 How far apart the numbers are
#
# One picture for both stories. A line ends where its format ends; the flat foot on its left is the subnormals and the
# first binade above them (a binade runs from one power of two up to the next). The right half is the middle of the left
# one, enlarged.

# %% tags=["nbval-ignore-output"]
x = 2.0 ** np.arange(-149, 128)
with style():
    fig, (whole, middle) = plt.subplots(1, 2, figsize=(9, 4))
    for ax in (whole, middle):
        for f in THREE:
            inside = x[(x >= f.limits.min_subnormal) & (x <= f.limits.max)]
            ax.loglog(
                inside, f.ulp(inside), ls=LINES[f.name], color=COLOURS[f.name], label=f.name
            )
        ax.set(xlabel="magnitude |x|", ylabel="gap to the next number, in the unit of x")
    whole.set(xticks=[1e-40, 1e-20, 1, 1e20, 1e40], yticks=[1e-40, 1e-20, 1, 1e20, 1e40])
    middle.set(xlim=(1e-9, 1e7), ylim=(1e-14, 1e5))
    whole.legend()
    fig.suptitle("bf16 has fp32's range, and steps 8 times as coarse as fp16's", weight="bold")
    plt.show()

# %% [markdown]
# Where both are normal, bf16's gap is exactly 8 times fp16's, and 65,536 times fp32's. Among fp16's subnormals the
# advantage melts away, and below 2⁻¹⁷ ≈ 8e-6 bf16 is the finer one:

# %%
both = 2.0 ** np.arange(-14, 16)
assert (BF16.ulp(both) == 8 * FP16.ulp(both)).all()
assert (BF16.ulp(both) == 65536 * FP32.ulp(both)).all()
for power in (-14, -15, -16, -17, -18, -19):
    print(
        f"at 2^{power}: bf16's gap is {BF16.ulp(2.0**power) / FP16.ulp(2.0**power):g} times fp16's"
    )

# %% [markdown]
# Training cares about the *relative* error of a stored value. On normal numbers it never exceeds the unit roundoff
# u. Below 6e-5 fp16 goes over to subnormals and the guarantee ends.

# %% tags=["nbval-ignore-output"]
values = np.logspace(-9, 6, 3001) * 1.0000001  # off the powers of ten, some of which are exact
with style():
    fig, ax = plt.subplots()
    for f in (BF16, FP16):
        inside = values[values < f.limits.max]
        error = np.maximum(np.abs(f.round(inside) - inside) / inside, 1e-7)
        ax.loglog(inside, error, ".", ms=2.5, color=COLOURS[f.name], label=f.name)
        ax.axhline(
            f.limits.epsilon / 2,
            ls=LINES[f.name],
            lw=1.2,
            color="black",
            label=f"u of {f.name}",
        )
    ax.set(
        xlabel="value x (no unit)", ylabel="relative error |round(x) − x| / x", ylim=(1e-6, 2)
    )
    ax.set_title("fp16 is more accurate than bf16 from 1.5e-5 to 65504, and nowhere else")
    ax.legend(loc="upper right", markerscale=4, ncol=2)
    plt.show()

# %%
for f in (FP16, BF16):
    inside = values[(values >= f.limits.min_normal) & (values < f.limits.max)]
    worst = np.max(np.abs(f.round(inside) - inside) / inside)
    assert 0.9 * f.limits.epsilon / 2 < worst <= f.limits.epsilon / 2
    print(
        f"{f.name}: no relative error above u = {f.limits.epsilon / 2} among its normal numbers"
    )
tiny = values[values < 1e-8]
assert not FP16.round(tiny).any()  # all gone
assert BF16.round(tiny).all()  # all there

# %% [markdown]
# ### 4.6 Why 1 + small is lost
#
# Above 1 the next number is 1 + ε. Add half of ε and the exact sum is a tie, which goes to the even 1. Add less and
# it is not even a tie. So an update of at most u = ε/2, relative to a weight of 1, changes nothing. *Predict: does it
# work the other way round, 1 − small?*

# %%
for f, dtype in ((FP16, np.float16), (BF16, bfloat16), (FP32, np.float32)):
    one, u = dtype(1), f.limits.epsilon / 2
    lost, kept, down = (
        one + dtype(u),
        one + dtype(u * (1 + 2 * f.limits.epsilon)),
        one - dtype(u),
    )
    assert down < lost == one < kept
    print(
        f"{f.name}: u = 2^{int(np.log2(u)):<4} 1 + u == 1: {bool(lost == one)}   a little more than u arrives"
    )

# %% [markdown]
# Downwards the numbers lie twice as close, so 1 − u arrives: the lost and kept updates are not symmetric.
#
# This is a weight update: weight 1, learning rate times gradient 0.001. *Which of the three formats moves?*

# %%
for dtype in (np.float32, np.float16, bfloat16):
    weight = dtype(1)
    for _ in range(1000):
        weight = weight + dtype(0.001)
    print(f"{np.dtype(dtype).name:9} after 1,000 updates of 0.001: {float(weight):.6g}")
assert BF16.round(1 + 0.001) == 1 < FP16.round(1 + 0.001)

# %% [markdown]
# bf16 never left 1. fp16 moves one step of ε = 0.000977 each time, so it ends a little short of 2. That is why mixed
# precision keeps **master weights** (主权重) in fp32 and only *computes* in 16 bits.

# %% [markdown]
# ### 4.7 Why a long 16-bit sum stalls
#
# The same thing in a running sum: the sum grows, its step grows with it, and once the step is twice the addend, each
# addition is rounded away. *Add 1.0 again and again in fp16. At which value does it stop?*


# %%
def stalls_at(f, addend):
    """The first power of two at which adding `addend`, itself stored in the format, is lost."""
    total = 1.0
    while f.ulp(total) < 2 * f.round(addend):
        total *= 2
    return total


for addend in (1.0, 0.1):
    print(
        f"adding {addend}:",
        ", ".join(f"{f.name} stalls at {stalls_at(f, addend):,.0f}" for f in THREE),
    )

# %% [markdown]
# That was arithmetic. Now the experiment, with an explicit loop, rounding after each addition:


# %%
def running_sum(addend, count, dtype):
    total, sums = dtype(0), []
    for _ in range(count):
        total = total + dtype(addend)
        sums.append(float(total))
    return np.array(sums)


assert running_sum(1.0, 3000, np.float16)[-1] == stalls_at(FP16, 1.0) == 2048
assert running_sum(1.0, 3000, bfloat16)[-1] == stalls_at(BF16, 1.0) == 256
assert np.float32(2**24) + np.float32(1) == np.float32(
    2**24
)  # fp32 stalls too, after 16.8 million steps
sums = {
    f.name: running_sum(0.1, 4000, t)
    for f, t in zip(THREE, (np.float32, np.float16, bfloat16), strict=True)
}
for f in THREE:
    print(f"{f.name}: 4,000 times 0.1 gives {sums[f.name][-1]:.6g}")
assert sums["fp16"][-1] == stalls_at(FP16, 0.1) == 256
assert sums["bf16"][-1] == stalls_at(BF16, 0.1) == 32
assert np.argmax(sums["fp16"] == 256) + 1 == 2207
assert FP16.round(64 + FP16.round(0.1)) - 64 == FP16.round(128 + FP16.round(0.1)) - 128 == 0.125

# %% tags=["nbval-ignore-output"]
with style():
    fig, ax = plt.subplots()
    for name, partial in sums.items():
        ax.plot(partial, ls=LINES[name], color=COLOURS[name], label=name)
    for name, where in (("fp16", (2350, 205)), ("bf16", (520, 8))):
        step = int(np.argmax(sums[name] == sums[name][-1]))
        text = f"{name} stalls at {sums[name][-1]:.0f}, after {step + 1:,} additions"
        ax.annotate(text, (step, sums[name][-1]), where, arrowprops={"arrowstyle": "->"})
    ax.set(
        xlabel="number of additions of 0.1",
        ylabel="running sum (no unit)",
        xlim=(0, 4000),
        ylim=(0, 420),
    )
    ax.set_title("A 16-bit sum of 4,000 × 0.1 stops long before 400")
    ax.legend(loc="upper left")
    plt.show()

# %% [markdown]
# Look at fp16 before it stalls: from 64 on each 0.1 is rounded *up* to 0.125, and the curve is too steep. After 2,207
# additions it stands at 256, not 220.7. The error changes its sign before it becomes a standstill.
#
# **Why does `np.sum` not show this?** Because along the fast axis NumPy adds fp16 pairwise and in fp32 inside, and
# rounds at the end. Along another axis it does not; and for ml_dtypes' bfloat16 it never does. Same numbers, same
# function:

# %%
ones = np.ones((20_000, 2), np.float16)
print("fp16, one axis:            ", float(np.sum(ones[:, 0].copy())))
print("fp16, summed down the rows:", np.sum(ones, axis=0).astype(float).tolist())
print("bf16, one axis:            ", float(np.sum(ones[:, 0].astype(bfloat16))))
assert (
    np.add.accumulate(ones[:, 0])[-1] == 2048
)  # accumulate shows each partial sum, so it must round each

# %% [markdown]
# **What an fp32 accumulator changes.** Keep the 16-bit inputs, add in fp32, round once at the end. What is left is the
# error of the inputs (fp16's 0.1 is 0.0999756) and one last rounding. Here they happen to cancel: 399.9023 becomes 400.

# %%
inputs = np.full(4000, 0.1, np.float16)
exact = 4000 * float(inputs[0])
in_fp32 = np.float32(0)
for value in inputs:
    in_fp32 += np.float32(value)
print(
    f"exact sum of the stored inputs {exact:.4f}, fp32 accumulator {float(in_fp32):.4f}, fp16 {sums['fp16'][-1]}"
)
assert abs(float(in_fp32) - exact) / exact < 1e-5
assert (
    np.float16(in_fp32) == FP16.round(exact) == 400
)  # rounded once, it is the best fp16 answer there is

# %% [markdown]
# Matrix units can do this: 16-bit inputs, sums in fp32 (not rounded quite as IEEE would). fp16 products need no
# rounding at all: two significands of 11 bits make one of at most 22, and fp32 has 24.

# %%
significands = np.arange(1024, 2048, dtype=np.int64)  # all of fp16's, as integers
products = np.multiply.outer(significands, significands)
assert (products.astype(np.float32) == products).all()
print(
    f"{products.size:,} products of fp16 significands, all exact in fp32; the largest has",
    int(products.max()).bit_length(),
    "bits",
)

# %% [markdown]
# ### 4.8 What bf16 shares with fp32
#
# Everything but the lower 16 bits. Put 16 zeros behind a bf16 pattern and you have the same number in fp32. There are
# only 65,536 patterns, so try them all:

# %%
patterns = np.arange(65536, dtype=np.uint32)
as_fp32 = (patterns << 16).view(np.float32)
as_bf16 = patterns.astype(np.uint16).view(bfloat16)
finite = np.isfinite(as_fp32)
with np.errstate(invalid="ignore"):  # some NaNs are of the signalling kind
    as_bf16 = as_bf16.astype(np.float32)
np.testing.assert_array_equal(as_fp32, as_bf16)  # NaN counts as equal to NaN here
kinds = BF16.classify(patterns)
print(
    f"{finite.sum():,} finite numbers, {(kinds == 'inf').sum()} infinities, {(kinds == 'nan').sum()} NaNs: all the same"
)

# %% [markdown]
# fp32 → bf16 is the interesting direction. Cutting the lower half off (截断) is *biased*: it only ever shrinks a
# magnitude. Rounding costs an addition more and has no bias. Below, all 131,072 float32 numbers from 1 to just under
# 1 + 2ε, so that an even and an odd bf16 pattern take part:

# %%
bits = np.arange(0x3F800000, 0x3F820000, dtype=np.uint32)
x = bits.view(np.float32).astype(np.float64)
cut = (bits & 0xFFFF0000).view(np.float32)
rounded = bits.view(np.float32).astype(bfloat16)
ulp = BF16.limits.epsilon
for label, result in (("cut", cut), ("rounded", rounded)):
    error = (result.astype(np.float64) - x) / ulp
    print(f"{label:8} worst error {np.abs(error).max():.5f} ulp, mean {error.mean():+.5f} ulp")

# %% [markdown]
# One thing bf16 does *not* share: going from fp32 to bf16 can overflow. fp32's largest numbers lie above bf16's maximum
# by half a step and more. (Higham's page of 2018, in section 9, says otherwise; his later "What Is Bfloat16
# Arithmetic?" corrects it.)

# %%
largest = FP32.limits.max
print(
    f"largest bf16 {BF16.limits.max:.6g}, largest fp32 {largest:.6g}, which in bf16 is {BF16.round(largest)}"
)
assert BF16.limits.max < largest < BF16.round(largest) == np.inf

# %% [markdown]
# ### 4.9 Two more names: TF32 and FP8
#
# **TF32** (TensorFloat-32) is what the Tensor Cores of NVIDIA GPUs, since Ampere (2020), compute in when they get fp32
# inputs: fp32's 8 exponent bits and fp16's 10 mantissa bits, so 19 bits that matter. It is a *compute* format: a TF32
# number lives in a 32-bit word whose last 13 bits do not count, and memory shrinks by nothing.

# %%
assert (TF32.exponent_bits, TF32.mantissa_bits) == (FP32.exponent_bits, FP16.mantissa_bits)
assert TF32.bits == 19
word = FP32.encode(TF32.round(0.1))
print(f"0.1 as TF32, in its fp32 word: {word:032b}")
assert word & (2**13 - 1) == 0
print(
    "1,024 times 1.0001: fp32",
    round(1024 * FP32.round(1.0001), 4),
    " TF32",
    1024 * TF32.round(1.0001),
)

# %% [markdown]
# The last line is the example on TensorFlow's page about `enable_tensor_float_32_execution`. In TensorFlow TF32 is *on*
# by default: on such a GPU the inputs of a "float32" matrix product are rounded to fp16's precision; the sums stay
# fp32.
#
# **FP8** comes in two layouts (OCP 8-bit specification, 2023). E4M3 spends its bits on precision, for weights and
# activations; E5M2 spends them on range, for gradients.

# %%
for f in (FP8_E4M3, FP8_E5M2):
    kinds = f.classify(np.arange(256))
    counts = {
        kind: int((kinds == kind).sum())
        for kind in ("zero", "subnormal", "normal", "inf", "nan")
    }
    print(
        f"{f.name}: max {f.limits.max:g}, smallest {f.limits.min_subnormal:g}, epsilon {f.limits.epsilon:g}, {counts}"
    )
assert (FP8_E4M3.limits.max, FP8_E5M2.limits.max) == (448, 57344)
assert (str(FP8_E4M3.round(1000.0)), str(FP8_E5M2.round(1e6))) == ("nan", "inf")

# %% [markdown]
# E4M3 gives its infinities, and all NaNs but one for each sign, for one more power of two of range: what overflows
# becomes NaN, or the maximum where the cast saturates (the specification has both). With so little range a tensor
# usually has to be *scaled* before the cast. With a scale, FP8 starts to look like quantization.

# %%
activations = np.array([2e-5, 3e-4, 0.004, 0.011])
scale = FP8_E4M3.limits.max / activations.max()
print("plain :", FP8_E4M3.round(activations).tolist())
print("scaled:", [float(f"{a:.2g}") for a in FP8_E4M3.round(activations * scale) / scale])
assert (FP8_E4M3.round(activations)[:2] == 0).all()
assert np.allclose(
    FP8_E4M3.round(activations * scale) / scale, activations, rtol=FP8_E4M3.limits.epsilon / 2
)

# %% tags=["nbval-ignore-output"]
BitLayout(0.3, formats=("tf32", "fp8_e4m3", "fp8_e5m2"))

# %% [markdown]
# Try 448, 464, 465 and `inf` here. In E4M3, how many bits must you flip to get from the maximum to NaN?

# %% [markdown]
# ## 5. What the answer sounds like
#
# **Weak.** "fp16 and bf16 are half-precision formats. They use less memory and are faster. bf16 is better because it
# has more range and precision." *One claim is loose, one is false, one depends on the hardware, and nothing follows
# from any of it.*
#
# **Good.** "fp16 is 1-5-10, bf16 is 1-8-7. bf16 keeps fp32's exponent, so it has its range, and gives up precision:
# ε is 2⁻⁷ against 2⁻¹⁰. fp16 overflows from 65520 on, and gradients of 2⁻²⁵ and less become 0, which is why it needs
# loss scaling (损失缩放). bf16 normally does not. Both halve storage."
#
# **Senior.** The good answer, and: "Both lose updates smaller than half the gap at the weight (a quarter, downwards
# from a power of two), and bf16's gap is eight times fp16's, so master weights and accumulators stay in fp32; a bf16
# sum of ones stalls at 256. I keep softmax, norms and the loss in fp32, and positions and counters out of both. A cast
# from fp32 to bf16 should round, not truncate: cutting is biased. Whether any of it is faster I measure: without native
# units it may well be slower. And on Ampere and later I check whether my fp32 baseline was TF32 all along."

# %% [markdown]
# ## 6. Follow-ups
#
# **Why is fp16 training scaled and bf16 training not?** fp16's normal numbers end at 6e-5 and its subnormals at 6e-8,
# and gradients can be smaller; bf16's normal numbers go on to 1e-38. Multiplying the loss by a power of two moves all
# gradients up together and costs no precision, as long as none overflows; the optimizer divides it out in fp32.
#
# **Can loss scaling repair bf16's precision?** No. A scale shifts the exponent; ε stays 2⁻⁷.
#
# **Which one for inference?** If the activations fit into ±65504, fp16 is eight times as accurate. A model trained in
# bf16 may not fit: then fp16 gives inf and NaN (section 8).
#
# **Does fp32 → bf16 → fp32 return the same number?** Only where the lower 16 bits were zero. bf16 → fp32 → bf16 always.
#
# **Is a sum in bf16 hopeless?** A long one, in sequence: yes. Pairwise sums, sorting, compensated summation, or
# stochastic rounding (随机舍入) help; an fp32 accumulator is simpler. N. J. Higham's example is the sum 1 + 1/2 + 1/3 +
# …, which has no limit, except in a computer. *At which term does the sum stop growing in fp16, and in bf16?*

# %%
for f, dtype in ((FP16, np.float16), (BF16, bfloat16)):
    total, n = dtype(0), 0
    while n == 0 or total + dtype(1 / n) != total:
        total, n = (total + dtype(1 / n) if n else total), n + 1
    print(f"{f.name}: 1 + 1/2 + 1/3 + … stops at {float(total)}, term {n} is lost")

# %% [markdown]
# ## 7. Quiz
#
# Run the cell: eight questions. A wrong answer says why it is wrong.

# %% tags=["nbval-ignore-output"]
from jupyterquiz import display_quiz

from halfbits.questions import QUIZ_LOOK, quiz

display_quiz(quiz("02_number_formats"), **QUIZ_LOOK)

# %% [markdown]
# ## 8. Seen in the wild
#
# - **66246.39 > 65504.** T5 gives NaN in fp16: one value in a feed-forward layer overflows and the infinity spreads. T5
#   was trained with bf16 activations. [huggingface/transformers #5651](https://github.com/huggingface/transformers/issues/5651),
#   [text-to-text-transfer-transformer #539](https://github.com/google-research/text-to-text-transfer-transformer/issues/539)
# - **256 and 257 are the same position.** Rotary position embeddings computed in bf16 confuse neighbouring positions.
#   [EleutherAI/gpt-neox #1016](https://github.com/EleutherAI/gpt-neox/pull/1016),
#   [huggingface/transformers #29285](https://github.com/huggingface/transformers/pull/29285)
# - **Adam's 1e-8 is 0 in fp16.** While both moments are 0 too, the update is 0/0:
#   [google-deepmind/optax #1754](https://github.com/google-deepmind/optax/issues/1754). Chainer refused such an epsilon
#   with a ValueError: [chainer/chainer #6299](https://github.com/chainer/chainer/issues/6299)
# - **The attention mask overflows.** fp16 gives NaN where float32 and bfloat16 do not. [google/flax #982](https://github.com/google/flax/issues/982)
# - **The mean of 100,000 fp16 numbers, 1 on average, was infinite.** A maintainer finds the edge: 65,519 ones sum to
#   65504, 65,520 ones to inf. NumPy has since computed such means in fp32; sums still go over the edge:
#   [numpy/numpy #7930](https://github.com/numpy/numpy/issues/7930)

# %%
with np.errstate(over="ignore"):
    for count in (65_519, 65_520):
        ones = np.ones(count, np.float16)
        print(f"{count:,} ones in fp16: sum {float(np.sum(ones))}, mean {float(np.mean(ones))}")

# %% [markdown]
# ## 9. References
#
# - IEEE 754-2019, *Standard for Floating-Point Arithmetic*: clause 3.4 the interchange formats (binary16, binary32),
#   4.3.1 round to nearest, ties to even, 5.3.1 nextUp and nextDown.
# - P. Micikevicius et al., *Mixed Precision Training*, ICLR 2018,
#   [arXiv:1710.03740](https://arxiv.org/abs/1710.03740): master weights, loss scaling, fp32 accumulation.
# - D. Kalamkar et al., *A Study of BFLOAT16 for Deep Learning Training*, 2019,
#   [arXiv:1905.12322](https://arxiv.org/abs/1905.12322): fp32's results with unchanged hyper-parameters. (Its abstract
#   calls bf16 a half-precision format: claim B2.)
# - P. Micikevicius et al., *FP8 Formats for Deep Learning*, 2022,
#   [arXiv:2209.05433](https://arxiv.org/abs/2209.05433).
# - Open Compute Project, *8-bit Floating Point Specification (OFP8)*, revision 1.0, 2023,
#   [github.com/opencomputeproject/FP8](https://github.com/opencomputeproject/FP8).
# - NVIDIA, *A100 Tensor Core GPU Architecture*, whitepaper, 2020: TF32. And TensorFlow's page on
#   [TF32 execution](https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_tensor_float_32_execution).
# - N. J. Higham, *Half Precision Arithmetic: fp16 Versus bfloat16*, 2018,
#   [nhigham.com](https://nhigham.com/2018/12/03/half-precision-arithmetic-fp16-versus-bfloat16/), and *What Is Bfloat16
#   Arithmetic?*, 2020, [nhigham.com](https://nhigham.com/2020/06/02/what-is-bfloat16-arithmetic/). His *Accuracy and
#   Stability of Numerical Algorithms*, 2nd ed., SIAM, 2002, is the book on rounding and summation.
# - NumPy, [numpy.sum](https://numpy.org/doc/stable/reference/generated/numpy.sum.html): the notes on pairwise summation
#   and the fast axis.
#
# **Next:** seven exercises that grade themselves, [exercises/01_number_formats](../exercises/01_number_formats.ipynb).
