"""Right answers to `training_memory`, in ten styles."""

from collections import Counter, OrderedDict
from dataclasses import asdict, dataclass
from enum import Enum
from fractions import Fraction
from itertools import starmap
from operator import mul

import keras
import tensorflow as tf

_KEYS = ("weights", "working_copy", "gradients", "optimizer", "activations")


def early_returns(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    def filled(weights, copy, activations):
        w, c = parameters * weights, parameters * copy
        o, a = w * optimizer_slots, activations_per_example * batch_size * activations
        return dict(weights=w, working_copy=c, gradients=w, optimizer=o, activations=a, total=w + c + w + o + a)

    if policy == "float32":
        return filled(4, 0, 4)
    if policy == "float16":
        return filled(2, 0, 2)
    if policy in {"mixed_float16", "mixed_bfloat16"}:
        return filled(4, 2, 2)
    raise ValueError(policy)


_BYTES = {
    "float32": (4, 0, 4, 4, 4),
    "mixed_float16": (4, 2, 4, 4, 2),
    "mixed_bfloat16": (4, 2, 4, 4, 2),
    "float16": (2, 0, 2, 2, 2),
}


def table_times_counts(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    try:
        sizes = _BYTES[policy]
    except KeyError as error:
        raise ValueError(f"no such policy: {policy}") from error
    counts = (parameters, parameters, parameters, optimizer_slots * parameters, batch_size * activations_per_example)
    memory = dict(zip(_KEYS, starmap(mul, zip(sizes, counts, strict=True)), strict=True))
    return {**memory, "total": sum(memory.values())}


def policies_of_keras(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """Keras knows what each policy computes in and what its variables are."""
    if policy not in ("float32", "mixed_float16", "mixed_bfloat16", "float16"):
        raise ValueError(f"not a policy of the table: {policy!r}")
    known = keras.DTypePolicy(policy)
    computes, keeps = (tf.as_dtype(name).size for name in (known.compute_dtype, known.variable_dtype))
    memory = OrderedDict((key, keeps * parameters) for key in _KEYS)
    memory["working_copy"] = computes * parameters if computes != keeps else 0
    memory["optimizer"] *= optimizer_slots
    memory["activations"] = computes * batch_size * activations_per_example
    memory["total"] = sum(memory.values())
    return memory


def matched_policy(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    match policy.split("_"):
        case ["float32"]:
            single, half, acts = 4, 0, 4
        case ["float16"]:
            single, half, acts = 2, 0, 2
        case ["mixed", "float16" | "bfloat16"]:
            single, half, acts = 4, 2, 2
        case _:
            raise ValueError(f"unknown policy {policy}")
    return {
        "weights": single * parameters,
        "working_copy": half * parameters,
        "gradients": single * parameters,
        "optimizer": single * parameters * optimizer_slots,
        "activations": acts * activations_per_example * batch_size,
        "total": parameters * (single * (2 + optimizer_slots) + half) + acts * activations_per_example * batch_size,
    }


@dataclass
class _Memory:
    weights: int
    working_copy: int
    gradients: int
    optimizer: int
    activations: int
    total: int = 0

    def __post_init__(self):
        self.total = self.weights + self.working_copy + self.gradients + self.optimizer + self.activations


def dataclass_to_a_dict(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    if policy not in ("float32", "float16", "mixed_float16", "mixed_bfloat16"):
        raise ValueError("there is no such policy")
    kept = parameters * (2 if policy == "float16" else 4)
    copy = parameters * 2 if "mixed" in policy else 0
    activations = activations_per_example * batch_size * (4 if policy == "float32" else 2)
    return asdict(_Memory(kept, copy, kept, kept * optimizer_slots, activations))


class _Policy(Enum):
    float32 = (32, 32)
    mixed_float16 = (16, 32)
    mixed_bfloat16 = (16, 32, "bf16")
    float16 = (16, 16)


def bits_of_an_enum(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    names = [known.name for known in _Policy]
    compute, variable, *_ = _Policy[names[names.index(policy)]].value  # list.index raises a ValueError
    bits = {
        "activations": compute * activations_per_example * batch_size,
        "optimizer": variable * parameters * optimizer_slots,
        "gradients": variable * parameters,
        "working_copy": compute * parameters * (compute < variable),
        "weights": variable * parameters,
    }
    bits["total"] = sum(bits.values())
    return {key: number // 8 for key, number in bits.items()}


def counter_of_bytes(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """Everything in half precision, then what is kept in float32 once more."""
    again = {
        "float16": (),
        "float32": ("weights", "gradients", "optimizer", "activations"),
        "mixed_float16": ("weights", "gradients", "optimizer"),
        "mixed_bfloat16": ("weights", "gradients", "optimizer"),
    }
    if policy not in again:
        raise ValueError(f"{policy!r} is none of {sorted(again)}")
    memory = Counter(dict.fromkeys(_KEYS, 2 * parameters))
    memory["optimizer"] = memory["weights"] * optimizer_slots
    memory["activations"] = 2 * activations_per_example * batch_size
    if not policy.startswith("mixed"):
        memory["working_copy"] = 0
    for key in again[policy]:
        memory[key] += memory[key]
    memory["total"] = memory.total()
    return memory


def fractions_of_the_float32_bytes(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    half, one, none = Fraction(1, 2), Fraction(1), Fraction(0)
    columns = {
        "float32": [one, none, one],
        "float16": [half, none, half],
        "mixed_float16": [one, half, half],
        "mixed_bfloat16": [one, half, half],
    }
    kept, copied, activated = columns.get(policy) or [None] * 3
    if kept is None:
        raise ValueError(f"policy {policy!r}")
    full = 4 * parameters
    parts = [kept * full, copied * full, kept * full, kept * full * optimizer_slots]
    parts.append(activated * 4 * activations_per_example * batch_size)
    return {key: int(part) for key, part in zip((*_KEYS, "total"), [*parts, sum(parts)], strict=True)}


def layers_of_functions(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    rules = {
        "weights": lambda: parameters * stored(),
        "working_copy": lambda: parameters * 2 * is_mixed(),
        "gradients": lambda: parameters * stored(),
        "optimizer": lambda: sum(parameters * stored() for _ in range(optimizer_slots)),
        "activations": lambda: batch_size * activations_per_example * (4 if policy == "float32" else 2),
        "total": lambda: sum(rule() for key, rule in rules.items() if key != "total"),
    }

    def is_mixed():
        return policy in ("mixed_float16", "mixed_bfloat16")

    def stored():
        return 4 if is_mixed() or policy == "float32" else 2

    if not is_mixed() and policy not in ("float16", "float32"):
        raise ValueError(f"no such policy, {policy!r}")
    return {key: rule() for key, rule in rules.items()}


def running_total(parameters, activations_per_example, batch_size, policy, optimizer_slots=2):
    """One line of bytes after the other, by a generator."""

    def lines():
        size = {"float32": 4, "mixed_float16": 4, "mixed_bfloat16": 4, "float16": 2}.get(policy, 0)
        if size == 0:
            raise ValueError(f"no bytes are known for {policy!r}")
        yield "weights", size * parameters
        yield "working_copy", (2 if policy[:5] == "mixed" else 0) * parameters
        yield "gradients", size * parameters
        yield "optimizer", size * parameters * optimizer_slots
        yield "activations", (size if policy[:5] != "mixed" else 2) * activations_per_example * batch_size

    memory, total = {}, 0
    for name, count in lines():
        memory[name] = count
        total += count
    memory["total"] = total
    return memory
