"""Every mistake that a file's value makes against its schema, at its place and in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.broken_rules import BrokenRule, find_broken_rules
from runner.config.coerce import Schema
from runner.config.document import Document, Mistake, Where
from runner.config.keys import explain_missing_keys, explain_unfit_key, explain_unknown_keys
from runner.config.wording import describe
from runner.yaml_text import ListNode, MapNode, Node, TextNode


def validate(document: Document, root: Node, schema: Schema) -> None:
    """Report every mistake of the document's value, each once."""
    mistakes = [_explain_cut(where) for where in _find_cut_texts(root, document.value, ())]
    for broken in find_broken_rules(document.value, schema):
        mistakes += _explain(broken, document, schema)
    for mistake in dict.fromkeys(mistakes):
        document.report(mistake)


def _explain(broken: BrokenRule, document: Document, schema: Schema) -> Iterator[Mistake]:
    if broken.rule == "additionalProperties":
        yield from explain_unknown_keys(broken, schema)
    elif broken.rule == "required":
        yield from explain_missing_keys(broken)
    elif broken.is_about_key:
        yield explain_unfit_key(broken)
    elif not _is_follow_up(broken):
        message, hint = describe(broken, document.find(broken.where)[1])
        yield Mistake(where=broken.where, message=message, hint=hint)


def _is_follow_up(broken: BrokenRule) -> bool:
    """Whether there are too many keys only because some are unknown, which is reported by itself."""
    known = broken.schema.get("properties", {})
    return broken.rule == "maxProperties" and bool(known) and any(key not in known for key in broken.value)


def _find_cut_texts(node: Node, value: object, where: Where) -> Iterator[Where]:
    """Texts that an unquoted `#5` cut short: YAML takes the rest for a comment."""
    if isinstance(node, MapNode) and isinstance(value, dict):
        for key, below in node.entries:
            yield from _find_cut_texts(below, value[key.text], (*where, key.text))
    elif isinstance(node, ListNode) and isinstance(value, list):
        for index, below in enumerate(node.items):
            yield from _find_cut_texts(below, value[index], (*where, index))
    elif isinstance(node, TextNode) and isinstance(value, str) and node.comment[1:2].isalnum():
        yield where


def _explain_cut(where: Where) -> Mistake:
    message = "the text ends before '#', where a comment begins"
    return Mistake(where=where, message=message, hint="put quotes around the text, or a space after '#'")
