"""Keys that are unknown or missing, and what was probably meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from runner.config.broken_rules import BrokenRule
from runner.config.coerce import Schema, alternatives, resolve
from runner.config.document import Mistake
from runner.config.wording import hint_from
from runner.did_you_mean import find_similar, quote, suggest

_VERY_LIKE = 0.8


def explain_unknown_keys(broken: BrokenRule, whole: Schema) -> Iterator[Mistake]:
    """One mistake for each key that the mapping must not have."""
    known = list(broken.schema.get("properties", ()))
    kind = broken.schema.get("title", "key")
    siblings = [key for key in broken.value if key in known]
    places = _find_places(whole)
    for key in broken.value:
        if key not in known:
            yield Mistake(
                where=(*broken.where, key),
                shown=broken.where,
                at_key=True,
                message=f"unknown {kind} {quote(key)}",
                hint=_find_home(key, known, siblings, places),
            )


def explain_missing_keys(broken: BrokenRule) -> Iterator[Mistake]:
    """One mistake for each key that is missing, unless an unknown one beside it was meant to be it."""
    known = broken.schema.get("properties", {})
    misspelt = {find_similar(key, known) for key in broken.value if known and key not in known}
    for key in broken.wanted:
        if key not in broken.value and key not in misspelt:
            yield Mistake(
                where=broken.where,
                at_key=True,
                message=f"the key {quote(key)} is missing",
                hint=hint_from(known.get(key, {})),
            )


def explain_unfit_key(broken: BrokenRule) -> Mistake:
    """The mistake of a key that users choose freely, within limits."""
    key = str(broken.value)
    return Mistake(
        where=(*broken.where, key),
        shown=broken.where,
        at_key=True,
        message=f"{quote(key)} is not accepted as a key",
        hint=hint_from(broken.schema),
    )


def _find_home(key: str, known: list[str], siblings: list[str], places: Mapping[str, list[str]]) -> str:
    """A hint: the key that was meant, or the place where this key would be right."""
    similar = find_similar(key, known, likeness=_VERY_LIKE)
    if similar is not None:
        return f"did you mean {quote(similar)}?"
    homes = places.get(key, [])
    nearest = next((home for home in homes for sibling in siblings if home.endswith(f".{sibling}")), None)
    if homes:
        return f"it belongs under {nearest or homes[0]}"
    if find_similar(key, known) is None and (elsewhere := find_similar(key, places, likeness=_VERY_LIKE)):
        return f"did you mean {quote(elsewhere)}?"
    return suggest(key, known, kind="known are")


def _find_places(whole: Schema) -> Mapping[str, list[str]]:
    """Where each key of a schema belongs, the outermost place first; "" is left out."""
    places: dict[str, list[str]] = defaultdict(list)
    level: list[tuple[str, Schema]] = [("", whole)]
    while level:
        below: list[tuple[str, Schema]] = []
        for place, schema in level:
            for key, inner in _inner_schemas(schema, whole):
                if key not in ("[]", "*") and place:
                    places[key].append(place.removesuffix("[]"))
                elif key not in ("[]", "*"):
                    places[key] += []
                below.append((_join(place, key), inner))
        level = below
    return places


def _join(place: str, key: str) -> str:
    return place + key if key == "[]" or not place else f"{place}.{key}"


def _inner_schemas(schema: Schema, whole: Schema) -> Iterator[tuple[str, Schema]]:
    """Each key of a mapping with its schema; "[]" for a list's items, "*" for a mapping's free keys."""
    for branch in alternatives(schema, whole):
        for choice in ("else", "then"):
            if choice in branch:
                yield from _inner_schemas(resolve(branch[choice], whole), whole)
        yield from branch.get("properties", {}).items()
        if isinstance(branch.get("additionalProperties"), Mapping):
            yield "*", branch["additionalProperties"]
        if isinstance(branch.get("items"), Mapping):
            yield "[]", branch["items"]
