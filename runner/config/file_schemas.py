"""The JSON Schemas of both kinds of file, composed from what is there: checks and APIs come from their plug-ins."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import Any

from runner.checks._packages import load_check
from runner.config.declared_targets import judge_schema, target_schema
from runner.config.declared_tools import (
    MAX_DESCRIPTION_LENGTH,
    NAME_PATTERN,
    NAME_WORDS,
    answers_by_name,
    declared_function,
    function_answer,
    mapping,
    tool,
)
from runner.config.expectations import CHECKS, expect_schema, expectation_schema
from runner.domain.assistant import PlainFormat
from runner.domain.files import MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS, FileUse
from runner.plugins import plugin_names

_SCHEMAS_KEPT = 64
DIALECT = "https://json-schema.org/draft/2020-12/schema"

MAX_NAME_LENGTH = 256
# Names of scenarios become parts of file names, on any system.
UNFIT_CHARACTERS = '/\\:*?"<>|'
UNFIT_WORDS = " ".join(UNFIT_CHARACTERS)
MAX_TEXT_LENGTH = 256_000
MAX_METADATA_KEYS = 12
"""The API takes 16 keys; four are ours."""
MAX_TIMEOUT_S = 86_400
MAX_REPEAT = 1000
MAX_OUTPUT_TOKENS = 10_000_000
"""More than any model says: larger is a slip of the hand."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_IDENTIFIER_WORDS = "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit."

_Json = dict[str, Any]


@cache
def assistants_schema() -> _Json:
    """The schema of `assistants.yaml`."""
    return _file(
        "assistants",
        "What assistants.yaml declares.",
        mapping(
            {
                "version": {"const": 1, "description": "The version of this file's format: 1.", "examples": [1]},
                "namespace": {
                    "type": "string",
                    "pattern": _IDENTIFIER,
                    "examples": ["travel-demo-5c1e07"],
                    "description": f"Tags everything that this file owns remotely: {_IDENTIFIER_WORDS}",
                },
                "target": {
                    **_text("Where to run by default: 'embedded', or one of `targets`.", example="local"),
                    "default": "embedded",
                },
                "baseline": _text(
                    "A JSON report that each play is compared with at its end: FILE, or REF:FILE at a git ref.",
                    example="reports/baseline.json",
                ),
                "targets": {
                    "type": "object",
                    "examples": [{"openai": {"api": "responses"}}],
                    "description": "Where assistants can run, besides the built-in 'embedded'.",
                    "propertyNames": _name_of("A target's name"),
                    "additionalProperties": {"$ref": "#/$defs/target"},
                },
                "prices": {
                    "type": "object",
                    "examples": [{"gpt-6-luna": {"input": 0.1, "output": 0.4}}],
                    "description": "What models cost, by the name that the API gives them in its answers: for those "
                    "that genai-prices doesn't know, or has another price of.",
                    "additionalProperties": {"$ref": "#/$defs/price"},
                },
                "judge": judge_schema(),
                "assistants": {
                    "type": "object",
                    "examples": [{"guide": {"model": "gpt-6-luna"}}],
                    "description": "The assistants, each under its address: a stable handle.",
                    "minProperties": 1,
                    "propertyNames": _name_of("An address"),
                    "additionalProperties": {"$ref": "#/$defs/assistant"},
                },
            },
            required=["version", "namespace", "assistants"],
        ),
        {
            "target": target_schema(),
            "assistant": _assistant(),
            "price": _price(),
            "tool": tool(),
            "function": declared_function(),
        },
    )


@lru_cache(maxsize=_SCHEMAS_KEPT)
def scenario_schema(checks: frozenset[str] | None = None) -> _Json:
    """The schema of a scenario file: one scenario at the top, or several under `scenarios`.

    Of checks it has all, or those alone that are named: a play loads no more of them than its files use.
    """
    one = _scenario_keys()
    own = {"name", "description", "turns", "cases"}
    shared = {key: schema for key, schema in one.items() if key not in own}
    several: _Json = {
        "scenarios": {
            "type": "array",
            "minItems": 1,
            "examples": [[{"name": "hello", "turns": [{"ask": "Hello!"}], "smoke": True}]],
            "description": "Several scenarios, each with a name.",
            "items": mapping({**one, "name": _scenario_name()}, required=["name", "turns"]),
        },
        "defaults": {
            **mapping(shared),
            "examples": [{"assistant": "travel-guide"}],
            "description": "What holds for each scenario that doesn't say otherwise.",
        },
    }
    choice = {
        "if": {"required": ["scenarios"]},
        "then": {"$ref": "#/$defs/several"},
        "else": {"$ref": "#/$defs/single"},
    }
    parts = {
        "single": mapping(one, required=["turns"]),
        "several": mapping(several, required=["scenarios"]),
        "turn": _turn(),
        "expectation": expectation_schema(checks),
        "function_answer": function_answer(),
    }
    return _file("scenario", "Questions in order, and what to expect of the answers.", choice, parts)


@lru_cache(maxsize=_SCHEMAS_KEPT)
def single_schema(checks: frozenset[str] | None = None) -> _Json:
    """The schema of one scenario that is read by itself: a row's of `cases`."""
    whole = scenario_schema(checks)
    return {key: whole[key] for key in ("$schema", "$id", "$defs")} | {"$ref": "#/$defs/single"}


def schema_text(kind: str) -> str:
    """A schema as it is printed and shipped; `kind` is `assistants` or `scenario`.

    Raises UsageError for a check of an installed package that can't be used.
    """
    for name in plugin_names(CHECKS):
        load_check(name)
    schema = {"assistants": assistants_schema, "scenario": scenario_schema}[kind]()
    return json.dumps(schema, indent=2, ensure_ascii=False, default=float) + "\n"


def _file(name: str, description: str, body: _Json, parts: _Json) -> _Json:
    head = {"$schema": DIALECT, "$id": f"urn:assistant-runner:{name}", "description": description}
    return {**head, **body, "$defs": parts}


_NO_YES_OR_NO = r"^(?!(?:[Tt]rue|TRUE|[Ff]alse|FALSE|[Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF|[Nn]ull|NULL|~|\d+)\s*$)"
"""A text that isn't meant for a switch: `skip: false` would skip."""


def _text(description: str, *, longest: int = MAX_TEXT_LENGTH, example: str | None = None) -> _Json:
    body: _Json = {"type": "string", "minLength": 1, "maxLength": longest, "description": description}
    return body if example is None else {**body, "examples": [example]}


def _name_of(what: str) -> _Json:
    return {"pattern": _IDENTIFIER, "description": f"{what} is {_IDENTIFIER_WORDS}"}


def _price() -> _Json:
    def dollars(of_what: str) -> _Json:
        text = f"US dollars for a million tokens of {of_what}."
        return {"type": "number", "minimum": 0, "description": text, "examples": [0.1]}

    return {
        **mapping(
            {
                "input": dollars("input"),
                "output": dollars("output"),
                "cached_input": dollars("input that the API had cached; as other input if it isn't said"),
            },
            required=["input", "output"],
        ),
        "description": "A model's price.",
    }


def _assistant() -> _Json:
    return {
        **mapping(
            {
                "name": _text(
                    "What people see; the address by default.", longest=MAX_NAME_LENGTH, example="Travel Guide"
                ),
                "model": {
                    "type": "string",
                    "pattern": r"^\S+$",
                    "maxLength": MAX_NAME_LENGTH,
                    "examples": ["gpt-6-luna"],
                    "description": "The model's name: one word.",
                },
                "instructions": _text("What the assistant is told about itself.", example="You are a travel guide."),
                "instructions_file": _text(
                    "A text file with the instructions, instead of `instructions`.", example="knowledge/guide.txt"
                ),
                "tools": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/tool"},
                    "examples": [["code_interpreter", "file_search"]],
                    "description": "Hosted tools.",
                },
                "files": {
                    "type": "array",
                    "items": _file_item(FileUse.FILE_SEARCH, FileUse.CODE_INTERPRETER, chunking=_chunking()),
                    "examples": [["knowledge/*.pdf", {"file": "knowledge/prices.csv", "for": "code_interpreter"}]],
                    "description": "Standing knowledge: paths and globs, relative to this file.",
                },
                "functions": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/function"},
                    "examples": [[{"name": "exchange_rate", "returns": 1.08}]],
                    "description": "Functions that the assistant can call, each with how it is answered.",
                },
                "temperature": _number(0, 2, "Sampling temperature, 0 to 2.", example=0.2),
                "top_p": _number(0, 1, "Nucleus sampling, 0 to 1.", example=0.9),
                "reasoning": {
                    **mapping(
                        {
                            "effort": {
                                "enum": list(EFFORTS),
                                "examples": ["low"],
                                "description": "How much the model thinks first.",
                            }
                        }
                    ),
                    "examples": [{"effort": "low"}],
                    "description": "How the model thinks, for models that do.",
                },
                "response_format": _response_format(),
                "max_output_tokens": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_OUTPUT_TOKENS,
                    "examples": [2000],
                    "description": "What a run may say at most, in tokens; a run that reaches it is an error.",
                },
                "metadata": {
                    "type": "object",
                    "maxProperties": MAX_METADATA_KEYS,
                    "examples": [{"owner": "travel-desk"}],
                    "description": "Your own tags on the remote assistant.",
                    "propertyNames": {
                        "pattern": r"^(?!runner\.).{1,64}$",
                        "description": "At most 64 characters, not beginning with 'runner.'.",
                    },
                    "additionalProperties": {"type": "string", "maxLength": 512, "description": "A text."},
                },
            },
            required=["model"],
        ),
        "description": "One assistant.",
    }


def _response_format() -> _Json:
    json_schema = {
        "name": {
            "type": "string",
            "pattern": NAME_PATTERN,
            "examples": ["bill"],
            "description": f"The format's name: {NAME_WORDS}",
        },
        "description": _text(
            "What the model is told about it.", longest=MAX_DESCRIPTION_LENGTH, example="A bill with its total."
        ),
        "schema": {
            "type": "object",
            "examples": [{"type": "object", "properties": {"total": {"type": "number"}}}],
            "description": "A JSON Schema of the answers.",
        },
        "strict": {
            "type": "boolean",
            "default": False,
            "examples": [True],
            "description": "True has the API keep the model to the schema.",
        },
    }
    described = {
        **mapping(json_schema, required=["name", "schema"]),
        "examples": [{"name": "total", "schema": {"type": "object", "properties": {"total": {"type": "number"}}}}],
        "description": "A JSON Schema, with a name.",
    }
    named = mapping({"json_schema": described}, required=["json_schema"])
    return {
        "anyOf": [{"enum": [one.value for one in PlainFormat], "title": "one-word format"}, named],
        "default": PlainFormat.TEXT.value,
        "examples": ["json_object"],
        "description": "The form of the answers: text, json_object, or a JSON Schema under `json_schema`.",
    }


def _number(least: int, most: int, description: str, *, example: float) -> _Json:
    return {
        "type": "number",
        "minimum": least,
        "maximum": most,
        "examples": [example],
        "description": description,
    }


def _chunking() -> _Json:
    return {
        **mapping(
            {
                "max_tokens": {
                    "type": "integer",
                    "minimum": MIN_CHUNK_TOKENS,
                    "maximum": MAX_CHUNK_TOKENS,
                    "examples": [800],
                    "description": f"The length of a chunk at most, {MIN_CHUNK_TOKENS} to {MAX_CHUNK_TOKENS} tokens.",
                },
                "overlap_tokens": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MAX_CHUNK_TOKENS // 2,
                    "examples": [200],
                    "description": "What neighbouring chunks share, at most half of max_tokens, which is the default.",
                },
            },
            required=["max_tokens"],
        ),
        "examples": [{"max_tokens": 800}],
        "description": "How file search cuts the file up; the API's own way by default.",
    }


def _file_item(*uses: FileUse, **more: _Json) -> _Json:
    path = _text("A path, relative to this file.", longest=4096, example="files/receipt.pdf")
    long_form = mapping(
        {
            "file": path,
            "for": {
                "enum": [use.value for use in uses],
                "title": "use",
                "examples": [uses[0].value],
                "description": "How the assistant gets to see it; by its type and the assistant's tools by default.",
            },
            **more,
        },
        required=["file"],
    )
    return {"anyOf": [path, long_form]}


def _scenario_keys() -> _Json:
    return {
        "name": _scenario_name("; the file's by default"),
        "assistant": _text(
            "The address of the assistant to talk to, as assistants.yaml declares it.", example="travel-guide"
        ),
        "functions": answers_by_name(),
        "tags": {
            "type": "array",
            "items": _text("A word to select scenarios by.", longest=64),
            "uniqueItems": True,
            "examples": [["slow", "receipts"]],
            "description": "Words to select scenarios by.",
        },
        "smoke": {
            "type": "boolean",
            "default": False,
            "examples": [True],
            "description": "True allows a scenario without any expectation: it is enough that an answer comes.",
        },
        "timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": MAX_TIMEOUT_S,
            "examples": [90],
            "description": "Seconds that the whole scenario may take; without it, each turn may take 300.",
        },
        "queue_timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": MAX_TIMEOUT_S,
            "examples": [60],
            "description": "Seconds that a run may be queued each time, before it counts as stuck and is cancelled; "
            "without it, being queued only counts into the turn's time. With `--tier` it does not hold.",
        },
        "description": _text("What it is about, for readers of reports.", example="Prices as on the receipt."),
        "cases": _cases(),
        "skip": {
            **_text(
                "The reason why it is not played for now; reports say it. Leave the key out to play it.",
                longest=500,
                example="waits for ticket 512",
            ),
            "pattern": _NO_YES_OR_NO,
        },
        "repeat": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_REPEAT,
            "default": 1,
            "examples": [5],
            "description": "How often it is played, each time in a fresh thread; it ends as soon as it is decided.",
        },
        "pass_at_least": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_REPEAT,
            "examples": [4],
            "description": "How many times of `repeat` it has to pass; each time, if nothing is said. "
            "One that passes often enough, and failed sometimes, is FLAKY.",
        },
        "on_failure": {
            "enum": ["stop", "continue"],
            "default": "stop",
            "examples": ["continue"],
            "description": "Whether the next question is asked after an answer that fails its checks.",
        },
        "golden": {
            "type": "boolean",
            "default": False,
            "examples": [True],
            "description": "True: `runner compare` never lets it break, however weak the evidence.",
        },
        "expect": expect_schema(
            "Checks after the last turn: they read the last answer alone, and the tool calls, files, tokens and "
            "seconds of all turns. What no answer may say stands under `expect` of each turn.",
            example=[{"tool_not_called": "code_interpreter"}],
        ),
        "turns": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/turn"},
            "examples": [[{"ask": "How much is a burger?", "expect": [{"number": 23.75}]}]],
            "description": "Questions in order, asked in one thread.",
        },
    }


def _cases() -> _Json:
    path = _text("A file of rows, .csv, .json or .jsonl, relative to this file.", longest=4096, example="rows.csv")
    rows = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "object", "minProperties": 1, "title": "row"},
        "examples": [[{"item": "burger", "price": 23.75}]],
        "description": "Rows, each with its values by column.",
    }
    column = _text("The column with the rows' names, all different; else `name`, or numbers.", example="item")
    forms = mapping({"file": path, "rows": rows, "name": column})
    return {
        "anyOf": [rows, path, {**forms, "oneOf": [{"required": ["file"]}, {"required": ["rows"]}]}],
        "examples": [[{"item": "burger", "price": 23.75}], "rows.csv"],
        "description": "The scenario is played once for each row, with `${column}` filled in.",
    }


def _scenario_name(otherwise: str = "") -> _Json:
    description = f"The scenario's name (without any of {UNFIT_WORDS}){otherwise}."
    return _text(description, longest=128, example="hotel bill")


def _turn() -> _Json:
    return mapping(
        {
            "ask": {
                **_text("The question.", example="How much is a burger?"),
                "pattern": r"\S",
            },
            "attach": {
                "type": "array",
                "items": _file_item(FileUse.FILE_SEARCH, FileUse.CODE_INTERPRETER, FileUse.INPUT),
                "examples": [["files/receipt.pdf", {"file": "files/prices.csv", "for": "code_interpreter"}]],
                "description": "Files that come with the question.",
            },
            "expect": expect_schema(
                "Checks that the answer has to pass, each an item of its own.",
                example=[{"number": 39.25}, {"cites": "receipt.pdf"}],
            ),
        },
        required=["ask"],
    )
