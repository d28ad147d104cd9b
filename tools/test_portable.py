"""Run every notebook under nbval in one surrounding after another, and say in a table where all of it holds.

    python tools/test_portable.py [ARM ...]        (`make test-portable` runs all arms; it takes an hour or two)

The arms: the lock on each Python of CI; one thread, two threads, oneDNN switched off; the lowest and newest versions
that pyproject.toml allows; and `build`, which makes every notebook anew in a fresh clone and compares it with the
committed one. Environments are kept in .venv-portable/, so that an arm that is run again starts at once, unless newer
versions are out. uv makes them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venv-portable"
_IGNORED = "nbval-ignore-output"


@dataclass(frozen=True)
class Arm:
    """A surrounding: the Python, how the versions are chosen, the variables set."""

    python: str = "3.11"
    resolution: str = "lock"
    variables: dict = field(default_factory=dict)

    @property
    def environment(self) -> Path:
        """Where its virtual environment lies."""
        return ENVIRONMENTS / f"{self.python}-{self.resolution}"


def threads(count: int) -> dict[str, str]:
    """TensorFlow's two pools, the first of which oneDNN computes in too, and NumPy's threads; tests/test_portable.py
    shows that each is obeyed."""
    names = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS"
    return dict.fromkeys(names, str(count))


ARMS = {
    "python-3.11": Arm(),
    "python-3.12": Arm("3.12"),
    "python-3.13": Arm("3.13"),
    "one-thread": Arm(variables=threads(1)),
    "two-threads": Arm(variables=threads(2)),
    "no-onednn": Arm(variables={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "lowest": Arm(resolution="lowest-direct"),
    "newest": Arm(resolution="highest"),
}


class Failed(Exception):
    """An arm could not be run; the message says why and what to do."""


def run(*command: object, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess:
    done = subprocess.run([str(part) for part in command], cwd=cwd, check=False, text=True, **options)
    if done.returncode:
        raise Failed(f"`{' '.join(map(str, command))}` failed with exit status {done.returncode}: {done.stderr or ''}")
    return done


def make(arm: Arm) -> None:
    """Make the environment of an arm, where it is not there or holds other versions than those asked for now."""
    folder, uv = arm.environment, shutil.which("uv")
    if not uv:
        raise Failed("uv is not on the PATH. Install it (https://docs.astral.sh/uv/), then run this again.")
    python = run(uv, "python", "find", "--no-python-downloads", arm.python, capture_output=True).stdout.strip()
    locked = arm.resolution == "lock"
    wanted = (ROOT / "requirements.txt").read_text() if locked else resolved(uv, arm, python)
    made = folder / "made-from"
    if made.exists() and made.read_text() == wanted:
        return
    run(uv, "venv", "--quiet", "--clear", "--python", python, folder)
    versions = folder / "requirements.txt"
    versions.write_text(wanted)
    install = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    hashes = ["--require-hashes"] if locked else []
    run(*install, *hashes, "--compile-bytecode", "--requirement", versions)
    run(*install, "--no-deps", "--no-build-isolation", "--editable", ".")
    versions.rename(made)  # now that all of it is installed


def resolved(uv: str, arm: Arm, python: str) -> str:
    """The versions of the direct dependencies at one end of what is allowed today, and what they need."""
    pick = ["--resolution", arm.resolution, "--python", python]
    quiet = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    return run(uv, "pip", "compile", "pyproject.toml", "--extra", "test", *pick, *quiet, capture_output=True).stdout


def variables(arm: Arm) -> dict[str, str]:
    """The caller's, but for those that would lead to other packages or slow the imports down, and the arm's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    path = os.pathsep.join([str(arm.environment / "bin"), os.environ["PATH"]])
    return {**kept, "PATH": path, **arm.variables}


def cells_that_hold(arm: Arm) -> tuple[int, list[str]]:
    """How many cells of all notebooks come out as committed, and the names of those that do not."""
    python = arm.environment / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-n", "2", "--dist", "loadscope", "--nbval", f"--junitxml={report}", "notebooks", "solutions"]
        command = [str(python), "-m", "pytest", "-m", "", *options]
        subprocess.run(command, cwd=ROOT, env=variables(arm), check=False)
        if not report.exists():
            raise Failed("pytest ended without a report; its last lines above say why")
        cases = ET.parse(report).getroot().iter("testcase")
        outcomes = {f"{c.get('classname')} {c.get('name')}": [child.tag for child in c] for c in cases}
    failed = [name for name, tags in outcomes.items() if {"failure", "error"} & set(tags)]
    return len(outcomes) - len(failed), failed


def built_as_committed(arm: Arm) -> tuple[int, list[str]]:
    """Make every notebook anew in a fresh clone: how many are as committed, and the names of those that are not."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        run("git", "clone", "--quiet", ROOT, clone)
        committed = {path: path.read_text(encoding="utf-8") for path in notebooks(clone)}
        for path in committed:
            path.unlink()
        command = [arm.environment / "bin" / "python", "tools/build.py"]
        environment = {**variables(arm), "PYTHONPATH": str(clone)}  # the clone's own halfbits
        run(*command, cwd=clone, env=environment)
        anew = {path: path.read_text(encoding="utf-8") if path.exists() else "" for path in committed}
        other = [path for path in committed if comparable(anew[path]) != comparable(committed[path])]
    return len(committed) - len(other), [str(path.relative_to(clone)) for path in other]


def notebooks(root: Path) -> list[Path]:
    return sorted(
        path for folder in ("notebooks", "exercises", "solutions") for path in (root / folder).glob("*.ipynb")
    )


def comparable(text: str) -> str:
    """A notebook without what a machine decides: the outputs of the cells tagged so, and the widgets shown there."""
    if not text:
        return text
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if _IGNORED in cell["metadata"].get("tags", []):
            cell["outputs"] = []
    for saved in notebook["metadata"].get("widgets", {}).values():
        saved["state"] = shown(saved["state"], json.dumps(notebook["cells"]))
    return json.dumps(notebook, indent=1, ensure_ascii=False)


def shown(state: dict, cells: str) -> dict:
    """The widgets' models that the cells name, and those that these name in turn."""
    found = {model: state[model] for model in state if model in cells}
    waiting = list(found)
    while waiting:
        text = json.dumps(found[waiting.pop()])
        further = {model: state[model] for model in state if model in text and model not in found}
        found |= further
        waiting += further
    return dict(sorted(found.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="*", metavar="ARM", help=f"all where none is given: {', '.join(ARMS)}, build")
    chosen = parser.parse_args().arms or [*ARMS, "build"]
    if unknown := set(chosen) - {*ARMS, "build"}:
        parser.error(f"no arm is called {', '.join(unknown)}; there are {', '.join(ARMS)}, build")
    table, failed = [], {}
    for name in chosen:
        arm = ARMS.get(name, Arm())
        print(f"== {name}", flush=True)
        try:
            make(arm)
            held, failed[name] = built_as_committed(arm) if name == "build" else cells_that_hold(arm)
        except Failed as problem:
            held, failed[name] = 0, [str(problem)]
        table.append(f"{name:12} {held:8} {len(failed[name]):8}")
    print(f"\n{'arm':12} {'as is':>8} {'other':>8}   (cells; notebooks for build)", *table, sep="\n")
    for name, items in failed.items():
        print(*(f"{name}: {item}" for item in items), sep="\n") if items else None
    return int(any(failed.values()))


if __name__ == "__main__":
    sys.exit(main())
