"""Write pulled values into the user's files, and see that they say now what is stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.cli._counting import count
from runner.cli._remote_work import RemoteWork
from runner.cli._rewriting import read_source, rewrite
from runner.config import Configuration, load_configuration
from runner.config.writing import FieldEdit, Unwritable, edit_assistant, find_instructions_file
from runner.domain.assistant import Assistant
from runner.domain.location import Location
from runner.errors import WriteFailed
from runner.sync import RemoteState, plan_sync
from runner.sync.desired import describe
from runner.sync.pulling import INSTRUCTIONS, Difference, find_differences

Found = Mapping[str, tuple[Difference, ...]]
_NOWHERE = Location("", 0, 0)


def write_pulled(work: RemoteWork, found: Found, remote: RemoteState) -> None:
    """Put every value that can be into the files. Raises WriteFailed if some can't, when the others are written."""
    file = work.configuration.file
    texts = {file: read_source(file)}
    before = dict(texts)
    refused: list[str] = []
    written = 0
    for address, difference in ((address, one) for address, differences in found.items() for one in differences):
        reason = difference.reason or _edit(work, texts, address, difference.edit)
        written += not reason
        if reason and not difference.is_about_files:
            refused.append(f"! {address}: {difference.field} is left as it was: {reason}")
    changed = {path: text for path, text in texts.items() if before.get(path) != text}
    if changed:
        rewrite(changed, partial(_check, work.configuration, found, remote, len(refused)))
        names = " and ".join(path.name for path in changed)
        work.show([f"wrote {names}: {count(written, 'value')}"])
    elif not refused:
        work.show(["nothing to write"])
    work.show(refused)
    if refused:
        raise WriteFailed(f"{len(refused)} of {len(refused) + written} values have to be changed by hand")


def _edit(work: RemoteWork, texts: dict[Path, str], address: str, edit: FieldEdit | None) -> str:
    """Put one value into the texts that are to be written; why not, if that can't be."""
    assert edit is not None, "what can't be edited has a reason"
    file = work.configuration.file
    if isinstance(edit.value, str) and work.redactor.clean(edit.value) != edit.value:
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
    after = load_configuration(file=before.file, scenario_paths=None, cwd=Path.cwd(), environment=os.environ)
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
