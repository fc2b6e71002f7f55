"""Change single values in the text of `assistants.yaml` and leave every other character as it is.

Text in, text out. What can't be changed without guessing (an alias, a value that others refer to, a placeholder)
is refused with a reason; whoever writes the result to the disk loads it again before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.config.declared_tools import RETRIEVAL
from runner.domain.assistant import Tool, ToolName
from runner.yaml_text import ListNode, MapNode, Node, Style, TextNode, parse_yaml
from runner.yaml_text.yaml_document import coerce, show_flow, show_text

STEP = 2
"""Spaces by which what is written here is indented below its key."""
_PLACEHOLDER = re.compile(r"(?<!\$)\$\{")

Value = str | Decimal | tuple[Tool, ...]
_Entry = tuple[TextNode, Node]


class Unwritable(Exception):
    """A value that has to be changed by hand; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEdit:
    """A new value for one key of an assistant, or None to take the key out. `path` has one or two keys."""

    path: tuple[str, ...]
    value: Value | None


@dataclass(frozen=True, slots=True)
class _Patch:
    """Characters to replace: offsets, end exclusive."""

    start: int
    end: int
    text: str


def edit_assistant(text: str, address: str, edit: FieldEdit) -> str:
    """The text with one value changed. `text` is one that loads. Raises Unwritable."""
    body = _find_body(text, address)
    *groups, key = edit.path
    mapping, owner = body, None
    if groups:
        owner = body.find(groups[0])
        if owner is None:
            return text if edit.value is None else _add_group(text, body, groups[0], key, edit.value)
        _refuse_shared(text, owner[1])
        assert isinstance(owner[1], MapNode), "the text loads"
        mapping = owner[1]
    found = mapping.find(key)
    if edit.value is None:
        if found is None:
            return text
        is_alone = owner is not None and len(mapping.entries) == 1
        patches = [_take_out(text, body, owner) if is_alone and owner else _take_out(text, mapping, found)]
    elif found is None:
        patches = [_add(text, mapping, key, edit.value)]
    elif isinstance(edit.value, tuple):
        patches = _change_tools(text, body, found, edit.value)
    else:
        patches = [_change(text, mapping, found, edit.value)]
    return _apply(text, patches)


def find_instructions_file(text: str, address: str) -> str | None:
    """The path that stands under an assistant's `instructions_file`. Raises Unwritable if a placeholder is in it."""
    found = _find_body(text, address).find("instructions_file")
    if found is None:
        return None
    path = found[1]
    assert isinstance(path, TextNode), "the text loads"
    if path.span.is_alias or "${" in path.text:
        raise Unwritable("the path of its instructions_file is an alias or has a placeholder in it")
    return path.text


def add_assistants(text: str, entries: Sequence[str]) -> str:
    """The text with further assistants at the end of its `assistants`. Raises Unwritable.

    Each entry is lines of YAML as at the left margin, beginning with its address, ending with a newline.
    """
    assistants = _find_assistants(text)
    if assistants.span.is_alias or assistants.style is not Style.BLOCK:
        raise Unwritable("its `assistants` is not written as a block, one below the other")
    if assistants.entries[-1][1].span.is_alias:
        raise Unwritable("its last assistant is an alias")
    margin = " " * _indent(assistants.entries[0][0])
    place = _line_end(text, assistants.span.end)
    blocks = [
        "\n" + "\n".join(margin + line if line else "" for line in one.rstrip("\n").split("\n")) for one in entries
    ]
    return _apply(text, [_Patch(place, place, "\n" + "\n".join(blocks))])


def protect(text: str) -> str:
    """Text in which `${` means nothing, as a value in a file."""
    return text.replace("${", "$${")


def show_tool(tool: Tool) -> str:
    if tool.max_num_results is None:
        return tool.name.value
    return f"{tool.name.value}: {{max_num_results: {tool.max_num_results}}}"


def show_tools(tools: Sequence[Tool]) -> str:
    """A list of tools on one line."""
    items = [show_tool(one) if one.max_num_results is None else f"{{{show_tool(one)}}}" for one in tools]
    return f"[{', '.join(items)}]"


def _find_assistants(text: str) -> MapNode:
    root = parse_yaml(text, file="").root
    found = root.find("assistants") if isinstance(root, MapNode) else None
    assert found is not None, "the text loads"
    assert isinstance(found[1], MapNode), "the text loads"
    return found[1]


def _find_body(text: str, address: str) -> MapNode:
    assistants = _find_assistants(text)
    found = assistants.find(address)
    if found is None or found[1].span.is_alias or assistants.span.is_alias:
        raise Unwritable("it is an alias of another assistant")
    _refuse_shared(text, found[1])
    assert isinstance(found[1], MapNode), "the text loads"
    return found[1]


def _refuse_shared(text: str, node: Node) -> None:
    if node.span.is_alias:
        raise Unwritable("it is an alias, and what it stands for is used elsewhere too")
    if text.startswith("&", node.span.start):
        raise Unwritable("it has an anchor, by which it is used elsewhere too")


def _indent(node: Node) -> int:
    """How many characters stand before a node on its line."""
    return node.column - 1


def _change(text: str, mapping: MapNode, entry: _Entry, value: Value) -> _Patch:
    key, old = entry
    _refuse_shared(text, old)
    # A word may take a mapping's place: `response_format`.
    if _PLACEHOLDER.search(old.text if isinstance(old, TextNode) else text[old.span.start : old.span.end]):
        raise Unwritable("a placeholder is in it, which would be lost")
    if isinstance(value, str) and isinstance(old, TextNode) and _is_block(old) and old.text.endswith("\n"):
        value = value.removesuffix("\n") + "\n"
    return _Patch(old.span.start, old.span.end, _show(value, old.style, _find_indent(text, old, key), mapping.style))


def _add(text: str, mapping: MapNode, key: str, value: Value) -> _Patch:
    last = mapping.entries[-1][1]
    column = _indent(mapping.entries[-1][0])
    name = show_flow(key)
    shown = f"{name}: {_show(value, Style.PLAIN, column + STEP, mapping.style)}"
    return _insert(text, mapping, last, column, shown)


def _add_group(text: str, body: MapNode, group: str, key: str, value: Value | None) -> str:
    """A mapping that isn't there yet, with its first key."""
    assert value is not None, "there is something to add"
    last_key, last = body.entries[-1]
    column = _indent(last_key)
    name = show_flow(key)
    if body.style is Style.FLOW:
        shown = f"{group}: {{{name}: {_show(value, Style.PLAIN, 0, Style.FLOW)}}}"
    else:
        inner = column + STEP
        shown = f"{group}:\n{' ' * inner}{name}: {_show(value, Style.PLAIN, inner + STEP, Style.BLOCK)}"
    return _apply(text, [_insert(text, body, last, column, shown)])


def _insert(text: str, collection: MapNode | ListNode, last: Node, column: int, shown: str) -> _Patch:
    """Something new behind the last entry or item: before the comments that follow it, for they may be the next's."""
    if last.span.is_alias:
        raise Unwritable("the value before it is an alias")
    if collection.style is Style.FLOW:
        return _Patch(last.span.end, last.span.end, f", {shown}")
    place = _line_end(text, last.span.end)
    return _Patch(place, place, f"\n{' ' * column}{shown}")


def _take_out(text: str, mapping: MapNode, entry: _Entry) -> _Patch:
    key, value = entry
    _refuse_shared(text, value)
    if mapping.style is Style.BLOCK:
        return _take_out_lines(text, key.span.start, value.span.end)
    index = mapping.entries.index(entry)
    if index + 1 < len(mapping.entries):
        return _Patch(key.span.start, mapping.entries[index + 1][0].span.start, "")
    return _Patch(mapping.entries[index - 1][1].span.end if index else key.span.start, value.span.end, "")


def _take_out_lines(text: str, start: int, end: int) -> _Patch:
    first = text.rfind("\n", 0, start) + 1
    if text[first:start].strip(" -"):
        raise Unwritable("something else stands on its line")
    after = text.find("\n", end) + 1
    return _Patch(first, after or len(text), "")


def _change_tools(text: str, body: MapNode, entry: _Entry, wanted: tuple[Tool, ...]) -> list[_Patch]:
    """Patches for a list of tools: items that stay are not touched."""
    written = entry[1]
    _refuse_shared(text, written)
    assert isinstance(written, ListNode), "the text loads"
    if not wanted:
        return [_take_out(text, body, entry)]
    if written.style is Style.FLOW:
        if "#" in text[written.span.start : written.span.end]:
            raise Unwritable("there are comments inside of its list")
        return [_Patch(written.span.start, written.span.end, show_tools(wanted))]
    missing = {tool.name: tool for tool in wanted}
    patches = []
    for item in written.items:
        _refuse_shared(text, item)
        name, options = _read_tool(item)
        tool = missing.pop(name, None)
        if tool is None:
            patches.append(_take_out_lines(text, item.span.start, item.span.end))
        elif options != tool.max_num_results:
            patches.append(_Patch(item.span.start, item.span.end, show_tool(tool)))
    if missing:
        last = written.items[-1]
        shown = f"\n{' ' * _indent(written)}".join(f"- {show_tool(one)}" for one in missing.values())
        patches.append(_insert(text, written, last, _indent(written), shown))
    return patches


def _read_tool(item: Node) -> tuple[ToolName, int | None]:
    if isinstance(item, TextNode):
        return _tool_name(item), None
    assert isinstance(item, MapNode), "the text loads"
    ((name, options),) = item.entries
    said = options.find("max_num_results") if isinstance(options, MapNode) else None
    most = coerce(said[1], {"type": "integer"}, {}) if said else None
    return _tool_name(name), most if isinstance(most, int) else None


def _tool_name(written: TextNode) -> ToolName:
    return ToolName.FILE_SEARCH if written.text == RETRIEVAL else ToolName(written.text)


def _is_block(node: Node) -> bool:
    return node.style in (Style.LITERAL, Style.FOLDED)


def _find_indent(text: str, old: Node, key: TextNode) -> int:
    """Of a block's lines: that of the old ones, where there are any."""
    found = re.search(r"\n( *)\S", text[old.span.start : old.span.end]) if _is_block(old) else None
    margin = _indent(key)
    return len(found[1]) if found and len(found[1]) > margin else margin + STEP


def _show(value: Value, style: Style, indent: int, around: Style) -> str:
    """A value inside of a collection written as `around`; the lines of a block get `indent` spaces."""
    if isinstance(value, tuple):
        return show_tools(value)
    if isinstance(value, Decimal):
        return str(value)
    return show_text(protect(value), style, indent=indent, in_flow=around is Style.FLOW)


def _line_end(text: str, at: int) -> int:
    """Where the line ends that `at` is on: at its line break, or at the text's end."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return end - 1 if text[end - 1 : end] == "\r" else end


def _apply(text: str, patches: Sequence[_Patch]) -> str:
    line_break = "\r\n" if "\r\n" in text else "\n"
    for patch in sorted(patches, key=lambda one: (one.start, one.end), reverse=True):
        text = text[: patch.start] + patch.text.replace("\n", line_break) + text[patch.end :]
    return text
