"""What a target can't do is said at the very place that asks for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.backends import Capabilities, assistants, responses
from runner.config import Configuration, load_configuration
from runner.config.loading import find_unsupported
from runner.domain.assistant import History, Server, Target
from runner.errors import Location

ASSISTANTS = """\
version: 1
namespace: demo
assistants:
  fine: {model: any}
  guide:
    model: any
    temperature: 0.5
    max_output_tokens: 300
    response_format: json_object
    metadata: {team: guides}
    tools:
      - code_interpreter
      - file_search: {max_num_results: 5}
      - web_search
      - {mcp: {server_label: one, server_url: "https://one.example.org"}}
      - {mcp: {server_label: two, server_url: "https://two.example.org"}}
    files:
      - {file: notes.md, chunking: {max_tokens: 200}}
      - data.csv
    functions:
      - {name: rate, returns: 1}
"""
SCENARIO = """\
assistant: guide
smoke: true
turns:
  - ask: What does it say?
    attach:
      - {file: letter.pdf, for: input}
      - photo.png
      - {file: notes.md, for: file_search}
  - ask: And these?
    attach:
      - {file: letter.pdf, for: input}
      - {file: notes.md, for: input}
"""
NOTHING = Capabilities(
    stores_assistants=False,
    tools=frozenset(),
    functions=False,
    input_types=frozenset(),
    settings=frozenset(),
)
TARGET = Target(name="there", api="responses", server=Server.BASE_URL, location=Location("assistants.yaml", 1, 1))


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    for name, size in {"notes.md": 600_000, "data.csv": 4, "letter.pdf": 800_000, "photo.png": 3_000_000}.items():
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "assistants.yaml").write_text(ASSISTANTS)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "s.yaml").write_text(SCENARIO.replace("file: ", "file: ../").replace("- ph", "- ../ph"))
    return load_configuration(file=None, scenario_paths=(), cwd=tmp_path, environment={})


def problems(configuration: Configuration, capabilities: Capabilities, target: Target = TARGET) -> list[str]:
    found = find_unsupported(configuration.project, configuration.scenarios, target, capabilities)
    return [str(problem) for problem in found]


def places(found: list[str]) -> list[str]:
    return [line.split(": ")[0] for line in found]


def test_what_can_be_done_is_no_problem(configuration):
    assert problems(configuration, responses.CAPABILITIES) == []


def test_every_tool_setting_function_and_attachment_is_named_where_it_is_written(configuration):
    found = problems(configuration, NOTHING)
    assert places(found) == [
        *(f"assistants.yaml:{line}:9" for line in (12, 13, 14, 15, 16)),
        "assistants.yaml:20:5",
        "assistants.yaml:8:5",
        "assistants.yaml:10:5",
        "assistants.yaml:9:5",
        "assistants.yaml:7:5",
        "scenarios/s.yaml:6:9",
        "scenarios/s.yaml:7:9",
        "scenarios/s.yaml:11:9",
        "scenarios/s.yaml:12:9",
    ]
    assert [line.split(": ")[1] for line in found[:10]] == [
        *(f"assistants.guide.tools[{index}]" for index in range(5)),
        "assistants.guide.functions",
        "assistants.guide.max_output_tokens",
        "assistants.guide.metadata",
        "assistants.guide.response_format",
        "assistants.guide.temperature",
    ]


def test_assistants_that_are_not_asked_for_may_want_what_they_like(configuration):
    nobody = find_unsupported(configuration.project, (), TARGET, NOTHING)
    everybody = find_unsupported(configuration.project, None, TARGET, NOTHING)
    assert (nobody, len(everybody)) == ((), 10)


def test_the_assistants_api_has_no_web_search_no_mcp_and_no_documents_as_input(configuration):
    target = replace(TARGET, api="assistants")
    found = problems(configuration, assistants.CAPABILITIES, target)
    assert places(found) == [
        *(f"assistants.yaml:{line}:9" for line in (14, 15, 16)),
        "scenarios/s.yaml:6:9",
        "scenarios/s.yaml:11:9",
        "scenarios/s.yaml:12:9",
    ]
    assert found[0] == (
        "assistants.yaml:14:9: assistants.guide.tools[2]: target 'there' (api assistants) does not have the tool "
        "web_search; it has code_interpreter, file_search; choose another target"
    )


@pytest.mark.parametrize(("limit", "message"), [(255, "takes 256 or more"), (256, None)])
def test_a_limit_below_what_the_api_takes_is_named_before_anything_is_sent(configuration, limit, message):
    guide = configuration.project.find_assistant("guide")
    limited = replace(guide, tools=(), max_output_tokens=limit)
    project = replace(configuration.project, assistants=(limited,))
    found = find_unsupported(project, None, replace(TARGET, api="assistants"), assistants.CAPABILITIES)
    assert [problem.message.partition(") ")[2] for problem in found] == ([message] if message else [])


def test_a_server_that_keeps_nothing_has_no_hosted_tool_and_takes_no_file(configuration):
    target = replace(TARGET, history=History.REPLAY)
    found = problems(configuration, responses.REPLAY_CAPABILITIES, target)
    assert len(found) == 9
    assert all("(api responses, history replay)" in line for line in found)
    assert found[0].endswith("does not have the tool code_interpreter; it has no hosted tools; choose another target")


def test_documents_that_are_too_much_together_are_found_by_the_one_that_is_too_many(configuration):
    a_megabyte = replace(responses.CAPABILITIES, input_bytes=1024 * 1024)
    assert problems(configuration, a_megabyte) == [
        "scenarios/s.yaml:12:9: 'notes.md' has 1.3 MB with those before it; target 'there' (api responses) takes 1 MB "
        "as the model's input; make it smaller, or give the assistant a tool that takes it"
    ]
