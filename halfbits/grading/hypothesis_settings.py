"""How Hypothesis searches for a learner's counterexample: the same each time, quickly, leaving nothing behind."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import contextmanager

import hypothesis.configuration
import platformdirs
from hypothesis import HealthCheck, Phase, settings


def _folder() -> str:
    """What Hypothesis may write to: in the user's cache, or a temporary folder for a user without a home."""
    try:
        folder = platformdirs.user_cache_dir("halfbits", appauthor=False)
    except RuntimeError:  # from platformdirs, of late; it gave a path that begins with ~ before
        folder = "~"
    if folder.startswith("~"):
        folder = tempfile.mkdtemp(prefix="halfbits-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# Hypothesis would leave a folder of its own beside the learner's notebooks.
hypothesis.configuration.set_hypothesis_home_dir(_folder())
settings.register_profile(
    "halfbits",
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=60,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@contextmanager
def course_settings():
    """The settings for check files: in force where they are imported, since ``@given`` takes them there, and run."""
    before = settings.get_current_profile_name()
    settings.load_profile("halfbits")
    try:
        yield
    finally:
        settings.load_profile(before)


@contextmanager
def without_shrinking(test):
    """Run a property without looking for its smallest counterexample: where there is one of another property already.

    Hypothesis takes settings from a decorator alone, so this sets what that would set, and sets it back.
    """
    before = getattr(test, _SETTINGS, None)
    if before is None:
        yield
        return
    setattr(test, _SETTINGS, settings(before, phases=(Phase.explicit, Phase.generate)))
    try:
        yield
    finally:
        setattr(test, _SETTINGS, before)


_SETTINGS = "_hypothesis_internal_use_settings"
