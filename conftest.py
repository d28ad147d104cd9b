"""Settings for every test run, the notebooks' included."""

import os
import tempfile

import pytest

# Tests and notebooks under test are nobody's progress.
_HOME = tempfile.TemporaryDirectory(prefix="halfbits-tests-")
os.environ.setdefault("HALFBITS_HOME", _HOME.name)


def pytest_collection_modifyitems(items):
    """Say what xdist may tear apart: a notebook's cells and a file's tests stay together, but for the grader's tests.

    Those are by far the most and each stands alone, so each exercise may go to a worker of its own.
    """
    for item in items:
        group = item.nodeid.split("::")[0]
        if group.endswith("test_exercises.py") and hasattr(item, "callspec"):
            group += item.callspec.params["exercise"].name
        item.add_marker(pytest.mark.xdist_group(group))
