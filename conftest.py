"""Settings for every test run, the notebooks' included."""

import os
import tempfile

# Tests and notebooks under test are nobody's progress.
_HOME = tempfile.TemporaryDirectory(prefix="halfbits-tests-")
os.environ.setdefault("HALFBITS_HOME", _HOME.name)
