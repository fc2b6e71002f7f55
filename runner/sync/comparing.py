"""Compare what the file says of an assistant with what is stored, field by field, and tell which side moved.

One normalisation serves both sides: values that mean the same become equal. Where they differ, two imprints decide:
what was applied (`runner.spec`) and what the server made of it (`runner.echo`). An imprint is a line such as
`instructions:5f1c0a9e model:77d0be21`, one short hash for each field, and stays under the 512 characters of a metadata
value. A field that is not in it had its default, or was not said. Hashes are of normalised values.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.backends import FUNCTION_LABEL, managed_fields
from runner.domain.assistant import Assistant
from runner.domain.plan import FieldChange, Origin
from runner.sync import tags
from runner.yaml_text.yaml_document import show_block

_TEXTS = ("name", "model", "instructions")
_NUMBERS = ("temperature", "top_p")
_EXACT = (*_TEXTS, *_NUMBERS, "response_format")
"""Fields for which leaving them out of the file means their default, whatever the server has."""
_METADATA = "metadata"
_TOOLS = "tools"
_DOCUMENTED_DEFAULT = 1.0
"""Of both numbers, in OpenAI's reference."""
_HASH_CHARACTERS = 8
_KEY_CHARACTERS = 6
_ENTRY = re.compile(r"([a-z_.0-9]+):([0-9a-f]{8}|-)")
_METADATA_PREFIX = "m."
_NOTHING = "-"

Imprint = Mapping[str, str]
"""Hashes by label; "" stands for what is not there, `-` for a default that is meant explicitly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The imprints that an assistant carries; `spec` is None where nothing was applied yet."""

    spec: Imprint | None
    echo: Imprint

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> Marks:
        return cls(spec=read_imprint(metadata.get(tags.SPEC)), echo=read_imprint(metadata.get(tags.ECHO)) or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs. `kept_by_server` are fields of which the server makes something else each time: no difference."""

    changes: tuple[FieldChange, ...]
    kept_by_server: tuple[str, ...] = ()


def compare(wanted: Mapping[str, object], live: Mapping[str, object], metadata: Mapping[str, str]) -> Comparison:
    """The managed fields in which a stored assistant is not what is wanted; `metadata` is all of the live one.

    What the file leaves to the server (a tool's option, reasoning effort) is no difference, unless the file once
    said it. Metadata keys that the file never mentioned are somebody else's.
    """
    ours, theirs, marks = normalise(wanted), normalise(live), Marks.read(metadata)
    fields = [
        _Field(name=name, wanted=value, live=theirs.get(name), marks=marks)
        for name, value in ours.items()
        if name != _METADATA
    ]
    changes = [
        change_field(one.name, one.live, one.wanted, origin) for one in fields if (origin := one.origin) is not None
    ]
    changes += _compare_metadata(ours.get(_METADATA), metadata, marks)
    return Comparison(changes=tuple(changes), kept_by_server=tuple(one.name for one in fields if one.is_kept_by_server))


def declared_hashes(assistant: Assistant) -> Imprint:
    """The part of an imprint that the file alone decides."""
    fields = normalise(managed_fields(assistant))
    users = fields.pop(_METADATA, None)
    hashes = {name: _hash(name, value) for name, value in fields.items()}
    if isinstance(users, Mapping):
        hashes |= {metadata_label(key): hash_value([value]) for key, value in users.items()}
    return hashes


def echo_hashes(wanted: Mapping[str, object], live: Mapping[str, object]) -> Imprint:
    """Those fields of a server's answer that are not what was sent."""
    ours, theirs = normalise(wanted), normalise(live)
    return {
        name: explicit(_hash(name, theirs.get(name)))
        for name in ours
        if name != _METADATA and not _matches(name, ours[name], theirs.get(name))
    }


def dropped_keys(users: Mapping[str, str], metadata: Mapping[str, str]) -> frozenset[str]:
    """Live metadata keys that came from the file, are not in it any more, and that nobody has changed since."""
    spec = Marks.read(metadata).spec or {}
    return frozenset(
        key
        for key, value in metadata.items()
        if key not in users and spec.get(metadata_label(key)) == hash_value([value])
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
    normal[_TOOLS] = _said_options(fields.get(_TOOLS))
    return normal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One field, normalised on both sides, and what is known of its past."""

    name: str
    wanted: object
    live: object
    marks: Marks

    @property
    def origin(self) -> Origin | None:
        """Which side moved; None where nothing is to be done."""
        if self.is_kept_by_server or (self._matches and not self._is_to_be_reset):
            return None
        if self._moved_there:
            return Origin.CONFLICT if self._said_anew else Origin.DRIFT
        return Origin.LOCAL

    @property
    def is_kept_by_server(self) -> bool:
        return not (self._matches or self._said_anew or self._moved_there)

    @property
    def _matches(self) -> bool:
        return _matches(self.name, self.wanted, self.live)

    @property
    def _said_anew(self) -> bool:
        spec = self.marks.spec
        return spec is None or spec.get(self.name, "") != _hash(self.name, self.wanted)

    @property
    def _is_to_be_reset(self) -> bool:
        """Whether the file once said what it now leaves to the server, and the server still has that."""
        once_said = self.marks.spec is not None and self._said_anew and not self._moved_there
        return once_said and _hash(self.name, self.wanted) != _hash(self.name, self.live)

    @property
    def _moved_there(self) -> bool:
        """Whether a live value is not what the server made of the last sync; options that it filled in don't count."""
        if self.marks.spec is None:
            return False
        base = self.marks.echo.get(self.name) or self.marks.spec.get(self.name, "")
        if base == "" and self.name not in (*_EXACT, _TOOLS):
            return False  # the file left it to the server
        tools = self.live if self.name == _TOOLS and isinstance(self.live, Mapping) else None
        bare = self.live if tools is None else {name: _without_filled_in(name, tools[name]) for name in tools}
        return explicit(base) not in (explicit(_hash(self.name, self.live)), explicit(_hash(self.name, bare)))


def _without_filled_in(tool: str, options: object) -> object:
    """A live tool's options without what only the server may have said; all of a function is the file's."""
    return options if tool.startswith(FUNCTION_LABEL) else {}


def _matches(name: str, wanted: object, live: object) -> bool:
    if name == _TOOLS:
        return _offers(live, wanted)
    if name in _EXACT:
        return wanted == live
    return wanted is None or wanted == live


def _hash(name: str, value: object) -> str:
    return "" if name in _NUMBERS and value == _DOCUMENTED_DEFAULT else hash_value(value)


def _compare_metadata(wanted: object, live: Mapping[str, str], marks: Marks) -> Iterator[FieldChange]:
    users = wanted if isinstance(wanted, Mapping) else {}
    spec = marks.spec
    for key, value in users.items():
        if live.get(key) == value:
            continue
        applied = spec.get(metadata_label(key)) if spec else None
        origin = Origin.LOCAL
        if applied == hash_value([value]):
            origin = Origin.DRIFT
        elif applied is not None and (key not in live or hash_value([live[key]]) != applied):
            origin = Origin.CONFLICT
        yield change_field(f"metadata.{key}", live.get(key), value, origin)
    if spec and any(is_metadata_label(label) for label in spec):
        for key in sorted(dropped_keys(users, live)):
            yield change_field(f"metadata.{key}", live[key], None)


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


LONGEST_FLAT = 120


def change_field(name: str, before: object, after: object, origin: Origin = Origin.LOCAL) -> FieldChange:
    """Both values as text for people: lines of YAML where one of them is too much for a single one."""
    shown = _show_value(before), _show_value(after)
    if len("".join(shown)) > LONGEST_FLAT:
        shown = _show_lines(before, shown[0]), _show_lines(after, shown[1])
    return FieldChange(field=name, before=shown[0], after=shown[1], origin=origin)


def _show_lines(value: object, shown: str) -> str:
    if not isinstance(value, Mapping):
        return shown
    said = {
        name: {option: one for option, one in options.items() if one not in ("", False)}
        if isinstance(options, Mapping)
        else options
        for name, options in value.items()
    }
    lines = (line if line.startswith(" ") else line.removesuffix(": {}") for line in show_block(said))
    return "\n".join(lines) or shown


def _show_value(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, Mapping):
        return ", ".join(name + _show_options(options) for name, options in value.items()) or "none"
    return str(value)


def _show_options(options: object) -> str:
    if not isinstance(options, Mapping):
        return f" {options}"
    said = (f"{name} {_show_option(value)}" for name, value in options.items() if value not in ("", False))
    return f" ({', '.join(said)})" if options else ""


def _show_option(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, Mapping) else str(value)


def hash_value(value: object) -> str:
    """Eight characters for a value, "" for what is empty or not said."""
    return "" if value is None or value in ("", {}, []) else digest(value)[:_HASH_CHARACTERS]


def explicit(hashed: str) -> str:
    """A hash that can be told from "not in the imprint"."""
    return hashed or _NOTHING


def metadata_label(key: str) -> str:
    """The label of a user's metadata key, whatever characters it is of."""
    return _METADATA_PREFIX + digest(key)[:_KEY_CHARACTERS]


def is_metadata_label(label: str) -> bool:
    return label.startswith(_METADATA_PREFIX)


def write_imprint(hashes: Imprint) -> str:
    """The line, with what is empty left out; "" if nothing is left."""
    return " ".join(f"{label}:{hashed}" for label, hashed in sorted(hashes.items()) if hashed)


def read_imprint(line: str | None) -> Imprint | None:
    """The hashes in a line; None if there is no line, or it is none of ours."""
    if not line:
        return None
    entries = [_ENTRY.fullmatch(part) for part in line.split(" ")]
    if not all(entries):
        return None
    return {entry[1]: entry[2] for entry in entries if entry}


def digest(value: object) -> str:
    """The sha256 of a value in one canonical form, in hex."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
