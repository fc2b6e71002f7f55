"""promptfoo's configuration as assistants and scenarios. Source: its documentation and public examples, 0.123.

A prompt's system message and the first provider are an assistant; what a prompt asks, filled by each test, is a
question. Text files that the configuration names are read, programs are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runner.config.exported_assistants import Export, as_items, as_mapping, is_number, settle
from runner.config.imported_scenarios import (
    MODEL_TO_CHOOSE,
    Check,
    Columns,
    Foreign,
    Json,
    Lost,
    Script,
    Suite,
    Template,
    Turn,
    gather,
    literal,
    look_up,
    make_name,
    settle_script,
    show_value,
)
from runner.config.promptfoo_tests import (
    Opener,
    Reader,
    Test,
    Unopened,
    is_about_call,
    open_data,
    parse_data,
    read_about_call,
    read_assertion,
    read_tests,
)
from runner.errors import UsageError

KEYS = frozenset({"prompts", "providers", "targets", "tests", "defaultTest", "scenarios"})
"""What tells a configuration of promptfoo's."""
_MOST_TESTS = 10_000
_MOST_ASSISTANTS = 10
_HOLE = re.compile(r"\{\{-?\s*([A-Za-z_][\w.\[\]'\"-]*)\s*(?:\|\s*(?:safe|trim|dump)\s*)?-?\}\}")
_DUMPED = re.compile(r"(?<!\")\{\{-?\s*([A-Za-z_][\w.]*)\s*\|\s*dump\s*-?\}\}(?!\")")
_HISTORY = re.compile(r"\{%-?\s*for\s+\w+\s+in\s+_conversation\s*-?%\}.*?\{%-?\s*endfor\s*-?%\}", re.DOTALL)
"""What was said before, in a prompt: here the thread has it."""
_LOGIC = re.compile(r"\{[{%#]")
_PATH_PART = re.compile(r"[A-Za-z_][\w-]*|\d+")
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
_KINDS = frozenset("chat responses completion completions messages assistant agents realtime text".split())
_NO_MODEL = frozenset("file http https exec python golang ruby package echo webhook ws wss browser".split())


@dataclass(frozen=True, slots=True)
class _Prompt:
    label: str
    messages: tuple[tuple[str, str], ...]
    skip: str = ""
    has_history: bool = False


@dataclass(slots=True)
class _Fields:
    """Which variables the texts of one prompt and test have, by the columns that they are here."""

    columns: Columns = field(default_factory=Columns)

    def make(self, text: str) -> Template:
        """Raises ValueError for a template that does more than name variables."""
        if _LOGIC.search(_HOLE.sub("", text)):
            raise ValueError("a template with more in it than names of variables")
        return self.columns.cut(text, _HOLE.finditer(text), 1)

    def row(self, values: Mapping[str, Any]) -> dict[str, object]:
        return {column: _look_up(values, path) for column, path in self.columns.paths.items()}


def read_promptfoo(config: Json, *, source: str, stem: str, open_file: Opener) -> Foreign:
    """Raises UsageError if nothing in it can be asked."""
    templates = config.get("assertionTemplates")
    reader = Reader(open_file, templates if isinstance(templates, Mapping) else {})
    base = _read_provider(config, reader)
    prompts = list(_read_prompts(config.get("prompts", "{{prompt}}"), reader))
    tests = list(read_tests(config, reader))
    tools = as_items(base.get("tools"))
    made = [as_mapping(one.get("function", one)).get("name") or one.get("type") for one in map(as_mapping, tools)]
    reader.tools = tuple(map(str, made))
    assertions = (one for test in tests for one in _flatten(test.assertions, reader.templates))
    reader.judges_calls = any(map(is_about_call, assertions))
    if len(tests) * len(prompts) > _MOST_TESTS:
        raise UsageError(f"{source}: {len(tests) * len(prompts):,} questions are more than {_MOST_TESTS:,}, the limit")
    assistants: dict[str, Export] = {}
    scripts = []
    for prompt in prompts:
        for script, instructions in _read_scripts(prompt, tests, reader):
            key = json.dumps(instructions)
            if key not in assistants and len(assistants) < _MOST_ASSISTANTS:
                name = str(config.get("description") or stem)
                body = {
                    "name": make_name(name, stem),
                    **base,
                    **({"instructions": instructions} if instructions else {}),
                }
                assistants[key] = Export(body=settle(body))
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


def _read_provider(config: Json, reader: Reader) -> dict[str, object]:
    """The first one's model and settings, in the words of an exported assistant."""
    written = config.get("providers", config.get("targets"))
    providers = written if isinstance(written, list) else [] if written is None else [written]
    named = [_split_provider(one, reader) for one in _open_providers(providers, reader)]
    for number, (name, _) in enumerate(named[1:], 1):
        reader.lose(f"providers[{number}]", "one assistant has one model; play it with another by `--model`", name)
    if not named:
        reader.lose("providers", f"there are none; {MODEL_TO_CHOOSE} is made up")
        return {"model": MODEL_TO_CHOOSE}
    name, settings = named[0]
    return {"model": _find_model(name, reader), **_read_settings(settings, reader)}


def _open_providers(providers: Sequence[Any], reader: Reader) -> Iterator[Any]:
    for one in providers:
        if isinstance(one, str) and one.startswith("file://") and one.lower().endswith((".yaml", ".yml", ".json")):
            data = open_data(one, "providers", reader)
            yield from data if isinstance(data, list) else [one if data is None else data]
        else:
            yield one


def _split_provider(written: object, reader: Reader) -> tuple[str, Json]:
    if isinstance(written, str):
        return written, {}
    if not isinstance(written, Mapping):
        return str(written), {}
    if "id" not in written and len(written) == 1:
        ((name, inner),) = written.items()
        inner = inner if isinstance(inner, Mapping) else {}
        return str(name), as_mapping(inner.get("config", inner))
    for key in written.keys() - {"id", "config", "label"}:
        reader.lose(f"providers: {key}", "there is nothing of this kind", written[key])
    return str(written.get("id")), as_mapping(written.get("config"))


def _find_model(name: str, reader: Reader) -> str:
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


def _read_settings(settings: Json, reader: Reader) -> dict[str, object]:
    body = dict(settings)
    for key in ("tools", "functions", "response_format"):
        if isinstance(body.get(key), str):
            body[key] = open_data(str(body[key]), f"provider: {key}", reader)
    if isinstance(body.get("tools"), list):
        body["tools"] = [_read_tool(one) for one in as_items(body["tools"])]
    functions = body.pop("functions", None)
    if isinstance(functions, list):
        tools = body.get("tools")
        body["tools"] = [
            *(tools if isinstance(tools, list) else []),
            *({"type": "function", "function": one} for one in functions),
        ]
    return {key: value for key, value in body.items() if value is not None}


def _read_tool(written: object) -> object:
    """A tool as OpenAI's APIs have it; Anthropic's form is told by its `input_schema`."""
    if not isinstance(written, Mapping) or "input_schema" not in written:
        return written
    function = {key: value for key, value in written.items() if key not in ("type", "input_schema")}
    return {"type": "function", "function": {**function, "parameters": written["input_schema"]}}


def _read_prompts(written: object, reader: Reader) -> Iterator[_Prompt]:
    items = written if isinstance(written, list) else [written]
    for number, item in enumerate(items):
        what = f"prompts[{number}]"
        named = as_mapping(item)
        text = named.get("raw", named.get("id")) if named else item
        if not isinstance(text, str):
            reader.lose(what, "it is no text", item)
            continue
        try:
            yield from _open_prompt(text, str(named.get("label") or ""), reader)
        except (Unopened, ValueError) as error:
            reader.lose(what, str(error), text)
            yield _Prompt("", (("user", text),), skip=f"its prompt is not here: {error}")


def _open_prompt(text: str, label: str, reader: Reader) -> Iterator[_Prompt]:
    is_file = text.startswith("file://") or re.fullmatch(r"[\w./*-]+\.(?:txt|json|ya?ml|md|j2|py|js)(?::\w+)?", text)
    if not is_file:
        yield _Prompt(label, _read_messages(_HISTORY.sub("", text)), has_history=bool(_HISTORY.search(text)))
        return
    if "*" in text:
        for named in reader.open_file.find(text):
            yield from _open_prompt(named, label, reader)
        return
    content = reader.open_file(text)
    parts = re.split(r"^---\s*$", content, flags=re.MULTILINE) if text.endswith((".txt", ".md", ".j2")) else [content]
    for part in parts:
        if part.strip():
            bare, is_yaml = _HISTORY.sub("", part).strip(), text.endswith((".yaml", ".yml"))
            yield _Prompt(label, _read_messages(bare, is_yaml=is_yaml), has_history=bool(_HISTORY.search(part)))


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


def _read_scripts(prompt: _Prompt, tests: Sequence[Test], reader: Reader) -> Iterator[tuple[Script, str]]:
    """A scenario for each test, with its instructions; tests of one conversation are the turns of one."""
    read = [(test, *_read_script(prompt, test, number, reader)) for number, test in enumerate(tests, 1)]
    if not prompt.has_history:
        yield from ((script, instructions) for _, script, instructions in read)
        return
    conversations: dict[tuple[str, str], list[Script]] = {}
    for test, script, instructions in read:
        conversations.setdefault((test.conversation, instructions), []).append(script)
    for (_, instructions), scripts in conversations.items():
        turns = tuple(turn for script in scripts for turn in settle_script(script).turns)
        lost = tuple({str(one): one for script in scripts for one in script.lost}.values())
        yield replace(scripts[0], turns=turns, rows=(), lost=lost), instructions


def _read_script(prompt: _Prompt, test: Test, number: int, reader: Reader) -> tuple[Script, str]:
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
    expect = _read_expect(test.assertions, test.threshold, fields, reader)
    row = fields.row(test.values)
    lost += [
        Lost(what=f"the variable {path}", reason="no test gives it; it is empty here")
        for column, path in fields.columns.paths.items()
        if row[column] is None
    ]
    asked = asks[-1].fill(row) if asks else ""
    if not asked.strip():
        asks, skip = [literal("...")], skip or "its prompt asks nothing"
    for path in dict.fromkeys(_HOLE.findall(asked)):
        lost.append(Lost(what=f"the variable {path}", reason="an earlier answer is put in here, or nothing"))
        skip = skip or "it asks about an earlier answer: make both the turns of one scenario"
    turns = tuple(Turn(ask=ask, expect=expect if at == len(asks) - 1 else ()) for at, ask in enumerate(asks))
    name = make_name(test.description or asked or f"{prompt.label} {number}", f"question {number}")
    script = Script(
        name=name, label=test.description, assistant="", turns=turns, rows=(row,), lost=tuple(lost), skip=skip
    )
    return script, "\n\n".join(instructions).strip()


def _read_expect(
    assertions: Sequence[Any], threshold: object, fields: _Fields, reader: Reader
) -> tuple[Check | Lost, ...]:
    """The checks for all of them; with a threshold one, of which they are the parts."""
    items: list[Check | Lost] = []
    weighed: list[dict[str, Any]] = []
    for written in _flatten(assertions, reader.templates):
        found = _read_one(written, fields, reader) if isinstance(written, Mapping) else []
        weight = written.get("weight", 1) if isinstance(written, Mapping) else 1
        if weight == 0:
            found = [Lost(what=str(written.get("type")), reason="its weight is 0", value=dict(written))]
        elif not is_number(weight) or weight < 0:
            found.append(Lost(what=f"{written.get('type')}: weight", reason="it is no number above 0", value=weight))
            weight = 1
        items += found
        weighed += [{"expect": [one], "weight": weight} for one in found if not isinstance(one, Lost)]
    if is_number(threshold) and 0 < threshold <= 1 and len(weighed) > 1:
        score = {"score": {"of": weighed, "threshold": threshold}}
        return (score, *(one for one in items if isinstance(one, Lost)))
    return tuple(items)


def _read_one(written: Json, fields: _Fields, reader: Reader) -> list[Check | Lost]:
    if written.get("type") == "assert-set":
        return list(_read_expect(as_items(written.get("assert")), written.get("threshold"), fields, reader))
    about_call = read_about_call(written) if reader.judges_calls else None
    found = read_assertion(written, fields.make) if about_call is None else about_call
    for check in found:
        called = check.get("tool_called") if isinstance(check, Mapping) else None
        if called is not None and str(called) not in reader.tools:
            reason = "the assistant has no tool of this name: declare it, and write `tool_called`"
            return [Lost(what=str(written.get("type")), reason=reason, value=dict(written))]
    return found


def _flatten(assertions: Sequence[Any], templates: Mapping[str, Any]) -> Iterator[Any]:
    """Assertions with what they refer to, and those of sets that have to hold as a whole."""
    for one in assertions:
        if isinstance(one, Mapping) and isinstance(one.get("$ref"), str):
            named = templates.get(str(one["$ref"]).rpartition("/")[2])
            yield named if isinstance(named, Mapping) else {"type": "$ref", **one}
        elif isinstance(one, Mapping) and one.get("type") == "assert-set" and "threshold" not in one:
            yield from _flatten(as_items(one.get("assert")), templates)
        else:
            yield one


def _look_up(values: Mapping[str, Any], path: str) -> Any:
    found = look_up(values, _PATH_PART.findall(path))
    if isinstance(found, str) and "{{" in found:
        return _HOLE.sub(lambda hole: show_value(as_mapping(values).get(hole[1], hole[0])), found)
    return found
