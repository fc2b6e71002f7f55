"""What the file wants of one assistant, in a form that can be compared with what is stored.

One normalisation serves both sides: values that mean the same become equal.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.backends import managed_fields
from runner.domain.assistant import Assistant
from runner.domain.files import FileUse
from runner.domain.plan import FieldChange
from runner.errors import UsageError
from runner.sync.content import ContentCache, HashedFile, hash_file

_TEXTS = ("name", "model", "instructions")
_NUMBERS = ("temperature", "top_p")
_DOCUMENTED_DEFAULT = 1.0
"""Of both numbers, in OpenAI's reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """A declared assistant, and its files with their content known; the same file twice is there once."""

    assistant: Assistant
    search_files: tuple[HashedFile, ...] = ()
    code_files: tuple[HashedFile, ...] = ()

    @property
    def spec(self) -> str:
        """Hash of the definition and of every file; equal for declarations that mean the same."""
        files = [(file.file.use.value, file.name, file.sha256) for file in (*self.search_files, *self.code_files)]
        return _digest([normalise(managed_fields(self.assistant)), sorted(files)])

    @property
    def search_mark(self) -> str:
        """Hash of what is to be searched: the store's commit mark."""
        return _digest(sorted((file.name, file.sha256) for file in self.search_files))

    def code_mark(self, file_ids: Iterable[str]) -> str:
        """Hash of the code interpreter's files as uploaded under these ids; "" where there are none.

        Their content can't be read back, so the ids are part of it: another program's change shows.
        """
        ids = sorted(file_ids)
        if not ids and not self.code_files:
            return ""
        return _digest([sorted((file.name, file.sha256) for file in self.code_files), ids])


async def read_desired(
    assistants: Sequence[Assistant], cache: ContentCache | None = None, *, now_ns: int = 0
) -> tuple[Desired, ...]:
    """The assistants with their files hashed, off the event loop. Raises UsageError if a file can't be read.

    `now_ns` is the time of day in nanoseconds since 1970, as files have it.
    """
    return await asyncio.to_thread(lambda: tuple(describe(one, cache, now_ns=now_ns) for one in assistants))


def describe(assistant: Assistant, cache: ContentCache | None = None, *, now_ns: int = 0) -> Desired:
    """One assistant with its files hashed. Raises UsageError."""
    hashed: dict[tuple[FileUse, str, str], HashedFile] = {}
    for file in assistant.files:
        if file.use is FileUse.INPUT:
            raise UsageError(f"{file.location}: '{file.name}' cannot stand by: no tool of the assistant takes it")
        one = hash_file(file, cache, now_ns=now_ns)
        hashed.setdefault((file.use, file.name, one.sha256), one)
    return Desired(
        assistant=assistant,
        search_files=tuple(one for one in hashed.values() if one.file.use is FileUse.FILE_SEARCH),
        code_files=tuple(one for one in hashed.values() if one.file.use is FileUse.CODE_INTERPRETER),
    )


def normalise(fields: Mapping[str, object]) -> dict[str, object]:
    """Fields of either side with one form for each meaning.

    Surrounding white space of texts is not a difference (servers trim it), nor the sixth decimal (some keep
    32-bit floats), nor a default that one side spells out.
    """
    normal = dict(fields)
    for name in _TEXTS:
        normal[name] = str(fields.get(name) or "").replace("\r\n", "\n").strip()
    for name in _NUMBERS:
        normal[name] = _number(fields.get(name))
    normal["tools"] = _said_options(fields.get("tools"))
    return normal


def differences(
    wanted: Mapping[str, object], live: Mapping[str, object], live_metadata: Mapping[str, str]
) -> tuple[FieldChange, ...]:
    """The managed fields in which a stored assistant is not what is wanted; texts for people.

    What the file leaves to the server (a tool's option, reasoning effort) is no difference; nor are metadata
    keys that it does not mention.
    """
    ours, theirs = normalise(wanted), normalise(live)
    changes = [
        FieldChange(field=name, before=_show(theirs[name]), after=_show(ours[name]))
        for name in (*_TEXTS, *_NUMBERS)
        if ours[name] != theirs[name]
    ]
    if not _offers(theirs["tools"], ours["tools"]):
        changes.append(FieldChange(field="tools", before=_show(theirs["tools"]), after=_show(ours["tools"])))
    effort = ours.get("reasoning_effort")
    if effort is not None and effort != theirs.get("reasoning_effort"):
        before = _show(theirs.get("reasoning_effort"))
        changes.append(FieldChange(field="reasoning_effort", before=before, after=_show(effort)))
    return (*changes, *_metadata_differences(ours.get("metadata"), live_metadata))


def _metadata_differences(wanted: object, live: Mapping[str, str]) -> tuple[FieldChange, ...]:
    if not isinstance(wanted, Mapping):
        return ()
    return tuple(
        FieldChange(field=f"metadata.{key}", before=_show(live.get(key)), after=_show(value))
        for key, value in wanted.items()
        if live.get(key) != value
    )


def _number(value: object) -> float:
    return round(float(value), 6) if isinstance(value, int | float) else _DOCUMENTED_DEFAULT


def _said_options(tools: object) -> dict[str, dict[str, object]]:
    """Tools by name, each with only those options that have a value."""
    if not isinstance(tools, Mapping):
        return {}
    return {
        str(name): {option: value for option, value in (options or {}).items() if value is not None}
        for name, options in sorted(tools.items())
    }


def _offers(live: object, wanted: object) -> bool:
    """Whether the live tools are the wanted ones, with every option that was asked for."""
    if not isinstance(live, Mapping) or not isinstance(wanted, Mapping) or set(live) != set(wanted):
        return False
    return all(live[name].get(option) == value for name, options in wanted.items() for option, value in options.items())


def _show(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, Mapping):
        return ", ".join(name + _show_options(options) for name, options in value.items()) or "none"
    return str(value)


def _show_options(options: Mapping[str, object]) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in options.items())})" if options else ""


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
