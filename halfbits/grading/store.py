"""The learner's progress on disk: written whole or not at all, and never over a file that cannot be read.

It lies in the user's data folder, or in the folder that the environment variable HALFBITS_HOME names.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import filelock
import platformdirs

_VERSION = 1
_LOCK_SECONDS = 5


class ProgressNotSaved(Exception):
    """Progress could not be read or written; the message says why and what to do."""


def path() -> Path:
    """The progress file; where it is a link, what it leads to.

    Raises:
        ProgressNotSaved: this user has no home folder, and HALFBITS_HOME names no other.
    """
    try:
        home = os.environ.get("HALFBITS_HOME") or platformdirs.user_data_dir("halfbits", appauthor=False)
    except RuntimeError:  # from platformdirs, of late; it gave a path that begins with ~ before
        home = "~"
    home = os.path.expanduser(home)
    if home.startswith("~"):
        raise ProgressNotSaved(
            "Your progress has no place: this user has no home folder. Set HALFBITS_HOME to one and restart the kernel."
        )
    return Path(os.path.realpath(os.path.join(home, "progress.json")))


def read(section: str = "exercises") -> dict[str, dict]:
    """What is known of each exercise attempted so far, by name; without what cannot be read, of which `problem` tells.

    Args:
        section: the part of the file: "exercises", "cards" (by the question's id), "interviews" (by their beginning).
    """
    try:
        return _load()[0].get(section, {})
    except (FileNotFoundError, ProgressNotSaved):
        return {}


def problem() -> str | None:
    """Why `read` does not give all that was kept, and what to do, in a sentence; None where it does."""
    try:
        odd = _load()[1]
    except FileNotFoundError:
        return None
    except ProgressNotSaved as problem:
        return str(problem)
    return f"Your progress in {path()} has entries that cannot be read: {', '.join(odd)}. {_NEXT_SAVE}" if odd else None


_NEXT_SAVE = "Put it back from a backup if you have one; else the next `check` keeps a copy of it and goes on without."


def _load() -> tuple[dict[str, dict[str, dict]], list[str]]:
    """The sections of the file, and what was left out of them.

    Raises:
        FileNotFoundError: there is none yet.
        ProgressNotSaved: it cannot be read, and why.
    """
    file = path()
    try:
        return _parse(file.read_bytes())
    except _Damaged:
        raise ProgressNotSaved(f"Your progress file {file} is damaged. {_NEXT_SAVE}") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ProgressNotSaved(f"Your progress in {file} cannot be read: {error.strerror}. {_advice(error)}") from None


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
        with _locked(file.with_suffix(".lock")):
            known, kept, note = _read_or_set_aside(file)
            change(known.setdefault(section, {}).setdefault(name, {}))
            _write(file, known, kept)
            return note
    except filelock.Timeout:
        raise ProgressNotSaved(f"Another notebook has held {file} for {_LOCK_SECONDS} s. Run the cell again.") from None
    except OSError as error:
        raise ProgressNotSaved(
            f"Your progress could not be saved in {file.parent}: {error.strerror}. What was saved before is unchanged. "
            f"{_advice(error)}"
        ) from None


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space, then run the cell again."
    return "Make it yours to read and write, or set HALFBITS_HOME to another folder and restart the kernel."


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Keep other notebooks out."""
    held = filelock.FileLock(lock, timeout=_LOCK_SECONDS)
    try:
        held.acquire()
    except filelock.Timeout:
        raise
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise
        # Some network folders have no locks; there the file itself is one.
        held = filelock.SoftFileLock(lock.with_suffix(".softlock"), timeout=_LOCK_SECONDS)
        held.acquire()
    try:
        yield
    finally:
        held.release()


def now() -> str:
    """The present, as the progress file writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class _Damaged(ValueError):
    """The file does not hold what we write."""


def _is_count(value) -> bool:
    return type(value) is int and value >= 0


def _is_time(value) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _is_text(value) -> bool:
    return isinstance(value, str)


def _is_answers(value) -> bool:
    return isinstance(value, dict) and all(
        isinstance(answer, dict)
        and isinstance(answer.get("seconds", 0), (int, float))
        and isinstance(answer.get("text", ""), str)
        and isinstance(answer.get("ticked", []), list)
        for answer in value.values()
    )


def _is_card(value) -> bool:
    """What FSRS writes of a card, and reads again."""

    def is_number(number):
        return number is None or (isinstance(number, (int, float)) and 0 < number < 1e9)

    return (
        isinstance(value, dict)
        and {"card_id", "state", "step", "stability", "difficulty", "due", "last_review"} <= value.keys()
        and _is_count(value["card_id"])
        and value["state"] in (1, 2, 3)
        and (value["step"] is None or _is_count(value["step"]))
        and is_number(value["stability"])
        and is_number(value["difficulty"])
        and _is_time(value["due"])
        and (value["last_review"] is None or _is_time(value["last_review"]))
    )


# What an entry's fields hold where they are there, and which must be there.
_FIELDS = {
    "exercises": {
        "attempts": _is_count,
        "hints": _is_count,
        "last": _is_text,
        "at": _is_time,
        "passed": _is_time,
        "revealed": _is_time,
    },
    "cards": {"card": _is_card, "due": _is_time, "begun": _is_time},
    "interviews": {
        "level": _is_text,
        "minutes": _is_count,
        "questions": lambda value: isinstance(value, list) and all(map(_is_text, value)),
        "code": lambda value: value is None or _is_text(value),
        "answers": _is_answers,
        "ended": lambda value: value is None or _is_time(value),
    },
}
_NEEDED = {
    "cards": {"card", "due", "begun"},
    "interviews": {"level", "minutes", "questions", "code", "answers", "ended"},
}


def _is_sound(section: str, name: str, entry) -> bool:
    if not isinstance(entry, dict) or not _NEEDED.get(section, set()) <= entry.keys():
        return False
    if section == "interviews" and not _is_time(name):
        return False
    fields = _FIELDS.get(section, {})
    return all(fields[key](value) for key, value in entry.items() if key in fields)


def _parse(content: bytes) -> tuple[dict[str, dict[str, dict]], list[str]]:
    """The sections of the file, and the names of the entries that were left out, since we do not write such."""
    try:
        data = json.loads(content)
        version = data.pop("version")
        data["exercises"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _Damaged from None
    if type(version) is not int:
        raise _Damaged
    if version > _VERSION:
        raise ProgressNotSaved(
            f"{path()} was written by a newer version of the course, so it was left as it is. "
            "Run `halfbits update`, then restart the kernel."
        )
    if not all(isinstance(section, dict) for section in data.values()):
        raise _Damaged
    odd = [(s, name) for s, entries in data.items() for name, e in entries.items() if not _is_sound(s, name, e)]
    for section, name in odd:
        del data[section][name]
    return data, [name for _, name in odd]


def _read_or_set_aside(file: Path) -> tuple[dict[str, dict[str, dict]], Path | None, str | None]:
    """What is known; where the present file is to be kept, if it cannot be gone on with; and what to say of that."""
    kept = file.with_name(f"progress.damaged-{datetime.now():%Y%m%d-%H%M%S-%f}.json")
    try:
        known, odd = _parse(file.read_bytes())
    except FileNotFoundError:
        return {"exercises": {}}, None, None
    except _Damaged:
        return (
            {"exercises": {}},
            kept,
            f"Your progress file was damaged. It is kept as {kept}, and a new one was begun.",
        )
    if not odd:
        return known, None, None
    left_out = f"Your progress had entries that cannot be read: {', '.join(odd)}."
    return known, kept, f"{left_out} It is kept as {kept}, and goes on without them."


def _write(file: Path, sections: dict[str, dict[str, dict]], kept: Path | None) -> None:
    """Replace the file at once; the present one becomes `kept`, where that is given."""
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o600
    if not mode & stat.S_IWUSR:  # a replacement would pass over it
        raise PermissionError(errno.EACCES, "progress.json is read-only")
    for left in file.parent.glob(".progress-*"):  # of a process killed in mid-write: we hold the lock
        left.unlink(missing_ok=True)
    content = json.dumps({"version": _VERSION, **sections}, indent=1, sort_keys=True) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".progress-", delete=False, encoding="utf-8") as new:
        try:
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
            new.close()
            os.chmod(new.name, mode)
            if kept:
                os.replace(file, kept)
            os.replace(new.name, file)
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise
