"""The exercise notebooks as the build makes them, whatever a learner has written into those of the course."""

import functools
from pathlib import Path

import nbformat

from tests.loading import load

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def exercises() -> dict[str, str]:
    """The text of each, by its file's name."""
    build = load(ROOT / "tools" / "build.py")
    made = [target for target in build.targets(ROOT) if not target.executed]
    return {target.path.name: nbformat.writes(build.generate(target)) + "\n" for target in made}
