"""Settings for every test run, the notebooks' included."""

import functools
import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# Tests and notebooks under test are nobody's progress.
_HOME = tempfile.TemporaryDirectory(prefix="halfbits-tests-")
os.environ.setdefault("HALFBITS_HOME", _HOME.name)

# The same examples each time, and none that fails for a slow machine: what Hypothesis does by itself in CI alone. Check
# files have settings of their own (halfbits.grading.hypothesis_settings), in force while they are imported and run.
settings.register_profile(
    "tests", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")

# The dated copies of a learner's notebooks, which `halfbits reset` and `halfbits update` make.
collect_ignore_glob = ["*.2???????-??????.*"]


@functools.cache
def _loads_tensorflow(notebook) -> bool:
    return "import_tensorflow()" in notebook.read_text(encoding="utf-8")


def pytest_collection_modifyitems(items):
    """Mark the notebooks that load TensorFlow; what is light comes first, then what is longest, so that no worker ends
    up alone with it."""
    for item in items:
        if item.path.suffix == ".ipynb" and _loads_tensorflow(item.path):
            item.add_marker(pytest.mark.tensorflow)
    items.sort(key=lambda item: ("tensorflow" in item.keywords, "longest" not in item.keywords))
