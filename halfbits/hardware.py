"""What this machine is, and which number formats its hardware has arithmetic for. No TensorFlow is imported.

"Accelerated" here means: there are instructions or matrix units made for arithmetic in the format; for int8, which
every CPU can add and multiply, ones made for sums of products. It does not promise that a library uses them. Storing a
narrow format saves memory either way.

Sources: the oneDNN developer guide (Data Types, enum dnnl::cpu_isa) for x86; the Linux kernel's arm64 ELF hwcaps and
Apple's "Determining instruction set characteristics" for Arm; for NVIDIA the CUDA C++ Programming Guide (throughput
of arithmetic instructions), the PTX ISA (dp4a), TensorRT's and Transformer Engine's support matrices.
"""

from __future__ import annotations

import html
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata

__all__ = [
    "TESTED",
    "Gpu",
    "Machine",
    "Prediction",
    "Support",
    "accelerated",
    "cpu_support",
    "describe",
    "fastest_in_training",
    "gpu_support",
    "warnings",
]

#: Beginnings of the versions that the course is tested with: those of requirements.txt, and the lowest that
#: pyproject.toml allows, with which `make test-portable` runs every notebook.
TESTED = {
    "Python": ("3.11", "3.12", "3.13"),
    "NumPy": ("2.1", "2.4", "2.5"),
    "ml_dtypes": ("0.5", "0.6"),
    "TensorFlow": ("2.21",),
    "Keras": ("3.12", "3.15"),
    "tf_keras": ("2.21",),
    "TFMOT": ("0.8.1",),
}

# The names under which each package may be installed.
_DISTRIBUTIONS = {
    "NumPy": ("numpy",),
    "ml_dtypes": ("ml_dtypes",),
    "TensorFlow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos"),
    "Keras": ("keras",),
    "tf_keras": ("tf_keras",),
    "TFMOT": ("tensorflow-model-optimization",),
}

_X86 = ("x86_64", "amd64", "x86", "i386", "i686")
_ARM = ("aarch64", "arm64", "armv8", "arm_8")

# Flags as Linux spells them; the value is what people call the feature. A CPU that has any of a format's flags
# computes in it.
_X86_FLAGS = {
    "fp16": {"avx512_fp16": "AVX512_FP16", "amx_fp16": "AMX_FP16"},
    "bf16": {"avx512_bf16": "AVX512_BF16", "amx_bf16": "AMX_BF16"},
    "int8": {"avx512_vnni": "AVX512_VNNI", "avx_vnni": "AVX_VNNI", "amx_int8": "AMX_INT8"},
}
_ARM_FLAGS = {
    "fp16": {"asimdhp": "FEAT_FP16"},  # fphp alone is the scalar half
    "bf16": {"bf16": "FEAT_BF16"},
    "int8": {"i8mm": "FEAT_I8MM", "asimddp": "FEAT_DotProd"},
}
# The same features where others spell them: py-cpuinfo's CPUID reader, and macOS on Arm (sysctl hw.optional.arm).
_ALIASES = {
    "avx512vnni": "avx512_vnni",
    "feat_fp16": "asimdhp",
    "feat_bf16": "bf16",
    "feat_i8mm": "i8mm",
    "feat_dotprod": "asimddp",
}


@dataclass(frozen=True)
class Support:
    """Whether hardware computes in a format: ``"yes"``, ``"no"`` or ``"unknown"``, and the reason in words."""

    answer: str
    reason: str


@dataclass(frozen=True)
class Prediction:
    """The formats, any of which may be the fastest, and the reason in words; no formats where nothing is predicted."""

    formats: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU; the compute capability is None where the driver does not tell it."""

    name: str
    capability: tuple[int, int] | None = None


@dataclass(frozen=True, repr=False)
class Machine:
    """What `describe` found. What could not be told is None (or missing), never guessed."""

    cpu: str | None = None
    architecture: str = ""
    cores: int | None = None
    memory_bytes: int | None = None
    cpu_flags: frozenset[str] | None = None
    flags_complete: bool = False  # False: a flag that is not listed may be there all the same
    gpus: tuple[Gpu, ...] = ()
    versions: dict[str, str | None] = field(default_factory=dict)
    onednn: bool = True  # whether TensorFlow would use that library, which has code for each kind of CPU

    def __str__(self) -> str:
        lines = [f"{name:<12}{value}" for name, value in _facts(self)]
        for device, formats in accelerated(self).items():
            lines += ["", f"Computes in, on the {device}:"]
            lines += [f"  {name:<6}{support.answer:<9}{support.reason}" for name, support in formats.items()]
        lines += ["", *(f"Note: {sentence}" for sentence in (*warnings(self), _CAVEAT))]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        facts = "".join(
            f'<tr><th scope="row" style="{_CELL}">{_e(name)}</th><td style="{_CELL}">{_e(value)}</td></tr>'
            for name, value in _facts(self)
        )
        rows = "".join(
            f'<tr><th scope="row" style="{_CELL}">{_e(name)}</th><td style="{_CELL}">{_e(device)}</td>'
            f'<td style="{_CELL}">{_MARKS[support.answer]}&nbsp;{support.answer}</td>'
            f'<td style="{_CELL}">{_e(support.reason)}</td></tr>'
            for device, formats in accelerated(self).items()
            for name, support in formats.items()
        )
        head = "".join(
            f'<th scope="col" style="{_CELL}">{name}</th>' for name in ("format", "on the", "computes in it", "why")
        )
        notes = "".join(f"<p><strong>Note:</strong> {_e(sentence)}</p>" for sentence in warnings(self))
        return (
            '<div class="halfbits-machine" style="max-width:60em">'
            f'<table style="{_TABLE}"><tbody>{facts}</tbody></table>'
            f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
            f"{notes}<p>{_e(_CAVEAT)}</p></div>"
        )


def describe() -> Machine:
    """Look at this machine. Takes about a second (py-cpuinfo), needs no network."""
    info = _cpuinfo()
    system = platform.system()
    flags = _normalise(info.get("flags", ()))
    if system == "Darwin" and _family(platform.machine()) == "arm":
        flags |= _apple_flags()
    return Machine(
        cpu=info.get("brand_raw") or platform.processor() or None,
        architecture=platform.machine() or info.get("arch_string_raw", ""),
        cores=_cores(),
        memory_bytes=_memory(),
        cpu_flags=flags or None,
        # Linux and, on Arm, macOS list nearly every feature (Linux hides AMX_FP16 and AVX_NE_CONVERT); elsewhere
        # py-cpuinfo reads only a part of CPUID.
        flags_complete=system == "Linux" or (system == "Darwin" and bool(flags & set(_ALIASES.values()))),
        gpus=_nvidia_gpus(),
        versions={"Python": platform.python_version()} | {n: _version(d) for n, d in _DISTRIBUTIONS.items()},
        onednn=os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0",
    )


def accelerated(machine: Machine) -> dict[str, dict[str, Support]]:
    """For each device (``"CPU"``, then the GPUs by name) and each format: does its hardware compute in it?

    >>> accelerated(Machine(gpus=(Gpu("NVIDIA H100", (9, 0)),)))["NVIDIA H100"]["fp8"].answer
    'yes'
    """
    devices = {"CPU": cpu_support(machine.architecture, machine.cpu_flags, machine.flags_complete)}
    for gpu in machine.gpus:
        devices[gpu.name] = gpu_support(gpu)
    return devices


def cpu_support(architecture: str, flags: Iterable[str] | None, complete: bool = True) -> dict[str, Support]:
    """What a CPU with these feature flags computes in.

    Args:
        architecture: as ``platform.machine()`` says it, for example ``"x86_64"`` or ``"arm64"``.
        flags: feature flags as Linux spells them; None where they are not known.
        complete: whether a flag that is missing means a feature that is missing.
    """
    family = _family(architecture)
    if family is None or flags is None:
        what = (
            "its feature flags could not be read" if family else f"not a CPU family known here: {architecture or '?'}"
        )
        return {name: Support("unknown", what) for name in ("fp32", "fp16", "bf16", "int8")}
    have = _normalise(flags)
    answers = {"fp32": Support("yes", "the baseline that the others are compared with")}
    for name, wanted in (_X86_FLAGS if family == "x86" else _ARM_FLAGS).items():
        found = [label for flag, label in wanted.items() if flag in have]
        missing = " or ".join(wanted.values())
        if found:
            answers[name] = Support("yes", ", ".join(found))
        elif complete:
            answers[name] = Support("no", f"no {missing}" + _instead(name, family, have))
        else:
            answers[name] = Support("unknown", f"this system does not say whether there is {missing}")
    return answers


def gpu_support(gpu: Gpu) -> dict[str, Support]:
    """What an NVIDIA GPU of this compute capability computes in."""
    names = ("fp32", "tf32", "fp16", "bf16", "fp8", "int8")
    if gpu.capability is None:
        return dict.fromkeys(names, Support("unknown", "the driver does not tell the compute capability"))
    has = gpu.capability
    cc = f"compute capability {has[0]}.{has[1]}"

    def since(needed: tuple[int, int], what: str, remark: str = "") -> Support:
        if has >= needed:
            return Support("yes", f"{what}{remark} ({cc})")
        return Support("no", f"{what} came with {needed[0]}.{needed[1]}, this is {cc}")

    return {
        "fp32": Support("yes", "the baseline that the others are compared with"),
        "tf32": since((8, 0), "TF32 Tensor Cores", ": TensorFlow's default for float32 products"),
        "fp16": _gpu_fp16(has, cc),
        "bf16": since((8, 0), "bf16 Tensor Cores"),
        "fp8": since((8, 9), "FP8 Tensor Cores"),
        "int8": _gpu_int8(has, cc),
    }


def fastest_in_training(machine: Machine, gpu: Gpu | None = None) -> Prediction:
    """In which of fp32, fp16 and bf16 TensorFlow trains wide dense layers the fastest, on the CPU or on a GPU.

    It is predicted from the hardware, and from whether TensorFlow may use oneDNN. Measured were three x86 CPUs (AVX2
    only; AVX512_BF16, with and without oneDNN; AVX512_FP16 too); the rest follows from instruction sets and NVIDIA's
    tables of rates. Where neither says enough, nothing is predicted.
    """
    if gpu:
        return _fastest_on_gpu(gpu_support(gpu))
    support = cpu_support(machine.architecture, machine.cpu_flags, machine.flags_complete)
    bf16, fp16 = support["bf16"], support["fp16"]
    if _family(machine.architecture) != "x86":
        return Prediction((), "no prediction: whether TensorFlow uses this CPU's 16-bit units was not measured")
    if not machine.onednn:
        return Prediction(
            ("fp32",), "oneDNN is switched off, and TensorFlow's own code is compiled for any CPU with AVX"
        )
    if bf16.answer == fp16.answer == "yes":
        slow = "TensorFlow 2.21 runs a dense layer with ReLU in fp16 by oneDNN's slow reference code"
        return Prediction(
            ("bf16",), f"the CPU multiplies in both 16-bit formats ({bf16.reason}; {fp16.reason}), but {slow}"
        )
    if bf16.answer == "yes":
        return Prediction(("bf16",), f"the CPU multiplies in bf16 ({bf16.reason})")
    if bf16.answer == fp16.answer == "no":
        return Prediction(("fp32",), "the CPU has no arithmetic in either 16-bit format, and conversions cost time")
    return Prediction((), f"no prediction: {bf16.reason}")


def _fastest_on_gpu(support: dict[str, Support]) -> Prediction:
    bf16, fp16 = support["bf16"], support["fp16"]
    if bf16.answer == "yes":
        return Prediction(("bf16", "fp16"), "Tensor Cores multiply in both 16-bit formats, twice as fast as in TF32")
    if fp16.answer == "yes" and fp16.reason.startswith("fp16 Tensor Cores"):
        return Prediction(("fp16",), f"Tensor Cores multiply in fp16; {bf16.reason}")
    if bf16.answer == fp16.answer == "no":
        return Prediction(("fp32",), f"{fp16.reason}; {bf16.reason}")
    return Prediction((), f"no prediction: {fp16.reason}")


def warnings(machine: Machine) -> list[str]:
    """A sentence for each package that is missing or not a version that the course is tested with."""
    sentences = []
    for name, version in machine.versions.items():
        wanted = TESTED.get(name, ())
        if version is None:
            sentences.append(f"{name} is not installed; `make setup` installs it.")
        elif wanted and not any(version == w or version.startswith(w + ".") for w in wanted):
            sentences.append(
                f"{name} {version} is not a version this course is tested with ({', '.join(wanted)}): "
                "outputs may differ from what the text says."
            )
    return sentences


_CAVEAT = (
    "“Computes in it” is about the hardware. Whether a library uses it, and how much faster a model gets, "
    "has to be measured."
)
_MARKS = {"yes": "✓", "no": "–", "unknown": "?"}
# No colours of its own: the table takes those of the theme.
_TABLE = "border-collapse:collapse;margin:0 0 1em 0;color:inherit"
_CELL = "text-align:left;vertical-align:top;padding:.25em .8em .25em 0;white-space:normal"


def _e(text: str) -> str:
    return html.escape(str(text))


def _facts(machine: Machine) -> list[tuple[str, str]]:
    """The table's first part: what the machine is, in words."""
    cpu = f"{machine.cpu or 'unknown'} ({machine.architecture or 'architecture unknown'})"
    memory = f"{machine.memory_bytes / 2**30:.1f} GiB" if machine.memory_bytes else "unknown"
    gpus = (
        ", ".join(g.name for g in machine.gpus)
        or "no NVIDIA GPU found (nvidia-smi tells of none); others are not looked for"
    )
    versions = [(name, version or "not installed") for name, version in machine.versions.items()]
    return [("CPU", cpu), ("Cores", str(machine.cores or "unknown")), ("Memory", memory), ("GPU", gpus), *versions]


def _instead(name: str, family: str, have: frozenset[str]) -> str:
    """What a CPU without the instructions does with the format."""
    if name == "fp16" and family == "x86" and "f16c" in have:
        return "; F16C only converts: the arithmetic is done in fp32"
    if name == "bf16" and family == "x86" and "avx_ne_convert" in have:
        return "; AVX_NE_CONVERT only converts: the arithmetic is done in fp32"
    if name == "int8":
        return "; int8 still moves a quarter of fp32's bytes, but sums of products take several instructions, not one"
    return "; the arithmetic is emulated or done in fp32"


def _gpu_fp16(has: tuple[int, int], cc: str) -> Support:
    # GeForce GTX 16 and some small Quadro and T cards are 7.5 without Tensor Cores: the capability does not tell.
    if has == (7, 5):
        cores = "Tensor Cores on RTX and T4 cards, not on GTX 16 and some small cards"
        return Support("yes", f"at least twice the fp32 rate; {cores} ({cc})")
    if has >= (7, 0):
        return Support("yes", f"fp16 Tensor Cores ({cc})")
    if has in ((5, 3), (6, 0), (6, 2)):
        return Support("yes", f"twice the fp32 rate, no Tensor Cores ({cc})")
    if has == (6, 1):
        return Support("no", f"fp16 runs at 1/64 of the fp32 rate ({cc})")
    return Support("no", f"no fp16 arithmetic ({cc})")


def _gpu_int8(has: tuple[int, int], cc: str) -> Support:
    if has == (7, 5):
        return Support("yes", f"DP4A; int8 Tensor Cores on RTX and T4 cards, not on GTX 16 and some small cards ({cc})")
    if has >= (7, 2):
        return Support("yes", f"int8 Tensor Cores ({cc})")
    if has in ((6, 0), (6, 2)):  # P100 and Jetson TX2: of the Pascal chips only 6.1 has it
        return Support("no", f"no DP4A on this chip ({cc})")
    if has >= (6, 1):
        return Support("yes", f"DP4A, four products an instruction; no int8 Tensor Cores ({cc})")
    return Support("no", f"DP4A came with 6.1, this is {cc}")


def _family(architecture: str) -> str | None:
    name = architecture.lower()
    if name in _X86:
        return "x86"
    return "arm" if name.startswith(_ARM) else None


def _normalise(flags: Iterable[str]) -> frozenset[str]:
    lower = (flag.lower() for flag in flags)
    return frozenset(_ALIASES.get(flag, flag) for flag in lower)


def _cpuinfo() -> dict:
    try:
        import cpuinfo

        return cpuinfo.get_cpu_info()
    except Exception:  # an unusual CPU or sandbox: say "unknown" rather than fail
        return {}


def _cores() -> int | None:
    """Logical cores that this process may use: in a container fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        return None


def _version(distributions: tuple[str, ...]) -> str | None:
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _output(*command: str) -> str | None:
    """What a command prints, or None where it is missing, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _apple_flags() -> frozenset[str]:
    return _parse_sysctl(_output("sysctl", "hw.optional.arm") or "")


def _parse_sysctl(text: str) -> frozenset[str]:
    """The features that `sysctl hw.optional.arm` calls 1, as Linux spells them."""
    return _normalise(re.findall(r"^hw\.optional\.arm\.(FEAT_\w+): 1$", text, re.MULTILINE))


def _nvidia_gpus() -> tuple[Gpu, ...]:
    text = _output("nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader")
    if text is None:  # an older driver, R470 for one, does not know compute_cap
        text = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or ""
    return _parse_nvidia_smi(text)


def _parse_nvidia_smi(text: str) -> tuple[Gpu, ...]:
    """One GPU a line: "name, major.minor", or the name alone."""
    gpus = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, capability = line.rpartition(",")
        match = re.fullmatch(r"(\d+)\.(\d+)", capability.strip())
        gpus.append(Gpu(name.strip(), (int(match[1]), int(match[2]))) if match else Gpu((name or line).strip()))
    return tuple(gpus)
