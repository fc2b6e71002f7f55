"""`runner export`: when it refuses, what it prints, that this runs as it stands and asks as `play` does."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import responses_wire as wire
from forked_verbs import Programs, Serving, serving, start_program
from stored_project import StoredProject
from wire_server import Seen, WireServer, reply, wire_server

from runner.plugins import plugin_names

FORMATS = tuple(name.replace("_", "-") for name in plugin_names("runner.exporting"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if "KEY" not in name and "TOKEN" not in name}
QUESTION = "What is the emergency number in Norway?"
PROJECT = """\
version: 1
namespace: export-test-1
targets:
  today: {server: embedded, api: responses}
assistants:
  guide:
    name: Guide "of" travellers
    model: gpt-6-luna
    instructions: You guide.
    tools: [code_interpreter, file_search]
    files: [tips.md, {file: rates.csv, for: code_interpreter}]
  changer:
    model: gpt-6-luna
    functions:
      - name: exchange-rate
        description: The exchange rate.
        parameters:
          type: object
          properties: {source: {type: string}, target: {type: string}}
          required: [source, target]
        returns: "1.5"
"""
FOUNDRY = PROJECT.replace("targets:\n", "targets:\n  azure: {api: foundry, server: embedded}\n")
EVERYTHING = """\
version: 1
namespace: export-test-2
target: there
targets:
  there: {{api: responses, base_url: "{url}", key_env: THERE_KEY}}
  forgetful: {{api: responses, base_url: "{url}", history: replay}}
assistants:
  all:
    name: All of it
    model: gpt-6-luna
    instructions: |
      Say "hi" and 'ho', `x` and $HOME, C:\\new, ${{secret:DICE_TOKEN}}!
      Then {{a}} é {quotes}
      REQUEST
    temperature: 0.2
    top_p: 0.9
    reasoning: {{effort: low}}
    metadata: {{team: "a\\u202e"}}
    max_output_tokens: 2000
    response_format:
      json_schema:
        name: bill
        description: What it cost.
        strict: true
        schema:
          type: object
          properties: {{total: {{type: number}}}}
          required: [total]
          additionalProperties: false
    tools:
      - code_interpreter
      - web_search: {{search_context_size: low, allowed_domains: [example.org], user_location: {{country: "NO"}}}}
      - mcp:
          server_label: dice
          server_url: https://dice.example.org/mcp
          headers: {{x-key: "Key ${{secret:DICE_TOKEN}}.", x-other: "${{secret:DICE_TOKEN}}"}}
          approve: [roll]
    functions:
      - name: weather
        description: The weather.
        strict: true
        parameters:
          type: object
          properties: {{place: {{type: string}}}}
          required: [place]
          additionalProperties: false
        returns: rain
  plain:
    model: llama
    metadata: {{team: b}}
"""
SECRET = "dice-token-$HOME-`x`-\\n"
KEY = "the-key-of-there"


@pytest.fixture
def project(tmp_path: Path) -> StoredProject:
    project = StoredProject(tmp_path)
    project.write(PROJECT)
    (tmp_path / "tips.md").write_text("The emergency number in Norway is 112.\n", encoding="utf-8")
    (tmp_path / "rates.csv").write_text("from,to,rate\n", encoding="utf-8")
    return project


# Whether it may


async def test_what_is_not_in_sync_is_refused(project: StoredProject) -> None:
    done = await project.run("export", "guide")
    assert (done.code, done.out) == (6, "")
    assert "vector store guide, assistant guide; run `runner sync`, or export with --stale" in done.err

    await project.run("sync")
    assert (await project.run("export", "guide")).code == 0

    (project.root / "tips.md").write_text("Something else.\n", encoding="utf-8")
    assert (await project.run("export", "guide")).code == 6
    assert (await project.run("export", "changer")).code == 0


async def test_an_assistant_that_was_changed_there_is_refused(project: StoredProject) -> None:
    await project.run("sync")
    await project.change_stored("changer", instructions="Another hand's.")
    assert (await project.run("export", "changer")).code == 6
    assert (await project.run("export", "changer", "--stale")).code == 0


async def test_with_stale_it_is_printed_with_what_there_is(project: StoredProject) -> None:
    done = await project.run("export", "guide", "--stale")
    assert done.code == 0
    assert [tool["type"] for tool in json.loads(done.out)["tools"]] == ["code_interpreter"]
    assert "there is no vector store yet" in done.err

    await project.run("sync")
    (project.root / "tips.md").write_text("Something else.\n", encoding="utf-8")
    done = await project.run("export", "guide", "--stale")
    assert done.code == 0
    assert json.loads(done.out)["tools"][1]["vector_store_ids"]
    assert done.err == "note: code interpreter files have no place in a request: they are not in it\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gide",), "unknown assistant 'gide'; did you mean 'guide'?"),
        (("guide", "--format", "yaml"), f"--format 'yaml': there is {', '.join(FORMATS)}"),
        (("guide", "--target", "tody"), "unknown target 'tody'; did you mean 'today'?"),
    ],
)
async def test_what_is_not_there_is_wrong_usage(
    project: StoredProject, arguments: tuple[str, ...], message: str
) -> None:
    done = await project.run("export", *arguments)
    assert done.code == 2
    assert message in done.err


async def test_nothing_is_written_on_the_remote_side(project: StoredProject) -> None:
    await project.run("export", "guide", "--stale")
    assert await project.stored() == ()


async def test_every_api_s_target_exports_the_same_request(project: StoredProject) -> None:
    await project.run("sync")
    first, second = [await project.run("export", "guide", "--target", one) for one in ("embedded", "today")]
    assert first.out == second.out


async def test_on_foundry_the_stored_version_stands_for_the_definition(project: StoredProject) -> None:
    project.write(FOUNDRY)
    missing = await project.run("export", "guide", "--target", "azure", "--stale")
    assert json.loads(missing.out)["agent_reference"] == {"type": "agent_reference", "name": "guide"}
    assert "there is no such agent yet" in missing.err
    await project.run("sync", "--target", "azure")
    done = await project.run("export", "guide", "--target", "azure")
    body = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert body["agent_reference"] == {"type": "agent_reference", "name": "guide", "version": "1"}
    assert body.keys() == {"agent_reference", "include", "metadata"}
    refused = await project.run("export", "guide", "--target", "azure", "--format", "agents-sdk")
    assert (refused.code, refused.out) == (2, "")
    assert "takes neither; there is json, python, curl" in refused.err


async def test_on_azure_a_token_is_asked_for_in_a_variable(project: StoredProject) -> None:
    def empty(_: Seen) -> list[Any]:
        return reply({"object": "list", "data": [], "has_more": False})

    async with wire_server(empty) as server:
        target = f"{{api: foundry, base_url: '{server.url}/p', token_command: [echo, some-token-of-mine]}}"
        project.write(PROJECT.replace("{server: embedded, api: responses}", target))
        done = {
            kind: await project.run("export", "changer", "--target", "today", "--stale", "--format", kind)
            for kind in ("python", "curl")
        }
    assert f'OpenAI(base_url="{server.url}/p/openai/v1", api_key=os.environ["FOUNDRY_TOKEN"])' in done["python"].out
    assert f"{server.url}/p/openai/v1/responses" in done["curl"].out
    assert "$FOUNDRY_TOKEN" in done["curl"].out
    assert "note: FOUNDRY_TOKEN is a token of Entra ID: az account get-access-token" in done["curl"].err


# What it prints runs


def serving_in(project: StoredProject) -> AbstractContextManager[Serving]:
    """`runner serve` in the project."""
    return serving(project.root, "--quiet", environment=ENVIRONMENT)


@pytest.fixture(scope="module", autouse=True)
def _one_import_of_the_agents_sdk() -> Iterator[None]:
    """Half of what a program costs that uses it."""
    yield
    if with_agents_sdk.cache_info().currsize:
        with_agents_sdk().close()
        with_agents_sdk.cache_clear()


@cache
def with_agents_sdk() -> Programs:
    return Programs("agents")


async def run_printed(
    folder: Path, kind: str, text: str, environment: Mapping[str, str]
) -> tuple[int | None, str, str]:
    """Run what was printed as somebody would who saved it; exit code, stdout, stderr."""
    environment = {**ENVIRONMENT, **environment}
    if kind in ("python", "agents-sdk"):
        (folder / "printed.py").write_text(text, encoding="utf-8")
    if kind == "agents-sdk":
        run = with_agents_sdk().run
        return await asyncio.to_thread(run, "printed.py", QUESTION, cwd=folder, environment=environment)
    if kind == "python":
        program = start_program("printed.py", QUESTION, cwd=folder, environment=environment)
        out, err = await asyncio.to_thread(program.communicate)
        return program.returncode, out, err
    (folder / "printed.sh").write_text(text.replace("Your question", QUESTION), encoding="utf-8")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "sh", "printed.sh", cwd=folder, env=environment, stdout=pipe, stderr=pipe
    )
    said = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said[0].decode(), said[1].decode()


def need(kind: str) -> None:
    if kind == "agents-sdk" and find_spec("agents") is None:
        pytest.skip("openai-agents is not installed")
    if kind == "curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")


RUNNABLE = ("python", "agents-sdk", "curl")


def test_every_format_but_plain_json_is_run_here() -> None:
    assert set(FORMATS) == {"json", *RUNNABLE}


@pytest.mark.parametrize("kind", RUNNABLE)
async def test_what_is_printed_answers_on_the_embedded_server(project: StoredProject, kind: str) -> None:
    need(kind)
    await project.run("sync")
    printed = await project.run("export", "guide", "--format", kind)
    with serving_in(project) as server:
        code, out, err = await run_printed(project.root, kind, printed.out, server.exports)
    assert code == 0, err
    assert "112" in out


@pytest.mark.parametrize("kind", ["python", "curl"])
async def test_what_is_printed_for_foundry_answers_on_the_embedded_server(project: StoredProject, kind: str) -> None:
    need(kind)
    project.write(FOUNDRY)
    await project.run("sync", "--target", "azure")
    printed = await project.run("export", "guide", "--target", "azure", "--format", kind)
    with serving_in(project) as server:
        code, out, err = await run_printed(project.root, kind, printed.out, server.exports)
    assert code == 0, err
    assert "112" in out


@pytest.mark.parametrize(("kind", "target"), [("python", "embedded"), ("agents-sdk", "embedded"), ("python", "azure")])
async def test_functions_are_stubs_to_be_filled_in(project: StoredProject, kind: str, target: str) -> None:
    need(kind)
    project.write(FOUNDRY)
    await project.run("sync", "--target", target)
    printed = (await project.run("export", "changer", "--format", kind, "--target", target)).out
    asked = printed.replace("sys.argv[1]", '"What is the exchange rate from EUR to USD?"')
    stub = 'raise NotImplementedError("exchange-rate")'
    assert asked.count(stub) == 1
    with serving_in(project) as server:
        code, out, err = await run_printed(project.root, kind, asked, server.exports)
        assert code == 1
        assert "NotImplementedError: exchange-rate" in err or "tool exchange-rate: exchange-rate" in err
        filled = asked.replace(stub, """return "1.5" if arguments == {"source": "EUR", "target": "USD"} else "?" """)
        code, out, err = await run_printed(project.root, kind, filled, server.exports)
    assert code == 0, err
    assert "1.5" in out


async def test_the_page_s_commands_and_its_program_work_as_they_stand(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs/export.md").read_text("utf-8")
    for name in ("knowledge", "tools"):
        shutil.copytree(root / name, tmp_path / name)
    shutil.copy(root / "assistants.yaml", tmp_path)
    project = StoredProject(tmp_path)
    (commands,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for command in commands.splitlines():
        done = await project.run(*command.split()[1:])
        assert done.code == 0, (command, done.err)
    assert set(re.findall(r"^\| `([a-z][a-z-]*)` \|", page, re.MULTILINE)) == set(FORMATS)
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with serving_in(project) as server:
        code, out, err = await run_printed(tmp_path, "python", program, server.exports)
    assert code == 0, err
    assert "112" in out


# What it asks


def answer(seen: Seen) -> list[Any]:
    """No vector stores, and to the rest an answer."""
    if seen.method == "GET":
        return reply({"object": "list", "data": [], "has_more": False})
    if seen.method == "DELETE":
        return reply({"id": seen.path.rsplit("/", 1)[1], "deleted": True})
    return wire.answer_with(wire.response(wire.message("Done.")), seen)


@asynccontextmanager
async def everything(folder: Path) -> AsyncIterator[tuple[StoredProject, WireServer]]:
    """A project with all that a definition may have, on a server that keeps what it is asked."""
    async with wire_server(answer) as server:
        project = StoredProject(folder, {"DICE_TOKEN": SECRET, "THERE_KEY": KEY})
        project.write(EVERYTHING.format(url=server.url, quotes="'''\"\"\""))
        yield project, server


def asked(server: WireServer) -> dict[str, Any]:
    """The last request for an answer."""
    body: dict[str, Any] = [one for one in server.seen if str(one) == "POST /responses"][-1].json
    return body


async def test_the_request_is_the_one_that_play_makes(tmp_path: Path) -> None:
    async with everything(tmp_path) as (project, server):
        (tmp_path / "one.yaml").write_text("assistant: all\nsmoke: true\nturns: [{ask: Hi}]\n", encoding="utf-8")
        played = await project.run("play", "one.yaml")
        assert played.code == 0, played.err
        sent = asked(server)
        printed = await project.run("export", "all")
    assert set(sent["metadata"]) > {"team"}
    for name in ("input", "stream", "store"):
        del sent[name]
    told = sent["metadata"]["runner.definition"]
    assert len(told) == 12
    sent["metadata"] = {"team": "a\u202e", "runner.definition": told}
    assert json.loads(printed.out.replace("${DICE_TOKEN}", json.dumps(SECRET)[1:-1])) == sent


@pytest.mark.parametrize("kind", FORMATS)
async def test_no_secret_is_printed(tmp_path: Path, kind: str) -> None:
    async with everything(tmp_path) as (project, _):
        printed = await project.run("export", "all", "--format", kind)
    assert printed.code == 0, printed.err
    assert "DICE_TOKEN" in printed.out
    assert not re.search("dice-token|the-key-of|redacted", printed.out + printed.err)
    assert "\u202e" not in printed.out


@pytest.mark.parametrize("kind", ["python", "curl"])
async def test_what_is_printed_asks_exactly_what_is_exported(tmp_path: Path, kind: str) -> None:
    need(kind)
    async with everything(tmp_path) as (project, server):
        body = json.loads((await project.run("export", "all")).out.replace("${DICE_TOKEN}", json.dumps(SECRET)[1:-1]))
        printed = await project.run("export", "all", "--format", kind)
        environment = dict(project.environment)
        if kind == "curl":  # which puts a value into JSON as it is
            environment["DICE_TOKEN"] = json.dumps(SECRET)[1:-1]
        code, out, err = await run_printed(tmp_path, kind, printed.out, environment)
        assert code == 0, err
        assert "Done." in out
        sent = asked(server)
        assert server.seen[-1].headers["authorization"] == f"Bearer {KEY}"
    given = sent.pop("input")
    assert QUESTION in json.dumps(given)
    assert sent == body


async def test_the_agents_sdk_asks_what_is_exported(tmp_path: Path) -> None:
    need("agents-sdk")
    async with everything(tmp_path) as (project, server):
        body = json.loads((await project.run("export", "all")).out.replace("${DICE_TOKEN}", json.dumps(SECRET)[1:-1]))
        printed = await project.run("export", "all", "--format", "agents-sdk")
        code, out, err = await run_printed(tmp_path, "agents-sdk", printed.out, project.environment)
        assert code == 0, err
        assert "Done." in out
        sent = asked(server)
        assert server.seen[-1].headers["authorization"] == f"Bearer {KEY}"
    assert set(sent.pop("include")) == set(body.pop("include"))
    assert {name: sent[name] for name in body} == body
    assert set(sent) - set(body) <= {"input", "stream", "parallel_tool_calls"}


@pytest.mark.parametrize("kind", RUNNABLE)
async def test_a_server_that_keeps_nothing_is_asked_to_store_nothing_and_given_no_key(
    tmp_path: Path, kind: str
) -> None:
    need(kind)
    async with everything(tmp_path) as (project, server):
        printed = await project.run("export", "plain", "--target", "forgetful", "--format", kind)
        code, _, err = await run_printed(tmp_path, kind, printed.out, {"OPENAI_API_KEY": "of-openai-alone"})
        assert code == 0, err
        sent = asked(server)
        assert "of-openai-alone" not in str(server.seen[-1].headers)
    assert (sent["store"], sent["model"]) == (False, "llama")
    assert "metadata" not in sent


async def test_approvals_of_mcp_tools_are_the_file_s(tmp_path: Path) -> None:
    def asking(tool: str) -> dict[str, Any]:
        request = {"type": "mcp_approval_request", "id": f"mcpr_{tool}", "server_label": "dice", "arguments": "{}"}
        return {**request, "name": tool}

    def ask_first(seen: Seen) -> list[Any]:
        if seen.method == "POST" and "mcp_approval_response" not in seen.body.decode():
            return wire.answer_with(wire.response(asking("roll"), asking("steal")), seen)
        return answer(seen)

    async with wire_server(ask_first) as server:
        project = StoredProject(tmp_path, {"DICE_TOKEN": SECRET, "THERE_KEY": KEY})
        project.write(EVERYTHING.format(url=server.url, quotes=""))
        for kind in ("python", "agents-sdk"):
            need(kind)
            printed = await project.run("export", "all", "--format", kind)
            code, out, err = await run_printed(tmp_path, kind, printed.out, project.environment)
            assert code == 0, err
            assert "Done." in out
            answers = [one for one in asked(server)["input"] if one.get("type") == "mcp_approval_response"]
            said = {one["approval_request_id"]: one["approve"] for one in answers}
            assert said == {"mcpr_roll": True, "mcpr_steal": False}
