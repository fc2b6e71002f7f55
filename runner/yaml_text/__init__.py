"""YAML as a tree of texts, each with its line and column; nothing is typed and nothing is constructed.

What YAML would guess at or expand without bound is refused: duplicate and merge keys, tags, several documents, deep
nesting, aliases that grow too far. Every mistake is a Problem; no input is answered with a traceback or a long wait.
Not here: what the texts mean (`config/`).
"""

from __future__ import annotations

from pathlib import Path

from runner.errors import Problem
from runner.yaml_text.file_text import read_text
from runner.yaml_text.tree import ListNode, MapNode, Node, Parsed, Style, TextNode, parse_yaml

__all__ = ["ListNode", "MapNode", "Node", "Parsed", "Style", "TextNode", "parse_yaml", "read_text", "read_yaml"]


def read_yaml(path: Path, *, file: str) -> Parsed:
    """The tree of a file on disk; `file` is its name in problems."""
    text = read_text(path, file=file)
    return Parsed(root=None, problems=(text,)) if isinstance(text, Problem) else parse_yaml(text, file=file)
