"""promptfoo's configuration as assistants and scenarios. Source: its documentation and public examples, 0.123.

A prompt's system message and the first provider are an assistant; what a prompt asks, filled by each test, is a
question. Text files that the configuration names are read, programs are not.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product
from typing import Any

from runner.config.exported_assistants import Export
from runner.config.imported_scenarios import (
    Check,
    Column,
    Json,
    Lost,
    Script,
    Suite,
    Template,
    Turn,
    column_name,
    gather,
    literal,
    make_name,
    show_value,
)
from runner.config.promptfoo_assertions import is_assertion, read_assertion
from runner.errors import UsageError

OpenFile = Callable[[str], str]
"""The text of a file that is named in the configuration. Raises Unopened."""

KEYS = frozenset({"prompts", "providers", "targets", "tests", "defaultTest", "scenarios"})
"""What tells a configuration of promptfoo's."""
MODEL_TO_CHOOSE = "gpt-6-luna"
_MOST_TESTS = 10_000
_MOST_ASSISTANTS = 10
_PROGRAMS = (".py", ".js", ".cjs", ".mjs", ".ts", ".rb", ".sh", ".exe")
_HOLE = re.compile(r"\{\{-?\s*([A-Za-z_][\w.\[\]'\"-]*)\s*(?:\|\s*(?:safe|trim|dump)\s*)?-?\}\}")
_DUMPED = re.compile(r"(?<!\")\{\{-?\s*([A-Za-z_][\w.]*)\s*\|\s*dump\s*-?\}\}(?!\")")
_LOGIC = re.compile(r"\{[{%#]")
_PATH_PART = re.compile(r"[A-Za-z_][\w-]*|\d+")
_EXPECTED_COLUMN = re.compile(r"__expected\d*")
_IN_A_CELL = re.compile(
    r"(?P<type>(?:not-)?[a-z][a-z:-]*[a-z])(?:\((?P<threshold>\d*\.?\d+)\))?(?:\s*:\s*(?P<value>.*))?", re.DOTALL
)
_CELL_WORDS = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
_ELSEWHERE: Mapping[str, str] = {
    "outputPath": "reports are named when playing: `--report`",
    "evaluateOptions": "how many at once, how often: `--jobs`, `--repeat`",
    "commandLineOptions": "these are options of `runner play`",
    "env": "keys come from the environment, never from a file",
    "derivedMetrics": "reports have counts, no metrics of one's own",
    "redteam": "runner attacks nobody",
    "sharing": "runner shares nothing",
    "tracing": "`runner` sends spans where OTEL_EXPORTER_OTLP_ENDPOINT says",
}
_OF_A_TEST = frozenset("vars assert description threshold options metadata".split())
_KINDS = frozenset("chat responses completion completions messages assistant agents realtime text".split())
_NO_MODEL = (
    "file",
    "http",
    "https",
    "exec",
    "python",
    "golang",
    "ruby",
    "package",
    "echo",
    "webhook",
    "ws",
    "wss",
    "browser",
)


class Unopened(Exception):
    """A file that is not read; why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What a file of another tool's declares and asks. A script's `assistant` is a key of `assistants`."""

    assistants: Mapping[str, Export]
    suite: Suite


@dataclass(frozen=True, slots=True)
class _Prompt:
    label: str
    messages: tuple[tuple[str, str], ...]
    skip: str = ""


@dataclass(frozen=True, slots=True)
class _Test:
    values: Mapping[str, Any]
    assertions: Sequence[Any]
    description: str
    threshold: object
    lost: tuple[Lost, ...]


@dataclass(slots=True)
class _Fields:
    """Which variables the texts of one prompt and test have, by the columns that they are here."""

    paths: dict[str, str] = field(default_factory=dict)

    def make(self, text: str) -> Template:
        """Raises ValueError for a template that does more than name variables."""
        if _LOGIC.search(_HOLE.sub("", text)):
            raise ValueError("a template with more in it than names of variables")
        parts: list[str | Column] = []
        at = 0
        for found in _HOLE.finditer(text):
            parts += [text[at : found.start()], Column(self._column(found[1]))]
            at = found.end()
        parts.append(text[at:])
        return Template(tuple(part for part in parts if part != ""))

    def _column(self, path: str) -> str:
        base = column_name(path)
        name = base
        while self.paths.setdefault(name, path) != path:
            name += "_"
        return name

    def row(self, values: Mapping[str, Any]) -> dict[str, object]:
        return {column: _look_up(values, path) for column, path in self.paths.items()}


@dataclass(slots=True)
class _Reader:
    open_file: OpenFile
    templates: Mapping[str, Any]
    lost: list[Lost] = field(default_factory=list)

    def lose(self, what: str, reason: str, value: object = None) -> None:
        self.lost.append(Lost(what=what, reason=reason, value=value))


def read_promptfoo(config: Json, *, source: str, stem: str, open_file: OpenFile) -> Foreign:
    """Raises UsageError if nothing in it can be asked."""
    templates = config.get("assertionTemplates")
    reader = _Reader(open_file, templates if isinstance(templates, Mapping) else {})
    base = _read_provider(config, reader)
    prompts = list(_read_prompts(config.get("prompts", "{{prompt}}"), reader))
    tests = list(_read_tests(config, reader))
    if len(tests) * len(prompts) > _MOST_TESTS:
        raise UsageError(f"{source}: {len(tests) * len(prompts):,} questions are more than {_MOST_TESTS:,}, the limit")
    assistants: dict[str, Export] = {}
    scripts = []
    for prompt in prompts:
        for number, test in enumerate(tests, 1):
            script, instructions = _read_script(prompt, test, number, reader)
            key = json.dumps(instructions)
            if key not in assistants and len(assistants) < _MOST_ASSISTANTS:
                name = str(config.get("description") or stem)
                body = {
                    "name": make_name(name, stem),
                    **base,
                    **({"instructions": instructions} if instructions else {}),
                }
                assistants[key] = Export(body=body)
            scripts.append((key, script))
    left = sum(key not in assistants for key, _ in scripts)
    if left:
        reader.lose("questions", f"{left} have yet other instructions; {_MOST_ASSISTANTS} assistants are the limit")
    for key in config.keys() - KEYS - {"description", "assertionTemplates"}:
        reader.lose(key, _ELSEWHERE.get(key, "there is nothing of this kind"), config[key])
    found = gather(replace(script, assistant=key) for key, script in scripts if key in assistants)
    if not found:
        raise UsageError(f"{source}: there is no prompt in it that can be asked")
    return Foreign(assistants=assistants, suite=Suite(stem=stem, source=source, scripts=found, lost=tuple(reader.lost)))


def _read_provider(config: Json, reader: _Reader) -> dict[str, object]:
    """The first one's model and settings, in the words of an exported assistant."""
    written = config.get("providers", config.get("targets"))
    providers = written if isinstance(written, list) else [] if written is None else [written]
    named = [_split_provider(one, reader) for one in providers]
    for number, (name, _) in enumerate(named[1:], 1):
        reader.lose(f"providers[{number}]", "one assistant has one model; play it with another by `--model`", name)
    if not named:
        reader.lose("providers", f"there are none; {MODEL_TO_CHOOSE} is made up")
        return {"model": MODEL_TO_CHOOSE}
    name, settings = named[0]
    return {"model": _find_model(name, reader), **_read_settings(settings, reader)}


def _split_provider(written: object, reader: _Reader) -> tuple[str, Json]:
    if isinstance(written, str):
        return written, {}
    if not isinstance(written, Mapping):
        return str(written), {}
    if "id" not in written and len(written) == 1:
        ((name, inner),) = written.items()
        inner = inner if isinstance(inner, Mapping) else {}
        return str(name), _mapping(inner.get("config", inner))
    for key in written.keys() - {"id", "config", "label"}:
        reader.lose(f"providers: {key}", "there is nothing of this kind", written[key])
    return str(written.get("id")), _mapping(written.get("config"))


def _find_model(name: str, reader: _Reader) -> str:
    vendor, _, rest = name.partition(":")
    parts = rest.split(":")
    model = ":".join(parts[1:]) if parts[0] in _KINDS else rest
    is_stored = parts[0] in ("assistant", "agents") or model.startswith("asst_")
    if vendor in _NO_MODEL or "/" in vendor or not model or is_stored:
        adopt = "; `runner adopt` takes over what is stored" if is_stored else ""
        reader.lose("provider", f"it names no model, {MODEL_TO_CHOOSE} is made up{adopt}", name)
        return MODEL_TO_CHOOSE
    if vendor not in ("openai", "azure", "azureopenai"):
        reader.lose("provider", "it needs a target whose server has this model (`base_url`)", name)
    return model


def _read_settings(settings: Json, reader: _Reader) -> dict[str, object]:
    body = dict(settings)
    for key in ("max_tokens", "max_completion_tokens"):
        if key in body:
            body["max_output_tokens"] = body.pop(key)
    for key in ("tools", "functions", "response_format"):
        if isinstance(body.get(key), str):
            body[key] = _open_data(str(body[key]), f"provider: {key}", reader)
    functions = body.pop("functions", None)
    if isinstance(functions, list):
        tools = body.get("tools")
        body["tools"] = [
            *(tools if isinstance(tools, list) else []),
            *({"type": "function", "function": one} for one in functions),
        ]
    return {key: value for key, value in body.items() if value is not None}


def _open_data(named: str, what: str, reader: _Reader) -> Any:
    try:
        return _parse(reader.open_file(named), named)
    except (Unopened, ValueError) as error:
        reader.lose(what, str(error), named)
        return None


def _parse(text: str, named: str) -> Any:
    """JSON or YAML. Raises ValueError."""
    if named.lower().endswith((".json",)):
        return json.loads(text, parse_float=Decimal)
    return parse_data(text, named)


def parse_data(text: str, named: str) -> Any:
    """A YAML file's value, by YAML 1.2's core schema. Raises ValueError."""
    from runner.yaml_text import parse_yaml
    from runner.yaml_text.coercion import coerce

    parsed = parse_yaml(text, file=named)
    if parsed.problems or parsed.root is None:
        raise ValueError(str(parsed.problems[0]) if parsed.problems else f"{named} is empty")
    return coerce(parsed.root, {}, {})


def _read_prompts(written: object, reader: _Reader) -> Iterator[_Prompt]:
    items = written if isinstance(written, list) else [written]
    for number, item in enumerate(items):
        what = f"prompts[{number}]"
        named = _mapping(item)
        text = named.get("raw", named.get("id")) if named else item
        if not isinstance(text, str):
            reader.lose(what, "it is no text", item)
            continue
        try:
            yield from _open_prompt(text, str(named.get("label") or ""), reader)
        except (Unopened, ValueError) as error:
            reader.lose(what, str(error), text)
            yield _Prompt("", (("user", text),), skip=f"its prompt is not here: {error}")


def _open_prompt(text: str, label: str, reader: _Reader) -> Iterator[_Prompt]:
    is_file = text.startswith("file://") or re.fullmatch(r"[\w./*-]+\.(?:txt|json|ya?ml|md|j2|py|js)(?::\w+)?", text)
    if not is_file:
        yield _Prompt(label, _read_messages(text))
        return
    content = reader.open_file(text)
    parts = re.split(r"^---\s*$", content, flags=re.MULTILINE) if text.endswith((".txt", ".md", ".j2")) else [content]
    for part in parts:
        if part.strip():
            yield _Prompt(label, _read_messages(part.strip(), is_yaml=text.endswith((".yaml", ".yml"))))


def _read_messages(text: str, *, is_yaml: bool = False) -> tuple[tuple[str, str], ...]:
    """Messages where the prompt is a list of them, else all of it as the user's. Raises ValueError."""
    if is_yaml:
        value = parse_data(text, "a prompt")
    elif text.startswith("["):
        try:
            value = json.loads(_DUMPED.sub(r'"{{\1}}"', text))
        except ValueError:  # messages that a template makes; which can't be told without rendering it
            value = text
    else:
        value = text
    if not isinstance(value, list):
        return (("user", text),)
    return tuple(_read_message(one) for one in value)


def _read_message(one: object) -> tuple[str, str]:
    content = one.get("content") if isinstance(one, Mapping) else None
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping)]
        if len(texts) != len(content) or not all(isinstance(text, str) for text in texts):
            raise ValueError("a message of it has more than text; attach files by `attach`")
        content = "\n".join(map(str, texts))
    if not isinstance(one, Mapping) or not isinstance(content, str) or not isinstance(one.get("role"), str):
        raise ValueError("a message of it has no role or no text")
    return str(one["role"]), content


def _read_tests(config: Json, reader: _Reader) -> Iterator[_Test]:
    written = config.get("defaultTest")
    default = _open_data(written, "defaultTest", reader) if isinstance(written, str) else written
    base = _mapping(default)
    found = [*_open_tests(config.get("tests"), "tests", reader), *_read_scenarios(config.get("scenarios"), reader)]
    if not found:
        found = [{}]
    for test in found:
        yield from _expand_test(base, test, reader)


def _read_scenarios(written: object, reader: _Reader) -> Iterator[Json]:
    """promptfoo's scenarios: every test with the variables of every `config`."""
    for number, one in enumerate(written if isinstance(written, list) else []):
        if not isinstance(one, Mapping):
            reader.lose(f"scenarios[{number}]", "it is no mapping", one)
            continue
        tests = list(_open_tests(one.get("tests"), f"scenarios[{number}].tests", reader)) or [{}]
        for setting in _open_tests(one.get("config"), f"scenarios[{number}].config", reader):
            for test in tests:
                both = {**_mapping(setting.get("vars")), **_mapping(test.get("vars"))}
                assertions = [*_items(setting.get("assert")), *_items(test.get("assert"))]
                yield {**setting, **test, "vars": both, "assert": assertions}


def _open_tests(written: object, what: str, reader: _Reader) -> Iterator[Json]:
    for item in written if isinstance(written, list) else [] if written is None else [written]:
        if isinstance(item, str):
            try:
                yield from _read_test_file(item, reader)
            except (Unopened, ValueError) as error:
                reader.lose(what, str(error), item)
        elif isinstance(item, Mapping) and not ("path" in item and "vars" not in item):
            yield item
        else:
            reader.lose(what, "tests that a program makes have to be written out", item)


def _read_test_file(named: str, reader: _Reader) -> Iterator[Json]:
    text = reader.open_file(named)
    plain = named.lower()
    if plain.endswith(".csv"):
        for row in csv.DictReader(io.StringIO(text)):
            yield _read_csv_row({key: value or "" for key, value in row.items() if key is not None})
        return
    lines = [line for line in text.splitlines() if line.strip()]
    value = (
        [json.loads(line, parse_float=Decimal) for line in lines] if plain.endswith(".jsonl") else _parse(text, named)
    )
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            yield one if one.keys() & {"vars", "assert"} else {"vars": one}


def _read_csv_row(row: Mapping[str, str]) -> Json:
    assertions = []
    for key, cell in row.items():
        if _EXPECTED_COLUMN.fullmatch(key) and cell.strip():
            assertions.append(_read_cell(cell.strip()))
    test: dict[str, object] = {"vars": {key: cell for key, cell in row.items() if not key.startswith("__")}}
    if row.get("__description"):
        test["description"] = row["__description"]
    if row.get("__threshold"):
        test["threshold"] = Decimal(row["__threshold"])
    if options := {key: row[f"__{key}"] for key in ("prefix", "suffix") if row.get(f"__{key}")}:
        test["options"] = options
    return {**test, "assert": assertions}


def _read_cell(cell: str) -> Json:
    found = _IN_A_CELL.fullmatch(cell)
    kind = _CELL_WORDS.get(found["type"], found["type"]) if found else ""
    if not found or not is_assertion(kind):
        return {"type": "equals", "value": cell}
    value = {"value": found["value"].strip()} if found["value"] else {}
    return {"type": kind, **value, **({"threshold": Decimal(found["threshold"])} if found["threshold"] else {})}


def _expand_test(base: Json, test: Json, reader: _Reader) -> Iterator[_Test]:
    """The test with what is the default for all, once for each combination of variables that are lists."""
    values = {**_mapping(base.get("vars")), **_mapping(test.get("vars"))}
    lost = [
        Lost(what=key, reason="there is nothing of this kind", value=one[key])
        for one in (base, test)
        for key in one.keys() - _OF_A_TEST
    ]
    options = {**_mapping(base.get("options")), **_mapping(test.get("options"))}
    prefix, suffix = (str(options.pop(key, "")) for key in ("prefix", "suffix"))
    if metadata := {**_mapping(base.get("metadata")), **_mapping(test.get("metadata"))}:
        lost.append(Lost(what="metadata", reason="words to choose by are `tags`", value=metadata))
    if prefix or suffix:
        lost.append(
            Lost(what="options", reason="write what stands around each question into `ask`", value=[prefix, suffix])
        )
    if options:
        lost.append(Lost(what="options", reason="answers are judged as they are", value=options))
    names = [name for name, value in values.items() if _is_choice(value) and not options.get("disableVarExpansion")]
    opened = {name: _open_variable(name, value, lost, reader) for name, value in values.items()}
    for chosen in product(*(opened[name] for name in names)):
        yield _Test(
            values={**opened, **dict(zip(names, chosen, strict=True))},
            assertions=[*_items(base.get("assert")), *_items(test.get("assert"))],
            description=str(test.get("description") or ""),
            threshold=test.get("threshold", base.get("threshold")),
            lost=tuple(lost),
        )


def _is_choice(value: object) -> bool:
    """Whether a test is meant once for each of the values; a list of anything but texts and numbers is one value."""
    return isinstance(value, list) and all(isinstance(one, str | int | Decimal) for one in value)


def _open_variable(name: str, value: object, lost: list[Lost], reader: _Reader) -> Any:
    if not isinstance(value, str) or not value.startswith("file://"):
        return value
    try:
        return reader.open_file(value).strip()
    except Unopened as error:
        lost.append(Lost(what=f"vars.{name}", reason=str(error), value=value))
        return value


def _read_script(prompt: _Prompt, test: _Test, number: int, reader: _Reader) -> tuple[Script, str]:
    """One prompt with one test, and the instructions that it gives."""
    fields, lost, skip = _Fields(), list(test.lost), prompt.skip
    instructions, asks = [], []
    for role, text in prompt.messages:
        try:
            template = fields.make(text)
        except ValueError as error:
            lost.append(Lost(what=f"the {role}'s message", reason=str(error), value=text))
            last = _HOLE.findall(text)[-1:] if role == "user" else []
            template = fields.make("{{" + last[0] + "}}") if last else literal(text)
            skip = skip or "its prompt is a template, which was not rendered: see to the question"
        if role in ("system", "developer"):
            instructions.append(template.fill(fields.row(test.values)))
        elif role == "user":
            asks.append(template)
        else:
            lost.append(
                Lost(what=f"a message of the {role}'s", reason="here the assistant answers by itself", value=text)
            )
    expect = _read_expect(test, fields, reader)
    row = fields.row(test.values)
    lost += [
        Lost(what=f"the variable {path}", reason="no test gives it; it is empty here")
        for column, path in fields.paths.items()
        if row[column] is None
    ]
    asked = asks[-1].fill(row) if asks else ""
    if not asked.strip():
        asks, skip = [literal("...")], skip or "its prompt asks nothing"
    turns = tuple(Turn(ask=ask, expect=expect if at == len(asks) - 1 else ()) for at, ask in enumerate(asks))
    name = make_name(test.description or asked or f"{prompt.label} {number}", f"question {number}")
    script = Script(
        name=name, label=test.description, assistant="", turns=turns, rows=(row,), lost=tuple(lost), skip=skip
    )
    return script, "\n\n".join(instructions).strip()


def _read_expect(test: _Test, fields: _Fields, reader: _Reader) -> tuple[Check | Lost, ...]:
    items: list[Check | Lost] = []
    weighed: list[dict[str, Any]] = []
    for written in _flatten(test.assertions, reader.templates):
        found = read_assertion(written, fields.make) if isinstance(written, Mapping) else []
        weight = written.get("weight", 1) if isinstance(written, Mapping) else 1
        if weight == 0:
            found = [Lost(what=str(written.get("type")), reason="its weight is 0", value=dict(written))]
        items += found
        weighed += [{"expect": [one], "weight": weight} for one in found if not isinstance(one, Lost)]
    if isinstance(test.threshold, int | Decimal) and 0 < test.threshold <= 1 and len(weighed) > 1:
        score = {"score": {"of": weighed, "threshold": test.threshold}}
        return (score, *(one for one in items if isinstance(one, Lost)))
    return tuple(items)


def _flatten(assertions: Sequence[Any], templates: Mapping[str, Any]) -> Iterator[Any]:
    """Assertions with what they refer to, and those of sets that have to hold as a whole."""
    for one in assertions:
        if isinstance(one, Mapping) and isinstance(one.get("$ref"), str):
            named = templates.get(str(one["$ref"]).rpartition("/")[2])
            yield named if isinstance(named, Mapping) else {"type": "$ref", **one}
        elif isinstance(one, Mapping) and one.get("type") == "assert-set" and "threshold" not in one:
            yield from _flatten(_items(one.get("assert")), templates)
        else:
            yield one


def _look_up(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for part in _PATH_PART.findall(path):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    if isinstance(found, str) and "{{" in found:
        return _HOLE.sub(lambda hole: show_value(_mapping(values).get(hole[1], hole[0])), found)
    return found


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
