"""What a response says of MCP servers: the calls of their tools, calls that wait for consent, servers that are down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.backends._reading import Json, identifier, optional_text, part, parts, text
from runner.domain.assistant import Tool, ToolName
from runner.domain.conversation import Step

MCP = ToolName.MCP.value
LONGEST_OUTPUT = 256 * 1024
"""Characters of a result that are kept. The model has read all of it already; it goes into reports."""
_COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A call of an MCP tool that waits for somebody's consent."""

    id: str
    server: str
    tool: str
    arguments: str

    @property
    def name(self) -> str:
        return f"{self.server}.{self.tool}"


def is_approved(request: ApprovalRequest, tools: Iterable[Tool]) -> bool:
    """Whether the file approves the call: it has to say so for this tool of this server."""
    servers = (tool.mcp for tool in tools if tool.mcp is not None)
    return any(server.label == request.server and server.approves(request.tool) for server in servers)


def read_mcp_call(body: Json) -> Step:
    error = _read_error(body)
    is_completed = optional_text(body, "status") in (_COMPLETED, None) and not error
    output = optional_text(body, "output") or ""
    return Step(
        tool=MCP,
        label=f"{text(body, 'server_label')}.{text(body, 'name')}",
        completed=is_completed,
        input=optional_text(body, "arguments") or "",
        output=f"the call failed: {error}" if error else _cut(output),
    )


def read_mcp_tools(body: Json) -> Step | None:
    """A list of tools is no work of theirs; that there is none, because their server is down, is worth a step."""
    error = _read_error(body)
    if not error:
        return None
    label = text(body, "server_label")
    return Step(tool=MCP, label=label, completed=False, output=f"the server says nothing about its tools: {error}")


def read_approval_request(body: Json) -> ApprovalRequest:
    return ApprovalRequest(
        id=identifier(body),
        server=text(body, "server_label"),
        tool=text(body, "name"),
        arguments=optional_text(body, "arguments") or "",
    )


def _read_error(body: Json) -> str:
    """ "" for none. It is text, or an object with a message or with parts of text."""
    error = body.get("error")
    if not isinstance(error, Mapping):
        return _cut(optional_text(body, "error") or "")
    said = [optional_text(row, "text") or "" for row in parts(error, "content")]
    message = optional_text(part(body, "error"), "message") or "\n".join(said)
    return _cut(message) or "no reason is given"


def _cut(said: str) -> str:
    if len(said) <= LONGEST_OUTPUT:
        return said
    return f"{said[:LONGEST_OUTPUT]}\n[cut off: {len(said):,} characters in all]"
