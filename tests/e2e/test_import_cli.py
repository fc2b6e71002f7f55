"""`runner import`: exported assistants become YAML that loads, and nothing is lost without a word."""

import json
from pathlib import Path

import pytest
from stored_project import StoredProject

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
    tools: [code_interpreter, {file_search: {max_num_results: 7}}]
    functions:
      - name: rate
        parameters:
          type: object
        # to be replaced: returns, python or http, as docs/functions.md has them
        returns: "error: nobody has said yet how this function is answered"
    temperature: 0.3
    response_format: json_object
    metadata:
      team: blue
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
    assert after.endswith("      team: blue\n# the end\n")
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


async def test_secrets_do_not_come_along(project: StoredProject) -> None:
    project.environment["SOME_API_KEY"] = "correct-horse-battery"
    leaky = {
        "model": "gpt-4o",
        "name": "Use correct-horse-battery",
        "instructions": "Say sk-proj-abcdefghijklmnop1234.",
        "metadata": {"api_key": "hunter2hunter2", "team": "blue"},
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
