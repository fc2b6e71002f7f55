"""The parts of the files' JSON Schemas that are about functions, composed from the ways to answer them."""

from __future__ import annotations

from functools import cache
from typing import Any

from runner.plugins import load_plugin, plugin_names

FUNCTIONS = "runner.functions"
MAX_DESCRIPTION_LENGTH = 10_000
NAME_PATTERN = r"^[a-zA-Z0-9_-]{1,64}$"
NAME_WORDS = "1 to 64 letters, digits, '_' or '-'."

_Json = dict[str, Any]


@cache
def answer_forms() -> _Json:
    """What can stand under each way to answer, by its name."""
    modules = {name: load_plugin(FUNCTIONS, name) for name in plugin_names(FUNCTIONS)}
    return {name: _forms(module.SCHEMA, module.MAIN_FIELD) for name, module in modules.items()}


def declared_function() -> _Json:
    """One item of an assistant's `functions`."""
    return {
        "type": "object",
        "title": "key",
        "description": "A function that the assistant can call, and how the call is answered.",
        "properties": {
            "name": {"type": "string", "pattern": NAME_PATTERN, "description": f"The function's name: {NAME_WORDS}"},
            "description": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_DESCRIPTION_LENGTH,
                "description": "What the model is told about it.",
            },
            "parameters": {
                "type": "object",
                "description": "A JSON Schema of the arguments, with `type: object`; none by default.",
            },
            "strict": {"type": "boolean", "description": "True has the API keep the model to the schema."},
            **answer_forms(),
        },
        "required": ["name"],
        "additionalProperties": False,
    }


def answers_by_name() -> _Json:
    """A scenario's `functions`; each is one `function_answer`."""
    return {
        "type": "object",
        "description": "How functions of the assistant are answered here, by their names.",
        "propertyNames": {"pattern": NAME_PATTERN, "description": f"A function's name is {NAME_WORDS}"},
        "additionalProperties": {"$ref": "#/$defs/function_answer"},
    }


def function_answer() -> _Json:
    """One way to answer, by its name."""
    return {
        "type": "object",
        "description": "How a function is answered.",
        "properties": answer_forms(),
        "additionalProperties": False,
    }


def _forms(full: _Json, main_field: str) -> _Json:
    """The value of the main field, or a mapping, which is always the full form."""
    main = full["properties"][main_field]
    kinds = main["type"] if isinstance(main["type"], list) else [main["type"]]
    # A bare `null` is more likely a value that was forgotten.
    short = {**main, "type": [kind for kind in kinds if kind not in ("object", "null")]}
    return {"anyOf": [short, full], "description": full["description"]}
