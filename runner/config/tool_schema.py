"""The part of the files' JSON Schema that is about an assistant's hosted tools."""

from __future__ import annotations

from typing import Any

from runner.domain.assistant import ToolName

RETRIEVAL = "retrieval"
"""File search's name in 2023."""
MAX_RESULTS = 50
APPROVE_ALL = "all"
ALWAYS = "always"
NEVER = "never"

_MAX_ITEMS = 100
_Json = dict[str, Any]


def tool() -> _Json:
    """One item of an assistant's `tools`."""
    options = {
        ToolName.CODE_INTERPRETER: _mapping({}),
        ToolName.FILE_SEARCH: _file_search(),
        ToolName.MCP: _mcp(),
        ToolName.WEB_SEARCH: _web_search(),
    }
    forms = {name.value: form for name, form in options.items()}
    return {
        "anyOf": [
            {"enum": [*forms, RETRIEVAL], "title": "tool"},
            {
                **_mapping({**forms, RETRIEVAL: _file_search()}),
                "title": "tool",
                "minProperties": 1,
                "maxProperties": 1,
            },
        ],
        "description": "A tool's name, or a mapping of it to its options.",
    }


def _file_search() -> _Json:
    return _mapping(
        {
            "max_num_results": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_RESULTS,
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
