"""promptfoo's tests: written out, in files of rows, or as scenarios of its kind; each with what is default for all.

Each of their assertions becomes a check of ours, or there is a reason why not. Source: promptfoo 0.123's documentation.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any, Protocol

from runner.config.exported_assistants import as_items, as_mapping, is_number, parse_json
from runner.config.imported_scenarios import Check, Json, Lost, Template, ask_for_meaning, literal, templates_of
from runner.yaml_text import TextNode, parse_yaml
from runner.yaml_text.yaml_document import coerce

_EXPECTED_COLUMN = re.compile(r"__expected\d*")
_TYPE_IN_A_CELL = re.compile(r"(?P<type>[a-z][a-z:-]*[a-z])(?:\((?P<threshold>\d*\.?\d+)\))?\s*")
_CELL_WORDS = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
_OPTIONS = {
    "transform": "answers are judged as they are",
    "transformVars": "rows are asked as they are",
    "provider": "the judge is one for the project: `judge` in assistants.yaml",
    "rubricPrompt": "the judge's prompt is runner's own",
    "timeout": "write it as the scenario's `timeout`, in seconds",
}
_OF_A_TEST = frozenset("vars assert description threshold options metadata".split())


class Unopened(Exception):
    """A file that is not read; why."""


class Opener(Protocol):
    """Text files that are named in the configuration. Raises Unopened."""

    def __call__(self, named: str) -> str: ...

    def find(self, pattern: str) -> list[str]:
        """The names of the files that a pattern means, sorted."""
        ...


@dataclass(slots=True)
class Reader:
    """`tools` are the names of those that the assistant has; `judges_calls`: somewhere answers are calls of them."""

    open_file: Opener
    templates: Mapping[str, Any]
    tools: tuple[str, ...] = ()
    judges_calls: bool = False
    lost: list[Lost] = field(default_factory=list)

    def lose(self, what: str, reason: str, value: object = None) -> None:
        self.lost.append(Lost(what=what, reason=reason, value=value))


@dataclass(frozen=True, slots=True)
class Test:
    values: Mapping[str, Any]
    assertions: Sequence[Any]
    description: str
    threshold: object
    lost: tuple[Lost, ...]
    conversation: str


def read_tests(config: Json, reader: Reader) -> Iterator[Test]:
    written = config.get("defaultTest")
    default = open_data(written, "defaultTest", reader) if isinstance(written, str) else written
    base = as_mapping(default)
    found = [*_open_tests(config.get("tests"), "tests", reader), *_read_scenarios(config.get("scenarios"), reader)]
    if not found:
        found = [{}]
    for test in found:
        yield from _expand_test(base, test, reader)


def _read_scenarios(written: object, reader: Reader) -> Iterator[Json]:
    """promptfoo's scenarios: every test with the variables of every `config`."""
    for number, one in enumerate(written if isinstance(written, list) else []):
        if not isinstance(one, Mapping):
            reader.lose(f"scenarios[{number}]", "it is no mapping", one)
            continue
        tests = list(_open_tests(one.get("tests"), f"scenarios[{number}].tests", reader)) or [{}]
        for setting in _open_tests(one.get("config"), f"scenarios[{number}].config", reader):
            for test in tests:
                both = {**as_mapping(setting.get("vars")), **as_mapping(test.get("vars"))}
                assertions = [*as_items(setting.get("assert")), *as_items(test.get("assert"))]
                yield {**setting, **test, "vars": both, "assert": assertions}


def _open_tests(written: object, what: str, reader: Reader) -> Iterator[Json]:
    for item in written if isinstance(written, list) else [] if written is None else [written]:
        if isinstance(item, str):
            try:
                for named in reader.open_file.find(item) if "*" in item else [item]:
                    yield from _read_test_file(named, reader)
            except (Unopened, ValueError, csv.Error) as error:
                reader.lose(what, str(error), item)
        elif isinstance(item, Mapping) and not ("path" in item and "vars" not in item):
            yield item
        else:
            reader.lose(what, "tests that a program makes have to be written out", item)


def _read_test_file(named: str, reader: Reader) -> Iterator[Json]:
    text = reader.open_file(named)
    plain = named.lower()
    if plain.endswith(".csv"):
        for row in csv.DictReader(io.StringIO(text)):
            yield _read_csv_row({key: value or "" for key, value in row.items() if key is not None})
        return
    lines = [line for line in text.splitlines() if line.strip()]
    value = [parse_json(line) for line in lines] if plain.endswith(".jsonl") else _parse(text, named)
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
        test["threshold"] = coerce(TextNode(line=1, column=1, text=row["__threshold"]), {}, {})
    if options := {key: row[f"__{key}"] for key in ("prefix", "suffix") if row.get(f"__{key}")}:
        test["options"] = options
    return {**test, "assert": assertions}


def _read_cell(cell: str) -> Json:
    """A type, and a value after a colon, which some types have in them, too; or what the answer is to be equal to."""
    for end in (*(colon.start() for colon in re.finditer(":", cell)), len(cell)):
        found = _TYPE_IN_A_CELL.fullmatch(cell[:end])
        kind = _CELL_WORDS.get(found["type"], found["type"]) if found else ""
        if found and is_assertion(kind):
            rest = cell[end + 1 :].strip()
            threshold = {"threshold": Decimal(found["threshold"])} if found["threshold"] else {}
            return {"type": kind, **({"value": rest} if rest else {}), **threshold}
    return {"type": "equals", "value": cell}


def _expand_test(base: Json, test: Json, reader: Reader) -> Iterator[Test]:
    """The test with what is the default for all, once for each combination of variables that are lists."""
    values = {**as_mapping(base.get("vars")), **as_mapping(test.get("vars"))}
    lost = [
        Lost(what=key, reason="there is nothing of this kind", value=one[key])
        for one in (base, test)
        for key in one.keys() - _OF_A_TEST
    ]
    options = {**as_mapping(base.get("options")), **as_mapping(test.get("options"))}
    prefix, suffix = (str(options.pop(key, "")) for key in ("prefix", "suffix"))
    metadata = {**as_mapping(base.get("metadata")), **as_mapping(test.get("metadata"))}
    conversation = str(metadata.pop("conversationId", ""))
    if metadata:
        lost.append(Lost(what="metadata", reason="words to choose by are `tags`", value=metadata))
    if prefix or suffix:
        lost.append(
            Lost(what="options", reason="write what stands around each question into `ask`", value=[prefix, suffix])
        )
    lost += [
        Lost(what=f"options: {key}", reason=_OPTIONS.get(key, "there is nothing of this kind"), value=value)
        for key, value in options.items()
    ]
    threshold = test.get("threshold", base.get("threshold"))
    if threshold is not None and not is_number(threshold):
        lost.append(Lost(what="threshold", reason="it is no number", value=threshold))
    opened = {name: _open_variable(name, value, lost, reader) for name, value in values.items()}
    names = [name for name, value in opened.items() if _is_choice(value) and not options.get("disableVarExpansion")]
    for chosen in product(*(opened[name] for name in names)):
        yield Test(
            values={**opened, **dict(zip(names, chosen, strict=True))},
            assertions=[*as_items(base.get("assert")), *as_items(test.get("assert"))],
            description=str(test.get("description") or ""),
            threshold=threshold,
            lost=tuple(lost),
            conversation=conversation,
        )


def _is_choice(value: object) -> bool:
    """Whether a test is meant once for each of the values; a list of anything but texts and numbers is one value."""
    return isinstance(value, list) and all(isinstance(one, str | int | Decimal) for one in value)


def _open_variable(name: str, value: object, lost: list[Lost], reader: Reader) -> Any:
    if not isinstance(value, str) or not value.startswith("file://"):
        return value
    try:
        if "*" in value:
            return [reader.open_file(named).strip() for named in reader.open_file.find(value)]
        return reader.open_file(value).strip()
    except Unopened as error:
        lost.append(Lost(what=f"vars.{name}", reason=str(error), value=value))
        return value


def open_data(named: str, what: str, reader: Reader) -> Any:
    try:
        return _parse(reader.open_file(named), named)
    except (Unopened, ValueError) as error:
        reader.lose(what, str(error), named)
        return None


def _parse(text: str, named: str) -> Any:
    """JSON or YAML. Raises ValueError."""
    if named.lower().endswith((".json",)):
        return parse_json(text)
    return parse_data(text, named)


def parse_data(text: str, named: str) -> Any:
    """A YAML file's value, by YAML 1.2's core schema. Raises ValueError."""
    parsed = parse_yaml(text, file=named)
    if parsed.problems or parsed.root is None:
        raise ValueError(str(parsed.problems[0]) if parsed.problems else f"{named} is empty")
    return coerce(parsed.root, {}, {})


Make = Callable[[str], Template]
_NOT = "not-"
_JUDGED = frozenset("similar llm-rubric agent-rubric g-eval model-graded-closedqa factuality".split())
_NO_TEXT = "it has no text"

_NO_COUNTERPART: Mapping[str, str] = {
    name: reason
    for names, reason in (
        ("javascript ruby webhook", "runner runs no code of this kind; write a check of the project: `python`"),
        ("python", "a check of the project's own gets other arguments here: see `python`"),
        ("classifier moderation guardrails pi perplexity perplexity-score", "there is no such service behind a check"),
        ("select-best max-score", "it compares several answers; `runner compare` and --model do that here"),
        ("is-xml contains-xml is-sql contains-sql is-html contains-html", "there is no check of this language"),
        (
            "context-faithfulness context-recall context-relevance answer-relevance conversation-relevance",
            "there is no score of this kind; ask a `judge` in words of your own",
        ),
        (
            "is-valid-openai-tools-call is-valid-openai-function-call is-valid-function-call",
            "a call with arguments that are not as declared is an error here by itself",
        ),
        ("levenshtein", "`similar` by levenshtein has a share of the text for its limit, no number of characters"),
        ("non-empty", "an answer that is empty is an error here by itself"),
        ("ends-with tool-call-f1 rouge-s", "there is no check of this kind"),
    )
    for name in names.split()
}


def is_assertion(kind: str) -> bool:
    name = kind.removeprefix(_NOT)
    return name in _READERS or name in _NO_COUNTERPART


def read_assertion(written: Json, make: Make) -> list[Check | Lost]:
    """The check for one assertion, with what of it is lost; `make` gives a text of its with the holes in it."""
    kind = str(written.get("type") or "").strip()
    name = kind.removeprefix(_NOT)
    reader = _READERS.get(name)
    path = _PATH.fullmatch(str(written.get("transform", "output")))
    if reader is None or path is None or "contextTransform" in written:
        reason = "the answer is transformed first" if reader else _explain(name)
        return [Lost(what=kind or "an assertion", reason=reason, value=dict(written))]
    try:
        check = reader(written, make)
        if path["path"]:
            check = {"json_path": {"path": literal(f"${path['path']}"), "expect": check}}
    except _NoCounterpart as why:
        return [Lost(what=kind, reason=str(why), value=dict(written))]
    except (ValueError, TypeError, KeyError) as error:
        return [Lost(what=kind, reason=f"it can't be read ({error})", value=dict(written))]
    lost = [
        Lost(what=f"{kind}: {key}", reason=reason, value=written[key])
        for key, reason in (
            ("metric", "checks have no names of their own here"),
            ("provider", "the judge is one for the project: `judge` in assistants.yaml"),
            ("rubricPrompt", "the judge's prompt is runner's own"),
            ("threshold", "a judge says yes or no" if name in _JUDGED else ""),
        )
        if reason and written.get(key) is not None
    ]
    return [_negate(check) if kind.startswith(_NOT) else check, *lost]


_PATH = re.compile(r"\s*(?:JSON\.parse\(output\)|output)(?P<path>(?:\.(?!length\b)[A-Za-z_]\w*|\[\d{1,6}\])*)\s*")
"""JavaScript that takes a part of an answer."""
_CALLED = re.compile(r"\s*output\.name\s*===?\s*(?P<q>['\"])(?P<name>\w+)(?P=q)\s*;?\s*")


def is_about_call(written: object) -> bool:
    """Whether it says that the answer, as promptfoo has it, is the JSON of a function call."""
    kind = str(written.get("type")) if isinstance(written, Mapping) else ""
    return kind.startswith("is-valid-") and kind.endswith("-call")


def read_about_call(written: Json) -> list[Check | Lost] | None:
    """What an assertion about such an answer is here, where a call is a step and no answer; None: what it always is."""
    kind, value = written.get("type"), written.get("value")
    if kind in ("is-json", "contains-json"):
        return [Lost(what="is-json", reason="it is about a call, whose arguments are JSON by themselves", value=None)]
    code = str(written.get("transform", value)).strip()
    if kind == "javascript" and (found := _CALLED.fullmatch(code)):
        return [{"tool_called": literal(found["name"])}]
    if kind == "equals" and code == "output.name":
        return [{"tool_called": literal(value)}]
    if "output.name" in code or "output.arguments" in code:
        reason = "it is about a call: `tool_called: {tool: NAME, arguments: {...}}`"
        return [Lost(what=str(kind), reason=reason, value=dict(written))]
    return None


class _NoCounterpart(Exception):
    """Why an assertion of a kind that is known can't be said here."""


def _explain(name: str) -> str:
    if name.startswith(("trace-", "trajectory:", "skill-")):
        return "runner looks at steps with `tool_called`, `tool_calls` and `code_ran`"
    return _NO_COUNTERPART.get(name, "there is no check of this kind")


def _negate(check: Check) -> Check:
    if isinstance(check, Mapping) and "contains" in check:
        return {"not_contains": check["contains"]}
    return {"not": check}


def _text(written: Json, make: Make) -> Template:
    value = written.get("value")
    if isinstance(value, bool | int | Decimal):
        return literal(value)
    if not isinstance(value, str) or not value:
        raise _NoCounterpart(_NO_TEXT)
    return make(value)


def _texts(written: Json, make: Make) -> list[Template]:
    """A list, or a text with commas."""
    value = written.get("value")
    items = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(one, str | int | Decimal) for one in items):
        raise _NoCounterpart("it has no list of texts")
    return [make(one) if isinstance(one, str) else literal(one) for one in items]


def _contains(value: Any, *, case: bool) -> Check:
    return {"contains": {"value": value, "words": False, **({"case": True} if case else {})}}


def _starts_with(value: Template) -> Check:
    return {"starts_with": {"value": value, "words": False, "case": True}}


def _contains_any(written: Json, make: Make, *, case: bool) -> Check:
    found = [_contains(text, case=case) for text in _texts(written, make)]
    return {"any_of": found} if len(found) > 1 else found[0]


def _equals(written: Json, make: Make) -> Check:
    if isinstance(written.get("value"), Mapping | list):
        return {"json_path": {"path": "$", "equals": templates_of(written["value"], make)}}
    return {"equals": {"value": _text(written, make), "case": True}}


def _is_json(written: Json, make: Make) -> Check:
    schema = written.get("value")
    if schema is None:
        return "json"
    if not isinstance(schema, Mapping):
        raise _NoCounterpart("its schema is in another file")
    return {"json_schema": {"schema": templates_of(schema, make)}}


def _limit(name: str, per: int) -> Callable[[Json, Make], Check]:
    def read(written: Json, _make: Make) -> Check:
        return {name: _number(written, "threshold") / per}

    return read


def _number(written: Json, key: str, otherwise: str | None = None) -> Decimal:
    value = written.get(key, None if otherwise is None else Decimal(otherwise))
    if not is_number(value):
        raise _NoCounterpart(f"it has no `{key}` that is a number")
    return Decimal(value)


def _similar(by: str, otherwise: str) -> Callable[[Json, Make], Check]:
    def read(written: Json, make: Make) -> Check:
        least = _number(written, "threshold", otherwise)
        return {"similar": {"value": _text(written, make), "by": by, "threshold": least}}

    return read


def _judge(question: str) -> Callable[[Json, Make], Check]:
    def read(written: Json, make: Make) -> Check:
        value = written.get("value")
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return {"judge": [make(one) for one in value]}
        text = _text(written, make)
        return {"judge": Template((question, *text.parts))} if question else {"judge": text}

    return read


def _factual(written: Json, make: Make) -> Check:
    return {"factual": _text(written, make)}


def _word_count(written: Json, _make: Make) -> Check:
    value = written.get("value")
    said = value if isinstance(value, Mapping) else dict.fromkeys(("min", "max"), int(str(value)))
    bounds = {key: _number(said, key) for key in ("min", "max") if key in said}
    if not bounds or any(one % 1 or one < 0 for one in bounds.values()):
        raise _NoCounterpart("it has no number of words")
    return {"length": {key: int(one) for key, one in bounds.items()}}


def _finish_reason(written: Json, _make: Make) -> Check:
    found = {
        "stop": "completed",
        "length": {"value": "incomplete", "code": "max_output_tokens"},
        "content_filter": {"value": "incomplete", "code": "content_filter"},
    }.get(str(written.get("value")))
    if found is None:
        raise _NoCounterpart("a run doesn't end so here")
    return {"status": literal(found) if isinstance(found, str) else templates_of(found, literal)}


def _tool_used(written: Json, make: Make) -> Check:
    value = written.get("value")
    if isinstance(value, str):
        return {"tool_called": make(value)}
    if isinstance(value, Mapping) and set(value) == {"name"} and isinstance(value["name"], str):
        return {"tool_called": make(value["name"])}
    raise _NoCounterpart("it says more than a tool's name")


_CODE: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Check]], ...] = tuple(
    (re.compile(rf"\s*{pattern}\s*"), read)
    for pattern, read in (
        (
            r"output\.includes\((?P<q>['\"])(?P<text>[^'\"\\\n]+)(?P=q)\)",
            lambda found: _contains(literal(found["text"]), case=True),
        ),
        (
            r"output\.toLowerCase\(\)\.includes\((?P<q>['\"])(?P<text>[^'\"\\\nA-Z]+)(?P=q)\)",
            lambda found: _contains(literal(found["text"]), case=False),
        ),
        (
            r"output\.startsWith\((?P<q>['\"])(?P<text>[^'\"\\\n]+)(?P=q)\)",
            lambda found: _starts_with(literal(found["text"])),
        ),
        (
            r"output(?:\.trim\(\))?\s*===?\s*(?P<q>['\"])(?P<text>[^'\"\\\n]+)(?P=q)",
            lambda found: {"equals": {"value": literal(found["text"]), "case": True}},
        ),
        (
            r"output\.length\s*<=\s*(?P<number>\d{1,9})",
            lambda found: {"length": {"max": int(found["number"]), "of": "characters"}},
        ),
        (
            r"output\.length\s*<\s*(?P<number>\d{1,9})",
            lambda found: {"length": {"max": int(found["number"]) - 1, "of": "characters"}},
        ),
        (
            r"(?:JSON\.parse\(output\)|output)(?P<path>(?:\.(?!length\b)[A-Za-z_]\w*|\[\d{1,6}\])+)\s*===?\s*"
            r"(?:(?P<q>['\"])(?P<text>[^'\"\\\n]*)(?P=q)|(?P<json>-?\d{1,15}(?:\.\d{1,9})?|true|false|null))",
            lambda found: {
                "json_path": {"path": literal(f"${found['path']}"), "equals": templates_of(_constant(found), literal)}
            },
        ),
    )
)
"""JavaScript of one line that says what a check of ours says."""


def _constant(found: re.Match[str]) -> Any:
    return parse_json(found["json"]) if found["json"] else found["text"]


def _javascript(written: Json, _make: Make) -> Check:
    code = written.get("value")
    parts = code.strip().removeprefix("return ").removesuffix(";").split("&&") if isinstance(code, str) else []
    checks = [read(found) for part in parts for pattern, read in _CODE if (found := pattern.fullmatch(part))]
    if not checks or len(checks) < len(parts):
        raise _NoCounterpart(_NO_COUNTERPART["javascript"])
    return {"all_of": checks} if len(checks) > 1 else checks[0]


_READERS: Mapping[str, Callable[[Json, Make], Check]] = {
    "equals": _equals,
    "contains": lambda written, make: _contains(_text(written, make), case=True),
    "icontains": lambda written, make: _contains(_text(written, make), case=False),
    "contains-all": lambda written, make: _contains(_texts(written, make), case=True),
    "icontains-all": lambda written, make: _contains(_texts(written, make), case=False),
    "contains-any": lambda written, make: _contains_any(written, make, case=True),
    "icontains-any": lambda written, make: _contains_any(written, make, case=False),
    "starts-with": lambda written, make: _starts_with(_text(written, make)),
    "regex": lambda written, make: {"matches": _text(written, make)},
    "is-json": _is_json,
    "contains-json": _is_json,
    "is-refusal": lambda _written, _make: "refuses",
    "finish-reason": _finish_reason,
    "latency": _limit("latency_s", 1000),
    "cost": _limit("cost", 1),
    "similar": lambda written, make: {"judge": ask_for_meaning(_text(written, make))},
    "bleu": _similar("bleu", "0.5"),
    "gleu": _similar("gleu", "0.5"),
    "rouge-n": _similar("rouge_1", "0.75"),
    "meteor": _similar("meteor", "0.5"),
    "rouge-l": _similar("rouge_l", "0.75"),
    "word-count": _word_count,
    "javascript": _javascript,
    "llm-rubric": _judge(""),
    "agent-rubric": _judge(""),
    "g-eval": _judge(""),
    "model-graded-closedqa": _judge("Does the answer meet this criterion: "),
    "factuality": _factual,
    "model-graded-factuality": _factual,
    "trajectory:tool-used": _tool_used,
}
