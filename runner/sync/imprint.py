"""What was applied to an assistant, as one short hash for each field: enough to tell later which side moved it.

An imprint is a line such as `instructions:5f1c0a9e model:77d0be21`, and stays under the 512 characters of a metadata
value. A field that is not in it had its default, or was not said. Hashes are of normalised values.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

_HASH_CHARACTERS = 8
_KEY_CHARACTERS = 6
_ENTRY = re.compile(r"([a-z_.0-9]+):([0-9a-f]{8}|-)")
_METADATA = "m."
_NOTHING = "-"

Imprint = Mapping[str, str]
"""Hashes by label; "" stands for what is not there, `-` for a default that is meant explicitly."""


def hash_value(value: object) -> str:
    """Eight characters for a value, "" for what is empty or not said."""
    return "" if value is None or value in ("", {}, []) else digest(value)[:_HASH_CHARACTERS]


def explicit(hashed: str) -> str:
    """A hash that can be told from "not in the imprint"."""
    return hashed or _NOTHING


def metadata_label(key: str) -> str:
    """The label of a user's metadata key, whatever characters it is of."""
    return _METADATA + digest(key)[:_KEY_CHARACTERS]


def is_metadata_label(label: str) -> bool:
    return label.startswith(_METADATA)


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
