"""Run the benchmarks and write what they print into RESULTS.md, each under its command.

    python benchmarks/run.py [SECTION ...]    (`make bench` runs all, in about half an hour; leave the machine alone)

A section that is run again takes the place of its older one. `clone` makes an environment and `tests` runs all tests,
for the times of these.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from datetime import date
from importlib import metadata
from pathlib import Path

import cpuinfo

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("RESULTS.md")
PYTHON = sys.executable
SECTIONS = {
    "clone": ["python", "benchmarks/start.py", "--clone"],
    "start": ["python", "benchmarks/start.py"],
    "check_latency": ["python", "benchmarks/check_latency.py"],
    "bit_flip": ["python", "benchmarks/bit_flip.py"],
    "tasks": ["python", "benchmarks/tasks.py"],
    "mixed_precision": ["python", "benchmarks/mixed_precision.py"],
    "quantization": ["python", "benchmarks/quantization.py"],
    "pruning": ["python", "benchmarks/pruning.py"],
    "tests-fast": ["make", "test-fast"],
    "tests": ["make", "test"],
}
# Seconds on two cores; what is more, a person should look at.
BOUNDS = {"tests-fast": 120, "tests": 720}
HEAD = """# What was measured

Made by `make bench` on one machine; run it on yours. Times of one run mean little, ratios taken side by side mean more.
"""


def machine() -> str:
    """The processor and the versions, in one line."""
    model, tensorflow = cpuinfo.get_cpu_info()["brand_raw"], metadata.version("tensorflow")
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, TensorFlow {tensorflow}"


def measured(name: str) -> str:
    """A section: its command, the day and the machine, what it printed."""
    command = SECTIONS[name]
    run = [PYTHON if command[0] == "python" else command[0], *command[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    printed = done.stdout.strip()
    if name in BOUNDS:
        kept = "kept" if seconds <= BOUNDS[name] else "OVER"
        totals = re.findall(r"=+ (\d+ .*?) =+$", printed, re.MULTILINE)
        printed = "\n".join([*totals, f"{seconds:.0f} s   bound {BOUNDS[name]} s: {kept}"])
    return f"## {name}\n\n`{' '.join(command)}`, {date.today()}, {machine()}\n\n```\n{printed}\n```\n"


def sections() -> dict[str, str]:
    """What RESULTS.md has, by section."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    return {part.split("\n", 1)[0]: f"## {part.strip()}\n" for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], metavar="SECTION", help=", ".join(SECTIONS))
    for name in parser.parse_args().sections or SECTIONS:
        print(f"{name} …", flush=True)
        known = {**sections(), name: measured(name)}
        ordered = [known[section] for section in SECTIONS if section in known]
        RESULTS.write_text("\n".join([HEAD, *ordered]), encoding="utf-8")
        print(known[name], flush=True)


if __name__ == "__main__":
    main()
