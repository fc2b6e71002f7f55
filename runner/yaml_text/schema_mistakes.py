"""Every mistake that a file makes in its JSON Schema, at its place and in plain words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, Protocol, cast

from runner.did_you_mean import find_similar, quote, suggest
from runner.yaml_text import ListNode, MapNode, Node, Style, TextNode
from runner.yaml_text.yaml_document import (
    MAX_EXPONENT,
    MAX_NUMBER_LENGTH,
    Advice,
    Schema,
    Unreadable,
    Where,
    YamlDocument,
    alternatives,
    coerce_text,
    find_misread_texts,
    resolve,
    show_flow,
)

_VERY_LIKE = 0.8
_WORD_RULES = ("enum", "const")
_NEVER_SHOWN = ("key_env",)
"""Where keys are written by mistake: a message with one would be in every CI's log."""
Words = tuple[str, str]
"""A message and a hint, which may be empty."""
_TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_YES_OR_NO = re.compile(r"(?i)yes|no|on|off|y|n")
_NOT_FINITE = re.compile(r"(?i)[-+]?\.?(nan|inf|infinity)")
_SHORT_NUMBER = re.compile(r"[-+]?[\d.]{1,20}")
_RANGE = f"numbers of 1e-{MAX_EXPONENT} to 1e{MAX_EXPONENT} are read"
_WITH_EXPONENT = re.compile(r"(?i)[-+]?(\d+\.?\d*|\.\d+)e[-+]?\d+")
_KEY_AND_VALUE = re.compile(r"(?P<key>\w+)(?:\s*[:=]|\s)\s*(?P<value>.{1,60})")
_NUMBER_LIKE = re.compile(r"\W*[\d.,_' ]+\W*")


class BrokenRule(Protocol):
    """The library's error: a keyword (`validator`) with its argument, and the value (`instance`) that breaks it.

    `schema` is what the keyword stands in; `context` are the errors of all branches of an `anyOf`.
    """

    validator: str
    validator_value: Any
    instance: Any
    schema: Mapping[str, Any]
    absolute_path: Sequence[str | int]
    absolute_schema_path: Sequence[str | int]
    relative_schema_path: Sequence[str | int]
    context: Sequence[BrokenRule]


def report_mistakes(document: YamlDocument, root: Node, schema: Schema, find_advice: Callable[[], Advice]) -> None:
    """Report every mistake of the document's value."""
    for where, node, value in find_misread_texts(root, document.value, ()):
        if isinstance(value, Unreadable):
            hint = f"{_RANGE}; put quotes around it if it is text"
            document.report(where, f"the number {found_text(node)} is out of range", hint)
        else:
            hint = "put quotes around the text, or a space after '#'"
            document.report(where, "the text ends before '#', where a comment begins", hint)
    found = list(_find_errors(document.value, schema))
    if found:
        advice = find_advice()
        if advice.whole is not None:
            schema = advice.whole
            found = list(_find_errors(document.value, schema))
        for error in found:
            _explain(error, document, schema, advice)


def _explain(error: BrokenRule, document: YamlDocument, schema: Schema, advice: Advice) -> None:
    if error.validator == "additionalProperties":
        _report_unknown_keys(error, document, schema, advice)
    elif error.validator == "required":
        _report_missing_keys(error, document, advice)
    elif "propertyNames" in error.absolute_schema_path:
        # A key that users choose freely, within limits.
        where, key = _where(error), str(error.instance)
        message = f"{quote(key)} is not accepted as a key"
        document.report((*where, key), message, hint_from(error.schema), at_key=True, shown=where)
    elif not _is_follow_up(error):
        node = document.find(_where(error))[1]
        message, hint = describe(error, node)
        if isinstance(node, TextNode) and node.text:
            kind = str(error.schema.get("title", ""))
            hint = advice.on_value(kind, node.text, error.instance, _where(error)) or hint
            hint = _explain_item(error, node, schema, hint)
        document.report(_where(error), message, hint)


def _explain_item(error: BrokenRule, node: TextNode, whole: Schema, hint: str) -> str:
    """For a text in a list's place that could not stand in the list as it is either: what both take, at once."""
    if error.validator != "type" or error.validator_value != "array":
        return hint
    alone = {"items": error.schema.get("items", True), "$defs": whole.get("$defs", {})}
    found = next(_find_errors([error.instance], alone), None)
    if found is None:
        return hint
    then = describe(found, node)[1]
    return f"begin each item with '- '{', and ' if then.startswith('write') else '; ' if then else ''}{then}"


def _is_follow_up(error: BrokenRule) -> bool:
    """Whether there are too many keys only because some are unknown, which is reported by itself."""
    if error.validator != "maxProperties" or error.schema.get("additionalProperties") is not False:
        return False
    return any(key not in error.schema.get("properties", ()) for key in error.instance)


def _find_errors(value: object, schema: Schema) -> Iterator[BrokenRule]:
    """Every rule that a value breaks, each as near to the mistake as can be told."""
    from jsonschema import Draft202012Validator

    for error in cast("Iterator[BrokenRule]", Draft202012Validator(schema).iter_errors(value)):
        _accept_false(error)
        yield from _find_meant(error)


def _accept_false(error: BrokenRule) -> None:
    """`false` is a schema, too: a package's check may have it."""
    error.schema = error.schema if isinstance(error.schema, Mapping) else {}


def _where(error: BrokenRule) -> Where:
    return tuple(error.absolute_path)


def _branches(error: BrokenRule) -> list[list[BrokenRule]]:
    """What each branch of an `anyOf` has against the value."""
    branches: dict[object, list[BrokenRule]] = defaultdict(list)
    for inner in error.context:
        _accept_false(inner)
        branches[inner.relative_schema_path[0]].append(inner)
    return list(branches.values())


def _find_meant(error: BrokenRule) -> Iterator[BrokenRule]:
    """The rule itself, or what is wrong inside the only branch that has the value's own shape."""
    where = _where(error)
    fitting = [branch for branch in _branches(error) if not any(_is_other_shape(inner, where) for inner in branch)]
    if isinstance(error.instance, int | Decimal):
        # A number is never meant to be one of some words where numbers can stand, too.
        fitting = [one for one in fitting if not any(inner.validator in _WORD_RULES for inner in one)] or fitting
    if len(fitting) != 1:
        yield error
        return
    for inner in fitting[0]:
        if inner.validator == "enum" and _where(inner) == where:
            _add_keys(inner, error)
        yield from _find_meant(inner)


def _add_keys(word: BrokenRule, choice: BrokenRule) -> None:
    """To a word that is none of a list: the keys of the mapping that may stand in its place."""
    mappings = (one.get("properties", {}) for one in choice.schema.get("anyOf", ()))
    keys = {key: schema for one in mappings for key, schema in one.items()}
    if keys:
        word.schema = {**word.schema, "properties": keys}


def _is_other_shape(error: BrokenRule, where: Where) -> bool:
    """Whether a branch fails because the value is of another shape altogether (a list where it wants text)."""
    if _where(error) != where:
        return False
    if branches := _branches(error):
        return all(any(_is_other_shape(inner, where) for inner in branch) for branch in branches)
    is_compound = isinstance(error.instance, dict | list)
    return error.validator == "type" or (error.validator in _WORD_RULES and is_compound)


def _report_unknown_keys(error: BrokenRule, document: YamlDocument, whole: Schema, advice: Advice) -> None:
    """One mistake for each key that the mapping must not have."""
    known, where = list(error.schema.get("properties", ())), _where(error)
    kind = error.schema.get("title", "key")
    siblings = [key for key in error.instance if key in known]
    places = _sort_places(_find_places(whole), where)
    for key, value in error.instance.items():
        if key not in known:
            # The rest of a sentence is taken for a key without a value.
            cut = "a comma ends a text inside {...}: put quotes around all of it" * (value is None and " " in key)
            hint = (
                cut
                or _find_nearest(key, siblings, places, partial(advice.on_beside, error.instance, key))
                or advice.on_key(kind, key, value, where)
                or _find_home(key, known, places)
            )
            document.report((*where, key), f"unknown {kind} {quote(key)}", hint, at_key=True, shown=where)


def _report_missing_keys(error: BrokenRule, document: YamlDocument, advice: Advice) -> None:
    """One mistake for each key that is missing, unless an unknown one beside it was meant to be it."""
    known, where = error.schema.get("properties", {}), _where(error)
    unknown = [key for key in error.instance if known and key not in known]
    misspelt = {find_similar(key, known) for key in unknown}
    kind = error.schema.get("title", "key")
    advised = " ".join(advice.on_key(kind, key, error.instance[key], where) for key in unknown)
    for key in error.validator_value:
        is_meant = key in misspelt or f"`{key}`" in advised or f"`{key}: " in advised
        if key not in error.instance and not is_meant:
            hint = advice.on_missing("key", key, error.instance, where) or hint_from(known.get(key, {}))
            document.report(where, f"the key {quote(key)} is missing", hint, at_key=True)


def _find_nearest(key: str, siblings: list[str], places: Mapping[str, list[str]], advise: Callable[[str], str]) -> str:
    """A hint: the key stands beside the one that it belongs under."""
    homes = places.get(key, [])
    beside = (home for home in homes for sibling in siblings if home.endswith(f".{sibling}"))
    nearest = homes[0] if homes and homes[0] in siblings else next(beside, None)
    return advise(nearest.rpartition(".")[2]) or _show_home(nearest) if nearest else ""


def _show_home(place: str) -> str:
    return f"it belongs under {place.replace('*', 'NAME')}"


def _find_home(key: str, known: list[str], places: Mapping[str, list[str]]) -> str:
    """A hint: the key that was meant, or the place where this key would be right."""
    similar = find_similar(key, known, likeness=_VERY_LIKE)
    if similar is not None:
        return f"did you mean {quote(similar)}?"
    homes = places.get(key, [])
    if homes:
        return _show_home(homes[0])
    if find_similar(key, known) is None and (elsewhere := find_similar(key, {*places} - {key}, likeness=_VERY_LIKE)):
        return f"did you mean {quote(elsewhere)}?"
    return suggest(key, known, kind="known are")


def _find_places(whole: Schema) -> Mapping[str, list[str]]:
    """Where each key of a schema belongs, the outermost place first; "" is left out."""
    places: dict[str, list[str]] = defaultdict(list)
    level: list[tuple[str, Schema, frozenset[int]]] = [("", whole, frozenset())]
    while level:
        below: list[tuple[str, Schema, frozenset[int]]] = []
        for place, schema, around in level:
            for key, inner, within in _inner_schemas(schema, whole, around):
                if key not in ("[]", "*") and place:
                    places[key].append(place.removesuffix("[]"))
                elif key not in ("[]", "*"):
                    places[key] += []
                below.append((_join(place, key), inner, within))
        level = below
    return places


def _sort_places(places: Mapping[str, list[str]], where: Where) -> Mapping[str, list[str]]:
    """Those first of which there are most: in a turn, for what stands in one; else under names that users choose."""
    most = "turns[" if "turns" in where else "*"
    return {key: sorted(homes, key=lambda home: most not in home) for key, homes in places.items()}


def _join(place: str, key: str) -> str:
    return place + key if key == "[]" or not place else f"{place}.{key}"


def _inner_schemas(
    schema: Schema, whole: Schema, around: frozenset[int]
) -> Iterator[tuple[str, Schema, frozenset[int]]]:
    """Each key of a mapping with its schema; "[]" for a list's items, "*" for a mapping's free keys.

    With each comes `around` and what it stands in: what refers to itself has its keys where they stood first.
    """
    for branch in alternatives(schema, whole):
        if id(branch) in around:
            continue
        within = around | {id(branch)}
        for choice in ("else", "then"):
            if choice in branch:
                yield from _inner_schemas(resolve(branch[choice], whole), whole, within)
        yield from ((key, inner, within) for key, inner in branch.get("properties", {}).items())
        if isinstance(branch.get("additionalProperties"), Mapping):
            yield "*", branch["additionalProperties"], within
        if isinstance(branch.get("items"), Mapping):
            yield "[]", branch["items"], within


def describe(error: BrokenRule, node: Node) -> Words:
    """Words for an error about the value at `node`, but for keys that are unknown or missing."""
    words = _WORDS.get(error.validator)
    return words(error, node) if words else (f"breaks the rule {error.validator}: {error.validator_value}", "")


def found_text(node: Node) -> str:
    """What the user wrote, for messages."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a mapping"
    if node.plain and _SHORT_NUMBER.fullmatch(node.text):
        return node.text
    return quote(node.text) if node.plain or not _is_only_quoted(node) else f"the quoted text {quote(node.text)}"


def _is_only_quoted(node: TextNode) -> bool:
    """Whether the quotes alone make a text of what is a number, or true, or false.

    What reads differently as a number (1e5, 007) may be a cell of a table, which has no quotes.
    """
    value = _read_plain(node)
    return isinstance(value, bool) or (isinstance(value, int | Decimal) and str(value) == node.text)


def _read_plain(node: TextNode) -> object:
    return coerce_text(replace(node, style=Style.PLAIN), frozenset())


def hint_from(schema: Mapping[str, Any]) -> str:
    """A schema's description as a hint: it follows a semicolon."""
    description = str(schema.get("description", "")).rstrip(".")
    return description[:1].lower() + description[1:]


def _type(error: BrokenRule, node: Node) -> Words:
    wanted = _wanted_types(error)
    if isinstance(node, TextNode) and wanted != ["object"]:
        wanted = [name for name in wanted if name != "object"]
    if error.instance is None:
        return "there is no value", _explain_nothing(node, error.schema)
    names = " or ".join(_TYPES[name] for name in wanted)
    if isinstance(node, TextNode) and len(node.text) > MAX_NUMBER_LENGTH and node.text.isdigit():
        return f"a number of {len(node.text):,} digits; at most {MAX_NUMBER_LENGTH} are read", ""
    hint = _explain_bare_key(error, node) if wanted == ["object"] else _explain_shape(wanted, node)
    return f"expected {names}, found {found_text(node)}", hint


def _wanted_types(error: BrokenRule) -> list[str]:
    """The types that would have been right, over all branches of an `anyOf`."""
    if error.validator == "anyOf":
        types = [name for branch in _branches(error) for inner in branch for name in _wanted_types(inner)]
        return list(dict.fromkeys(types))
    if error.validator in ("enum", "const"):
        return ["string"]
    wanted = error.schema.get("type", [])
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _explain_nothing(node: Node, schema: Schema) -> str:
    if isinstance(node, TextNode) and node.comment:
        return "'#' begins a comment: put quotes around a text that begins with it"
    if isinstance(node, TextNode) and node.text:
        return f"YAML reads {node.text} as nothing; put quotes around it if it is text"
    if any(one.get("type") == "string" and "minLength" not in one for one in schema.get("anyOf", ())):
        return "write '' for an empty text"
    return "write one, or remove the key"


def _explain_bare_key(error: BrokenRule, node: Node) -> str:
    """A hint for a key without ':' and value."""
    known = error.schema.get("properties", {})
    if isinstance(node, ListNode):
        return "remove the '- '" if known else "begin each with a name of its own and ':', instead of '- '"
    if not isinstance(node, TextNode) or not known:
        return ""
    if (glued := _KEY_AND_VALUE.fullmatch(node.text)) and glued["key"] in known:
        return f"write `{glued['key']}: {glued['value']}`, with ': ' between the two"
    if len(known) == 1 and _where(error) and node.text not in known:
        return f"write `{_where(error)[-1]}: {{{next(iter(known))}: {node.text}}}`"
    needed = error.schema.get("required", ())
    if len(needed) == 1 and len(node.text) <= 60 and find_similar(node.text, known) is None:
        return f"write `{needed[0]}: {node.text}`"
    return f"write `{node.text}: VALUE`" if node.text in known else suggest(node.text, known, kind="known are")


def _explain_shape(wanted: list[str], node: Node) -> str:
    if isinstance(node, TextNode):
        return _explain_text(wanted, node)
    if isinstance(node, MapNode) and "array" in wanted:
        return "begin each item with '- '"
    if "string" in wanted and isinstance(node, ListNode):
        only = node.items[0] if len(node.items) == 1 else None
        return f"write {only.text}, by itself" if isinstance(only, TextNode) else "write one text"
    return "put quotes around the text" if "string" in wanted else ""


def _explain_text(wanted: list[str], node: TextNode) -> str:
    text = node.text
    if "array" in wanted and "string" not in wanted:
        return f"write [{text}]" if node.plain and len(text) <= 40 else "begin each item with '- '"
    if "boolean" in wanted and _YES_OR_NO.fullmatch(text):
        return "write true or false"
    if not {"number", "integer"} & set(wanted):
        return ""
    if "${" in text:
        return "only texts are filled in from the environment"
    if not text.strip():
        return "it is empty: write a number"
    if not node.plain and isinstance(_read_plain(node), int | Decimal):
        return "remove the quotes" if _is_only_quoted(node) else "write only digits and a point, as in 1234.50"
    if _NOT_FINITE.fullmatch(text):
        return "infinity and NaN are not accepted"
    if _WITH_EXPONENT.fullmatch(text) and "number" in wanted:
        return _RANGE
    if _NUMBER_LIKE.fullmatch(text) and not _SHORT_NUMBER.fullmatch(text):
        return "write only digits and a point, as in 1234.50"
    return ""


def _enum(error: BrokenRule, node: Node) -> Words:
    if error.instance is None:
        return _type(error, node)
    known = [str(value) for value in error.validator_value]
    kind = error.schema.get("title", "value")
    text = node.text if isinstance(node, TextNode) else ""
    keys = error.schema.get("properties", {})
    glued = _KEY_AND_VALUE.fullmatch(text)
    if text in keys or (glued and glued["key"] in keys):
        return f"expected a mapping, found {found_text(node)}", _explain_bare_key(error, node)
    known = list(dict.fromkeys([*known, *keys]))
    message = f"unknown {kind} {quote(text)}" if text else f"expected one name, found {found_text(node)}"
    examples = error.schema.get("examples", ())
    if any(isinstance(one, dict) for one in examples) and find_similar(text, known) is None:
        # More than the words of the list can stand there.
        return message, f"known are {', '.join(map(show_flow, examples))}"
    return message, suggest(text, known, kind="known are")


def _const(error: BrokenRule, node: Node) -> Words:
    return f"must be {error.validator_value}, found {found_text(node)}", ""


def _limit(phrase: str) -> Callable[[BrokenRule, Node], Words]:
    def words(error: BrokenRule, node: Node) -> Words:
        return f"must be {phrase} {error.validator_value}, found {found_text(node)}", ""

    return words


def _too_short(error: BrokenRule, node: Node) -> Words:
    if error.validator_value == 1:
        return "is empty", _explain_nothing(node, {}) if isinstance(node, TextNode) and node.plain else ""
    return f"needs at least {error.validator_value}, has {len(error.instance)}", ""


def _too_long(unit: str) -> Callable[[BrokenRule, Node], Words]:
    def words(error: BrokenRule, _node: Node) -> Words:
        return f"{len(error.instance):,} {unit} are too many; the limit is {error.validator_value:,}", ""

    return words


def _too_many_keys(error: BrokenRule, node: Node) -> Words:
    if error.validator_value == 1:
        return f"{len(error.instance)} keys in one item", "begin each with '- ', as an item of its own"
    return _too_long("keys")(error, node)


def _pattern(error: BrokenRule, node: Node) -> Words:
    if isinstance(error.instance, str) and not error.instance.strip():
        return "is empty", ""
    if _where(error)[-1:] == _NEVER_SHOWN:
        return "this is not accepted here", hint_from(error.schema)
    return f"{found_text(node)} is not accepted here", hint_from(error.schema)


def _repeated(error: BrokenRule, _node: Node) -> Words:
    repeated = next(one for index, one in enumerate(error.instance) if one in error.instance[:index])
    return f"{quote(str(repeated))} is listed twice", "remove one of the two"


def _multiple(error: BrokenRule, node: Node) -> Words:
    return f"must be a multiple of {Decimal(str(error.validator_value))}, found {found_text(node)}", ""


_WORDS: dict[str, Callable[[BrokenRule, Node], Words]] = {
    "type": _type,
    "anyOf": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _limit("at least"),
    "maximum": _limit("at most"),
    "exclusiveMinimum": _limit("more than"),
    "exclusiveMaximum": _limit("less than"),
    "multipleOf": _multiple,
    "minLength": _too_short,
    "minItems": _too_short,
    "minProperties": _too_short,
    "maxLength": _too_long("characters"),
    "maxItems": _too_long("items"),
    "maxProperties": _too_many_keys,
    "pattern": _pattern,
    "uniqueItems": _repeated,
}
