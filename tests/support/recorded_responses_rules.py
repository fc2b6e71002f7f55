"""Differences of many recorded responses: fields that came later, and what OpenAI's models say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`find` takes the request that asked for a response, and the response as it was recorded.

    It gives what the comparison notes, word for word; None if the rule is not about that response. `where` and `what`
    tell the same to readers.
    """

    place: str
    where: str
    what: str
    reason: str
    find: Callable[[Json, Json], str | None]


_LATER = "Recorded responses have it since then."
_MODELS = "OpenAI's model has a default of its own, the inference here says nothing of it."
_NO_REASONING = "The inference shows no reasoning."


def _later(place: str, day: str, *, only_with_usage: bool = False) -> Rule:
    since = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()

    def find(_: Json, response: Json) -> str | None:
        is_meant = response["created_at"] < since and (response["usage"] is not None or not only_with_usage)
        return "is added" if is_meant else None

    where = f"responses{' that are over,' if only_with_usage else ''} made before {day}"
    return Rule(place=place, where=where, what="is added", reason=_LATER, find=find)


def _find_snapshot(request: Json, response: Json) -> str | None:
    asked, told = request["model"], response["model"]
    return None if asked == told else f"{told!r} became {asked!r}"


def _find_tokens(details: str, name: str) -> Callable[[Json, Json], str | None]:
    def find(_: Json, response: Json) -> str | None:
        count = 0 if response["usage"] is None else response["usage"][details][name]
        return f"{count} became 0" if count else None

    return find


def _find_reasoning(_: Json, response: Json) -> str | None:
    return "is missing" if any(item["type"] == "reasoning" for item in response["output"]) else None


def _find_default(*names: str) -> Callable[[Json, Json], str | None]:
    """A text that the response shows under a name within a name, and the request does not."""

    def find(request: Json, response: Json) -> str | None:
        asked, told = _look_up(request, names), _look_up(response, names)
        return "str became null" if asked is None and isinstance(told, str) else None

    return find


def _look_up(body: Json, names: tuple[str, ...]) -> object:
    found: Any = body
    for name in names:
        found = (found or {}).get(name)
    return found


RULES = (
    Rule(
        place="model",
        where="models that are asked for by a general name",
        what="the snapshot became the name that was asked for",
        reason="Here any name is a model's name, and the header x-runner-inference tells what answered.",
        find=_find_snapshot,
    ),
    Rule(
        place="billing",
        where="whole responses made since 2025-09-23",
        what="is missing",
        reason="Nobody is billed, and OpenAI's file does not have it.",
        find=lambda _, response: "is missing" if "billing" in response else None,
    ),
    _later("prompt_cache_retention", "2025-10-01"),
    _later("completed_at", "2026-01-01"),
    _later("frequency_penalty", "2026-01-01"),
    _later("presence_penalty", "2026-01-01"),
    _later("moderation", "2026-04-04"),
    _later("reasoning.context", "2026-05-01"),
    _later("tool_usage", "2026-05-01", only_with_usage=True),
    _later("usage.input_tokens_details.cache_write_tokens", "2026-07-01", only_with_usage=True),
    Rule(
        place="output[reasoning]",
        where="models that reason",
        what="is missing",
        reason=_NO_REASONING,
        find=_find_reasoning,
    ),
    Rule(
        place="usage.output_tokens_details.reasoning_tokens",
        where="models that reason",
        what="some became 0",
        reason=_NO_REASONING,
        find=_find_tokens("output_tokens_details", "reasoning_tokens"),
    ),
    Rule(
        place="usage.input_tokens_details.cached_tokens",
        where="long prompts",
        what="some became 0",
        reason="There is no cache of prompts.",
        find=_find_tokens("input_tokens_details", "cached_tokens"),
    ),
    Rule(
        place="reasoning.effort",
        where="models that reason, not told how much",
        what="str became null",
        reason=_MODELS,
        find=_find_default("reasoning", "effort"),
    ),
    Rule(
        place="reasoning.context",
        where="models that reason since 2026-06",
        what="str became null",
        reason=_MODELS,
        find=_find_default("reasoning", "context"),
    ),
    Rule(
        place="reasoning.mode",
        where="models that reason since 2026-08",
        what="is missing",
        reason=_NO_REASONING,
        find=lambda _, response: "is missing" if "mode" in response["reasoning"] else None,
    ),
    Rule(
        place="top_p",
        where="models since 2026-06 that were not told",
        what="0.98 became 1.0",
        reason=_MODELS,
        find=lambda _, response: None if response["top_p"] == 1.0 else f"{response['top_p']} became 1.0",
    ),
    Rule(
        place="prompt_cache_retention",
        where="responses since 2026-04 that were not told",
        what="str became null",
        reason=_MODELS,
        find=_find_default("prompt_cache_retention"),
    ),
)
