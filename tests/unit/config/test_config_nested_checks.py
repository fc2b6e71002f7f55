"""Checks inside checks: read in every form that `expect` has, and each mistake shown at its own place."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.checks import build_part
from runner.config import load_configuration
from runner.domain.report import Finding
from runner.domain.scenario import Expectation
from runner.errors import ConfigError

PROJECT = """version: 1
namespace: demo
targets: {local: {api: responses, server: embedded}}
assistants: {guide: {model: m, tools: [file_search]}}
"""
HEAD = "assistant: guide\nturns:\n  - ask: Where?\n    expect:\n"


def read(tmp_path: Path, *lines: str, project: str = PROJECT) -> tuple[Expectation, ...]:
    (tmp_path / "assistants.yaml").write_text(project, encoding="utf-8")
    text = HEAD + "".join(f"      {line}\n" for line in lines)
    (tmp_path / "one.yaml").write_text(text, encoding="utf-8")
    found = load_configuration(file=None, scenario_paths=("one.yaml",), cwd=tmp_path, environment={})
    return found.scenarios[0].turns[0].expectations


def mistakes(tmp_path: Path, *lines: str, project: str = PROJECT) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, *lines, project=project)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "line",
    [
        "- not: {contains: Oslo}",
        "- not: [contains: Oslo]",
        "- not: {expect: {contains: Oslo}}",
        "- not: {expect: [{contains: {value: Oslo}}]}",
        "- {not: {expect: [contains: Oslo]}}",
    ],
)
def test_checks_inside_are_written_as_everywhere(tmp_path: Path, line: str) -> None:
    (outer,) = read(tmp_path, line)

    (inner,) = outer.parameters["expect"]  # type: ignore[misc]
    assert (outer.check, inner.check, dict(inner.parameters)) == ("not", "contains", {"value": "Oslo"})
    assert (inner.location.file, inner.location.line) == ("one.yaml", 5)
    assert inner.location.column == len("      ") + line.index("contains") + 1


@pytest.mark.parametrize("line", ["- not: refuses", "- not: [refuses]", "- not: {expect: refuses}"])
def test_a_check_inside_may_be_its_name_alone(tmp_path: Path, line: str) -> None:
    (outer,) = read(tmp_path, line)

    (inner,) = outer.parameters["expect"]  # type: ignore[misc]
    assert (outer.check, inner.check, dict(inner.parameters)) == ("not", "refuses", {})


def test_a_name_inside_that_is_no_check_s_is_told(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "- not: refusess") == [
        "one.yaml:5:14: turns[0].expect[0].not: unknown check 'refusess'; did you mean 'refuses'?"
    ]


def test_texts_inside_stay_texts(tmp_path: Path) -> None:
    (outer,) = read(tmp_path, "- any_of:", "  - contains: 1.10", "  - not: {equals: no}")

    first, second = outer.parameters["expect"]  # type: ignore[misc]
    assert first.parameters == {"value": "1.10"}
    assert second.parameters["expect"][0].parameters == {"value": "no"}


def test_checks_in_the_items_of_a_list_are_read_too(tmp_path: Path) -> None:
    (outer,) = read(
        tmp_path,
        "- score:",
        "    threshold: 0.5",
        "    of:",
        "    - {weight: 2, expect: {contains: a}}",
        "    - expect: [number: 3]",
    )

    first, second = outer.parameters["of"]  # type: ignore[misc]
    assert [one["expect"][0].check for one in (first, second)] == ["contains", "number"]
    assert second["expect"][0].location.line == 9


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (
            ["- not: {contians: Oslo}"],
            "one.yaml:5:15: turns[0].expect[0].not: unknown check 'contians'; did you mean 'contains'?",
        ),
        (
            ["- any_of:", "    - contains: Oslo", "    - not: [icontains: x]"],
            "one.yaml:7:19: turns[0].expect[0].any_of[1].not[0]: unknown check 'icontains'; write `contains: TEXT`",
        ),
        (
            ["- any_of: {expect: [number: many]}"],
            "one.yaml:5:35: turns[0].expect[0].any_of.expect[0].number: expected a number, found 'many'",
        ),
        (["- not: {matches: '('}"], "one.yaml:5:24: turns[0].expect[0].not.matches: '(' is no"),
        (["- not: []"], "one.yaml:5:14: turns[0].expect[0].not: is empty"),
        (
            ["- not: {tool_called: serch}"],
            "one.yaml:5:28: turns[0].expect[0].not.tool_called: there is no tool 'serch'",
        ),
        (
            ["- when: {target: locall, expect: {contains: x}}"],
            "one.yaml:5:24: turns[0].expect[0].when.target: there is no target 'locall'; did you mean 'local'?",
        ),
        (
            ["- when: {target: [local, remote], expect: {contains: x}}"],
            "one.yaml:5:32: turns[0].expect[0].when.target[1]: there is no target 'remote'; ",
        ),
        (
            ["- when: {api: [agents, respones], expect: {contains: x}}"],
            "one.yaml:5:30: turns[0].expect[0].when.api[1]: there is no api 'respones'; did you mean 'responses'?",
        ),
        (["- when: {target: local}"], "one.yaml:5:9: turns[0].expect[0].when: the key 'expect' is missing"),
        (
            ["- when: [contains: x]"],
            "one.yaml:5:15: turns[0].expect[0].when: says nothing about where; name a `target`, an `api` or a `model`",
        ),
        (
            ["- score: {threshold: 2, of: [{expect: {contains: x}}]}"],
            "one.yaml:5:28: turns[0].expect[0].score.threshold: must be at most 1, found 2",
        ),
    ],
)
def test_a_mistake_inside_is_shown_at_its_own_place(tmp_path: Path, lines: list[str], wanted: str) -> None:
    (found,) = mistakes(tmp_path, *lines)

    assert found.startswith(wanted)


LACKS = "the assistant 'guide' doesn't have the tool {0}, so it can't call it; add {0} to its `tools`"


NO_FILE = "no file that the assistant has by then is called 'b.md'"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("- tool_calls: [file_search, @serch]", "there is no tool 'serch'"),
        ("- tool_calls: [@mcp]", LACKS.format("mcp")),
        ("- tool_calls: [{tool: @mcp}]", LACKS.format("mcp")),
        ("- tool_calls: {calls: [{tool: @mcp}]}", LACKS.format("mcp")),
        ("- tool_calls: {mode: subset, calls: [@serch]}", "there is no tool 'serch'"),
        ("- any_of: [tool_called: @mcp, contains: x]", LACKS.format("mcp")),
        ("- all_of: [all_of: [tool_called: @mcp]]", LACKS.format("mcp")),
        ("- when: {api: responses, expect: {tool_called: @mcp}}", LACKS.format("mcp")),
        ("- score: {threshold: 1, of: [{expect: {tool_called: @mcp}}]}", LACKS.format("mcp")),
        ("- not: {tool_not_called: @mcp}", LACKS.format("mcp")),
        ("- not: {not: {tool_called: @mcp}}", LACKS.format("mcp")),
        ("- any_of: [cites: @b.md, contains: x]", NO_FILE),
        ("- searched: @b.md", NO_FILE),
        ("- @code_ran", "`code_ran` needs the tool code_interpreter; the assistant 'guide' doesn't have it; add"),
        ("- @code_ran: {printed: x}", "`code_ran` needs the tool code_interpreter"),
        ("- any_of: [{@produces: x.csv}, {contains: x}]", "`produces` needs the tool code_interpreter"),
    ],
)
def test_what_no_answer_can_pass_is_shown_wherever_it_stands(tmp_path: Path, line: str, words: str) -> None:
    """At the place that is marked."""
    (found,) = mistakes(tmp_path, line.replace("@", ""))

    assert found.startswith(f"one.yaml:5:{len('      ') + line.index('@') + 1}: turns[0].expect[0]")
    assert words in found


def test_without_any_tool_there_is_nothing_to_cite_or_find(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    project = PROJECT.replace("tools: [file_search]", "tools: []")

    cites, searched = mistakes(tmp_path, "- cites: a.md", "- searched: a.md", project=project)

    assert "`cites` needs one of the tools file_search, web_search, code_interpreter, mcp; the assistant" in cites
    assert "`searched` needs the tool file_search; the assistant 'guide' doesn't have it" in searched


def test_on_api_agents_files_are_made_without_a_tool(tmp_path: Path) -> None:
    project = PROJECT.replace("targets: {", "targets: {agents: {api: agents}, ")

    assert read(tmp_path, "- produces: x.csv", project=project)


def test_what_must_not_be_need_not_be_possible(tmp_path: Path) -> None:
    assert read(
        tmp_path,
        "- not: {tool_called: mcp}",
        "- tool_not_called: mcp",
        "- not: [code_ran, produces: x.csv, cites: b.md]",
        "- any_of: [{not: {any_of: [tool_calls: [mcp], contains: x]}}, {tool_not_called: web_search}]",
        "- tool_calls: {mode: subset, calls: [file_search, mcp]}",
        "- not_cites: b.md",
    )


def test_arguments_that_a_strict_function_never_gets_are_shown_in_each_call(tmp_path: Path) -> None:
    schema = "{type: object, properties: {to: {type: string}}, required: [to], additionalProperties: false}"
    rate = f"{{name: rate, returns: 1, strict: true, parameters: {schema}}}"
    project = PROJECT.replace("tools: [file_search]", f"functions: [{rate}]")
    call = "- any_of: [tool_calls: [{tool: rate, arguments: {@from: EUR}}], contains: x]"

    (found,) = mistakes(tmp_path, call.replace("@", ""), project=project)

    place = len("      ") + call.index("@") + 1
    assert found.startswith(f"one.yaml:5:{place}: turns[0].expect[0].any_of[0].tool_calls[0].arguments.from: ")
    assert "the function rate has no argument 'from'" in found


def test_a_name_that_no_argument_has_is_shown_whatever_the_check_wants_of_the_call(tmp_path: Path) -> None:
    """The schema lists its properties and doesn't say that there are no others; nothing says that of `free`, `open`."""
    rate = "{type: object, properties: {to: {}, trip: {type: object, properties: {days: {}}}}}"
    free = "{type: object, properties: {to: {}}, additionalProperties: true}"
    functions = f"{{name: rate, returns: 1, parameters: {rate}}}, {{name: free, returns: 1, parameters: {free}}}"
    functions += ", {name: open, returns: 1}"
    project = PROJECT.replace("tools: [file_search]", f"functions: [{functions}]")
    lines = [
        "- tool_called: {tool: rate, arguments: {ot: EUR}}",
        "- not: {tool_called: {tool: rate, arguments: {trip: {dyas: 3}}}}",
        "- tool_calls: {mode: subset, calls: [{tool: rate, arguments: {tpo: EUR}}]}",
    ]

    fine = [f"- tool_called: {{tool: {name}, arguments: {{ot: EUR}}}}" for name in ("free", "open")]
    found = mistakes(tmp_path, *lines, *fine, project=project)

    assert [one.partition(" arguments")[0].partition("function ")[2] for one in found] == [
        "rate has no argument 'ot'; it has to, trip",
        "rate has no argument 'dyas'; did you mean 'days'?",
        "rate has no argument 'tpo'; did you mean 'to'?",
    ]


def test_checks_stand_only_so_deep_inside_each_other(tmp_path: Path) -> None:
    deep = "- " + "not: [" * 7 + "contains: x" + "]" * 7

    (found,) = mistakes(tmp_path, deep)

    assert "checks stand more than 6 deep inside each other here" in found


def test_alternatives_may_contradict_each_other(tmp_path: Path) -> None:
    assert read(tmp_path, "- any_of: [{contains: x}, {not_contains: x}]")
    assert read(tmp_path, "- not: {tool_called: code_interpreter}")


@pytest.mark.parametrize(
    ("first", "second"), [("好的。", "好的"), ("Bed – breakfast", "bed - breakfast"), ("Don’t!", "*don't*")]
)
def test_whole_answers_that_differ_only_in_what_checks_overlook_are_no_contradiction(
    tmp_path: Path, first: str, second: str
) -> None:
    assert read(tmp_path, f"- equals: '{first}'", f'- one_of: ["{second}", other]')


def test_a_schema_is_the_whole_mapping_unless_a_field_of_the_check_is_there(tmp_path: Path) -> None:
    short, full = read(
        tmp_path,
        "- json_schema: {type: object, required: [total]}",
        "- json_schema: {schema: {type: array}, place: alone}",
    )

    assert short.parameters == {"schema": {"type": "object", "required": ["total"]}}
    assert full.parameters == {"schema": {"type": "array"}, "place": "alone"}


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("{schema: {}, plce: alone}", "unknown key 'plce'; did you mean 'place'?"),
        ("{place: alone}", "the key 'schema' is missing;"),
        ("{type: objct}", "`schema` is no JSON Schema"),
        ("yes", "expected a mapping, found 'yes'"),
    ],
)
def test_a_mistake_in_a_json_schema_check_is_told_once(tmp_path: Path, written: str, mistake: str) -> None:
    (told,) = mistakes(tmp_path, f"- json_schema: {written}")

    assert mistake in told


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("refuses: true", "write `- refuses`, by itself"),
        ("refuses: no", "leave it out, or write `- not: refuses`"),
        ("code_ran: true", "write `- code_ran`, by itself"),
        ("not: {refuses: false}", "leave it out, or write `- not: refuses`"),
    ],
)
def test_a_check_that_stands_alone_is_no_switch(tmp_path: Path, written: str, hint: str) -> None:
    (told,) = mistakes(tmp_path, f"- {written}")

    assert told.endswith(hint)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("- not_cites: handbok.pdf", "did you mean 'handbook.pdf'?"),
        ("- not: {cites: handbok.pdf}", "did you mean 'handbook.pdf'?"),
        ("- not: {any_of: [{searched: {file: hanbook.pdf}}, contains: x]}", "did you mean 'handbook.pdf'?"),
        ("- tool_not_called: file_serch", "did you mean 'file_search'?"),
        ("- not: {tool_called: file_serch}", "did you mean 'file_search'?"),
        ("- when: {model: gpt-6-lunar, expect: {contains: x}}", "did you mean 'gpt-6-luna'?"),
        ("- when: {model: [other, lama3.2], expect: {contains: x}}", "did you mean 'llama3.2'?"),
    ],
)
def test_a_typo_that_would_always_pass_is_a_mistake(tmp_path: Path, line: str, words: str) -> None:
    (mistake,) = mistakes(tmp_path, line, project=with_handbook(tmp_path))

    assert words in mistake


@pytest.mark.parametrize(
    ("line", "is_idle"),
    [
        ("- not_cites: handbook.pdf", False),
        ("- not_cites: '*'", False),
        ("- not_cites: handbook-2024.pdf", True),
        ("- tool_not_called: web_search", True),
        ("- tool_not_called: retrieval", False),
        ("- when: {model: gpt-6-sol, expect: {contains: x}}", False),
        ("- tool_calls: {calls: [code_interpreter], mode: subset}", False),
    ],
)
def test_what_forbids_a_thing_that_can_not_come_proves_little(tmp_path: Path, line: str, is_idle: bool) -> None:
    (found,) = read(tmp_path, line, project=with_handbook(tmp_path))

    assert found.is_idle is is_idle
    assert build_part(found).conclude(Finding(holds=True, expected="", found="")).weak is is_idle


def with_handbook(tmp_path: Path) -> str:
    (tmp_path / "handbook.pdf").write_bytes(b"%PDF-1.4")
    return (
        "version: 1\nnamespace: demo\n"
        "targets: {llama: {server: embedded, api: responses, inference: {base_url: 'http://127.0.0.1:1/v1', "
        "model: llama3.2}}}\n"
        "assistants: {guide: {model: gpt-6-luna, tools: [file_search], files: [handbook.pdf]}}\n"
    )
