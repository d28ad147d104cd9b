"""Update the course from where it was cloned, and keep what the learner wrote.

A notebook changes when it is run, so that a plain `git pull` stops at it. Here each file that both sides changed is
first copied beside itself, with the date in its name; then the new version takes its place. Nothing is merged within a
file.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

__all__ = ["NotUpdated", "dated_copy", "update"]


class NotUpdated(ValueError):
    """The course could not be updated; the message says why, and what was kept."""


def update(root: Path) -> list[str]:
    """Bring the course in `root` up to date; what was done, in sentences.

    Raises:
        NotUpdated: it could not be done; every file is as it was.
    """
    git = _Git(root)
    upstream = git.upstream()
    git.fetch()
    if git.succeeds("merge-base", "--is-ancestor", upstream, "HEAD"):
        return ["The course is up to date."]
    base = git.base(upstream)
    theirs = git.names("diff", "--name-only", "--no-renames", base, upstream)
    mine = git.names("diff", "--name-only", "--no-renames", base)
    mine += git.names("diff", "--name-only", "--no-renames", base, "HEAD") + git.names("ls-files", "--others")
    both = sorted(set(mine) & set(theirs))
    _refuse_other_kinds(root, both)
    copies = {name: copy for name in both if (copy := _copy(git, name, base))}
    present = {name: (root / name).read_bytes() if (root / name).is_file() else None for name in both}
    try:
        _join(git, both, base, upstream)
    except (NotUpdated, OSError) as problem:
        git.succeeds("merge", "--abort")
        _restore(root, present)
        beside = f"\nA copy of yours lies beside each: {', '.join(copies.values())}." if copies else ""
        raise NotUpdated(f"Not updated: your files are as they were. {problem}{beside}") from None
    kept = [
        f"{name} has a new version. Yours is kept as {copy}; copy your answers over from there."
        for name, copy in copies.items()
    ]
    return ["The course is updated; open notebooks anew and restart their kernels.", *kept]


def _refuse_other_kinds(root: Path, names: list[str]) -> None:
    """Stop where the learner has a folder in a file's place or a file in a folder's: Git would delete either."""
    for name in names:
        parents = [parent for parent in Path(name).parents if (root / parent).is_file()]
        if parents or (root / name).is_dir():
            here = parents[0].as_posix() if parents else name
            asked, found = ("folder", "file") if parents else ("file", "folder")
            raise NotUpdated(
                f"{here} is a {asked} in the course and a {found} here. Move it elsewhere, then update. Nothing was "
                "changed."
            )


def _join(git: _Git, both: list[str], base: str, upstream: str) -> None:
    """Set aside what both sides changed, so that nothing stands in the way, and merge."""
    for name in both:
        _put_back(git, name, base)
    if both and (committed := git.names("diff", "--cached", "--name-only", "--no-renames", "HEAD", "--", *both)):
        git("commit", "--no-verify", "--quiet", "-m", "Set own versions aside for an update", "--", *committed)
    settings = ["-c", "merge.autoStash=false", "-c", "merge.renames=false"]
    git(*settings, "merge", "--ff", "--no-edit", "--quiet", upstream)


def _restore(root: Path, present: dict[str, bytes | None]) -> None:
    """Make files as they were; None stands for one that was not there."""
    for name, content in present.items():
        if content is None:
            (root / name).unlink(missing_ok=True)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)


def _copy(git: _Git, name: str, base: str) -> str | None:
    """Copy a file beside itself where it holds something of the learner's; the copy's name."""
    file = git.root / name
    if not file.is_file() or not _is_edited(file, git.content(base, name)):
        return None
    return dated_copy(file).relative_to(git.root).as_posix()


def dated_copy(file: Path) -> Path:
    """Copy a file beside itself, with the date in its name; never over another copy, made in the same second."""
    when = datetime.now()
    while (copy := file.with_name(f"{file.stem}.{when:%Y%m%d-%H%M%S}{file.suffix}")).exists():
        when += timedelta(seconds=1)
    shutil.copy2(file, copy)
    return copy


def _is_edited(file: Path, before: bytes | None) -> bool:
    """Whether a file holds more than was there before; in a notebook, outputs are not counted, for a run makes them."""
    content = file.read_bytes()
    if before is None or file.suffix != ".ipynb":
        return content != before
    try:
        return _cells(content) != _cells(before)
    except (ValueError, KeyError, TypeError, AttributeError):
        return True  # damaged, perhaps, but not ours


def _cells(content: bytes) -> list:
    cells = json.loads(content)["cells"]
    return [(c["cell_type"], "".join(c["source"]), c.get("attachments")) for c in cells]


def _put_back(git: _Git, name: str, base: str) -> None:
    """Make a file, and what is to be committed of it, as both sides had it."""
    if git.content(base, name) is not None:
        git("checkout", "--quiet", base, "--", name)
    else:
        git("rm", "--quiet", "--cached", "--ignore-unmatch", "--", name)
        (git.root / name).unlink(missing_ok=True)


class _Git:
    """Git in a folder; never asks for a password, and speaks English."""

    def __init__(self, root: Path):
        self.root = root

    @functools.cached_property
    def _environment(self) -> dict[str, str]:
        """The caller's, but for what leads Git to another repository: a hook or `git rebase --exec` sets GIT_DIR."""
        listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=False)
        # Settings given in variables stay; among them may be what a container needs for Git to work at all.
        elsewhere = {name for name in listed.stdout.split() if not name.startswith("GIT_CONFIG")}
        kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
        return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}

    def _run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["git", "-c", "core.quotePath=false", *arguments],
            cwd=self.root,
            env=self._environment,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def __call__(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise NotUpdated(f"`git {arguments[0]}` said: {said}")
        return done.stdout.decode()

    def succeeds(self, *arguments: str) -> bool:
        return self._run(*arguments).returncode == 0

    def names(self, *arguments: str) -> list[str]:
        return [name for name in self(arguments[0], "-z", *arguments[1:]).split("\0") if name]

    def content(self, commit: str, name: str) -> bytes | None:
        """A file's content in a commit; None where it was not there."""
        done = self._run("show", f"{commit}:{name}")
        return None if done.returncode else done.stdout

    def upstream(self) -> str:
        """The branch to update from."""
        if not shutil.which("git"):
            raise NotUpdated("git is not installed. Install it, or download the course anew into another folder.")
        if self._run("rev-parse", "--show-prefix").stdout != b"\n":
            raise NotUpdated(f"{self.root} is no clone of the course. Download the new version into another folder.")
        if any((self.root / ".git" / name).exists() for name in ("MERGE_HEAD", "rebase-merge", "rebase-apply")):
            raise NotUpdated(
                "A merge or rebase of yours is not finished. Finish or abort it (`git status` says how), then update."
            )
        done = self._run("rev-parse", "--abbrev-ref", "@{upstream}")
        if done.returncode:
            raise NotUpdated("This branch comes from nowhere. Run `git switch main`, then update.")
        return done.stdout.decode().strip()

    def base(self, upstream: str) -> str:
        """The newest commit that both sides have."""
        if self._run("merge-base", "HEAD", upstream).returncode == 1:
            raise NotUpdated(
                "The course's history was rewritten, and has nothing in common with yours. Clone the course anew, "
                "beside this folder, and copy your answers over. Nothing was changed."
            )
        return self("merge-base", "HEAD", upstream).strip()

    def fetch(self) -> None:
        try:
            self("fetch", "--quiet")
        except NotUpdated as problem:
            raise NotUpdated(f"The new version could not be fetched, so nothing was changed. {problem}") from None
