"""YAML files: as a tree of texts, each with its line and column, and held to a JSON Schema; nothing is constructed.

What YAML would guess at or expand without bound is refused: duplicate and merge keys, tags, several documents, deep
nesting, aliases that grow too far. Every mistake is a Problem; no input is answered with a traceback or a long wait.
`reading` holds a file to a JSON Schema: texts become values (`yaml_document`), mistakes become words
(`schema_mistakes`). Not here: any key of ours; who reads a file brings its schema.
"""

from __future__ import annotations

from runner.yaml_text.tree import ListNode, MapNode, Node, Parsed, Style, TextNode, parse_yaml
from runner.yaml_text.yaml_document import read_text, read_yaml

__all__ = ["ListNode", "MapNode", "Node", "Parsed", "Style", "TextNode", "parse_yaml", "read_text", "read_yaml"]
