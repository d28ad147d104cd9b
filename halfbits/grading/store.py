"""The learner's progress on disk: written whole or not at all, and never over a file that cannot be read.

It lies in the user's data folder, or in the folder that the environment variable HALFBITS_HOME names.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import filelock
import platformdirs

_VERSION = 1
_LOCK_SECONDS = 5


class ProgressNotSaved(Exception):
    """Progress could not be read or written; the message says why and what to do."""


def path() -> Path:
    """The progress file."""
    home = os.environ.get("HALFBITS_HOME") or platformdirs.user_data_dir("halfbits", appauthor=False)
    return Path(home) / "progress.json"


def read(section: str = "exercises") -> dict[str, dict]:
    """What is known of each exercise attempted so far, by name; empty where there is nothing or nothing readable.

    Args:
        section: the part of the file: "exercises", "cards" (by the question's id), "interviews" (by their beginning).
    """
    try:
        return _parse(path().read_bytes()).get(section, {})
    except (FileNotFoundError, _Damaged):
        return {}
    except OSError as error:
        raise ProgressNotSaved(f"Your progress in {path()} cannot be read: {error.strerror}.") from None


def update(name: str, change: Callable[[dict], None], section: str = "exercises") -> str | None:
    """Apply a change to what is known of one exercise, under a lock that other notebooks respect.

    Args:
        name: the exercise, or what else the section is of.
        change: gets what is known of it, and changes that.
        section: as for `read`.

    Returns:
        A sentence for the learner, where something had to be set aside.

    Raises:
        ProgressNotSaved: nothing was written, and why.
    """
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(file.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            known, note = _read_or_set_aside(file)
            change(known.setdefault(section, {}).setdefault(name, {}))
            _write(file, known)
            return note
    except filelock.Timeout:
        raise ProgressNotSaved(f"Another notebook has held {file} for {_LOCK_SECONDS} s. Run the cell again.") from None
    except OSError as error:
        raise ProgressNotSaved(f"Your progress could not be saved in {file.parent}: {error.strerror}.") from None


def now() -> str:
    """The present, as the progress file writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


class _Damaged(ValueError):
    """The file does not hold what we write."""


def _parse(content: bytes) -> dict[str, dict[str, dict]]:
    """The sections of the file."""
    try:
        data = json.loads(content)
        version = data.pop("version")
        data["exercises"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _Damaged from None
    if isinstance(version, int) and version > _VERSION:
        raise ProgressNotSaved(
            f"{path()} was written by a newer version of the course, so it was left as it is. Update with `git pull`."
        )
    for section in data.values():
        if not isinstance(section, dict) or not all(isinstance(entry, dict) for entry in section.values()):
            raise _Damaged
    return data


def _read_or_set_aside(file: Path) -> tuple[dict[str, dict[str, dict]], str | None]:
    try:
        return _parse(file.read_bytes()), None
    except FileNotFoundError:
        return {"exercises": {}}, None
    except _Damaged:
        kept = file.with_name(f"progress.damaged-{datetime.now():%Y%m%d-%H%M%S-%f}.json")
        os.replace(file, kept)
        return {"exercises": {}}, f"Your progress file was damaged. It is kept as {kept}, and a new one was begun."


def _write(file: Path, sections: dict[str, dict[str, dict]]) -> None:
    content = json.dumps({"version": _VERSION, **sections}, indent=1, sort_keys=True) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".progress-", delete=False, encoding="utf-8") as new:
        try:
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
            new.close()
            os.replace(new.name, file)
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise
