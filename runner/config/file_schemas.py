"""The JSON Schemas of both kinds of file, composed from what is there: checks and APIs come from their plug-ins."""

from __future__ import annotations

import json
from functools import cache, lru_cache

from runner.checks._packages import load_check
from runner.config.declared_targets import judge_schema, target_schema
from runner.config.declared_tools import (
    MAX_DESCRIPTION_LENGTH,
    NAME_PATTERN,
    NAME_WORDS,
    STRICT,
    answers_by_name,
    declared_function,
    function_answer,
    tool,
)
from runner.config.expectations import CHECKS, expect_schema, expectation_schema
from runner.domain.assistant import PlainFormat
from runner.domain.files import MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS, FileUse
from runner.plugins import plugin_names
from runner.yaml_text.reading import TEXT, Json, choice, field, list_of, mapping, text

_SCHEMAS_KEPT = 64
DIALECT = "https://json-schema.org/draft/2020-12/schema"

MAX_NAME_LENGTH = 256
# Names of scenarios become parts of file names, on any system.
UNFIT_CHARACTERS = '/\\:*?"<>|'
UNFIT_WORDS = " ".join(UNFIT_CHARACTERS)
MAX_METADATA_KEYS = 12
"""The API takes 16 keys; four are ours."""
MAX_TIMEOUT_S = 86_400
MAX_REPEAT = 1000
MAX_OUTPUT_TOKENS = 10_000_000
"""More than any model says: larger is a slip of the hand."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_IDENTIFIER_WORDS = "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit."


@cache
def assistants_schema() -> Json:
    """The schema of `assistants.yaml`."""
    baseline = "A JSON report that each play is compared with at its end: FILE, or REF:FILE at a git ref."
    keys = {
        "version": {"const": 1, "examples": [1], "description": "The version of this file's format: 1."},
        "namespace": field(
            "string",
            f"Tags everything that this file owns remotely: {_IDENTIFIER_WORDS}",
            "travel-demo-5c1e07",
            pattern=_IDENTIFIER,
        ),
        "target": {
            **text("Where to run by default: 'embedded', or one of `targets`.", "local"),
            "default": "embedded",
        },
        "baseline": text(baseline, "reports/baseline.json"),
        "targets": field(
            "object",
            "Where assistants can run, besides the built-in 'embedded'.",
            {"openai": {"api": "responses"}},
            propertyNames=_name_of("A target's name"),
            additionalProperties={"$ref": "#/$defs/target"},
        ),
        "prices": field(
            "object",
            "What models cost, by the name that the API gives them in its answers: for those that genai-prices doesn't"
            " know, or has another price of.",
            {"gpt-6-luna": {"input": 0.1, "output": 0.4}},
            additionalProperties={"$ref": "#/$defs/price"},
        ),
        "judge": judge_schema(),
        "assistants": field(
            "object",
            "The assistants, each under its address: a stable handle.",
            {"guide": {"model": "gpt-6-luna"}},
            minProperties=1,
            propertyNames=_name_of("An address"),
            additionalProperties={"$ref": "#/$defs/assistant"},
        ),
    }
    parts = {
        "target": target_schema(),
        "assistant": _assistant(),
        "price": _price(),
        "tool": tool(),
        "function": declared_function(),
    }
    whole = mapping(keys, required=["version", "namespace", "assistants"])
    return _file("assistants", "What assistants.yaml declares.", whole, parts)


@lru_cache(maxsize=_SCHEMAS_KEPT)
def scenario_schema(checks: frozenset[str] | None = None) -> Json:
    """The schema of a scenario file: one scenario at the top, or several under `scenarios`.

    Of checks it has all, or those alone that are named: a play loads no more of them than its files use.
    """
    one = _scenario_keys()
    own = {"name", "description", "turns", "cases"}
    shared = {key: schema for key, schema in one.items() if key not in own}
    several = {
        "scenarios": list_of(
            mapping({**one, "name": _scenario_name()}, required=["name", "turns"]),
            examples=[[{"name": "hello", "turns": [{"ask": "Hello!"}], "smoke": True}]],
            description="Several scenarios, each with a name.",
        ),
        "defaults": mapping(
            shared,
            examples=[{"assistant": "travel-guide"}],
            description="What holds for each scenario that doesn't say otherwise.",
        ),
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
def single_schema(checks: frozenset[str] | None = None) -> Json:
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


def _file(name: str, description: str, body: Json, parts: Json) -> Json:
    head = {"$schema": DIALECT, "$id": f"urn:assistant-runner:{name}", "description": description}
    return {**head, **body, "$defs": parts}


_NO_YES_OR_NO = (
    r"^(?!\s*$|(?:[Tt]rue|TRUE|[Ff]alse|FALSE|[Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF|[Nn]ull|NULL|~|\d+)\s*$)"
)
"""A text that isn't meant for a switch: `skip: false` would skip."""


def _name_of(what: str) -> Json:
    return {"pattern": _IDENTIFIER, "description": f"{what} is {_IDENTIFIER_WORDS}"}


def _price() -> Json:
    def dollars(of_what: str) -> Json:
        return field("number", f"US dollars for a million tokens of {of_what}.", 0.1, minimum=0)

    keys = {
        "input": dollars("input"),
        "output": dollars("output"),
        "cached_input": dollars("input that the API had cached; as other input if it isn't said"),
    }
    return mapping(keys, required=["input", "output"], description="A model's price.")


def _assistant() -> Json:
    keys = {
        "name": text("What people see; the address by default.", "Travel Guide", longest=MAX_NAME_LENGTH),
        "model": field(
            "string", "The model's name: one word.", "gpt-6-luna", pattern=r"^\S+$", maxLength=MAX_NAME_LENGTH
        ),
        "instructions": text("What the assistant is told about itself.", "You are a travel guide."),
        "instructions_file": text(
            "A text file with the instructions, instead of `instructions`.", "knowledge/guide.txt"
        ),
        "tools": field("array", "Hosted tools.", ["code_interpreter", "file_search"], items={"$ref": "#/$defs/tool"}),
        "files": field(
            "array",
            "Standing knowledge: paths and globs, relative to this file.",
            ["knowledge/*.pdf", {"file": "knowledge/prices.csv", "for": "code_interpreter"}],
            items=_file_item(FileUse.FILE_SEARCH, FileUse.CODE_INTERPRETER, chunking=_chunking()),
        ),
        "functions": field(
            "array",
            "Functions that the assistant can call, each with how it is answered.",
            [{"name": "exchange_rate", "returns": 1.08}],
            items={"$ref": "#/$defs/function"},
        ),
        "temperature": field("number", "Sampling temperature, 0 to 2.", 0.2, minimum=0, maximum=2),
        "top_p": field("number", "Nucleus sampling, 0 to 1.", 0.9, minimum=0, maximum=1),
        "reasoning": mapping(
            {"effort": {"enum": list(EFFORTS), "examples": ["low"], "description": "How much the model thinks first."}},
            examples=[{"effort": "low"}],
            description="How the model thinks, for models that do.",
        ),
        "response_format": _response_format(),
        "max_output_tokens": field(
            "integer",
            "What a run may say at most, in tokens; a run that reaches it is an error.",
            2000,
            minimum=1,
            maximum=MAX_OUTPUT_TOKENS,
        ),
        "metadata": field(
            "object",
            "Your own tags on the remote assistant.",
            {"owner": "travel-desk"},
            maxProperties=MAX_METADATA_KEYS,
            propertyNames={
                "pattern": r"^(?!runner\.).{1,64}$",
                "description": "At most 64 characters, not beginning with 'runner.'.",
            },
            additionalProperties={"type": "string", "maxLength": 512, "description": "A text."},
        ),
    }
    return mapping(keys, required=["model"], description="One assistant.")


def _response_format() -> Json:
    total = {"type": "object", "properties": {"total": {"type": "number"}}}
    keys = {
        "name": field("string", f"The format's name: {NAME_WORDS}", "bill", pattern=NAME_PATTERN),
        "description": text(
            "What the model is told about it.", "A bill with its total.", longest=MAX_DESCRIPTION_LENGTH
        ),
        "schema": field("object", "A JSON Schema of the answers.", total),
        "strict": STRICT,
    }
    described = mapping(
        keys,
        required=["name", "schema"],
        examples=[{"name": "total", "schema": total}],
        description="A JSON Schema, with a name.",
    )
    named = mapping({"json_schema": described}, required=["json_schema"])
    return {
        "anyOf": [{"enum": [one.value for one in PlainFormat], "title": "one-word format"}, named],
        "default": PlainFormat.TEXT.value,
        "examples": ["json_object"],
        "description": "The form of the answers: text, json_object, or a JSON Schema under `json_schema`.",
    }


def _chunking() -> Json:
    longest = f"The length of a chunk at most, {MIN_CHUNK_TOKENS} to {MAX_CHUNK_TOKENS} tokens."
    shared = "What neighbouring chunks share, at most half of max_tokens, which is the default."
    keys = {
        "max_tokens": field("integer", longest, 800, minimum=MIN_CHUNK_TOKENS, maximum=MAX_CHUNK_TOKENS),
        "overlap_tokens": field("integer", shared, 200, minimum=0, maximum=MAX_CHUNK_TOKENS // 2),
    }
    return mapping(
        keys,
        required=["max_tokens"],
        examples=[{"max_tokens": 800}],
        description="How file search cuts the file up; the API's own way by default.",
    )


def _file_item(*uses: FileUse, **more: Json) -> Json:
    path = text("A path, relative to this file.", "files/receipt.pdf", longest=4096)
    use = choice(
        [one.value for one in uses],
        "use",
        "How the assistant gets to see it; by its type and the assistant's tools by default.",
        uses[0].value,
    )
    return {"anyOf": [path, mapping({"file": path, "for": use, **more}, required=["file"])]}


def _scenario_keys() -> Json:
    together = (
        "Checks after the last turn: they read the last answer alone, and the tool calls, files, tokens and seconds of "
        "all turns. What no answer may say stands under `expect` of each turn."
    )
    return {
        "name": _scenario_name("; the file's by default"),
        "assistant": text("The address of the assistant to talk to, as assistants.yaml declares it.", "travel-guide"),
        "functions": answers_by_name(),
        "tags": field(
            "array",
            "Words to select scenarios by.",
            ["slow", "receipts"],
            items={**TEXT, "maxLength": 64, "description": "A word to select scenarios by."},
            uniqueItems=True,
        ),
        "smoke": field(
            "boolean",
            "True allows a scenario without any expectation: it is enough that an answer comes.",
            True,
            default=False,
        ),
        "timeout": _seconds("Seconds that the whole scenario may take; without it, each turn may take 300.", 90),
        "queue_timeout": _seconds(
            "Seconds that a run may be queued each time, before it counts as stuck and is cancelled; without it, being"
            " queued only counts into the turn's time. With `--tier` it does not hold.",
            60,
        ),
        "description": text("What it is about, for readers of reports.", "Prices as on the receipt."),
        "cases": _cases(),
        "skip": field(
            "string",
            "The reason why it is not played for now; reports say it. Leave the key out to play it.",
            "waits for ticket 512",
            minLength=1,
            maxLength=500,
            pattern=_NO_YES_OR_NO,
        ),
        "repeat": field(
            "integer",
            "How often it is played, each time in a fresh thread; it ends as soon as it is decided.",
            5,
            minimum=1,
            maximum=MAX_REPEAT,
            default=1,
        ),
        "pass_at_least": field(
            "integer",
            "How many times of `repeat` it has to pass; each time, if nothing is said. One that passes often enough,"
            " and failed sometimes, is FLAKY.",
            4,
            minimum=1,
            maximum=MAX_REPEAT,
        ),
        "on_failure": {
            "enum": ["stop", "continue"],
            "default": "stop",
            "examples": ["continue"],
            "description": "Whether the next question is asked after an answer that fails its checks.",
        },
        "golden": field(
            "boolean", "True: `runner compare` never lets it break, however weak the evidence.", True, default=False
        ),
        "expect": expect_schema(together, example=[{"tool_not_called": "code_interpreter"}]),
        "turns": list_of(
            {"$ref": "#/$defs/turn"},
            examples=[[{"ask": "How much is a burger?", "expect": [{"number": 23.75}]}]],
            description="Questions in order, asked in one thread.",
        ),
    }


def _seconds(description: str, example: int) -> Json:
    return field("number", description, example, exclusiveMinimum=0, maximum=MAX_TIMEOUT_S)


def _cases() -> Json:
    path = text("A file of rows, .csv, .json or .jsonl, relative to this file.", "rows.csv", longest=4096)
    rows = list_of(
        {"type": "object", "minProperties": 1, "title": "row"},
        examples=[[{"item": "burger", "price": 23.75}]],
        description="Rows, each with its values by column.",
    )
    column = text("The column with the rows' names, all different; else `name`, or numbers.", "item")
    one_source = [{"required": ["file"]}, {"required": ["rows"]}]
    return {
        "anyOf": [rows, path, mapping({"file": path, "rows": rows, "name": column}, oneOf=one_source)],
        "examples": [[{"item": "burger", "price": 23.75}], "rows.csv"],
        "description": "The scenario is played once for each row, with `${column}` filled in.",
    }


def _scenario_name(otherwise: str = "") -> Json:
    description = f"The scenario's name (without any of {UNFIT_WORDS}){otherwise}."
    return text(description, "hotel bill", longest=128)


def _turn() -> Json:
    keys = {
        "ask": {**text("The question.", "How much is a burger?"), "pattern": r"\S"},
        "attach": field(
            "array",
            "Files that come with the question.",
            ["files/receipt.pdf", {"file": "files/prices.csv", "for": "code_interpreter"}],
            items=_file_item(FileUse.FILE_SEARCH, FileUse.CODE_INTERPRETER, FileUse.INPUT),
        ),
        "expect": expect_schema(
            "Checks that the answer has to pass, each an item of its own.",
            example=[{"number": 39.25}, {"cites": "receipt.pdf"}],
        ),
    }
    return mapping(keys, required=["ask"])
