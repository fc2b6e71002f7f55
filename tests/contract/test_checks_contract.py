"""What every check plug-in must keep to; a new file under runner/checks is found and tested by itself."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
from cpu_time import at_most_cpu_s
from jsonschema import Draft202012Validator
from turn_judging import AtHand

import runner.checks
from runner.checks import Example, Exchange
from runner.config import load_configuration
from runner.domain.conversation import Citation, Ending, FileId, Run, RunId, RunStatus, Step, ThreadId
from runner.domain.judgement import Answer, Answers, Question, QuestionKind, Questions
from runner.domain.report import Finding, Outcome, TurnResult
from runner.domain.scenario import Expectation, Scenario
from runner.errors import CheckBroken, ConfigError, Location, RemoteError
from runner.execution import apart
from runner.execution.judging import judge_exchange
from runner.plugins import load_plugin, plugin_names

PARTS = [{"contains": "text"}]
NAMES = plugin_names(runner.checks.__name__)
NEGATIVE = {"not_contains", "not_cites", "tool_not_called"}
ABOUT_THE_RUN = {"cost", "latency_s", "length", "status", "steps", "tokens"}
"""Checks that no answer is needed for: with an empty one the turn ends before they are asked."""
WITHOUT_JUDGE = {name for name in NAMES if not hasattr(load_plugin(runner.checks.__name__, name).Check, "judge")}
"""Those made of others (see test_combining.py), and those that ask a model (see test_judging.py)."""
MADE_OF_OTHERS = {
    name for name in NAMES if runner.checks.EXPECTATIONS in str(load_plugin(runner.checks.__name__, name).SCHEMA)
}
"""They look at what their parts found, not at the answer."""


def run(text: str = "", **fields: Any) -> Run:
    return Run(id=RunId("run"), thread_id=ThreadId("thread"), status=RunStatus.COMPLETED, text=text, **fields)


RUNS = (
    run("The total is 39.25【."),
    run("x" * 100_000),
    run("\x1b[31mred\x1b[0m \ud800 \u202e ١ ½ \x00"),
    run(
        "Cited.",
        steps=(Step(tool="file_search", completed=True), Step(tool="", completed=False)),
        citations=(Citation(position=0, file_id=FileId("f"), filename="a.pdf"),),
    ),
)


@pytest.fixture(params=NAMES)
def plugin(request: pytest.FixtureRequest) -> ModuleType:
    return load_plugin(runner.checks.__name__, request.param)


@pytest.fixture(params=sorted(set(NAMES) - WITHOUT_JUDGE))
def judging(request: pytest.FixtureRequest) -> ModuleType:
    return load_plugin(runner.checks.__name__, request.param)


def build(plugin: ModuleType, **more: Any) -> runner.checks.Part:
    """Its check, made from parameters that its schema allows."""
    given = {**parameters_of(plugin.SCHEMA, plugin.MAIN_FIELD), **more}
    parameters = {name: _with_parts(value) for name, value in given.items()}
    place = Location("scenarios/x.yaml", 1, 1)
    name = plugin.__name__.rpartition(".")[2].removesuffix("_")
    return runner.checks.build_part(Expectation(check=name, parameters=parameters, location=place))


def _with_parts(value: Any) -> Any:
    if value == PARTS:
        place = Location("scenarios/x.yaml", 1, 1)
        return (Expectation(check="contains", parameters={"value": "text"}, location=place),)
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, dict):
        return {key: _with_parts(PARTS if key == "expect" else one) for key, one in value.items()}
    return [_with_parts(one) for one in value] if isinstance(value, list) else value


def parameters_of(schema: dict[str, Any], main_field: str) -> dict[str, Any]:
    """Parameters made from the schema alone: what it requires, each with the simplest value that it allows."""
    if "examples" in schema:  # of the whole: the required properties alone are not enough
        return {name: PARTS if name == "expect" else value for name, value in schema["examples"][0].items()}
    names = schema.get("required", [main_field] if "minProperties" in schema else [])
    return {name: _example(schema["properties"][name]) for name in names}


def _example(schema: dict[str, Any]) -> Any:
    if schema.get("format") == runner.checks.EXPECTATIONS:
        return PARTS
    if "enum" in schema:
        return schema["enum"][0]
    if "examples" in schema and schema.get("type") != "number":
        return schema["examples"][0]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if kinds[0] == "array":
        return [f"{_example(schema['items'])}{number}" for number in range(schema.get("minItems", 1))]
    examples = {"string": "text", "number": Decimal("39.25"), "integer": schema.get("minimum", 1), "boolean": True}
    return examples[kinds[0]]


def test_the_checks_of_the_first_storey_are_there() -> None:
    wanted = "cites contains equals matches not_contains number one_of tool_called tool_not_called"
    assert set(wanted.split()) <= set(NAMES)


def test_its_module_says_in_one_sentence_what_it_is(plugin: ModuleType) -> None:
    assert (plugin.__doc__ or "").strip().endswith(".")


def test_its_schema_is_a_closed_object_with_a_description_of_everything(plugin: ModuleType) -> None:
    Draft202012Validator.check_schema(plugin.SCHEMA)

    assert plugin.SCHEMA["type"] == "object"
    assert plugin.SCHEMA["additionalProperties"] is False
    assert plugin.SCHEMA["description"].endswith(".")
    for name, schema in plugin.SCHEMA["properties"].items():
        assert schema.get("description", "").endswith("."), name
        assert "type" in schema, name


def test_its_main_field_is_required_where_anything_is(plugin: ModuleType) -> None:
    assert plugin.MAIN_FIELD in plugin.SCHEMA["properties"]
    assert plugin.MAIN_FIELD in plugin.SCHEMA.get("required", [plugin.MAIN_FIELD])


def test_its_fields_are_the_properties_of_its_schema(plugin: ModuleType) -> None:
    fields = {field.name: field for field in dataclasses.fields(plugin.Check)}

    assert set(fields) == set(plugin.SCHEMA["properties"])
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    assert required == set(plugin.SCHEMA.get("required", ()))
    for name, schema in plugin.SCHEMA["properties"].items():
        if "default" in schema:
            assert fields[name].default == schema["default"], name


def test_it_is_frozen(plugin: ModuleType) -> None:
    check: Any = build(plugin).check

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(check, plugin.MAIN_FIELD, "other")


def test_its_endings_are_endings(plugin: ModuleType) -> None:
    endings = getattr(plugin.Check, "endings", runner.checks.ORDINARY_ENDINGS)

    assert endings
    assert all(isinstance(ending, Ending) for ending in endings)


def test_the_parameters_that_its_schema_allows_make_a_check(plugin: ModuleType) -> None:
    parameters = parameters_of(plugin.SCHEMA, plugin.MAIN_FIELD)

    Draft202012Validator(plugin.SCHEMA).validate(parameters)
    build(plugin)


@pytest.mark.parametrize("answer", RUNS, ids=["plain", "long", "hostile", "cited"])
@pytest.mark.slow
def test_it_judges_any_answer_with_a_short_finding(judging: ModuleType, answer: Run) -> None:
    try:
        finding = build(judging).check.judge(answer)
    except CheckBroken:
        return  # by text alone it can't be decided

    assert isinstance(finding, Finding)
    assert finding.expected
    assert finding.found or finding.holds
    assert bool(finding.reason) is not finding.holds
    assert all(len(text) <= 500 for text in (finding.expected, finding.found, finding.reason))


def test_it_judges_the_same_answer_in_the_same_way(judging: ModuleType) -> None:
    check: Any = build(judging).check

    with suppress(CheckBroken):
        assert check.judge(RUNS[0]) == check.judge(RUNS[0])
    assert not inspect.iscoroutinefunction(check.judge)


@pytest.mark.parametrize("name", sorted(set(NAMES) - NEGATIVE - ABOUT_THE_RUN - WITHOUT_JUDGE))
@pytest.mark.parametrize("text", ["", " \n", "\u200b"])
def test_a_check_for_something_never_holds_on_nothing(name: str, text: str) -> None:
    plugin = load_plugin(runner.checks.__name__, name)
    check: Any = build(plugin).check

    with suppress(CheckBroken):
        assert not check.judge(run(text)).holds


PROJECT = """
version: 1
namespace: demo
targets: {elsewhere: {api: responses, base_url: "http://127.0.0.1:9/v1"}}
judge: {target: elsewhere, model: any}
assistants:
  guide:
    model: any
    tools: [code_interpreter, file_search, web_search]
    files: [receipt.pdf, prices.csv, terms.md]
    functions:
      - {name: exchange_rate, returns: 1.08, parameters: {type: object, properties: {to: {}, amount: {}}}}
      - {name: book, returns: ok}
"""
EXAMPLES = [
    pytest.param(name, place, id=f"{name}-{place}")
    for name in NAMES
    for place in range(len(load_plugin(runner.checks.__name__, name).EXAMPLES))
]
ANSWERED: dict[str, Any] = {"status": RunStatus.COMPLETED, "text": "", "declined": None, "refusal": None}
ENDINGS: dict[str, dict[str, Any]] = {
    "incomplete": {"status": RunStatus.INCOMPLETE, "text": "You pay 39.25."},
    "failed": {"status": RunStatus.FAILED, "error": "The server had an error.", "error_code": "server_error"},
    "expired": {"status": RunStatus.EXPIRED},
    "cancelled": {"status": RunStatus.CANCELLED},
    "refused": {"refusal": "I can't help with that."},
    "declined": {"declined": "No model is connected."},
    "empty": {"text": " \n"},
}


CODE = """
def no_discounts(turn):
    return "discount" not in turn["answer"]

def share_of_short_words(turn):
    words = turn["answer"].split()
    return sum(len(word) < 5 for word in words) / len(words)

def broken(turn):
    return turn["nothing"]
"""
KEPT: list[Any] = []
"""Folders with code that checks run: as long as the tests."""


@cache
def scenario_of(name: str) -> Scenario:
    """A scenario with a turn for each example of a check, read as users write it."""
    examples: tuple[Example, ...] = load_plugin(runner.checks.__name__, name).EXAMPLES
    turns = "".join(f"\n  - ask: Well?\n    expect:\n      - {one.check}" for one in examples)
    with ExitStack() as kept:
        root = Path(kept.enter_context(TemporaryDirectory()))
        for file in ("receipt.pdf", "prices.csv", "terms.md"):
            (root / file).write_text("text")
        (root / "assistants.yaml").write_text(PROJECT)
        (root / "scenarios").mkdir()
        (root / "scenarios" / "one.yaml").write_text(f"assistant: guide\nturns:{turns}\n", encoding="utf-8")
        (root / "scenarios" / "policy.py").write_text(CODE)
        read = load_configuration(file=None, scenario_paths=(), cwd=root, environment={})
        if name == "python":
            KEPT.append(kept.pop_all())
    return read.scenarios[0]


def judged(name: str, place: int, answer: Run, *, judge: Judge | None = None) -> TurnResult:
    """An example's check on an answer, as a play judges it; `judge` says something else than the example has it say."""
    scenario = scenario_of(name)
    turn = scenario.turns[place]
    exchange = Exchange(scenario=scenario, turns=((turn, answer),), target="embedded", api="responses", model="any")
    example = load_plugin(runner.checks.__name__, name).EXAMPLES[place]

    async def as_the_example_says(questions: Questions) -> Answers:
        return Answers(model="any", way="", answers={one.name: said(one, example.judge) for one in questions.questions})

    return asyncio.run(judge_exchange(exchange, AtHand(model=judge or as_the_example_says, sleep=no_sleep)))


Judge = Callable[[Questions], Awaitable[Answers]]


async def no_sleep(_seconds: float) -> None:
    pass


async def is_broken(_questions: Questions) -> Answers:
    raise RemoteError("The server had an error.", status=500)


async def refuses(questions: Questions) -> Answers:
    return Answers(model="any", way="", answers={one.name: said(one, None) for one in questions.questions})


async def says_little(_questions: Questions) -> Answers:
    return Answers(model="any", way="", answers={})


PAID = [name for name in NAMES if getattr(load_plugin(runner.checks.__name__, name).Check, "is_paid", False)]


@pytest.mark.parametrize("judge", [is_broken, refuses, says_little])
@pytest.mark.parametrize(("name", "place"), [one for one in EXAMPLES if one.values[0] in PAID])
def test_a_judge_that_fails_is_an_error_and_never_a_verdict(name: str, place: int, judge: Judge) -> None:
    example = load_plugin(runner.checks.__name__, name).EXAMPLES[place]

    result = judged(name, place, example.run, judge=judge)

    assert [one.outcome for one in result.verdicts] == [Outcome.ERRORED]
    assert result.outcome is Outcome.ERRORED
    assert result.verdicts[0].reason


@pytest.mark.parametrize("name", PAID)
def test_a_check_that_asks_shows_by_an_example_when_it_can_not_be_told(name: str) -> None:
    assert Outcome.ERRORED in {example.outcome for example in load_plugin(runner.checks.__name__, name).EXAMPLES}


def said(question: Question, right: float | None) -> Answer:
    """What a judge says that gives a probability to what is right: yes, or all but an end of the options."""
    if right is None:
        return Answer(name=question.name, refusal="no")
    words = [word for word, _ in question.options] or ["no", "yes"]
    wrong = words[-1] if question.kind is QuestionKind.CHOICE else words[0]
    others = [word for word in words if word != wrong]
    return Answer(name=question.name, probabilities={wrong: 1 - right} | dict.fromkeys(others, right / len(others)))


@pytest.mark.parametrize(("name", "place"), EXAMPLES)
def test_its_examples_come_to_what_they_say(name: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.checks.matches._TIMEOUT_S", 0.2)  # which one example runs into
    example = load_plugin(runner.checks.__name__, name).EXAMPLES[place]

    result = judged(name, place, example.run)

    assert result.outcome is example.outcome, result


@pytest.mark.parametrize("name", NAMES)
def test_it_shows_by_examples_what_passes_and_what_fails(name: str) -> None:
    outcomes = {example.outcome for example in load_plugin(runner.checks.__name__, name).EXAMPLES}

    assert {Outcome.PASSED, Outcome.FAILED} <= outcomes


@pytest.mark.parametrize(("name", "place"), EXAMPLES)
def test_nothing_passes_on_an_ending_that_its_check_does_not_state(name: str, place: int) -> None:
    plugin = load_plugin(runner.checks.__name__, name)
    for ending, ended in ENDINGS.items():
        answer = dataclasses.replace(plugin.EXAMPLES[place].run, **{**ANSWERED, **ended})

        result = judged(name, place, answer)

        states_it = answer.ending in getattr(plugin.Check, "endings", ())
        assert result.outcome is not Outcome.PASSED or (
            states_it and all(one.outcome.value == "passed" for one in result.verdicts)
        ), ending
        if ending == "refused" and not states_it:
            assert result.outcome is Outcome.FAILED


HOSTILE = {
    "words": "Total ﬁ \u202e\x1b[31m 39.25 (not [a] *lot*) \x00<b>x</b>; " * 5_500,
    "unbroken": "a" * 250_000,
    "brackets": '[{"a":' * 42_500,
    "amounts": "1,234 39,25 5 km $39.25 5% 10⁵ (5) 7 ft 5; 4 March 2026 or 04/03/2026 12:30; " * 3_000,
    "marks": "[a](**_`~~<b><!--&amp;|#\n```" * 8_000,
    "letters": "e\u0301\u0323\n\u200b\ud800\x00👩‍👩‍👧你٣" * 17_000,
    "nearly": "burge You pay 39.2 I can't, can not or cannot help with 30 day " * 4_000,
    "digits": "1" * 250_000,
    "lines": "\n" * 250_000,
}


def variants_of(plugin: ModuleType) -> Iterator[dict[str, Any]]:
    """Each other value of a choice, as its schema has them."""
    for name, schema in plugin.SCHEMA["properties"].items():
        others = schema.get("enum", [True] if schema.get("type") == "boolean" else [])
        yield from ({name: value} for value in others if value != schema.get("default"))


LONG = 1_000_000
HOSTILE_TO = [
    pytest.param(name, text, id=f"{name}-{text}")
    for name in NAMES
    for text in (["letters"] if name in MADE_OF_OTHERS else HOSTILE)
    if text != "words"  # of which there is a megabyte below
]


def judged_hostile(name: str, text: str) -> TurnResult:
    plugin = load_plugin(runner.checks.__name__, name)
    getattr(plugin, "prepare", lambda: None)()
    place = next(at for at, one in enumerate(plugin.EXAMPLES) if one.outcome is Outcome.PASSED)
    # A quarter of what it could be: what grows with the square and takes 30 s for a megabyte takes 1.9 s.
    with at_most_cpu_s(8.0 * len(text) / LONG):
        return judged(name, place, dataclasses.replace(plugin.EXAMPLES[place].run, text=text))


@pytest.mark.parametrize(("name", "text"), HOSTILE_TO)
@pytest.mark.slow
def test_no_answer_keeps_it_busy(name: str, text: str) -> None:
    result = judged_hostile(name, HOSTILE[text])

    for verdict in result.verdicts:
        assert all(len(text) <= 500 for text in (verdict.expected, verdict.found, verdict.reason))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_an_answer_of_a_megabyte_is_judged_within_the_limit_of_a_check(name: str) -> None:
    assert apart.LIMIT_S >= 8.0
    text = HOSTILE["unbroken" if name in MADE_OF_OTHERS else "words"]

    result = judged_hostile(name, (text * 4)[:LONG])

    assert result.verdicts
    for verdict in result.verdicts:
        assert all(len(text) <= 500 for text in (verdict.expected, verdict.found, verdict.reason))


@pytest.mark.parametrize("name", [name for name in NAMES if any(variants_of(load_plugin("runner.checks", name)))])
@pytest.mark.slow
def test_no_answer_keeps_it_busy_whichever_way_is_chosen(name: str) -> None:
    """Where there are many ways, each text meets every other one, and each way every other text."""
    plugin = load_plugin(runner.checks.__name__, name)
    steps = (Step(tool="code_interpreter", completed=True, output="x" * 1000),)
    variants = list(variants_of(plugin))
    for at, variant in enumerate(variants):
        getattr(plugin, "prepare", lambda *_: None)(variant)
        with suppress(ValueError):  # not all of them go with what the schema requires
            part = build(plugin, **variant)
            for text in list(HOSTILE.values())[at % 2 :: 2] if len(variants) > 2 else HOSTILE.values():
                with at_most_cpu_s(0.8):
                    verdict = part.judge(run(text[:25_000], steps=steps))
                assert all(len(text) <= 500 for text in (verdict.expected, verdict.found, verdict.reason))


CANNOT_FAIL: dict[str, list[str]] = {
    "length": ["{min: 0}", "{min: 1, of: characters}"],
    "steps": ["{min: 0}"],
    "tokens": ["{min: 0}"],
    "cost": ["{min: 0}"],
    "latency_s": ["{min: 0}"],
    "tool_called": ["{tool: file_search, times: {min: 0}}"],
    "produces": ["{name: a.csv, min_bytes: 0}"],
    "contains": ["''", "' '", "[]", "[a, '']"],
    "not_contains": ["''", "[]"],
    "starts_with": ["''", "' '"],
    "equals": ["''"],
    "one_of": ["[a]", "{values: [a, ''], inside: true}"],
    "matches": ["'a*'", "'.*'", "''"],
    "similar": ["{value: a, threshold: 0}", "''"],
    "numbers": ["[]"],
    "number": ["{}", "''"],
    "date": ["{value: 2026-03-04, tolerance_days: 3650}"],
    "json_schema": ["{}", "{title: Any}", "{schema: {description: Any}}"],
    "json_path": ["''", "{path: $.a, expect: []}", "{path: $.a, expect: {length: {min: 0}}}"],
    "tool_calls": ["[]", "{calls: [], mode: subset}"],
    "any_of": ["[]", "[contains: a, length: {min: 0}]"],
    "all_of": ["[]"],
    "not": ["[]"],
    "when": ["{api: responses, expect: []}", "{expect: {contains: a}}", "{api: responses, expect: {steps: {min: 0}}}"],
    "score": ["{threshold: 0, of: [expect: {contains: a}]}", "{threshold: 1, of: []}"],
    "judge": [
        "{criteria: Is it?, fails_at: 0, undecided: pass}",
        "[{ask: Is it?, choices: [a, b], accept: [a, b]}]",
        "[{ask: Is it?, levels: [a, b], at_least: a}]",
        "[]",
    ],
    "factual": ["{reference: It is., fails_at: 0, undecided: pass}"],
    "goal": ["{goal: It is., fails_at: 0, undecided: pass}"],
    "python": ["{call: checks/own.py:holds, threshold: 0}"],
    "searched": ["{}"],
    "cites": ["''"],
    "not_cites": ["''"],
    "tool_not_called": ["''"],
    "refuses": ["{words: ''}", "{words: []}"],
    "code_ran": ["{code: ''}", "{printed: []}"],
    "language": ["''"],
    "status": ["''"],
    "json": [],
}
"""Of each check what no answer could fail."""


def test_of_every_check_it_is_known_what_can_not_fail() -> None:
    assert {name.rstrip("_") for name in NAMES} == set(CANNOT_FAIL)


def test_a_check_that_can_not_fail_is_refused(tmp_path: Path) -> None:
    """All in one file: each line of it has to have a mistake."""
    written = [(name, value) for name, values in CANNOT_FAIL.items() for value in values]
    lines = [f"      - {name}: {value}" for name, value in written]
    project = tmp_path / "assistants.yaml"
    project.write_text(PROJECT, encoding="utf-8")
    for name in ("receipt.pdf", "prices.csv", "terms.md"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "own.py").write_text("def holds(turn): return True\n", encoding="utf-8")
    head = ["assistant: guide", "turns:", "  - ask: Hi", "    expect:"]
    (tmp_path / "one.yaml").write_text("\n".join([*head, *lines]), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load_configuration(file=None, scenario_paths=("one.yaml",), cwd=tmp_path, environment={})

    told = {problem.line for problem in caught.value.problems}
    assert [one for at, one in enumerate(written, start=len(head) + 1) if at not in told] == []
