"""Which files a command line means: the project's file, and the scenario files."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.did_you_mean import find_similar, quote
from runner.errors import NothingFound, UsageError

PROJECT_FILE = "assistants.yaml"
SCENARIO_FOLDER = "scenarios"
_SUFFIXES = (".yaml", ".yml")


def show_file(path: Path, cwd: Path) -> str:
    """A file's name for messages: relative to `cwd` where it lies below."""
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def find_project_file(file: Path | None, cwd: Path) -> Path:
    """`file` if given, else `assistants.yaml` in the nearest folder upwards; absolute, links not resolved."""
    if file is not None:
        named = Path(os.path.normpath(cwd / file))
        if named.is_dir():
            named /= PROJECT_FILE
        if not os.path.lexists(named):
            raise UsageError(f"there is no file {quote(str(file))}{_did_you_mean(named)}")
        return named
    for folder in (cwd, *cwd.parents):
        if os.path.lexists(folder / PROJECT_FILE):
            return folder / PROJECT_FILE
    other = next((one for one in ("assistants.yml", "assistant.yaml") if (cwd / one).exists()), None)
    hint = f"rename {other}, or use `-f {other}`" if other else "write one there, or name another with `-f FILE`"
    raise UsageError(f"there is no {PROJECT_FILE} in {cwd} or above it; {hint}")


def find_scenario_files(asked: Sequence[str], *, cwd: Path, root: Path) -> tuple[Path, ...]:
    """The scenario files that files, folders and globs mean, each once; without any, those of `scenarios/`.

    Raises UsageError for a named path that is missing, NothingFound for a folder or glob without scenarios.
    """
    if not asked:
        folder = root / SCENARIO_FOLDER
        if not folder.is_dir():
            raise NothingFound(f"there is no folder {show_file(folder, cwd)}/ yet; write a scenario there")
        return _unique(_files_below(folder, str(show_file(folder, cwd))))
    return _unique([path for one in asked for path in _files_meant_by(one, cwd)])


def _files_meant_by(asked: str, cwd: Path) -> list[Path]:
    if "\0" in asked:
        raise UsageError(f"{quote(asked)} is no path")
    path = Path(os.path.normpath(cwd / asked))
    if path.is_dir():
        return _files_below(path, asked)
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(asked):
        raise UsageError(f"there is no file or folder {quote(asked)}{_did_you_mean(path)}")
    matched = [Path(os.path.normpath(cwd / one)) for one in glob.glob(asked, root_dir=cwd, recursive=True)]
    found = [one for one in sorted(matched) if one.is_file() and _is_scenario_file(one)]
    if not found:
        raise NothingFound(f"no scenario file matches {quote(asked)}")
    return found


def _files_below(folder: Path, shown: str) -> list[Path]:
    found = [path for path in _walk(folder) if _is_scenario_file(path)]
    if not found:
        raise NothingFound(f"there is no scenario file (*.yaml) in {quote(shown)}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Files below a folder in a stable order; hidden folders and links to folders are left out."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files))


def _is_scenario_file(path: Path) -> bool:
    return path.suffix in _SUFFIXES and path.name != PROJECT_FILE and not path.name.startswith(".")


def _unique(paths: Sequence[Path]) -> tuple[Path, ...]:
    by_real_path: dict[str, Path] = {}
    for path in paths:
        by_real_path.setdefault(os.path.realpath(path), path)
    return tuple(by_real_path.values())


def _did_you_mean(missing: Path) -> str:
    similar = find_similar_file(missing)
    return f"; did you mean {quote(similar)}?" if similar else ""


def find_similar_file(missing: Path) -> str | None:
    """A name in the folder of a missing file that is much like its own."""
    try:
        names = os.listdir(missing.parent)
    except OSError:
        return None
    return find_similar(missing.name, names[:5000], likeness=0.7)
