"""Compare the definitions of two states of a project: what a reviewer is to see, whatever the API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.domain.assistant import Address, Assistant, Project, describe_definition
from runner.domain.files import FileUse, LocalFile
from runner.domain.plan import Action, Change, FieldChange, Kind, Plan
from runner.errors import UsageError
from runner.sync.desired import hash_file
from runner.yaml_text.yaml_document import show_block

LONGEST_FLAT = 60
LARGEST_TEXT_BYTES = 256 * 1024
"""Of a file that is shown line by line; of a larger one only that it changed."""


def compare_definitions(before: Project | None, after: Project, *, only: Address | None = None) -> Plan:
    """What became of each assistant, in the file's order, removed ones last. Raises UsageError if a file can't be read.

    `before` None: there was no project yet. `only` restricts it to one address.
    """
    earlier = {one.address: one for one in before.assistants} if before else {}
    changes = [_compare(earlier.get(one.address), one) for one in after.assistants]
    gone = [one for address, one in earlier.items() if after.find_assistant(address) is None]
    changes += [Change(action=Action.DELETE, kind=Kind.ASSISTANT, address=one.address) for one in gone]
    return Plan(changes=tuple(change for change in changes if only in (None, change.address)))


def _compare(before: Assistant | None, after: Assistant) -> Change:
    fields = tuple(_compare_fields(before, after)) + tuple(_compare_files(before, after))
    action = Action.CREATE if before is None else Action.UPDATE if fields else Action.IN_SYNC
    return Change(action=action, kind=Kind.ASSISTANT, address=after.address, fields=fields)


def _compare_fields(before: Assistant | None, after: Assistant) -> Iterator[FieldChange]:
    old: Mapping[str, object] = describe_definition(before) if before else {}
    new = describe_definition(after)
    missing = "not set" if before else ""
    for name in (*new, *(name for name in old if name not in new)):
        was, is_now = (_show(side[name]) if name in side else missing for side in (old, new))
        if was != is_now:
            yield FieldChange(field=name, before=was, after=is_now)


def _show(value: object) -> str:
    """Options that are few stand in one line."""
    if not isinstance(value, Mapping):
        return str(value)
    flat = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(flat) > LONGEST_FLAT:
        return "\n".join(show_block(value))
    return flat if value else "with its defaults"


def _compare_files(before: Assistant | None, after: Assistant) -> Iterator[FieldChange]:
    old, new = (_files_by_use(one) for one in (before, after))
    for key in (*new, *(key for key in old if key not in new)):
        was, is_now = old.get(key), new.get(key)
        label = f"file {key[1]} ({key[0].value})"
        if was is None or is_now is None:
            yield FieldChange(field=label, before=_size(was), after=_size(is_now))
            continue
        if str(was.chunking) != str(is_now.chunking):
            said = (str(one.chunking or "the API's own") for one in (was, is_now))
            yield FieldChange(field=f"{label}, chunks", before=next(said), after=next(said))
        hashes = [hash_file(one).sha256 for one in (was, is_now)]
        if hashes[0] != hashes[1]:
            texts = _read_text(was), _read_text(is_now)
            shown = texts if None not in texts else [f"sha256 {one[:12]}" for one in hashes]
            sizes = f"{was.size_bytes:,} -> {is_now.size_bytes:,} bytes"
            yield FieldChange(field=f"{label}, {sizes}", before=str(shown[0]), after=str(shown[1]))


def _files_by_use(assistant: Assistant | None) -> dict[tuple[FileUse, str], LocalFile]:
    return {(file.use, file.name): file for file in assistant.files} if assistant else {}


def _size(file: LocalFile | None) -> str:
    return f"{file.size_bytes:,} bytes" if file else ""


def _read_text(file: LocalFile) -> str | None:
    """None for what is no text, or too long to be shown."""
    if file.size_bytes > LARGEST_TEXT_BYTES:
        return None
    try:
        text = Path(file.path).read_bytes().decode()
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise UsageError(f"{file.location}: cannot read '{file.name}': {error.strerror}") from error
    return None if "\0" in text else text
