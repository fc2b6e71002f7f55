"""`runner import`: exported assistants become YAML that loads, and nothing is lost without a word."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from stored_project import StoredProject
from verbs import Done

from runner.domain.assistant import PlainFormat, SchemaFormat, ToolName, WebSearch

TUTOR = {
    "id": "asst_abc123",
    "object": "assistant",
    "created_at": 1698984975,
    "name": "Math Tutor",
    "description": "Helps with sums",
    "model": "gpt-4o",
    "instructions": "You are a tutor.\n\nWrite code.",
    "tools": [
        {"type": "code_interpreter"},
        {"type": "file_search", "file_search": {"max_num_results": 7, "ranking_options": {"score_threshold": 0.5}}},
        {"type": "function", "function": {"name": "rate", "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "auto"}},
    ],
    "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
    "metadata": {"team": "blue", "runner.namespace": "theirs"},
    "temperature": 0.30,
    "top_p": 1.0,
    "response_format": {"type": "json_object"},
}
ENTRY = """\
  math-tutor:
    # from asst_abc123; `runner adopt math-tutor asst_abc123` takes that one over
    # options of file_search that have no counterpart here: {"ranking_options": {"score_threshold": 0.5}}
"""
VALUES = """\
    name: Math Tutor
    model: gpt-4o
    instructions: |-
      You are a tutor.

      Write code.
    tools:
      - code_interpreter
      - file_search: {max_num_results: 7}
    functions:
      - name: rate
        parameters: {type: object}
        # to be replaced: `returns: VALUE`, `python: FILE.py:FUNCTION`, or `http: URL`
        returns: "error: nobody has said yet how this function is answered"
    temperature: 0.3
    response_format: json_object
    metadata: {team: blue}
"""


@pytest.fixture
def project(tmp_path: Path) -> StoredProject:
    return StoredProject(tmp_path)


def export(project: StoredProject, value: object) -> str:
    (project.root / "export.json").write_text(json.dumps(value))
    return "export.json"


async def test_an_assistant_is_printed_with_a_note_for_all_that_has_no_counterpart(project: StoredProject) -> None:
    done = await project.run("import", export(project, TUTOR))

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("version: 1\nnamespace: math-tutor-")
    assert ENTRY in done.out
    assert done.out.endswith(VALUES)
    assert "    # the function rate answers with an error until you say how to answer it\n" in done.out
    assert "    # a function left out (its name means something else here): " in done.out
    for lost in ('"name": "auto"', '["vs_1"]', '"Helps with sums"', '"theirs"'):
        assert lost in done.out
    assert not project.file.exists()


async def test_a_list_creates_the_file_and_a_further_export_extends_it(project: StoredProject) -> None:
    export(project, {"object": "list", "data": [TUTOR, {**TUTOR, "name": None}], "has_more": False})
    created = await project.run("import", "export.json", "--write")
    project.write(project.file.read_text() + "# the end\n")
    before = project.file.read_text()

    extended = await project.run("import", export(project, TUTOR), "--address", "another", "--write")

    assert (created.code, extended.code) == (0, 0), created.err + extended.err
    assert "assistant math-tutor: written to assistants.yaml\n  note: from asst_abc123" in created.out
    after = project.file.read_text()
    assert after.startswith(before.removesuffix("# the end\n"))
    assert after.endswith("    metadata: {team: blue}\n# the end\n")
    for address in ("math-tutor", "assistant", "another"):
        assert project.load(address).instructions == "You are a tutor.\n\nWrite code."
    twice = await project.run("import", "export.json", "--address", "another", "--write")
    assert (twice.code, "has an assistant 'another' already" in twice.err) == (2, True)
    assert project.file.read_text() == after


async def test_the_words_of_2023_are_understood(project: StoredProject) -> None:
    old = {"model": "gpt-4", "tools": [{"type": "retrieval"}], "file_ids": ["file-1", "file-2"]}

    done = await project.run("import", "-", given=json.dumps(old).encode())

    assert done.code == 0, done.err
    assert "    tools: [file_search]\n" in done.out
    assert '{"file_ids": ["file-1", "file-2"]}' in done.out


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_what_a_shell_of_windows_writes_is_read(project: StoredProject, encoding: str) -> None:
    (project.root / "export.json").write_bytes(json.dumps({"model": "m", "name": "Ærlig"}).encode(encoding))

    done = await project.run("import", "export.json", "--write", "--address", "one")

    assert (done.code, done.err) == (0, "")
    assert project.load("one").name == "Ærlig"


async def test_functions_come_along_as_they_are_with_an_answer_to_be_filled_in(project: StoredProject) -> None:
    parameters = {
        "type": "object",
        "properties": {
            "from": {
                "type": "string",
                "enum": ["EUR", "no", "1.10", "null", ""],
                "description": "A code: ${env:HOME}.",
            },
            "token": {"type": "string", "pattern": "^[A-Z]{3}$", "default": "XYZ\n##[x]"},
            "deep: key": {"type": ["array", "null"], "items": {"anyOf": [{"type": "number", "minimum": 0.5}, {}]}},
            "none": {},
        },
        "required": ["from", "token", "deep: key", "none"],
        "additionalProperties": False,
    }
    rate = {"name": "rate", "description": "Today's rate:\n- honest", "parameters": parameters}
    other = {"name": "Rate"}
    tools = [
        {"type": "function", "function": one}
        for one in (rate, other, {"name": "now", "x": 1, "parameters": {}}, {"name": "a b"}, 7)
    ]

    done = await project.run("import", export(project, {"model": "gpt-4o", "name": "Bot", "tools": tools}), "--write")

    assert done.code == 0, done.err
    first, second = project.load("bot").functions
    assert (first.name, first.description, first.parameters) == ("rate", "Today's rate:\n- honest", parameters)
    assert (second.name, second.description, second.answering.kind) == ("now", "", "returns")
    assert second.answering.settings["value"].startswith("error: ")
    for note in (
        "(its name is taken)",
        "(it has no name that fits)",
        "options of the function now that have no counter",
    ):
        assert note in done.out


async def test_a_whole_number_may_have_a_point_and_an_option_that_is_off_is_told(project: StoredProject) -> None:
    tools = [{"type": "function", "function": {"name": "now", "retries": 0, "cached": False}}]
    export(project, {"model": "gpt-4o", "name": "Bot", "max_output_tokens": 500.0, "tools": tools})

    done = await project.run("import", "export.json", "--write")

    assert (done.code, project.load("bot").max_output_tokens) == (0, 500)
    assert 'options of the function now that have no counterpart here: {"retries": 0, "cached": false}' in done.out


async def test_secrets_do_not_come_along(project: StoredProject) -> None:
    project.environment["SOME_API_KEY"] = "correct-horse-battery"
    leaky = {
        "model": "gpt-4o",
        "name": "Use correct-horse-battery",
        "instructions": "Say sk-proj-abcdefghijklmnop1234.",
        "metadata": {"api_key": "hunter2hunter2", "db-passwd": "hunter2hunter2", "team": "blue"},
        "tools": [{"type": "mcp", "server_url": "http://h/", "headers": {"X-Token": "abcabcabc"}}],
        "extra": {"note": "Bearer abcdefghijklmnop"},
    }

    done = await project.run("import", export(project, leaky), "--write")

    assert done.code == 0, done.err
    said = done.out + project.file.read_text()
    for secret in ("correct-horse", "abcdefghijklmnop", "hunter2", "abcabcabc"):
        assert secret not in said
    assert "# name: what looks like a secret was taken out" in said
    assert '"headers": {"X-Token": "[redacted]"}' in said


async def test_instructions_that_look_like_a_function_stay_text(project: StoredProject) -> None:
    said = 'functions:\n  returns: "error: nobody has said yet how this function is answered"\n    the end'
    export(project, {"model": "gpt-4o", "name": "Bot", "instructions": said})

    done = await project.run("import", "export.json", "--write")

    assert (done.code, project.load("bot").instructions) == (0, said)


async def test_hostile_text_stays_text(project: StoredProject) -> None:
    hostile = "x\n  evil: {a: b}\n# no\n\x1b[2J\u202e ${secret:HOME} ##[error] y"
    export(project, {"model": "gpt-4o", "name": hostile, "instructions": hostile, "description": hostile})

    done = await project.run("import", "export.json", "--write", "--address", "safe")

    assert done.code == 0, done.err
    assert (project.load("safe").name, project.load("safe").instructions) == (hostile, hostile)
    assert "\x1b" not in done.out + project.file.read_text()
    assert "##[" not in done.out + project.file.read_text()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{"model": "m",\n  nonsense}', "export.json:2:3: this is not JSON: Expecting property name"),
        (b"\xff\xfe\xfa", "export.json: this is not JSON that can be read: it is no text"),
        (b"[" * 100_000, "export.json: this is not JSON that can be read: it is nested too deep"),
        (b"{}", "export.json: it has no 'model', so it is no assistant"),
        (b"[]", "export.json: there is no assistant in it"),
        (b'[{"model": "m"}, 7]', "export.json: number 2 of 2: an assistant's object was expected"),
        (b'{"object": "thread", "id": "t"}', "export.json: this is an object of type 'thread', not an assistant"),
        (b'{"model": "two words"}', "it can't be imported: assistants.assistant.model: 'two words' is not accepted"),
        (b'{"model": NaN}', "export.json: this is not JSON that can be read"),
        (b"", "export.json:1:1: this is not JSON: Expecting value"),
        (b"<html>Sign in</html>", "export.json:1:1: this is not JSON: Expecting value"),
        (b"Agent(id='agent_1')", "export.json:1:1: this is not JSON: Expecting value"),
        (b'{"object": "agent", "id": "a"}', "export.json: it has no 'model', so it is no assistant"),
        (b'{"object": "agent.session"}', "export.json: this is an object of type 'agent.session', not an assistant"),
        (b'{"object": "agent.version", "name": "a"}', "export.json: this is an object of type 'agent.version', not"),
        (b'{"object": "agent", "versions": {}}', "export.json: it has no 'model', so it is no assistant"),
        (b'{"object": "agent", "versions": {"latest": 7}}', "export.json: it has no 'model', so it is no assistant"),
        (
            b'{"data": [{"model": "m"}, {"name": "flow", "definition": {"kind": "workflow"}}]}',
            "export.json: number 2 of 2: this is an agent of kind 'workflow' ('flow'); only a 'prompt' agent can be",
        ),
        (
            b'{"error": {"code": "DeploymentNotFound", "message": "x"}}',
            "export.json: this is an error 'DeploymentNotFound' that the API answered; it has no 'model', so it is no",
        ),
    ],
)
async def test_what_is_no_assistant_is_refused_in_one_line(project: StoredProject, content: bytes, line: str) -> None:
    (project.root / "export.json").write_bytes(content)

    done = await project.run("import", "export.json", "--write")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"runner: {line}"), done.err
    assert done.err.count("\n") == 1
    assert not project.file.exists()


async def test_a_missing_file_and_an_address_for_many_are_refused(project: StoredProject) -> None:
    missing = await project.run("import", "nothing.json")
    many = await project.run("import", export(project, [TUTOR, TUTOR]), "--address", "one")

    assert (missing.code, missing.err) == (2, "runner: there is no file 'nothing.json'\n")
    assert (many.code, many.err) == (2, "runner: --address names one assistant; export.json has 2\n")


EXPORTS = Path(__file__).parents[1] / "exports"
"""Printed by `as_dict` of azure-ai-projects 2.10.0 and azure-ai-agents 1.1.0."""
AGENT = {
    "id": "agent_1",
    "object": "agent",
    "created_at": 1790000000,
    "updated_at": 1790000001,
    "name": "Trip planner",
    "instructions": "Plan trips.",
    "metadata": {"team": "blue"},
    "model": "gpt-6-luna",
    "multi_agent": {"enabled": False, "max_concurrent_subagents": None},
    "reasoning": {"effort": "low", "summary": None},
    "service_tier": "flex",
    "text": {
        "verbosity": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"schema_": {"type": "string"}},
                "required": ["schema_"],
                "additionalProperties": False,
            },
        },
    },
    "tools": [
        {
            "type": "function",
            "name": "rate",
            "description": "A rate",
            "parameters": {"type": "object", "properties": {"async_": {"type": "string"}}},
            "defer_loading": False,
            "async": False,
        },
        {
            "type": "function",
            "name": "late",
            "description": "",
            "parameters": {"type": "object", "properties": {}},
            "defer_loading": True,
        },
        {"type": "tool_search"},
        {
            "type": "web_search",
            "mode": "cached",
            "context_size": "medium",
            "allowed_domains": ["example.org"],
            "location": {"country": "NO"},
        },
        {
            "type": "mcp",
            "server_label": "dice",
            "transport": {
                "type": "http",
                "server_url": "https://dice.example.org/mcp",
                "headers": {"X-Region": "verysecretvalue"},
            },
            "connection_origin": "service",
            "credential_id": "cred_1",
            "required": False,
            "request_metadata": {},
        },
        {
            "type": "mcp",
            "server_label": "shell",
            "transport": {"type": "stdio", "command": "serve", "args": [], "cwd": "/", "env_vars": []},
            "connection_origin": "environment",
            "required": True,
            "request_metadata": {},
        },
    ],
    "compaction": {"async": False},
    "experimental": {"time_awareness": True},
}


def as_the_client_prints_it(way: str) -> str:
    from openai.types.beta.agent import Agent

    agent = Agent.model_validate(AGENT)
    return agent.to_json() if way == "to_json" else agent.model_dump_json()


@pytest.mark.parametrize("way", ["to_json", "model_dump_json"])
async def test_an_agent_of_openai_comes_along_as_its_client_prints_it(project: StoredProject, way: str) -> None:
    (project.root / "agent.json").write_text(as_the_client_prints_it(way))

    done = await project.run("import", "agent.json", "--write")

    assert (done.code, done.err) == (0, "")
    planner = project.load("trip-planner")
    assert (planner.name, planner.model, planner.reasoning_effort) == ("Trip planner", "gpt-6-luna", "low")
    assert planner.metadata == {"team": "blue"}
    form = planner.response_format
    assert isinstance(form, SchemaFormat)
    assert (form.name, form.strict, list(form.schema["properties"])) == ("answer", True, ["schema_"])
    assert [one.name for one in planner.functions] == ["rate", "late"]
    assert planner.functions[0].parameters["properties"] == {"async_": {"type": "string"}}
    search, dice = planner.tools
    assert search.web_search == WebSearch(
        allowed_domains=("example.org",), user_location={"country": "NO"}, is_live=False
    )
    assert dice.mcp is not None
    assert (dice.mcp.label, dice.mcp.url, dice.mcp.headers) == ("dice", "https://dice.example.org/mcp", {})
    assert notes_of(done) == [
        "from agent_1; `runner adopt trip-planner agent_1` takes that one over",
        'a tool without counterpart: {"type": "tool_search"}',
        "what the MCP server dice is sent was left out (headers); write it under the same key, with ${secret:NAME} in "
        "the place of a key",
        'options of the MCP server dice that have no counterpart here: {"credential_id": "[redacted]"}',
        *[one for one in notes_of(done) if one.startswith("a tool left out (it has no `server_url` that fits): ")],
        "the function rate answers with an error until you say how to answer it",
        "the function late answers with an error until you say how to answer it",
        'options of the function late that have no counterpart here: {"defer_loading": true}',
        "response_format: its API has no name for it; 'answer' is made up",
        'service_tier has no counterpart here: "flex"',
        'text has no counterpart here: {"verbosity": "low"}',
        'experimental has no counterpart here: {"time_awareness": true}',
    ]
    assert '"command": "serve"' in done.out
    assert "verysecretvalue" not in done.out + project.file.read_text()


def notes_of(done: Done) -> list[str]:
    return [line.removeprefix("  note: ") for line in done.out.splitlines() if line.startswith("  note: ")]


async def test_an_agent_of_foundry_comes_along_with_its_latest_version(project: StoredProject) -> None:
    done = await project.run("import", str(EXPORTS / "foundry_agent.json"), "--write")

    assert (done.code, done.err) == (0, "")
    guide = project.load("travel-guide")
    assert (guide.name, guide.model, guide.reasoning_effort) == ("travel-guide", "gpt-6-luna-prod", "low")
    assert guide.instructions == "You are a travel guide for {{region}}.\n\nBe brief."
    assert (guide.temperature, guide.top_p, guide.metadata) == (Decimal("0.2"), None, {"team": "blue"})
    assert isinstance(guide.response_format, SchemaFormat)
    assert (guide.response_format.name, guide.response_format.strict) == ("trip", True)
    assert [(one.name, one.strict) for one in guide.functions] == [("rate", True)]
    search, code, web, dice = guide.tools
    assert (search.name, search.max_num_results, code.name) == (ToolName.FILE_SEARCH, 7, ToolName.CODE_INTERPRETER)
    assert web.web_search == WebSearch(
        context_size="high", allowed_domains=("example.org",), user_location={"country": "NO", "city": "Oslo"}
    )
    assert dice.mcp is not None
    assert (dice.mcp.allowed_tools, dice.mcp.require_approval) == (("roll",), {"always": ("roll",)})
    notes = notes_of(done)
    assert notes[0] == "from travel-guide, version 3; `runner adopt travel-guide travel-guide` takes that one over"
    for told in (
        '{"ranking_options": {"score_threshold": 0.5}}',
        '{"container": {"memory_limit": "4g"}}',
        "(authorization, headers)",
        '{"project_connection_id": "dice-connection"}',
        "a tool left out (which tools of its server it may use can't be declared, and it would have them all): ",
        '"bing-connection"',
        '{"file_search": {"vector_store_ids": ["vs_1"]}, "code_interpreter": {"file_ids": ["assistant-9"]}}',
        'state has no counterpart here: "disabled"',
        "agent_endpoint has no counterpart here: ",
        'description has no counterpart here: "Helps travellers"',
        'reasoning has no counterpart here: {"summary": "auto"}',
        'rai_config has no counterpart here: {"rai_policy_name": "strict-policy"}',
        'structured_inputs has no counterpart here: {"region": ',
    ):
        assert len([note for note in notes if told in note]) == 1, told
    assert "principal_id" not in done.out
    for secret in ("hunter2", "verysecretvalue"):
        assert secret not in done.out + project.file.read_text()


async def test_of_several_versions_the_newest_comes_along_and_no_draft(project: StoredProject) -> None:
    versions = json.loads((EXPORTS / "foundry_versions.json").read_text())
    draft, newest, _ = versions

    several = await project.run("import", export(project, {"data": versions, "has_more": True}), "--write")
    single = await project.run("import", export(project, draft), "--write", "--address", "draft")
    bare = await project.run("import", export(project, newest["definition"]), "--write", "--address", "bare")

    assert (several.code, single.code, bare.code) == (0, 0, 0), several.err + single.err + bare.err
    which, *about_the_export = notes_of(several)[:3]
    assert which.startswith("from travel-guide, version 10; ")
    assert about_the_export == [
        "its other versions in the export were left out: 4, 9",
        "its list goes on after this one (`has_more`): export the next page too",
    ]
    assert (project.load("draft").instructions, "draft has no counterpart here: true" in single.out) == (
        "Old words.",
        True,
    )
    assert project.load("bare").instructions == project.load("travel-guide").instructions


async def test_a_classic_agent_of_azure_comes_along(project: StoredProject) -> None:
    done = await project.run("import", str(EXPORTS / "azure_classic.json"), "--write")

    assert (done.code, done.err) == (0, "")
    receipts = project.load("receipts")
    assert (receipts.tool_names, receipts.tools[0].max_num_results) == ({"file_search", "code_interpreter"}, 5)
    assert [one.name for one in receipts.functions] == ["rate"]
    assert receipts.response_format is PlainFormat.JSON_OBJECT
    for told in (
        '"bing_grounding": {"search_configurations": ',
        '"connected_agent": {"id": "asst_2"',
        'a tool without counterpart: {"type": "azure_ai_search"}',
        '{"file_search": {"vector_store_ids": ["vs_7"]}, "code_interpreter": {"file_ids": ["assistant-5"]}}',
        'tool_resources.azure_ai_search has no counterpart here: {"indexes": ',
        'description has no counterpart here: "Adds them up"',
    ):
        assert len([note for note in notes_of(done) if told in note]) == 1, told
