"""The moves that a script can write, each from its YAML node."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from runner.server.inference import BreakOff, Expire, Fail, FunctionRequest, Refuse, ToolRequest
from runner.server.inference._scripted.reader import Reader, json_value
from runner.server.inference._scripted.script import Act, Call, Say, Stay, StuckIn
from runner.yaml_text import ListNode, MapNode, Node, TextNode

EXPIRE = "expire"
FAILURES = ("server_error", "rate_limit_exceeded", "invalid_prompt")
REASONS = ("max_completion_tokens", "max_prompt_tokens", "content_filter")
_CODE, _SEARCH = "code_interpreter", "file_search"
_WORD = re.compile(r"(?:【[^【】]*】|\S)+\s*|\s+")


def read_act(reader: Reader, kind: str, node: Node, beside: Mapping[str, Node]) -> Act | None:
    """The act of a kind in MOVES; `beside` are the other entries of its item."""
    act = _READERS[kind](reader, node)
    if isinstance(act, Call) and "saying" in beside:
        return Call(requests=act.requests, saying=reader.text(beside["saying"]) or "")
    return act


def _read_say(reader: Reader, node: Node) -> Act | None:
    if not isinstance(node, MapNode):
        pieces = _read_pieces(reader, node)
        return None if pieces is None else Say(pieces=pieces)
    entries = reader.mapping(node, ("text", "pause", "declined"), needed=("text",))
    if "text" not in entries:
        return None
    pieces = _read_pieces(reader, entries["text"])
    pause_s = reader.number(entries["pause"]) if "pause" in entries else 0.0
    declined = reader.flag(entries["declined"]) if "declined" in entries else False
    return None if pieces is None else Say(pieces=pieces, pause_s=pause_s or 0.0, declined=declined)


def _read_pieces(reader: Reader, node: Node) -> tuple[str, ...] | None:
    """The pieces as listed, or one text word by word."""
    if isinstance(node, ListNode):
        return reader.texts(node)
    text = reader.text(node, may_be_empty=True)
    return None if text is None else tuple(_WORD.findall(text))


def _read_call(reader: Reader, node: Node) -> Act | None:
    nodes = reader.items(node) if isinstance(node, ListNode) else (node,)
    requests = [_read_request(reader, one) for one in nodes]
    known = tuple(request for request in requests if request is not None)
    return Call(requests=known) if known else None


def _read_request(reader: Reader, node: Node) -> ToolRequest | FunctionRequest | None:
    if not isinstance(node, MapNode) or len(node.entries) != 1:
        reader.report(
            node, "expected one call", "write `- NAME: ARGUMENTS` for each call, and quotes around a text with commas"
        )
        return None
    ((name, arguments),) = node.entries
    if name.text == _CODE:
        code = reader.text(arguments)
        return None if code is None else ToolRequest(tool=_CODE, arguments={"code": code})
    if name.text == _SEARCH:
        return ToolRequest(tool=_SEARCH, arguments={"queries": list(reader.texts(arguments))})
    return FunctionRequest(name=name.text, arguments=_write_arguments(arguments))


def _write_arguments(node: Node) -> str:
    """A mapping as JSON; a text as it is, whatever it is: a model's arguments need not be JSON."""
    return node.text if isinstance(node, TextNode) else json.dumps(json_value(node))


def _read_refuse(reader: Reader, node: Node) -> Act | None:
    text = reader.text(node)
    return None if text is None else Refuse(text=text)


def _read_fail(reader: Reader, node: Node) -> Act | None:
    if not isinstance(node, MapNode):
        code = reader.choice(node, FAILURES, what="code")
        return None if code is None else Fail(code=code, message="The script says that the run fails.")
    entries = reader.mapping(node, ("code", "message"), needed=("code",))
    if "code" not in entries:
        return None
    code = reader.choice(entries["code"], FAILURES, what="code")
    message = reader.text(entries["message"]) if "message" in entries else None
    return None if code is None else Fail(code=code, message=message or "The script says that the run fails.")


def _read_incomplete(reader: Reader, node: Node) -> Act | None:
    if not isinstance(node, MapNode):
        reason = reader.choice(node, REASONS, what="reason")
        return None if reason is None else BreakOff(reason=reason)
    entries = reader.mapping(node, ("reason", "text"), needed=("reason",))
    if "reason" not in entries:
        return None
    reason = reader.choice(entries["reason"], REASONS, what="reason")
    text = reader.text(entries["text"]) if "text" in entries else None
    return None if reason is None else BreakOff(reason=reason, text=text or "")


def _read_expire(reader: Reader, node: Node) -> Act | None:
    if not isinstance(node, TextNode) or node.text != EXPIRE:
        reader.report(node, "'expire' takes no value", "write `- expire`")
        return None
    return Expire()


def _read_stay(reader: Reader, node: Node) -> Act | None:
    state = reader.choice(node, [state.value for state in StuckIn], what="state")
    return None if state is None else Stay(state=StuckIn(state))


_READERS: Mapping[str, Callable[[Reader, Node], Act | None]] = {
    "say": _read_say,
    "call": _read_call,
    "refuse": _read_refuse,
    "fail": _read_fail,
    "incomplete": _read_incomplete,
    EXPIRE: _read_expire,
    "stay": _read_stay,
}
MOVES = tuple(_READERS)
