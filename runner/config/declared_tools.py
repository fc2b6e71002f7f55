"""`tools` of an assistant: their schema, and Tools out of what is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.did_you_mean import quote, suggest
from runner.domain.assistant import McpServer, Tool, ToolName, WebSearch
from runner.domain.hosts import AddressFault, find_address_fault, is_open_road
from runner.yaml_text import TextNode
from runner.yaml_text.yaml_document import Mistake, Where, YamlDocument

_SECRET = "${secret:"

_Body = Mapping[str, Any]

RETRIEVAL = "retrieval"
"""File search's name in 2023."""
MAX_RESULTS = 50
APPROVE_ALL = "all"
ALWAYS = "always"
NEVER = "never"
_MAX_ITEMS = 100
_Json = dict[str, Any]


def read_tools(document: YamlDocument, body: _Body, where: Where) -> tuple[Tool, ...]:
    """The tools of the assistant at `where`; () after reporting that they can't be read."""
    where = (*where, "tools")
    if "tools" not in body or not document.is_sound(where):
        return ()
    tools = tuple(_read_tool(document, item, (*where, index)) for index, item in enumerate(body["tools"]))
    _report_repetitions(document, tools, where)
    return tools


def _read_tool(document: YamlDocument, item: object, place: Where) -> Tool:
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


def _read_mcp(document: YamlDocument, options: _Body, place: Where) -> McpServer:
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


def _check_address(document: YamlDocument, options: _Body, place: Where) -> None:
    url = str(options["server_url"])
    where = (*place, "server_url")
    fault = find_address_fault(url)
    if fault is AddressFault.GOES_ON:
        fault = None
    if fault is None and not url.isascii():
        fault = AddressFault.NO_ADDRESS
    if fault is not None:
        is_password = fault is AddressFault.PASSWORD
        hint = "use `authorization` or `headers`" if is_password else "write it as in https://tools.example.org/mcp"
        document.report(Mistake(where=where, message=f"this {fault.value}", hint=hint))
    elif is_open_road(url) and {"authorization", "headers"} & set(options):
        message = "what `authorization` and `headers` hold would go over the network unprotected"
        document.report(Mistake(where=where, message=message, hint="use https"))


def _check_authorization(document: YamlDocument, options: _Body, place: Where) -> None:
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


def _check_approval(document: YamlDocument, options: _Body, place: Where) -> None:
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


def _check_names(document: YamlDocument, options: _Body, place: Where) -> None:
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


def _report_repetitions(document: YamlDocument, tools: tuple[Tool, ...], where: Where) -> None:
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


def tool() -> _Json:
    """One item of an assistant's `tools`."""
    options = {
        ToolName.CODE_INTERPRETER: _described(_mapping({}), "Runs code that the model writes; it has no options."),
        ToolName.FILE_SEARCH: _described(_file_search(), "Looks things up in the assistant's and the thread's files."),
        ToolName.MCP: _described(_mcp(), "Calls the tools of a server that speaks the Model Context Protocol."),
        ToolName.WEB_SEARCH: _described(_web_search(), "Searches the web."),
    }
    forms = {name.value: form for name, form in options.items()}
    return {
        "anyOf": [
            {"enum": [*forms, RETRIEVAL], "title": "tool"},
            {
                **_mapping({**forms, RETRIEVAL: _described(_file_search(), "The name of file_search in 2023.")}),
                "title": "tool",
                "minProperties": 1,
                "maxProperties": 1,
            },
        ],
        "description": "A tool's name, or a mapping of it to its options.",
    }


def _described(body: _Json, description: str) -> _Json:
    return {**body, "description": description}


def _file_search() -> _Json:
    return _mapping(
        {
            "max_num_results": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_RESULTS,
                "examples": [5],
                "description": "How many passages a search gives at most.",
            }
        }
    )


def _web_search() -> _Json:
    return _mapping(
        {
            "search_context_size": {
                "enum": ["low", "medium", "high"],
                "title": "size",
                "description": "How much of what is found the model gets to read.",
            },
            "allowed_domains": _names(
                {
                    "type": "string",
                    "pattern": r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$",
                    "maxLength": 253,
                    "description": "A domain, as in example.org; its subdomains are meant too.",
                },
                "Where alone to search.",
            ),
            "user_location": {
                **_mapping(
                    {
                        "country": {
                            "type": "string",
                            "pattern": "^[A-Z]{2}$",
                            "description": "Two capital letters, as in NO.",
                        },
                        "region": _text("A region of the country."),
                        "city": _text("A city."),
                        "timezone": _text("A time zone, as in Europe/Oslo."),
                    }
                ),
                "description": "Where the user is, roughly; {} for nowhere in particular.",
            },
            "external_web_access": {
                "type": "boolean",
                "description": "False keeps to pages that the API has already.",
            },
        }
    )


def _mcp() -> _Json:
    names = _names(_text("The name of a tool of that server."), "Tools of that server, by name.")
    return _mapping(
        {
            "server_label": {
                "type": "string",
                "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$",
                "description": "What the server is called in this file: a letter, then up to 63 letters, digits, "
                "'_' or '-'.",
            },
            "server_url": _text("The server's address: the API connects to it, not this machine.", longest=2000),
            "server_description": _text("What the model is told about the server.", longest=1000),
            "authorization": _text("An access token for the server: ${secret:NAME}.", longest=16_384),
            "headers": {
                "type": "object",
                "description": "Headers that the API sends to the server. Keep keys out of the file: ${secret:NAME}.",
                "minProperties": 1,
                "propertyNames": {
                    "pattern": r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$",
                    "description": "The name of a header has letters, digits and '-'.",
                },
                "additionalProperties": {
                    "type": "string",
                    "pattern": r"^[!-~]([ -~]*[!-~])?$",
                    "maxLength": 16_384,
                    "description": "The value of a header is one line of ASCII.",
                },
            },
            "allowed_tools": {**names, "description": "The only tools of that server that the model gets to see."},
            "require_approval": {
                "anyOf": [
                    {"enum": [ALWAYS, NEVER], "title": "approval"},
                    {**_mapping({ALWAYS: names, NEVER: names}), "minProperties": 1},
                ],
                "description": "Which calls the API asks about before it makes them; all of them by default.",
            },
            "approve": {
                "anyOf": [{"enum": [APPROVE_ALL], "title": "approval"}, names],
                "description": "Tools whose calls are approved when the API asks; all others are denied.",
            },
        },
        required=["server_label", "server_url"],
    )


def _names(item: _Json, description: str) -> _Json:
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": _MAX_ITEMS,
        "uniqueItems": True,
        "items": item,
        "description": description,
    }


def _text(description: str, *, longest: int = 256) -> _Json:
    return {"type": "string", "minLength": 1, "maxLength": longest, "description": description}


def _mapping(properties: _Json, *, required: list[str] | None = None) -> _Json:
    body: _Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**body, "required": required} if required else body
