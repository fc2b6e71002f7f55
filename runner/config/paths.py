"""Files and folders that are named: scenario files, and files to attach or to know."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from runner.did_you_mean import find_similar, quote
from runner.domain.files import (
    ACCEPTED_TYPES,
    MAX_FILE_BYTES,
    FileUse,
    LocalFile,
    choose_use,
    file_type,
    takes_file,
)
from runner.errors import NothingFound, UsageError, on_one_line
from runner.yaml_text.yaml_document import Where, YamlDocument, is_visible

PROJECT_FILE = "assistants.yaml"
SCENARIO_FOLDER = "scenarios"
ROW_TYPES = (".csv", ".json", ".jsonl")
"""Of files whose rows a scenario's `cases` may be."""
_SUFFIXES = (".yaml", ".yml")
_LONGEST_START = 100_000
"""Characters of a file that are looked at, to see what it is."""
_MOST_NAMES_READ = 5000
_MOST_FOLDERS = 10_000
# As messages show places, and as pytest names tests.
_PLACE = re.compile(r"(?P<path>.+?)(?:::(?P<name>.+)|:(?P<line>[1-9][0-9]{0,8})(?::[0-9]{1,9})?:?)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What was asked for in a file: what stands on a line (0: on any), or has a name ("": any).

    `rows` is the real path of a file of rows that was named instead of the scenario which has it as its `cases`; line
    and name are then of the rows. `asked` is how that was written.
    """

    line: int = 0
    name: str = ""
    rows: str = ""
    asked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFile:
    """A file that was asked for: the scenarios at these places; all of them without any."""

    path: Path
    places: tuple[Place, ...] = ()


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
    hint = (
        f"rename {other}, or use `-f {other}`"
        if other
        else "`runner init` makes one to begin with; `-f FILE` names another"
    )
    raise UsageError(f"there is no {PROJECT_FILE} in {str(cwd)!r} or above it; {hint}")


def find_scenario_files(asked: Sequence[str], *, cwd: Path, root: Path) -> tuple[ScenarioFile, ...]:
    """The scenario files that files, folders and globs mean, each once; without any, those of `scenarios/`.

    A file may be followed by the place of a scenario: `:LINE`, `:LINE:COLUMN` or `::NAME`. A file of rows stands for
    the scenarios that may have it as their `cases`. Raises UsageError for a named path that is missing, NothingFound
    for a folder or glob without scenarios.
    """
    if not asked:
        folder = root / SCENARIO_FOLDER
        if not folder.is_dir():
            raise NothingFound(f"there is no folder {on_one_line(show_file(folder, cwd))}/ yet; write a scenario there")
        return _unique([ScenarioFile(path=path) for path in _files_below(folder, cwd)])
    return _unique([file for one in asked for file in _files_meant_by(one, cwd, root)])


def _files_meant_by(asked: str, cwd: Path, root: Path) -> list[ScenarioFile]:
    if not asked.strip():
        raise UsageError("one of the paths is empty; is a variable unset?")
    if "\0" in asked:
        raise UsageError(f"{quote(asked)} is no path")
    place = None if os.path.lexists(cwd / asked) else _PLACE.fullmatch(asked)
    named = place["path"] if place else asked
    path = Path(os.path.normpath(cwd / named))
    line, name = (int(place["line"] or 0), place["name"] or "") if place else (0, "")
    if _holds_rows(path):
        wanted = Place(line=line, name=name, rows=os.path.realpath(path), asked=asked)
        return [ScenarioFile(path=one, places=(wanted,)) for one in _files_about(path, wanted, cwd, root)]
    if place is None:
        return [ScenarioFile(path=path) for path in _paths_meant_by(asked, cwd)]
    if path.is_dir() or (glob.has_magic(named) and not os.path.lexists(path)):
        raise UsageError(f"{quote(asked)}: a line or a name goes with one file; use -k to choose by name")
    (path,) = _paths_meant_by(named, cwd)
    return [ScenarioFile(path=path, places=(Place(line=line, name=name),))]


def _holds_rows(path: Path) -> bool:
    """JSON is YAML, too: a scenario in it is a mapping, rows are a list."""
    kind = path.suffix.lower()
    if kind not in ROW_TYPES or not path.is_file():
        return False
    return kind != ".json" or _read_start(path).startswith("[")


def _read_start(path: Path) -> str:
    """What a file begins with, from the first character that can be seen on; "" for what can't be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.read(_LONGEST_START).lstrip()
    except OSError:
        return ""


def _files_about(rows: Path, wanted: Place, cwd: Path, root: Path) -> list[Path]:
    """The scenario files that name a file of rows: those of `scenarios/`, and those beside it and above."""
    folder = root / SCENARIO_FOLDER
    found = list(_walk(folder, cwd, set())) if folder.is_dir() else []
    for above in rows.parents if rows.is_relative_to(root) else ():
        found += [above / name for name in sorted(_names_in(above))]
        if above == root:
            break
    about = [one for one in dict.fromkeys(found) if _is_scenario_file(one) and _mentions(one, rows.name)]
    if not about:
        raise unused_rows(wanted)
    return about


def _mentions(file: Path, name: str) -> bool:
    try:
        return name.encode() in file.read_bytes()
    except OSError:
        return False


def unused_rows(wanted: Place) -> UsageError:
    """What to say of a file of rows that no scenario is about."""
    return UsageError(
        f"{quote(wanted.asked)} is of a file of rows, and no scenario has it as its `cases`; name a scenario file, as "
        f"in `runner play {SCENARIO_FOLDER}/NAME.yaml`, or `runner import` other tools' tests"
    )


def _paths_meant_by(asked: str, cwd: Path) -> list[Path]:
    path = Path(os.path.normpath(cwd / asked))
    if path.is_dir():
        return _files_below(path, cwd)
    if path.name == PROJECT_FILE and path.is_file():
        raise UsageError(
            f"{quote(asked)} declares assistants, and no scenario; without a path, {SCENARIO_FOLDER}/ is meant"
        )
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
    if len(seen) > _MOST_FOLDERS:
        raise UsageError(f"there are more than {_MOST_FOLDERS:,} folders here; does a link lead out of the project?")
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
    is_one = path.suffix.lower() in _SUFFIXES or (path.suffix.lower() == ".json" and _holds_questions(path))
    return is_one and path.name != PROJECT_FILE and not path.name.startswith(".")


def _holds_questions(path: Path) -> bool:
    """Whether a JSON file has what a scenario can't be without; others are rows, attachments, anything."""
    text = _read_start(path)
    return text.startswith("{") and all(f'"{key}"' in text for key in ("assistant", "turns", "ask"))


def _unique(files: Sequence[ScenarioFile]) -> tuple[ScenarioFile, ...]:
    """Each file once; a file that is asked for as a whole is whole."""
    by_real_path: dict[str, ScenarioFile] = {}
    for file in files:
        real = os.path.realpath(file.path)
        earlier = by_real_path.setdefault(real, file)
        if earlier is file:
            continue
        is_whole = not earlier.places or not file.places
        by_real_path[real] = replace(earlier, places=() if is_whole else earlier.places + file.places)
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


_USABLE_TYPES = frozenset[str]().union(*ACCEPTED_TYPES.values())
_MAX_NAME_LENGTH = 255


class Unusable(ValueError):
    """A path or file that can't be used: a message and a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Reporting:
    """Within it a ValueError, as Unusable is one, is reported at a place, and ends no more than that."""

    document: YamlDocument
    where: Where

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, ValueError):
            self.document.report(self.where, str(error), error.hint if isinstance(error, Unusable) else "")
        return isinstance(error, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who gets the files: an assistant with its tools, with or without a question they come along with."""

    tools: frozenset[str]
    takes_input: bool


def find_file(named: str, *, folder: Path, root: Path) -> Path:
    """The real path of the regular file that `named`, written in a file in `folder`, means. Raises Unusable.

    It is confined to `root` by its real path, so that neither `..` nor a link leads out of the project.
    """
    path = _confine(named, folder, root)
    try:
        real = Path(os.path.realpath(path, strict=True))
        mode = real.stat().st_mode
    except FileNotFoundError:
        raise Unusable(f"there is no file {quote(named)}", _explain_missing(named, path, folder, root)) from None
    except OSError as error:
        raise Unusable(f"{quote(named)} can't be read: {error.strerror}") from error
    if not real.is_relative_to(os.path.realpath(root)):
        raise Unusable(f"{quote(named)} is a link that leads out of the project", "copy the file into it")
    if stat.S_ISDIR(mode):
        raise Unusable(f"{quote(named)} is a folder", "name its files")
    if not stat.S_ISREG(mode):
        raise Unusable(f"{quote(named)} is a device, pipe or socket, not a file")
    if not os.access(real, os.R_OK):
        raise Unusable(f"{quote(named)} can't be read: permission denied")
    return real


def _explain_missing(named: str, missing: Path, folder: Path, root: Path) -> str:
    if missing.is_symlink():
        return f"it is a link to {os.readlink(missing)!r}, which is not there"
    if (root / named).is_file():
        return f"paths are relative to this file: write {os.path.relpath(root / named, folder)!r}"
    below = sorted(folder.glob(f"*/{glob.escape(os.path.basename(named))}"))
    similar = find_similar_path(named, folder) or (os.path.relpath(below[0], folder) if below else "")
    return f"did you mean {similar!r}?" if similar else ""


def _confine(named: str, folder: Path, root: Path) -> Path:
    if not all(map(is_visible, named)):
        raise Unusable(f"the path {quote(named)} holds characters that can't be printed", "rename the file")
    if "\\" in named:
        # What receives uploads takes it for the end of a folder's name, and keeps only what follows.
        raise Unusable(f"{quote(named)} holds a '\\'", "write '/' between folders; in a file's name, rename it")
    if named.startswith("~"):
        raise Unusable(f"{quote(named)}: '~' is not expanded", "write a path inside the project, relative to this file")
    if os.path.isabs(named):
        raise Unusable(f"{quote(named)} is an absolute path", "write a path inside the project, relative to this file")
    path = Path(os.path.normpath(folder / named))
    if not path.is_relative_to(root):
        raise Unusable(f"{quote(named)} leads out of the project", "copy the file into it")
    return path


def read_file_item(
    item: object, where: Where, document: YamlDocument, *, root: Path, recipient: Recipient | None
) -> LocalFile | None:
    """One validated item of `files` or `attach`; None after reporting why it can't be used.

    None, too, where it is not known who gets it: then all is said that is wrong with it for anybody.
    """
    named, wanted, use_where = _split_item(item, where)
    try:
        real = find_file(named, folder=document.folder, root=root)
        return _make_local_file(real, Path(named).name, wanted, recipient, document, where)
    except _WrongUse as error:
        document.report(use_where, error.message, error.hint)
    except Unusable as error:
        document.report((*where, "file") if isinstance(item, dict) else where, error.message, error.hint)
    return None


def _split_item(item: object, where: Where) -> tuple[str, FileUse | None, Where]:
    if isinstance(item, dict):
        use = item.get("for")
        return str(item["file"]), FileUse(use) if use else None, (*where, "for" if use else "file")
    return str(item), None, where


class _WrongUse(Unusable):
    """The file is all right, but not for this use or this assistant."""


def _make_local_file(
    real: Path, name: str, wanted: FileUse | None, recipient: Recipient | None, document: YamlDocument, where: Where
) -> LocalFile | None:
    size = real.stat().st_size
    if len(os.fsencode(name)) > _MAX_NAME_LENGTH:
        raise Unusable(f"the name of {quote(name)} is longer than {_MAX_NAME_LENGTH} bytes", "rename the file")
    if size == 0:
        raise Unusable(f"{quote(name)} is empty")
    if size > MAX_FILE_BYTES:
        megabytes = f"{size / 1024 / 1024:,.1f} MB"
        raise Unusable(f"{quote(name)} has {megabytes}; the API takes at most {MAX_FILE_BYTES // 1024 // 1024} MB")
    if recipient is None:
        return None
    use = _check_use(name, wanted, recipient) if wanted else _find_use(name, recipient)
    return LocalFile(path=real, name=name, size_bytes=size, use=use, location=document.location(where))


def _find_use(name: str, recipient: Recipient) -> FileUse:
    use = choose_use(name, tools=recipient.tools, may_be_input=recipient.takes_input)
    if use is not None:
        return use
    kind = file_type(name)
    if not kind:
        raise Unusable(f"{quote(name)} has no extension, so its type is not known", "rename it, as in 'notes.txt'")
    if kind not in _USABLE_TYPES:
        raise Unusable(f"files of type '.{kind}' are not supported", f"supported are {_list_types(_USABLE_TYPES)}")
    helpful = [use.value for use in (FileUse.FILE_SEARCH, FileUse.CODE_INTERPRETER) if takes_file(use, name)]
    hint = f"add {' or '.join(helpful)} to its `tools`" if helpful else ""
    raise _WrongUse(f"the assistant has no tool that takes a '.{kind}' file", hint)


def _check_use(name: str, use: FileUse, recipient: Recipient) -> FileUse:
    kind = f"'.{file_type(name)}'" if file_type(name) else "without an extension"
    if not takes_file(use, name):
        others = [one.value for one in FileUse if one is not use and _could_be(one, name, recipient)]
        taken = "no model takes it" if use is FileUse.INPUT else f"{use.value} doesn't take it"
        hint = f"use `for: {others[0]}`" if others else f"it takes {_list_types(ACCEPTED_TYPES[use])}"
        raise _WrongUse(f"a {kind} file can't be for {use.value}: {taken}", hint)
    if use is not FileUse.INPUT and use.value not in recipient.tools:
        raise _WrongUse(f"the assistant doesn't have the tool {use.value}", "add it to its `tools`")
    return use


def _could_be(use: FileUse, name: str, recipient: Recipient) -> bool:
    has_it = recipient.takes_input if use is FileUse.INPUT else use.value in recipient.tools
    return has_it and takes_file(use, name)


def _list_types(types: frozenset[str]) -> str:
    return " ".join(sorted(types))


def expand_glob(pattern: str, *, folder: Path, root: Path) -> tuple[str, ...]:
    """The files that a glob matches, relative to `folder`, sorted; hidden ones are left out. Raises Unusable."""
    _confine(pattern, folder, root)
    matched = sorted(glob.glob(pattern, root_dir=folder, recursive=True))
    names = tuple(name for name in matched if not (folder / name).is_dir())
    if not names:
        raise Unusable(f"no file matches {quote(pattern)}")
    return names
