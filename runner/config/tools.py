"""`tools` of an assistant to Tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from runner.config.document import Document, Mistake, Where
from runner.config.suggest import quote, suggest
from runner.config.tool_schema import ALWAYS, APPROVE_ALL, NEVER, RETRIEVAL
from runner.domain.assistant import McpServer, Tool, ToolName, WebSearch
from runner.domain.hosts import is_loopback
from runner.yaml_text import TextNode

_SECRET = "${secret:"

_Body = Mapping[str, Any]


def read_tools(document: Document, body: _Body, where: Where) -> tuple[Tool, ...]:
    """The tools of the assistant at `where`; () after reporting that they can't be read."""
    where = (*where, "tools")
    if "tools" not in body or not document.is_sound(where):
        return ()
    tools = tuple(_read_tool(document, item, (*where, index)) for index, item in enumerate(body["tools"]))
    _report_repetitions(document, tools, where)
    return tools


def _read_tool(document: Document, item: object, place: Where) -> Tool:
    written, options = next(iter(item.items())) if isinstance(item, dict) else (str(item), None)
    name = ToolName.FILE_SEARCH if written == RETRIEVAL else ToolName(written)
    options_place = (*place, written)
    if name is ToolName.MCP and options is None:
        hint = "write `mcp: {server_label: NAME, server_url: ADDRESS}`"
        document.report(Mistake(where=place, message="the tool mcp needs a server", hint=hint))
    return Tool(
        name=name,
        max_num_results=options.get("max_num_results") if options else None,
        web_search=_read_web_search(options) if name is ToolName.WEB_SEARCH and options else None,
        mcp=_read_mcp(document, options, options_place) if name is ToolName.MCP and options else None,
        location=document.location(place),
    )


def _read_web_search(options: _Body) -> WebSearch:
    return WebSearch(
        context_size=options.get("search_context_size"),
        allowed_domains=tuple(options.get("allowed_domains", ())),
        user_location=options.get("user_location"),
        is_live=options.get("external_web_access"),
    )


def _read_mcp(document: Document, options: _Body, place: Where) -> McpServer:
    _check_address(document, options, place)
    _check_authorization(document, options, place)
    _check_approval(document, options, place)
    _check_names(document, options, place)
    required = options.get("require_approval")
    approved = options.get("approve", ())
    return McpServer(
        label=options["server_label"],
        url=options["server_url"],
        description=options.get("server_description", ""),
        authorization=options.get("authorization", ""),
        headers=dict(options.get("headers", {})),
        allowed_tools=tuple(options.get("allowed_tools", ())),
        require_approval={word: tuple(names) for word, names in required.items()}
        if isinstance(required, dict)
        else required,
        approved_tools=None if approved == APPROVE_ALL else frozenset(approved),
    )


def _check_address(document: Document, options: _Body, place: Where) -> None:
    url = str(options["server_url"])
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    where = (*place, "server_url")
    if not is_usable or not url.isascii() or not url.isprintable() or " " in url:
        hint = "write it as in https://tools.example.org/mcp"
        document.report(Mistake(where=where, message="this is no address of a server", hint=hint))
    elif parts.username or parts.password:
        message = "an address must not hold a name or password"
        document.report(Mistake(where=where, message=message, hint="use `authorization` or `headers`"))
    elif (
        parts.scheme == "http" and not is_loopback(parts.hostname or "") and {"authorization", "headers"} & set(options)
    ):
        message = "what `authorization` and `headers` hold would go over the network unprotected"
        document.report(Mistake(where=where, message=message, hint="use https"))


def _check_authorization(document: Document, options: _Body, place: Where) -> None:
    """A token must not stand in the file: nothing would keep it out of output."""
    where = (*place, "authorization")
    written = document.find(where)[1]
    if "authorization" in options and not (isinstance(written, TextNode) and _SECRET in written.text):
        hint = "put it into an environment variable, and write ${secret:NAME}"
        document.report(Mistake(where=where, message="an access token is written out in the file", hint=hint))
    named = [name for name in options.get("headers", {}) if name.lower() == "authorization"]
    if named and "authorization" in options:
        message = f"`authorization` and the header {named[0]} exclude each other"
        document.report(Mistake(where=where, at_key=True, message=message, hint="remove one of them"))


def _check_approval(document: Document, options: _Body, place: Where) -> None:
    """Nothing is asked about tools that need no approval, so approving them is a misunderstanding."""
    if options.get("require_approval") == NEVER and "approve" in options:
        hint = "remove one of them: each lets the tools be called"
        message = "`approve` has no effect beside `require_approval: never`"
        document.report(Mistake(where=(*place, "approve"), at_key=True, message=message, hint=hint))
    required = options.get("require_approval")
    if isinstance(required, dict):
        for name in sorted({*required.get(ALWAYS, ())} & {*required.get(NEVER, ())}):
            message = f"{quote(name)} can't need approval always and never"
            document.report(Mistake(where=(*place, "require_approval"), message=message, hint="remove it from one"))


def _check_names(document: Document, options: _Body, place: Where) -> None:
    """What is said about tools has to be about those that the model gets to see."""
    allowed = options.get("allowed_tools", ())
    for where, name in _named_tools(options, place) if allowed else ():
        if name not in allowed:
            hint = suggest(name, allowed, kind="allowed are")
            document.report(Mistake(where=where, message=f"{quote(name)} is not among `allowed_tools`", hint=hint))


def _named_tools(options: _Body, place: Where) -> Iterator[tuple[Where, str]]:
    lists: dict[Where, object] = {(*place, "approve"): options.get("approve")}
    required = options.get("require_approval")
    if isinstance(required, dict):
        lists |= {(*place, "require_approval", word): names for word, names in required.items()}
    for where, names in lists.items():
        for index, name in enumerate(names if isinstance(names, list) else ()):
            yield (*where, index), name


def _report_repetitions(document: Document, tools: tuple[Tool, ...], where: Where) -> None:
    seen: set[tuple[ToolName, str]] = set()
    for index, tool in enumerate(tools):
        label = tool.mcp.label if tool.mcp else ""
        if (tool.name, label) in seen and label:
            place: Where = (*where, index, tool.name.value, "server_label")
            message = f"the label {quote(label)} is used for two servers"
            document.report(Mistake(where=place, message=message, hint="labels must be unique"))
        elif (tool.name, label) in seen:
            message = f"the tool {tool.name.value} is listed twice"
            document.report(Mistake(where=(*where, index), message=message, hint="keep one of them"))
        seen.add((tool.name, label))
