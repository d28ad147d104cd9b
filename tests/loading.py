"""Files of Python that belong to no package, as modules: the tools, the answers in styles."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load(path: Path) -> ModuleType:
    """Run the file; its module goes by the file's name from then on, for dataclasses and inspect look it up."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
