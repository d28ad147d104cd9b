"""training_memory(parameters, activations_per_example, batch_size, policy, optimizer_slots=2) -> dict of bytes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.grading.exercise import misconception

# What is kept under each policy, by NumPy's dtypes; a bfloat16 has as many bytes as a float16.
KEPT_IN = {
    "float32": dict.fromkeys(("weights", "gradients", "optimizer", "activations"), np.float32),
    "mixed_float16": dict.fromkeys(("weights", "gradients", "optimizer"), np.float32)
    | dict.fromkeys(("working_copy", "activations"), np.float16),
    "float16": dict.fromkeys(("weights", "gradients", "optimizer", "activations"), np.float16),
}
KEPT_IN["mixed_bfloat16"] = KEPT_IN["mixed_float16"]
KEYS = ("weights", "working_copy", "gradients", "optimizer", "activations")
MIXED = ("mixed_float16", "mixed_bfloat16")


def expected(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """The oracle: how many numbers there are of each kind, times the size of NumPy's type, in exact integers."""
    if policy not in KEPT_IN:
        return ValueError
    count = dict.fromkeys(KEYS, parameters)
    count["optimizer"] = parameters * optimizer_slots
    count["activations"] = activations_per_example * batch_size
    sizes = {key: np.dtype(dtype).itemsize for key, dtype in KEPT_IN[policy].items()}
    memory = {key: count[key] * sizes.get(key, 0) for key in KEYS}
    return memory | {"total": sum(memory.values())}


def what_differs(call):
    """Which of the entries are wrong, all in one line."""
    if not isinstance(call.returned, dict) or not isinstance(call.expected, dict):
        return ""
    wrong = [
        f"{key} should be {call.expected[key]:,}"
        for key in call.expected
        if call.returned.get(key) != call.expected[key]
    ]
    return ", ".join(wrong)


def hold(answer, cases):
    answer.each(cases, expected, because=what_differs)


def test_float32(answer):
    """float32: four bytes for everything, and no working copy"""
    hold(answer, [(1, 1, 1, "float32", 1), (10, 3, 2, "float32", 2), (1000, 70, 32, "float32", 2)])


def test_mixed_float16(answer):
    """mixed_float16: a half working copy comes on top, and only the activations shrink"""
    hold(answer, [(1, 1, 1, "mixed_float16", 1), (10, 3, 2, "mixed_float16", 2), (1000, 70, 32, "mixed_float16", 2)])


def test_mixed_bfloat16(answer):
    """mixed_bfloat16: the same bytes as mixed_float16"""
    hold(answer, [(1, 1, 1, "mixed_bfloat16", 1), (10, 3, 2, "mixed_bfloat16", 2), (999, 7, 64, "mixed_bfloat16", 2)])


def test_float16(answer):
    """float16: two bytes for everything, and no working copy"""
    hold(answer, [(1, 1, 1, "float16", 1), (10, 3, 2, "float16", 2), (1000, 70, 32, "float16", 2)])


def test_optimizer_slots(answer):
    """Optimizers with other numbers of slots, and with none; two where nothing is said"""
    hold(answer, [(10, 3, 2, policy, slots) for policy in KEPT_IN for slots in (0, 1, 3, 5)])
    hold(answer, [(10, 3, 2, policy) for policy in KEPT_IN])


def test_nothing_of_a_kind(answer):
    """No parameters, no activations, no examples"""
    hold(answer, [(*counts, policy, 2) for counts in ((0, 5, 2), (5, 0, 2), (5, 3, 0)) for policy in KEPT_IN])


def test_large_models(answer):
    """175 billion parameters and more, to the byte"""
    hold(answer, [(175_181_291_521, 96 * 12_288 * 2_048 + 1, 1_537, policy, 2) for policy in KEPT_IN])
    hold(answer, [(2**60 + 1, 1, 1, policy, 2) for policy in KEPT_IN])


def test_unknown_policy(answer):
    """ValueError for a policy that there is not"""
    names = ("float64", "bfloat16", "mixed_float32", "mixed", "", "Float16", "mixed_float16 ", "mixed_float8")
    hold(answer, [(10, 3, 2, name, 2) for name in names])


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**6),
    st.integers(0, 4096),
    st.sampled_from(list(KEPT_IN)),
    st.integers(0, 3),
)
def test_any_model(answer, parameters, activations, batch_size, policy, slots):
    """Any model"""
    hold(answer, [(parameters, activations, batch_size, policy, slots)])


def bytes_of(weights, working_copy, gradients, optimizer, activations):
    """The dict with its total, for the misconceptions to be wrong in one place only."""
    memory = dict(zip(KEYS, (weights, working_copy, gradients, optimizer, activations), strict=True))
    return memory | {"total": sum(memory.values())}


def right(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    memory = expected(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    if memory is ValueError:
        raise ValueError(f"no policy is called {policy!r}")
    return memory


def with_other(memory, **entries):
    """The same, with other entries, and the total of these."""
    return bytes_of(**{key: (memory | entries)[key] for key in KEYS})


@misconception
def mixed_halves_everything(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You let mixed precision halve everything. The weights, the gradients and the optimizer's slots stay float32; it
    is the activations that shrink, and a working copy comes on top."""
    right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return right(
        parameters, activations_per_example, batch_size, "float16" if policy in MIXED else policy, optimizer_slots
    )


@misconception
def no_working_copy(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You forgot the working copy. Mixed precision computes with half-precision copies of the weights, which stand
    beside the float32 ones during the step: two bytes a parameter more."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, working_copy=0)


@misconception
def working_copy_for_the_weights(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You let the half-precision weights stand in for the float32 ones. There are both: the master weights, and the
    working copy beside them."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, weights=2 * parameters, working_copy=0) if policy in MIXED else memory


@misconception
def weights_in_half_with_a_working_copy(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted two bytes for the weights under a mixed policy. The master weights are float32: four bytes, and the
    working copy two more."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, weights=2 * parameters) if policy in MIXED else memory


@misconception
def working_copy_in_float32(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """Your working copy has four bytes a parameter. It is what is computed with, in half precision: two bytes."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, working_copy=2 * memory["working_copy"])


@misconception
def working_copy_under_every_policy(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted a working copy under every policy. Where everything has one dtype the weights themselves are computed
    with: only the mixed policies have a copy."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, working_copy=(4 if policy == "float32" else 2) * parameters)


@misconception
def gradients_in_half_precision(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted two bytes for the gradients under a mixed policy. They belong to float32 variables and arrive in
    float32."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, gradients=2 * parameters) if policy in MIXED else memory


@misconception
def slots_in_half_precision(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted two bytes for the optimizer's slots under a mixed policy. They have the dtype of the master weights,
    float32."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, optimizer=2 * parameters * optimizer_slots) if policy in MIXED else memory


@misconception
def slots_always_float32(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted four bytes for the optimizer's slots under "float16". There the variables are float16, and the slots
    with them."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, optimizer=4 * parameters * optimizer_slots)


@misconception
def activations_in_float32(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted four bytes for the activations under a mixed policy. The layers compute in half precision, and what
    they pass on is half precision too."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, activations=4 * activations_per_example * batch_size) if policy in MIXED else memory


@misconception
def activations_of_one_example(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted the activations of one example. They are kept for each example of the batch: times `batch_size`."""
    return right(parameters, activations_per_example, 1, policy, optimizer_slots)


@misconception
def everything_times_the_batch(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You multiplied the gradients by the batch size. They are summed over the batch: one for each parameter."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return with_other(memory, gradients=memory["gradients"] * batch_size)


@misconception
def two_slots_always(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted two slots whatever `optimizer_slots` says."""
    return right(parameters, activations_per_example, batch_size, policy, 2)


@misconception
def no_slots_is_two_slots(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You took 0 slots for "not given" (`optimizer_slots or 2`). Plain SGD has none: its memory is 0."""
    return right(parameters, activations_per_example, batch_size, policy, optimizer_slots or 2)


@misconception
def one_slot_for_all(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted the optimizer's memory once. It has `optimizer_slots` numbers for each parameter: Adam two."""
    return right(parameters, activations_per_example, batch_size, policy, 1)


@misconception
def total_without_the_working_copy(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """Your total leaves out the working copy. It is the sum of all five."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return memory | {"total": memory["total"] - memory["working_copy"]}


@misconception
def total_without_the_activations(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """Your total leaves out the activations, which are often the most. It is the sum of all five."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return memory | {"total": memory["total"] - memory["activations"]}


@misconception
def bits(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You counted bits. Asked for are bytes, of 8 bits each: float32 has 4, float16 and bfloat16 have 2."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return {key: 8 * value for key, value in memory.items()}


@misconception
def megabytes(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You returned megabytes. Asked for are bytes, exact."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return {key: value / 1e6 for key, value in memory.items()}


@misconception
def bfloat16_is_unknown(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You left out "mixed_bfloat16". A bfloat16 has 2 bytes as well, and the policy keeps the same things."""
    if policy == "mixed_bfloat16":
        raise ValueError(f"no policy is called {policy!r}")
    return right(parameters, activations_per_example, batch_size, policy, optimizer_slots)


@misconception
def pure_float16_is_mixed(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You treated "float16" like "mixed_float16". It is not mixed: everything is float16, the weights and the slots
    too, and there is no working copy."""
    return right(
        parameters,
        activations_per_example,
        batch_size,
        "mixed_float16" if policy == "float16" else policy,
        optimizer_slots,
    )


@misconception
def every_mixed_name(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You look at how the name begins. "mixed_float8" is no policy of this exercise: compare whole names, and raise
    ValueError."""
    mixed = policy.startswith("mixed")
    return right(parameters, activations_per_example, batch_size, "mixed_float16" if mixed else policy, optimizer_slots)


@misconception
def unknown_is_float32(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You treat a policy that you do not know like "float32" (the last `else`). Raise ValueError: a misspelt name must
    not give a wrong sum."""
    return right(
        parameters, activations_per_example, batch_size, policy if policy in KEPT_IN else "float32", optimizer_slots
    )


@misconception
def unknown_is_float16(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You treat a policy that you do not know like "float16" (the last `else`). Raise ValueError: a misspelt name must
    not give a wrong sum."""
    return right(
        parameters, activations_per_example, batch_size, policy if policy in KEPT_IN else "float16", optimizer_slots
    )


@misconception
def key_error(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """A dict raises KeyError for a name that it does not have, and the contract asks for ValueError: test for the name,
    or catch the one and raise the other."""
    return {name: right(parameters, activations_per_example, batch_size, name, optimizer_slots) for name in KEPT_IN}[
        policy
    ]


@misconception
def none_for_unknown(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """Your function returns None for a policy that it does not know. Raise ValueError there."""
    memory = expected(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return None if memory is ValueError else memory


@misconception
def total_with_the_working_copy_twice(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """Your total counts the working copy twice. It is the sum of the five other entries, each once."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return memory | {"total": memory["total"] + memory["working_copy"]}


@misconception
def mebibytes(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You returned mebibytes. Asked for are bytes, exact."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return {key: value / 2**20 for key, value in memory.items()}


@misconception
def computed_in_floats(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You computed with floating-point numbers, which have 53 bits, or 24. The bytes are asked for exactly: Python's
    integers have as many digits as it takes, so use `*` and `+` on them only."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return {key: int(float(value)) for key, value in memory.items()}


@misconception
def computed_in_float32(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You computed with float32 numbers, which have 24 bits. The bytes are asked for exactly: Python's integers have as
    many digits as it takes."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return {key: int(np.float32(value)) for key, value in memory.items()}


@misconception
def computed_in_int32(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You computed in 32-bit integers, which end at 2³¹ − 1 and wrap around. Python's own integers do not."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return {key: (value + 2**31) % 2**32 - 2**31 for key, value in memory.items()}


@misconception
def key_left_out(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You left out "working_copy" where there is none. The dict has the same six keys under every policy, with 0
    there."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return {key: value for key, value in memory.items() if key != "working_copy" or policy in MIXED}


@misconception
def none_for_no_copy(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """You put None where there is no working copy. It takes 0 bytes."""
    memory = right(parameters, activations_per_example, batch_size, policy, optimizer_slots)
    return memory if policy in MIXED else memory | {"working_copy": None}


@misconception
def one_slot_by_default(parameters, activations_per_example, batch_size, policy, optimizer_slots=1):
    """Your default is one slot. Keep the signature: `optimizer_slots=2`, as Adam has them."""
    return right(parameters, activations_per_example, batch_size, policy, optimizer_slots)


HINTS = (
    "Two sizes are enough, 4 bytes and 2. Go through the table column by column: how many numbers are there of this "
    "kind, and how many bytes has each under this policy?",
    'The weights, the gradients and the slots always have the same size: 2 bytes under "float16", else 4. The '
    'activations have 4 under "float32", else 2. The working copy is there under the mixed policies only, with 2. '
    "Look at the policy's name before anything else.",
    '`kept = 2 if policy == "float16" else 4`. Then `kept * parameters` for the weights and for the gradients, times '
    "`optimizer_slots` for the optimizer; `2 * parameters` or 0 for the working copy; `activations_per_example * "
    'batch_size` times 4 or 2. Build the dict, then `memory["total"] = sum(memory.values())`.',
)
