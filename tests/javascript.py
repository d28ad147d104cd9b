"""Functions of a widget's JavaScript, called in Node."""

import json
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

RUNNERS = Path(__file__).resolve().parent / "js"


def in_node(script: str, folder: Path, runner: str = "runner.mjs") -> Callable[[list], list]:
    """Calls the functions that a script exports: [[name, arguments], …] in, a list of results out.

    Args:
        script: the JavaScript, as the browser gets it.
        folder: a temporary folder.
        runner: the script in tests/js that makes the calls.
    """
    node = shutil.which("node")
    if node is None:
        message = "node is not installed: the JavaScript of the widgets was NOT tested"
        warnings.warn(message, stacklevel=2)
        pytest.skip(message)
    module = folder / "script.mjs"
    module.write_text(script, encoding="utf-8")

    def run(calls: list) -> list:
        command = [node, RUNNERS / runner, module]
        done = subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
