"""The three descriptions of the environment say the same, and the lock can be trusted."""

import ast
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.txt").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [Requirement(text) for text in PROJECT["dependencies"]]
DECLARED = NEEDED + [Requirement(text) for text in PROJECT["optional-dependencies"]["test"]]


def locked() -> dict[str, list[Requirement]]:
    """The lock's entries by package; one package may have an entry for each of several Pythons."""
    entries = [
        Requirement(line.rstrip(" \\")) for line in LOCK.splitlines() if line and not line.startswith((" ", "#"))
    ]
    by_name = {}
    for entry in entries:
        by_name.setdefault(canonicalize_name(entry.name), []).append(entry)
    return by_name


def pinned(entry: Requirement) -> str:
    (specifier,) = entry.specifier
    assert specifier.operator == "==", f"{entry} is not pinned exactly"
    return specifier.version


@pytest.mark.parametrize("requirement", DECLARED, ids=lambda r: r.name)
def test_the_lock_satisfies_what_is_declared(requirement):
    entries = locked()[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(pinned(entry)) for entry in entries)


@pytest.mark.parametrize(
    ("folders", "declared"), [(("halfbits", "tools", "sources"), NEEDED), (("tests", "benchmarks"), DECLARED)]
)
def test_what_is_imported_is_declared(folders, declared):
    """Else it comes for another package's sake, and goes when that no longer needs it."""
    names = {canonicalize_name(requirement.name) for requirement in declared} | {"halfbits"}
    distributions = metadata.packages_distributions()  # has no entry for Python's own modules and our files
    undeclared = {
        f"{path.relative_to(ROOT)}: {package}"
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        for package in imported(path) & set(distributions)
        if not names & set(map(canonicalize_name, distributions[package]))
    }
    assert not undeclared


def imported(path: Path) -> set[str]:
    """The outermost packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
    return {name.split(".")[0] for name in found}


def test_every_entry_has_hashes_and_none_an_address():
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"https?://|--index|--find-links", LOCK)


def test_the_versions_that_work_together_are_the_ones_pinned():
    versions = {name: pinned(entries[0]) for name, entries in locked().items()}
    assert versions["tensorflow"].startswith("2.21.")
    assert versions["tf-keras"].startswith("2.21.")
    assert versions["tensorflow-model-optimization"] == "0.8.1"


def test_what_is_installed_is_what_is_locked():
    for entries in locked().values():
        for entry in entries:
            if entry.marker is None or entry.marker.evaluate():
                assert metadata.version(entry.name) == pinned(entry), entry.name


def test_the_mission_s_packages_are_there():
    named = ["jupyter", "jupytext", "tensorflow", "tensorflow-model-optimization", "ipywidgets", "nbval"]
    assert set(named) <= {canonicalize_name(requirement.name) for requirement in DECLARED}


def test_conda_and_binder_install_the_same_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python = next(item for item in environment["dependencies"] if str(item).startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.removeprefix("python="))
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert pip == ["-r requirements.txt"]
    install = "pip install --no-deps --no-build-isolation"
    assert install in (ROOT / "postBuild").read_text()
    assert install in (ROOT / "environment.yml").read_text()


def test_no_browser_is_installed_where_one_is_named():
    """With nothing on the PATH, so that no other is found and none can be installed."""
    command = [shutil.which("bash"), ROOT / "tools" / "install_browser.sh"]
    environment = {"PATH": "", "CHROMIUM": "/opt/chromium"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_nothing_weakens_jupyterlab():
    words = (
        "--ServerApp.token",
        "IdentityProvider.token",
        "password=",
        "ip=0.0.0.0",
        "disable_check_xsrf",
        "allow_origin",
    )
    for file in [ROOT / "Makefile", *ROOT.glob("tools/*"), *ROOT.glob(".ci/*"), ROOT / "README.md"]:
        if file.is_file():
            text = file.read_text()
            assert not [word for word in words if word in text], file
