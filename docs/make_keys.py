"""Makes docs/keys.md out of the JSON Schemas of both files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.config import assistants_schema, scenario_schema
from runner.yaml_text.reading import MAX_TEXT_LENGTH
from runner.yaml_text.yaml_document import alternatives, resolve, show_flow

HEAD = """# Every key

Made by `docs/make_keys.py` out of the schemas that the files are read by; don't edit it here. `runner schema
assistants` and `runner schema scenario` print the same for editors.

`NAME` stands for a name that you choose, `[]` for each item of a list. A key marked * must be there. Every other key
may be left out; what holds then is its default, or nothing, which leaves it to the API. Keys that are the same in
several places are told once. A value may hold `${env:NAME}` or `${secret:NAME}`, which the environment fills in; a
secret is kept out of every output. `$${` is the text `${`.
"""

ASSISTANTS = """## assistants.yaml

```yaml
version: 1
namespace: travel-demo-5c1e07
target: local
targets:
  local: {api: responses, server: embedded, inference: {base_url: "http://127.0.0.1:11434/v1", model: llama3.2}}
assistants:
  travel-guide:
    name: Travel Guide
    model: gpt-6-luna
    instructions: You are a travel guide. Keep replies short.
    tools: [file_search, code_interpreter]
    functions:
      - name: exchange_rate
        parameters: {type: object, properties: {to: {type: string}}, required: [to]}
        returns: 1.08
    temperature: 0.2
    metadata: {owner: travel-desk}
```
"""

SCENARIO = """## A scenario file

One scenario at the top, or several under `scenarios`, with what they share under `defaults`.

```yaml
defaults:
  assistant: travel-guide
  timeout: 90
scenarios:
  - name: hotel bill
    tags: [money]
    turns:
      - ask: We are 4 and pay 100 EUR. How much is that for each of us?
        expect: [number: {value: 25, unit: EUR}]
  - name: greeting
    smoke: true
    turns:
      - ask: Hello!
```

```yaml
name: hotel bill
assistant: travel-guide
turns:
  - ask: How much is a night?
    expect:
      - number: 120
      - tool_not_called: code_interpreter
```
"""

_KINDS = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
    "null": "nothing",
}
_ELSEWHERE = {"expect": "[checks](checks.md)"}
"""Keys whose values have a page of their own."""

_Json = dict[str, Any]


def make() -> dict[str, str]:
    whole = scenario_schema()
    parts = whole["$defs"]
    tables: set[str] = set()
    page = [
        HEAD,
        ASSISTANTS,
        *describe("", assistants_schema(), assistants_schema(), tables, title="At the top"),
        SCENARIO,
        *describe("", parts["single"], whole, tables, title="One scenario at the top"),
        *describe("", parts["several"], whole, tables, title="Several scenarios"),
    ]
    return {"docs/keys.md": "\n".join(page)}


def describe(path: str, mapping: _Json, whole: _Json, tables: set[str], *, title: str = "") -> Iterator[str]:
    """A section for a mapping, and one for each that is below it; `tables` are those that are on the page already."""
    needed = set(mapping.get("required", ()))
    said = f"\n\n{_sentence(mapping)}" if path and mapping.get("description") else ""
    rows = [row(key, schema, whole, is_needed=key in needed) for key, schema in mapping["properties"].items()]
    table = "\n".join(["| Key | Value | Meaning |", "|---|---|---|", *rows])
    if table not in tables:
        yield f"### {title or f'`{path}`'}{said}\n\n{table}\n"
    tables.add(table)
    for key, schema in mapping["properties"].items():
        if key not in _ELSEWHERE:
            yield from _below(f"{path}.{key}" if path else key, schema, whole, tables)


def _below(path: str, schema: _Json, whole: _Json, tables: set[str]) -> Iterator[str]:
    for branch in alternatives(schema, whole):
        if branch.get("properties"):
            inherited = {"description": resolve(schema, whole).get("description", ""), **branch}
            yield from describe(path, inherited, whole, tables)
        if isinstance(branch.get("additionalProperties"), dict):
            yield from _below(f"{path}.NAME", branch["additionalProperties"], whole, tables)
        if isinstance(branch.get("items"), dict):
            yield from _below(f"{path}[]", branch["items"], whole, tables)


def row(key: str, schema: _Json, whole: _Json, *, is_needed: bool) -> str:
    schema = resolve(schema, whole)
    value = " or ".join(dict.fromkeys(kind(branch, whole) for branch in alternatives(schema, whole)))
    if "default" in schema:
        value += f" (default `{_show(schema['default'])}`)"
    meaning = _sentence(schema)
    if key in _ELSEWHERE:
        meaning += f" See {_ELSEWHERE[key]}."
    if schema.get("examples"):
        meaning += f" Example: `{key}: {_show(schema['examples'][0])}`"
    return f"| `{key}`{'*' if is_needed else ''} | {_cell(value)} | {_cell(meaning)} |"


def kind(schema: _Json, whole: _Json) -> str:
    """What can stand there, in words."""
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    types = schema.get("type", list(_KINDS))
    words = [_KINDS[one] for one in ([types] if isinstance(types, str) else types)]
    if len(words) >= len(_KINDS) - 1:
        return "anything"
    items = schema.get("items")
    if words == ["list"] and isinstance(items, dict):
        inner = " or ".join(dict.fromkeys(kind(one, whole) for one in alternatives(items, whole)))
        return f"list: {inner}"
    return " or ".join(words) + _limits(schema)


def _limits(schema: _Json) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        return f", more than {schema['exclusiveMinimum']}, at most {most:,}"
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    if least is not None:
        return f", at least {least:,}"
    longest = schema.get("maxLength")
    return f", at most {longest:,} characters" if longest and longest < MAX_TEXT_LENGTH else ""


def _sentence(schema: _Json) -> str:
    text = str(schema.get("description", "")).strip()
    return f"{text}." if text and text[-1] not in ".!?" else text


def _show(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else show_flow(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
