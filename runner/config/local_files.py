"""Paths in our files to LocalFiles: confined to the project, there, of a size and type that can be sent, and used."""

from __future__ import annotations

import glob
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from runner.config.paths import find_similar_path
from runner.did_you_mean import quote
from runner.domain.files import (
    CODE_INTERPRETER_TYPES,
    FILE_SEARCH_TYPES,
    INPUT_TYPES,
    MAX_FILE_BYTES,
    FileUse,
    LocalFile,
    choose_use,
    file_type,
    takes_file,
)
from runner.yaml_text.scalars import is_visible
from runner.yaml_text.yaml_document import Mistake, Where, YamlDocument

_USABLE_TYPES = FILE_SEARCH_TYPES | CODE_INTERPRETER_TYPES | INPUT_TYPES
_MAX_NAME_LENGTH = 255


class Unusable(Exception):
    """A path or file that can't be used: a message and a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)

    def at(self, where: Where) -> Mistake:
        return Mistake(where=where, message=self.message, hint=self.hint)


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
        raise Unusable(f"there is no file {quote(named)}", _explain_missing(named, path, folder)) from None
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


def _explain_missing(named: str, missing: Path, folder: Path) -> str:
    if missing.is_symlink():
        return f"it is a link to {os.readlink(missing)!r}, which is not there"
    similar = find_similar_path(named, folder)
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
    item: object, where: Where, document: YamlDocument, *, root: Path, recipient: Recipient
) -> LocalFile | None:
    """One validated item of `files` or `attach`; None after reporting why it can't be used."""
    named, wanted, use_where = _split_item(item, where)
    try:
        real = find_file(named, folder=document.folder, root=root)
        return _make_local_file(real, Path(named).name, wanted, recipient, document, where)
    except _WrongUse as error:
        document.report(error.at(use_where))
    except Unusable as error:
        document.report(error.at((*where, "file") if isinstance(item, dict) else where))
    return None


def _split_item(item: object, where: Where) -> tuple[str, FileUse | None, Where]:
    if isinstance(item, dict):
        use = item.get("for")
        return str(item["file"]), FileUse(use) if use else None, (*where, "for" if use else "file")
    return str(item), None, where


class _WrongUse(Unusable):
    """The file is all right, but not for this use or this assistant."""


def _make_local_file(
    real: Path, name: str, wanted: FileUse | None, recipient: Recipient, document: YamlDocument, where: Where
) -> LocalFile:
    size = real.stat().st_size
    if len(os.fsencode(name)) > _MAX_NAME_LENGTH:
        raise Unusable(f"the name of {quote(name)} is longer than {_MAX_NAME_LENGTH} bytes", "rename the file")
    if size == 0:
        raise Unusable(f"{quote(name)} is empty")
    if size > MAX_FILE_BYTES:
        megabytes = f"{size / 1024 / 1024:,.1f} MB"
        raise Unusable(f"{quote(name)} has {megabytes}; the API takes at most {MAX_FILE_BYTES // 1024 // 1024} MB")
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
        hint = f"use `for: {others[0]}`" if others else _explain_accepted(use)
        raise _WrongUse(f"a {kind} file can't be for {use.value}: {taken}", hint)
    if use is not FileUse.INPUT and use.value not in recipient.tools:
        raise _WrongUse(f"the assistant doesn't have the tool {use.value}", "add it to its `tools`")
    return use


def _could_be(use: FileUse, name: str, recipient: Recipient) -> bool:
    has_it = recipient.takes_input if use is FileUse.INPUT else use.value in recipient.tools
    return has_it and takes_file(use, name)


def _explain_accepted(use: FileUse) -> str:
    accepted = {
        FileUse.FILE_SEARCH: FILE_SEARCH_TYPES,
        FileUse.CODE_INTERPRETER: CODE_INTERPRETER_TYPES,
        FileUse.INPUT: INPUT_TYPES,
    }
    return f"it takes {_list_types(accepted[use])}"


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
