"""promptfoo's tests: written out, in files of rows, or as scenarios of its kind; each with what is default for all."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any, Protocol

from runner.config.imported_scenarios import Json, Lost
from runner.config.promptfoo_assertions import is_assertion

_EXPECTED_COLUMN = re.compile(r"__expected\d*")
_IN_A_CELL = re.compile(
    r"(?P<type>(?:not-)?[a-z][a-z:-]*[a-z])(?:\((?P<threshold>\d*\.?\d+)\))?(?:\s*:\s*(?P<value>.*))?", re.DOTALL
)
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
    open_file: Opener
    templates: Mapping[str, Any]
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
                yield from _read_test_file(item, reader)
            except (Unopened, ValueError) as error:
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
    opened = {name: _open_variable(name, value, lost, reader) for name, value in values.items()}
    names = [name for name, value in opened.items() if _is_choice(value) and not options.get("disableVarExpansion")]
    for chosen in product(*(opened[name] for name in names)):
        yield Test(
            values={**opened, **dict(zip(names, chosen, strict=True))},
            assertions=[*as_items(base.get("assert")), *as_items(test.get("assert"))],
            description=str(test.get("description") or ""),
            threshold=test.get("threshold", base.get("threshold")),
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
        return json.loads(text, parse_float=Decimal)
    return parse_data(text, named)


def parse_data(text: str, named: str) -> Any:
    """A YAML file's value, by YAML 1.2's core schema. Raises ValueError."""
    from runner.yaml_text import parse_yaml
    from runner.yaml_text.yaml_document import coerce

    parsed = parse_yaml(text, file=named)
    if parsed.problems or parsed.root is None:
        raise ValueError(str(parsed.problems[0]) if parsed.problems else f"{named} is empty")
    return coerce(parsed.root, {}, {})


def as_mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def as_items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
