"""Change the user's files: what is written is read back before it counts, and the old is put back otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from runner.cli._session import Session, load_project
from runner.config import Configuration
from runner.config.writing import FieldEdit, Unwritable, edit_assistant, find_instructions_file
from runner.did_you_mean import count
from runner.domain.assistant import Assistant
from runner.errors import ConfigError, Location, WriteFailed
from runner.sync import RemoteState, plan_sync
from runner.sync.desired import describe
from runner.sync.pulling import INSTRUCTIONS, Difference, find_differences
from runner.whole_file import write_whole

T = TypeVar("T")
Found = Mapping[str, tuple[Difference, ...]]
_NOWHERE = Location("", 0, 0)


def read_source(path: Path) -> str:
    """A file that was loaded, with the line breaks and the byte order mark that it has. Raises WriteFailed."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WriteFailed(f"cannot read {path} again: {error}") from error


def rewrite(contents: Mapping[Path, str], read_back: Callable[[], T]) -> T:
    """Write each file whole, then what `read_back` returns; if that raises, every file is as it was before.

    Raises WriteFailed.
    """
    real = {path.resolve(): content for path, content in contents.items()}
    old = {path: path.read_bytes() if path.exists() else None for path in real}
    try:
        for path, content in real.items():
            write_whole(path, content.encode("utf-8"), what="the file")
        return read_back()
    except ConfigError as error:
        _restore(old)
        first = error.problems[0]
        raise WriteFailed(f"nothing was written: the file would no longer load ({first})") from error
    except BaseException:  # an interruption, too
        _restore(old)
        raise


def _restore(old: Mapping[Path, bytes | None]) -> None:
    for path, content in old.items():
        if content is None:
            path.unlink(missing_ok=True)
        else:
            write_whole(path, content, what="the file")


def write_pulled(session: Session, found: Found, remote: RemoteState) -> None:
    """Put every value that can be into the files. Raises WriteFailed if some can't, when the others are written."""
    file = session.configuration.file
    texts = {file: read_source(file)}
    before = dict(texts)
    refused: list[str] = []
    written = 0
    for address, difference in ((address, one) for address, differences in found.items() for one in differences):
        reason = difference.reason or _edit(session, texts, address, difference.edit)
        written += not reason
        if reason and not difference.is_about_files:
            refused.append(f"! {address}: {difference.field} is left as it was: {reason}")
    changed = {path: text for path, text in texts.items() if before.get(path) != text}
    if changed:
        rewrite(changed, partial(_check, session.configuration, found, remote, len(refused)))
        names = " and ".join(path.name for path in changed)
        session.show([f"wrote {names}: {count(written, 'value')}"])
    elif not refused:
        session.show(["nothing to write"])
    session.show(refused)
    if refused:
        raise WriteFailed(f"{len(refused)} of {len(refused) + written} values have to be changed by hand")


def _edit(session: Session, texts: dict[Path, str], address: str, edit: FieldEdit | None) -> str:
    """Put one value into the texts that are to be written; why not, if that can't be."""
    assert edit is not None, "what can't be edited has a reason"
    file = session.configuration.file
    if isinstance(edit.value, str) and session.redactor.clean(edit.value) != edit.value:
        return "a secret's value is in it"
    try:
        named = find_instructions_file(texts[file], address) if edit.path == INSTRUCTIONS else None
        if named is None:
            texts[file] = edit_assistant(texts[file], address, edit)
            return ""
    except Unwritable as error:
        return str(error)
    if not isinstance(edit.value, str):
        return f"there are none on the other side; remove `instructions_file: {named}`"
    path = file.parent / named
    old = texts[path] if path in texts else read_source(path)
    if path in texts and old.strip() != edit.value:
        return f"another assistant has its instructions in {named} too"
    line_break = "\r\n" if "\r\n" in old else "\n"
    texts[path] = edit.value.replace("\n", line_break) + (line_break if old.endswith("\n") else "")
    return ""


def _check(before: Configuration, found: Found, remote: RemoteState, refused: int) -> None:
    """Read the files back. Raises ConfigError if they don't load, WriteFailed if they say anything unmeant."""
    after = load_project(before.file)
    for old, new in zip(before.project.assistants, after.project.assistants, strict=True):
        if not found.get(old.address) and _bare(old) != _bare(new):
            raise WriteFailed(f"nothing was written: '{old.address}' would have changed too; change the file by hand")
    pulled = [describe(one) for one in after.project.assistants if found.get(one.address)]
    left = [
        f"{unit.address}: {one.field}"
        for unit in plan_sync(pulled, after.project.namespace, remote).units
        for one in find_differences(unit)
        if not one.reason
    ]
    if len(left) > refused:
        raise WriteFailed(f"nothing was written: {left[0]} would still differ; change the file by hand")


def _bare(assistant: Assistant) -> Assistant:
    """An assistant without the places where things stand in the file."""
    files = tuple(replace(file, location=_NOWHERE) for file in assistant.files)
    return replace(assistant, files=files, location=_NOWHERE)
