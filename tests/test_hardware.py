"""halfbits.hardware on machines that are not at hand: feature flags and capabilities are injected."""

import pathlib
import re
import subprocess
import sys

import pytest

from halfbits import hardware
from halfbits.hardware import Gpu, Machine, accelerated, cpu_support, describe, fastest_in_training, gpu_support
from tests.waiting import PATIENCE

AVX2 = {"avx", "avx2", "fma", "f16c"}
SKYLAKE = AVX2 | {"avx512f", "avx512dq", "avx512bw", "avx512vl"}
ZEN4 = SKYLAKE | {"avx512_vnni", "avx512_bf16"}
SAPPHIRE_RAPIDS = ZEN4 | {"avx_vnni", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"}
GRANITE_RAPIDS = SAPPHIRE_RAPIDS | {"amx_fp16"}
ALDER_LAKE = AVX2 | {"avx_vnni"}
RASPBERRY_PI_4 = {"fp", "asimd", "crc32", "cpuid"}
GRAVITON2 = {"fp", "asimd", "fphp", "asimdhp", "asimddp"}
GRAVITON3 = GRAVITON2 | {"bf16", "i8mm", "sve"}


def answers(support):
    return {name: s.answer for name, s in support.items()}


@pytest.mark.parametrize(
    ("architecture", "flags", "fp16", "bf16", "int8"),
    [
        ("x86_64", AVX2, "no", "no", "no"),
        ("x86_64", SKYLAKE, "no", "no", "no"),
        ("x86_64", ALDER_LAKE, "no", "no", "yes"),
        ("AMD64", ZEN4, "no", "yes", "yes"),
        ("x86_64", SAPPHIRE_RAPIDS, "yes", "yes", "yes"),
        ("x86_64", AVX2 | {"amx_tile", "amx_bf16"}, "no", "yes", "no"),
        ("x86_64", AVX2 | {"amx_tile", "amx_fp16"}, "yes", "no", "no"),
        ("aarch64", RASPBERRY_PI_4, "no", "no", "no"),
        ("aarch64", RASPBERRY_PI_4 | {"fphp"}, "no", "no", "no"),
        ("aarch64", GRAVITON2, "yes", "no", "yes"),
        ("arm64", GRAVITON3, "yes", "yes", "yes"),
    ],
)
def test_cpus(architecture, flags, fp16, bf16, int8):
    expected = {"fp32": "yes", "fp16": fp16, "bf16": bf16, "int8": int8}
    assert answers(cpu_support(architecture, flags)) == expected


def test_the_reason_names_the_instructions():
    assert cpu_support("x86_64", GRANITE_RAPIDS)["fp16"].reason == "AVX512_FP16, AMX_FP16"
    assert cpu_support("x86_64", SAPPHIRE_RAPIDS)["int8"].reason == "AVX512_VNNI, AVX_VNNI, AMX_INT8"
    assert cpu_support("x86_64", ZEN4)["bf16"].reason == "AVX512_BF16"
    assert cpu_support("aarch64", GRAVITON3)["bf16"].reason == "FEAT_BF16"
    assert "F16C only converts" in cpu_support("x86_64", ZEN4)["fp16"].reason
    assert "F16C" not in cpu_support("x86_64", {"sse2"})["fp16"].reason
    assert "AVX_NE_CONVERT only converts" in cpu_support("x86_64", ALDER_LAKE | {"avx_ne_convert"})["bf16"].reason


def test_arm_flags_mean_nothing_on_x86_and_the_other_way_round():
    assert cpu_support("x86_64", GRAVITON3)["bf16"].answer == "no"
    assert cpu_support("aarch64", ZEN4)["bf16"].answer == "no"


def test_what_cannot_be_told_is_unknown():
    assert set(answers(cpu_support("x86_64", None)).values()) == {"unknown"}
    assert set(answers(cpu_support("riscv64", {"v"})).values()) == {"unknown"}
    assert set(answers(cpu_support("", None)).values()) == {"unknown"}
    # A list known to have gaps proves what it holds, and nothing by what it lacks (Windows, Intel Macs).
    partial = cpu_support("AMD64", {"avx2", "avx512vnni"}, complete=False)
    assert answers(partial) == {"fp32": "yes", "fp16": "unknown", "bf16": "unknown", "int8": "yes"}


def test_apple_silicon_is_read_from_sysctl():
    m2 = "hw.optional.arm.FEAT_BF16: 1\nhw.optional.arm.FEAT_I8MM: 1\nhw.optional.arm.FEAT_FP16: 1\n"
    m1 = m2.replace("BF16: 1", "BF16: 0").replace("I8MM: 1", "I8MM: 0") + "hw.optional.arm.FEAT_DotProd: 1\n"
    assert answers(cpu_support("arm64", hardware._parse_sysctl(m2))) == dict.fromkeys(
        ("fp32", "fp16", "bf16", "int8"), "yes"
    )
    first = cpu_support("arm64", hardware._parse_sysctl(m1))
    assert answers(first) == {"fp32": "yes", "fp16": "yes", "bf16": "no", "int8": "yes"}
    assert first["int8"].reason == "FEAT_DotProd"
    assert hardware._parse_sysctl("") == frozenset()


@pytest.mark.parametrize(
    ("name", "capability", "yes"),
    [
        ("Tesla K80", (3, 7), ""),
        ("Tesla P100", (6, 0), "fp16"),
        ("GeForce GTX 1080", (6, 1), "int8"),
        ("Jetson TX2", (6, 2), "fp16"),
        ("Tesla V100", (7, 0), "fp16 int8"),
        ("NVIDIA T4", (7, 5), "fp16 int8"),
        ("NVIDIA A100", (8, 0), "tf32 fp16 bf16 int8"),
        ("NVIDIA GeForce RTX 3090", (8, 6), "tf32 fp16 bf16 int8"),
        ("NVIDIA L4", (8, 9), "tf32 fp16 bf16 fp8 int8"),
        ("NVIDIA H100", (9, 0), "tf32 fp16 bf16 fp8 int8"),
        ("NVIDIA GeForce RTX 5090", (12, 0), "tf32 fp16 bf16 fp8 int8"),
    ],
)
def test_gpus(name, capability, yes):
    support = gpu_support(Gpu(name, capability))
    assert {n for n, s in support.items() if s.answer == "yes"} == {"fp32", *yes.split()}
    assert "unknown" not in answers(support).values()
    assert all(f"{capability[0]}.{capability[1]}" in s.reason for n, s in support.items() if n != "fp32")


@pytest.mark.parametrize(
    ("architecture", "flags", "complete", "formats"),
    [
        ("x86_64", AVX2, True, ("fp32",)),
        ("x86_64", SKYLAKE, True, ("fp32",)),
        ("x86_64", ZEN4, True, ("bf16",)),
        ("AMD64", SAPPHIRE_RAPIDS, False, ("bf16",)),
        ("x86_64", AVX2 | {"amx_tile", "amx_fp16"}, True, ()),  # fp16 alone: not measured
        ("AMD64", AVX2, False, ()),
        ("x86_64", None, False, ()),
        ("arm64", GRAVITON3, True, ()),
        ("riscv64", set(), True, ()),
    ],
)
def test_which_format_trains_fastest_on_a_cpu(architecture, flags, complete, formats):
    machine = Machine(architecture=architecture, cpu_flags=flags and frozenset(flags), flags_complete=complete)
    prediction = fastest_in_training(machine)
    assert prediction.formats == formats
    assert prediction.reason.startswith("no prediction") == (formats == ())


def test_without_onednn_no_format_is_faster_than_fp32(monkeypatch):
    machine = Machine(architecture="x86_64", cpu_flags=frozenset(ZEN4), flags_complete=True, onednn=False)
    assert fastest_in_training(machine).formats == ("fp32",)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    assert describe().onednn
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert not describe().onednn


@pytest.mark.parametrize(
    ("capability", "formats"),
    [
        ((3, 7), ("fp32",)),
        ((6, 0), ()),  # twice the rate without Tensor Cores: not measured
        ((6, 1), ("fp32",)),
        ((7, 0), ("fp16",)),
        ((7, 5), ()),  # Tensor Cores on some cards only
        ((8, 6), ("bf16", "fp16")),
        ((9, 0), ("bf16", "fp16")),
        (None, ()),
    ],
)
def test_which_format_trains_fastest_on_a_gpu(capability, formats):
    # Whatever the CPU beside it can do.
    machine = Machine(architecture="x86_64", cpu_flags=frozenset(ZEN4), flags_complete=True)
    assert fastest_in_training(machine, Gpu("some card", capability)).formats == formats


def test_a_gpu_of_unknown_capability_is_unknown():
    assert set(answers(gpu_support(Gpu("NVIDIA Something"))).values()) == {"unknown"}


def test_volta_has_tensor_cores_for_fp16_only():
    volta = gpu_support(Gpu("Tesla V100", (7, 0)))
    assert "Tensor Cores" in volta["fp16"].reason
    assert "no int8 Tensor Cores" in volta["int8"].reason
    assert volta["bf16"] == hardware.Support("no", "bf16 Tensor Cores came with 8.0, this is compute capability 7.0")


def test_nvidia_smi_output():
    parse = hardware._parse_nvidia_smi
    assert parse("NVIDIA H100 80GB HBM3, 9.0\nNVIDIA L4, 8.9\n") == (
        Gpu("NVIDIA H100 80GB HBM3", (9, 0)),
        Gpu("NVIDIA L4", (8, 9)),
    )
    assert parse("GeForce GTX 1080\n") == (Gpu("GeForce GTX 1080"),)
    assert parse("Odd name, with comma, 12.0") == (Gpu("Odd name, with comma", (12, 0)),)
    assert parse("NVIDIA A100, [N/A]") == (Gpu("NVIDIA A100"),)
    assert parse("\n") == ()


def test_two_gpus_of_one_name_are_one_row_each_device():
    machine = Machine(gpus=(Gpu("A", (8, 0)), Gpu("A", (8, 0)), Gpu("B", (9, 0))))
    assert list(accelerated(machine)) == ["CPU", "A", "B"]


def test_an_empty_machine_says_unknown_and_never_guesses():
    machine = Machine()
    assert set(answers(accelerated(machine)["CPU"]).values()) == {"unknown"}
    text = str(machine)
    assert "yes" not in text
    assert text.count("unknown") >= 4


def test_text_and_html_say_the_same():
    machine = Machine(
        "Some <CPU> & more",
        "x86_64",
        8,
        16 * 2**30,
        frozenset(ZEN4),
        True,
        (Gpu("NVIDIA H100", (9, 0)),),
        {"NumPy": "2.4.6"},
    )
    text, page = str(machine), machine._repr_html_()
    for part in ("16.0 GiB", "AVX512_BF16", "NVIDIA H100", "FP8 Tensor Cores", "2.4.6", "has to be measured"):
        assert part in text
        assert part in page
    assert "Some <CPU> & more" in text
    assert "Some &lt;CPU&gt; &amp; more" in page
    assert not re.search(r"#[0-9a-f]{3,6}\b|background", page)  # colours are the theme's
    assert repr(machine) == text


@pytest.mark.parametrize(
    ("name", "version", "part"),
    [
        ("TensorFlow", "2.21.0", None),
        ("TensorFlow", "2.2.0", "TensorFlow 2.2.0 is not a version"),
        ("TensorFlow", "2.211.0", "not a version"),
        ("TFMOT", "0.8.1", None),
        ("TFMOT", None, "TFMOT is not installed"),
        ("Python", "3.14.0", "Python 3.14.0 is not a version"),
        ("Python", "3.1.0", "not a version"),
    ],
)
def test_warnings(name, version, part):
    sentences = hardware.warnings(Machine(versions={name: version}))
    assert len(sentences) == (part is not None)
    assert part is None or part in sentences[0]


def test_the_tested_versions_are_those_of_the_lock():
    lock = pathlib.Path(__file__).parents[1].joinpath("requirements.txt").read_text()
    for name, distributions in hardware._DISTRIBUTIONS.items():
        wanted = distributions[0].replace("_", "[-_]")
        pinned = set(re.findall(rf"^{wanted}==([\d.]+)", lock, re.MULTILINE))
        assert pinned, name
        for version in pinned:
            assert not hardware.warnings(Machine(versions={name: version})), (name, version)


def test_this_machine_is_described_without_tensorflow():
    code = (
        "import sys; from halfbits import hardware; m = hardware.describe(); str(m); m._repr_html_(); "
        "assert m.cores >= 1 and m.versions['NumPy'] and list(hardware.accelerated(m))[0] == 'CPU'; "
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)


def test_nothing_found_is_not_an_error(monkeypatch):
    monkeypatch.setattr(hardware, "_cpuinfo", dict)
    monkeypatch.setattr(hardware, "_output", lambda *command: None)
    monkeypatch.setattr(hardware.platform, "machine", lambda: "")
    machine = describe()
    assert machine.cpu_flags is None
    assert machine.gpus == ()
    assert set(answers(accelerated(machine)["CPU"]).values()) == {"unknown"}


def test_an_old_driver_tells_the_name_alone(monkeypatch):
    monkeypatch.setattr(
        hardware, "_output", lambda *command: None if "compute_cap" in command[1] else "GeForce GTX 1080\n"
    )
    assert hardware._nvidia_gpus() == (Gpu("GeForce GTX 1080"),)


def test_a_command_that_fails_says_nothing():
    assert hardware._output("no-such-command-here") is None
    assert hardware._output(sys.executable, "-c", "raise SystemExit(3)") is None
