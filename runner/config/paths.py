"""Which files a command line means: the project's file, and the scenario files, with a line or a name if need be."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from runner.did_you_mean import find_similar, quote
from runner.errors import NothingFound, UsageError, on_one_line

PROJECT_FILE = "assistants.yaml"
SCENARIO_FOLDER = "scenarios"
_SUFFIXES = (".yaml", ".yml")
_MOST_NAMES_READ = 5000
# As messages show places, and as pytest names tests.
_PLACE = re.compile(r"(?P<path>.+?)(?:::(?P<name>.+)|:(?P<line>[1-9][0-9]{0,8})(?::[0-9]{1,9})?:?)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFile:
    """A file that was asked for: the scenarios on these lines and of these names; all of them without any."""

    path: Path
    lines: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return not self.lines and not self.names


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
            raise UsageError(f"there is no file {quote(str(file))}{_did_you_mean(str(file), cwd)}")
        return named
    for folder in (cwd, *cwd.parents):
        if os.path.lexists(folder / PROJECT_FILE):
            return folder / PROJECT_FILE
    others = ("assistants.yaml", "assistants.yml", "assistant.yaml", "assistant.yml")
    other = next((one for one in sorted(_names_in(cwd)) if one.casefold() in others), None)
    hint = f"rename {other}, or use `-f {other}`" if other else "write one there, or name another with `-f FILE`"
    raise UsageError(f"there is no {PROJECT_FILE} in {str(cwd)!r} or above it; {hint}")


def find_scenario_files(asked: Sequence[str], *, cwd: Path, root: Path) -> tuple[ScenarioFile, ...]:
    """The scenario files that files, folders and globs mean, each once; without any, those of `scenarios/`.

    A file may be followed by the place of a scenario: `:LINE`, `:LINE:COLUMN` or `::NAME`. Raises UsageError for a
    named path that is missing, NothingFound for a folder or glob without scenarios.
    """
    if not asked:
        folder = root / SCENARIO_FOLDER
        if not folder.is_dir():
            raise NothingFound(f"there is no folder {on_one_line(show_file(folder, cwd))}/ yet; write a scenario there")
        return _unique([ScenarioFile(path=path) for path in _files_below(folder, cwd)])
    return _unique([file for one in asked for file in _files_meant_by(one, cwd)])


def _files_meant_by(asked: str, cwd: Path) -> list[ScenarioFile]:
    if not asked.strip():
        raise UsageError("one of the paths is empty; is a variable unset?")
    if "\0" in asked:
        raise UsageError(f"{quote(asked)} is no path")
    place = None if os.path.lexists(cwd / asked) else _PLACE.fullmatch(asked)
    if place is None:
        return [ScenarioFile(path=path) for path in _paths_meant_by(asked, cwd)]
    named = place["path"]
    path = Path(os.path.normpath(cwd / named))
    if path.is_dir() or (glob.has_magic(named) and not os.path.lexists(path)):
        raise UsageError(f"{quote(asked)}: a line or a name goes with one file; use -k to choose by name")
    (path,) = _paths_meant_by(named, cwd)
    if place["name"]:
        return [ScenarioFile(path=path, names=(place["name"],))]
    return [ScenarioFile(path=path, lines=(int(place["line"]),))]


def _paths_meant_by(asked: str, cwd: Path) -> list[Path]:
    path = Path(os.path.normpath(cwd / asked))
    if path.is_dir():
        return _files_below(path, cwd)
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(asked):
        raise UsageError(f"there is no file or folder {quote(asked)}{_did_you_mean(asked, cwd)}")
    found: list[Path] = []
    for one in sorted(glob.glob(asked, root_dir=cwd, recursive=True)):
        matched = Path(os.path.normpath(cwd / one))
        found += _walk(matched, cwd, set()) if matched.is_dir() else [matched]
    found = [one for one in found if _is_scenario_file(one)]
    if not found:
        raise NothingFound(f"no scenario file matches {quote(asked)}")
    return found


def _files_below(folder: Path, cwd: Path) -> list[Path]:
    found = [path for path in _walk(folder, cwd, set()) if _is_scenario_file(path)]
    if not found:
        raise NothingFound(f"there is no scenario file (*.yaml) in {show_file(folder, cwd)!r}")
    return found


def _walk(folder: Path, cwd: Path, seen: set[str]) -> Iterator[Path]:
    """Files below a folder in a stable order; hidden ones are left out, and links to folders followed, but once."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise UsageError(f"the folder {show_file(folder, cwd)!r} can't be read: {error.strerror}") from error
    paths = [folder / name for name in names if not name.startswith(".")]
    folders = [path for path in paths if path.is_dir()]
    for path in paths:
        if path.is_symlink() and not path.exists() and not path.suffix:
            # It may have been a folder of scenarios.
            raise UsageError(f"{show_file(path, cwd)!r} is a link to {os.readlink(path)!r}, which is not there")
        if not path.is_dir():
            yield path
    # Links last: what is there under its own name is called by that.
    for below in sorted(folders, key=lambda path: path.is_symlink()):
        yield from _walk(below, cwd, seen)


def _is_scenario_file(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and path.name != PROJECT_FILE and not path.name.startswith(".")


def _unique(files: Sequence[ScenarioFile]) -> tuple[ScenarioFile, ...]:
    """Each file once; a file that is asked for as a whole is whole."""
    by_real_path: dict[str, ScenarioFile] = {}
    for file in files:
        real = os.path.realpath(file.path)
        earlier = by_real_path.setdefault(real, file)
        if earlier is file:
            continue
        is_whole = earlier.is_whole or file.is_whole
        lines, names = () if is_whole else earlier.lines + file.lines, () if is_whole else earlier.names + file.names
        by_real_path[real] = replace(earlier, lines=lines, names=names)
    return tuple(by_real_path.values())


def _did_you_mean(asked: str, folder: Path) -> str:
    similar = find_similar_path(asked, folder)
    return f"; did you mean {similar!r}?" if similar else ""


def find_similar_path(missing: str, folder: Path) -> str | None:
    """The path that is much like a missing one, part by part, written as that is; None if there is none."""
    found: list[str] = []
    for part in PurePath(missing).parts:
        is_there = os.path.lexists(os.path.join(folder, *found, part))
        meant = part if is_there else find_similar(part, _names_in(Path(folder, *found)), likeness=0.7)
        if meant is None:
            return None
        found.append(meant)
    return os.path.join(*found) if found else None


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)[:_MOST_NAMES_READ]
    except OSError:
        return []
