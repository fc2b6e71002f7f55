"""What may differ in answers of the Responses face without being a difference; docs/differences.md tells the rules."""

from __future__ import annotations

import re
from typing import Any

from recorded_comparison import Complaint, Leeway, is_alike_count, is_time
from recorded_leeways import at_our_pace

RULES = (
    "The model's moves are replayed with their tokens. Which tokens were cached or thought is not: something must be"
    " where something was recorded, and nothing where nothing was.",
    "Events are numbered from 0 in our stream, too; how long one is padded with `obfuscation` follows from its delta.",
    "Containers that a recording takes for granted are made before it is played: one that had expired is fresh here.",
    "In a container, OpenAI puts 32 digits before an upload's name.",
)
_PREFIX = re.compile(r"[0-9a-f]{32}-")


def _is_time(recorded: int | None, ours: int | None) -> Complaint:
    return None if recorded is None or ours is None else is_time(recorded, ours)


def _is_state(recorded: str, ours: str) -> Complaint:
    return None if ours == recorded or (recorded, ours) == ("expired", "running") else f"{recorded} became {ours}"


def _is_path(recorded: str, ours: str) -> Complaint:
    return None if ours in (recorded, _PREFIX.sub("", recorded)) else f"{recorded} became {ours}"


def _is_padding(_: str, ours: str) -> Complaint:
    return None if ours == "" or ours.isalnum() else f"{ours!r} is no padding"


def _anything(_: Any, __: Any) -> Complaint:
    return None


LEEWAYS = (
    Leeway(place=r"(.*\.)?\w+_at", check=_is_time),
    Leeway(place="", expect=at_our_pace),
    Leeway(place="usage_bytes", check=is_alike_count),
    Leeway(place=r".*\.sequence_number", check=_anything),
    Leeway(place=r".*\.obfuscation", check=_is_padding),
    Leeway(place=r"data\[\]\.status", check=_is_state),
    Leeway(place=r"(data\[\]\.)?path", check=_is_path),
    Leeway(place=r"(.*\.)?(cached_tokens|cache_write_tokens|reasoning_tokens)", check=is_alike_count),
)
