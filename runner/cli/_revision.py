"""The project as git has it at a commit: its files in a folder of their own, for as long as they are looked at."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.cli._session import PlaceholderEnvironment
from runner.config import Configuration, load_configuration
from runner.domain.assistant import Project
from runner.errors import UsageError

_DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_SHALLOW = "the history may be cut off: on GitHub, give actions/checkout `fetch-depth: 0`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit, as people named it, and the project as it was then; None if there was none yet."""

    title: str
    project: Project | None
    secrets: frozenset[str] = frozenset()


@contextmanager
def open_revision(now: Configuration, ref: str) -> Iterator[Revision]:
    """The project of `now` at `ref`, its files written as a checkout would have written them; the repository stays as
    it is. They go when the block ends.

    Raises UsageError if there is no git, no repository, no such commit, or something is wrong with the files in it.
    """
    commit, name = _find_commit(now.root, ref)
    top = Path(_git(now.root, "rev-parse", "--show-toplevel")).resolve()
    inside = now.root.relative_to(top)
    title = f"{name} ({commit[:9]})"
    with tempfile.TemporaryDirectory(prefix="runner-since-") as scratch:
        # An index of its own: git's filters (LFS, line ends) work, and the user's index is left alone.
        index = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        _git(top, "read-tree", commit, environment=index)
        names = _git(top, "ls-files", "-z", "--", str(inside), environment=index)
        files = Path(scratch, "files")
        files.mkdir()
        _git(top, "checkout-index", "-z", "--stdin", f"--prefix={files}/", environment=index, stdin=names)
        file = files / inside / now.file.name
        if not file.exists():
            yield Revision(title=title, project=None)
            return
        try:
            then = load_configuration(
                file=file, scenario_paths=None, cwd=file.parent, environment=PlaceholderEnvironment(os.environ)
            )
        except UsageError as error:
            raise UsageError(f"--since: the files at {title} can't be read by this version:\n{error}") from error
        yield Revision(title=title, project=then.project, secrets=then.secrets)


def _find_commit(root: Path, ref: str) -> tuple[str, str]:
    if ref:
        if commit := _find(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"):
            return commit, ref
        _git(root, "rev-parse", "--git-dir")
        raise UsageError(f"--since {ref!r}: git knows no such commit here; {_SHALLOW}")
    for branch in _DEFAULT_BRANCHES:
        if _find(root, "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}"):
            if commit := _find(root, "merge-base", "HEAD", branch):
                shown = _find(root, "rev-parse", "--abbrev-ref", branch) or branch
                return commit, f"the merge base with {shown}"
            raise UsageError(f"--since: HEAD and {branch} have no commit in common here; {_SHALLOW}")
    _git(root, "rev-parse", "--git-dir")
    raise UsageError("--since: no default branch was found (origin/HEAD, main, master); name the ref: --since REF")


def _find(root: Path, *arguments: str) -> str | None:
    try:
        return _git(root, *arguments)
    except UsageError:
        return None


def _git(folder: Path, *arguments: str, environment: dict[str, str] | None = None, stdin: str = "") -> str:
    """What git prints. Raises UsageError with its own words."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            input=os.fsencode(stdin),
            capture_output=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise UsageError("--since needs git, which is not installed here") from error
    except subprocess.CalledProcessError as error:
        said = " ".join(os.fsdecode(error.stderr).split()) or f"git {arguments[0]} exited with {error.returncode}"
        raise UsageError(f"--since: {said}") from error
    return os.fsdecode(done.stdout).rstrip("\n")


def find_files_at(ref: str, folder: str) -> list[str] | None:
    """The names in a folder at a git ref, none if it isn't there; None where git knows no such commit here."""
    if _find(Path.cwd(), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}") is None:
        return None
    # Without --full-tree, only what lies below the current folder is listed.
    listed = _find(Path.cwd(), "ls-tree", "--full-tree", "--name-only", "-z", "--end-of-options", f"{ref}:./{folder}")
    return (listed or "").split("\0")


def read_file_at(ref: str, path: str) -> str:
    """A file's text at a git ref; `path` is from the current folder. Raises UsageError."""
    try:
        return _git(Path.cwd(), "show", "--end-of-options", f"{ref}:./{path}")
    except UsageError as error:
        raise UsageError(
            f"{ref}:{path}: {str(error).removeprefix('--since').removeprefix(': ')}; {_SHALLOW}"
        ) from error
