"""`runner serve` as a process: what it prints, whom it lets in, how it stops; and targets with an inference."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from pathlib import Path

import httpx2
import pytest
from forked_verbs import Serving, serving, start_program
from openai import AsyncOpenAI
from play_project import Project
from sdk_client import sdk_client
from verbs import Done, run_verb
from wire_server import reply, wire_server

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]

ENVIRONMENT = {name: value for name, value in os.environ.items() if "KEY" not in name and "TOKEN" not in name}
MOVES = """
scripts:
  - question: any
    moves:
      - expect: {tools: [], messages: 1}
      - say: As scripted.
"""


def client_of(server: Serving) -> AsyncOpenAI:
    return sdk_client(server.url, server.exports["OPENAI_API_KEY"])


def run(folder: Path, *arguments: str, **environment: str) -> Done:
    return run_verb(*arguments, cwd=folder, environment={**ENVIRONMENT, **environment})


async def ask(client: AsyncOpenAI, question: str) -> str:
    assistant = await client.beta.assistants.create(model="m")
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": question}]}
    )
    assert run.status == "completed", run.last_error
    messages = await client.beta.threads.messages.list(run.thread_id, run_id=run.id)
    (part,) = messages.data[0].content
    assert part.type == "text"
    return part.text.value


async def test_the_lines_it_prints_point_the_official_sdk_at_it(tmp_path: Path) -> None:
    (tmp_path / "moves.yaml").write_text(MOVES)
    with serving(tmp_path, "--inference", "scripted=moves.yaml", environment=ENVIRONMENT) as server:
        async with client_of(server) as client:
            assert await ask(client, "Hello?") == "As scripted."
    assert server.hello[0] == f"# serving {server.url} · answered by scripted"
    assert server.hello[1] == f"# state in {tmp_path / '.runner' / 'embedded'} · Ctrl-C stops"
    assert [line.partition("=")[0] for line in server.hello[2:]] == ["export OPENAI_BASE_URL", "export OPENAI_API_KEY"]


async def test_the_program_of_the_documentation_works_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "embedded_server.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    with serving(tmp_path, environment=ENVIRONMENT) as server:
        client = start_program("program.py", cwd=tmp_path, environment={**ENVIRONMENT, **server.exports})
        out, err = await asyncio.to_thread(client.communicate)
    assert client.returncode == 0, err
    assert "39.25" in out


async def test_the_default_is_offline_rules_on_the_project_s_own_state(tmp_path: Path) -> None:
    (tmp_path / "assistants.yaml").write_text("version: 1\n")
    (tmp_path / "deep").mkdir()
    with serving(tmp_path / "deep", environment=ENVIRONMENT) as server:
        pass
    assert "answered by offline rules, not a language model" in server.hello[0]
    assert (tmp_path / ".runner" / "embedded" / "server.db").is_file()


async def test_each_request_is_one_harmless_line_without_secrets(tmp_path: Path) -> None:
    with serving(tmp_path, environment=ENVIRONMENT) as server:
        headers = {"authorization": f"Bearer {server.exports['OPENAI_API_KEY']}"}
        async with httpx2.AsyncClient(headers=headers, verify=False, trust_env=False) as client:
            await client.get(f"{server.url}/assistants?after=secret-in-a-query")
            await client.get(f"{server.url}/%1b]52;c;aGk=%07%0a::error::/{'x' * 500}")
            await client.post(f"{server.url}/assistants", json={"model": "m"}, headers={"authorization": "Bearer no"})
        _, err = await server.stop()
    lines = [re.sub(r"\d+ ms$", "N ms", line) for line in err.splitlines()]
    assert lines[0] == "GET /v1/assistants 400 N ms"
    assert lines[1].startswith("GET /v1/\\x1b]52;c;aGk=\\x07")
    assert len(lines[1]) < 260
    assert lines[2] == "POST /v1/assistants 401 N ms"
    assert lines[3:] == ["runner: stopped"]
    assert server.exports["OPENAI_API_KEY"] not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_being_stopped_is_its_ordinary_end(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, "--quiet", environment=ENVIRONMENT) as server:
        assert await server.stop(number) == (0, "runner: stopped\n")


@pytest.mark.fault("P1")
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
async def test_a_second_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals, expected: int) -> None:
    with serving(tmp_path, environment=ENVIRONMENT) as server:
        # A request that has not ended holds up the stop for a while.
        _, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        key = server.exports["OPENAI_API_KEY"]
        head = (
            f"POST /v1/assistants HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-length: 9\r\n"
        )
        writer.write(f"{head}content-type: application/json\r\n\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.3)
        code, _ = await server.stop(number, number)
        writer.close()
    assert code == expected


async def test_a_run_at_work_is_settled_by_the_stop(tmp_path: Path) -> None:
    (tmp_path / "moves.yaml").write_text("scripts: [{question: any, moves: [{stay: in_progress}]}]")
    arguments = ("--inference", "scripted=moves.yaml")
    with serving(tmp_path, *arguments, environment=ENVIRONMENT) as server:
        async with client_of(server) as client:
            assistant = await client.beta.assistants.create(model="m")
            run = await client.beta.threads.create_and_run(assistant_id=assistant.id)
            assert (await server.stop())[0] == 0
    with serving(tmp_path, *arguments, environment=ENVIRONMENT) as server:
        async with client_of(server) as client:
            settled = await client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    assert settled.status == "failed"


async def test_two_servers_on_one_state_see_the_same_objects(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "shared"))
    with (
        serving(tmp_path, *state, environment=ENVIRONMENT) as one,
        serving(tmp_path, *state, environment=ENVIRONMENT) as other,
    ):
        async with client_of(one) as here, client_of(other) as there:
            made = await here.beta.assistants.create(model="m")
            assert (await there.beta.assistants.retrieve(made.id)).id == made.id
        assert one.exports["OPENAI_API_KEY"] != other.exports["OPENAI_API_KEY"]


async def test_a_token_from_the_environment_opens_it_and_is_never_printed(tmp_path: Path) -> None:
    token = "canary-0123456789abcdef"
    with serving(tmp_path, environment={**ENVIRONMENT, "RUNNER_TOKEN": token}) as server:
        assert server.exports["OPENAI_API_KEY"] == '"$RUNNER_TOKEN"'
        async with httpx2.AsyncClient(
            headers={"authorization": f"Bearer {token}"}, verify=False, trust_env=False
        ) as client:
            assert (await client.get(f"{server.url}/assistants")).status_code == 200
        _, err = await server.stop()
    assert token not in "".join(server.hello) + err


async def test_beyond_loopback_it_warns_and_lets_in_addresses_but_no_other_names(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", environment=ENVIRONMENT) as server:
        assert server.url.startswith("http://127.0.0.1:")
        headers = {"authorization": f"Bearer {server.exports['OPENAI_API_KEY']}"}
        async with httpx2.AsyncClient(headers=headers, verify=False, trust_env=False) as client:
            answers = [
                (await client.get(f"{server.url}/assistants", headers={"host": host})).status_code
                for host in ("192.168.1.5:8787", "evil.example")
            ]
        _, err = await server.stop()
    assert answers == [200, 403]
    assert "runner: warning: 0.0.0.0 can be reached from other machines, unencrypted" in err


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run(tmp_path, "serve", "--port", str(port))
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"runner: port {port} on 127.0.0.1 is already in use; "
        "stop what uses it, or choose another with --port (0 takes any free one)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--token", "short"], "the token has fewer than 16 characters"),
        (["--token", "has a space in it, this one"], "a character in it that a header can't hold"),
        (["--inference", "oflline"], "scripted=FILE, or a URL"),
        (["--inference", "scripted=gone.yaml"], "gone.yaml:1:1: the file can't be read"),
        (
            ["--inference", "scripted=moves.yaml"],
            "moves.yaml:1:36: scripts[0].moves[0]: unknown move 'sya'; did you mean 'say'?",
        ),
        (["--model", "x"], "go with an --inference that is a URL"),
        (["--inference", "http://127.0.0.1:1/v1", "--key-env", "NO_SUCH"], "environment variable NO_SUCH (--key-env)"),
        (["--inference", "http:///v1"], "is no address"),
        (["--sandbox", "mounty"], "unknown sandbox 'mounty'"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1, port 0"),
    ],
)
def test_what_can_t_work_is_refused_with_one_line_and_code_2(tmp_path: Path, arguments, message) -> None:
    (tmp_path / "moves.yaml").write_text("scripts: [{question: any, moves: [{sya: x}]}]")
    done = run(tmp_path, "serve", "--port", "0", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / ".runner").exists()


def test_a_state_that_can_t_be_used_is_code_3(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = run(tmp_path, "serve", "--port", "0", "--state", str(tmp_path / "file"))
    assert done.code == 3
    assert "cannot make the embedded server's state folder" in done.err


# Targets with an inference

PROJECT = """
version: 1
namespace: tests-000002
target: brain
targets:
  brain: {{api: assistants, server: embedded, inference: {inference}}}
assistants:
  guide: {{model: gpt-6-luna, instructions: You are a guide., tools: [code_interpreter]}}
"""
SCENARIO = """
assistant: guide
turns:
  - ask: What is 17 times 3?
    expect: [number: 51, tool_called: code_interpreter]
"""


def make_project(folder: Path, inference: str) -> Project:
    (folder / "assistants.yaml").write_text(PROJECT.format(inference=inference))
    project = Project(folder, folder / ".runner" / "embedded", ENVIRONMENT)
    project.write_scenario(SCENARIO)
    return project


def test_a_scripted_target_is_played_and_named(tmp_path: Path) -> None:
    project = make_project(tmp_path, "{scripted: moves.yml}")
    (tmp_path / "moves.yml").write_text(
        "scripts:\n"
        "  - question: {contains: times}\n"
        "    moves:\n"
        "      - expect: {tools: [code_interpreter], instructions_contain: guide}\n"
        "      - call: {code_interpreter: print(17 * 3)}\n"
        "      - expect: {outputs_contain: '51'}\n"
        "      - say: It is 51.\n"
    )
    done = project.run("play")
    assert done.code == 0, done.out + done.err
    assert "answered by scripted" in done.out


def test_a_script_with_mistakes_stops_the_play_before_anything_is_sent(tmp_path: Path) -> None:
    project = make_project(tmp_path, "{scripted: moves.yml}")
    (tmp_path / "moves.yml").write_text("scripts: [{question: any, moves: [{sya: x}]}]")
    done = project.run("play")
    assert done.code == 2
    assert "moves.yml:1:36: scripts[0].moves[0]: unknown move 'sya'; did you mean 'say'?" in done.err
    assert not (tmp_path / ".runner" / "embedded").exists()


async def test_a_language_model_behind_a_target_is_asked_and_named(tmp_path: Path) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "code_interpreter", "arguments": '{"code": "17 * 3"}'}}

    def answer(seen) -> list:
        assert seen.headers["authorization"] == "Bearer model-key-0123456789"
        assert seen.json["model"] == "llama3.2"
        has_result = seen.json["messages"][-1]["role"] == "tool"
        delta = {"content": f"It is {seen.json['messages'][-1]['content']}."} if has_result else {"tool_calls": [call]}
        finish = "stop" if has_result else "tool_calls"
        if not seen.json.get("stream"):
            return reply({"model": "llama3.2", "choices": [{"message": delta, "finish_reason": finish}]})
        event = {"model": "llama3.2", "choices": [{"delta": delta, "finish_reason": finish}]}
        return reply(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n", content_type="text/event-stream")

    async with wire_server(answer) as model:
        project = make_project(tmp_path, f"{{base_url: '{model.url}', model: llama3.2, key_env: MODEL_KEY}}")
        (tmp_path / "scenarios").mkdir(exist_ok=True)
        missing = await asyncio.to_thread(project.run, "play")
        project = Project(tmp_path, project.state, {**ENVIRONMENT, "MODEL_KEY": "model-key-0123456789"})
        done = await asyncio.to_thread(project.run, "play", "--report", "json=report.json")
    assert missing.code == 2
    assert "target 'brain': needs a key in the environment variable MODEL_KEY, which is not set" in missing.err
    assert done.code == 0, done.out + done.err
    assert "answered by openai_compatible (llama3.2)" in done.out
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["variants"][0]["inference"], report["variants"][0]["sandbox"]) == (
        "openai_compatible (llama3.2)",
        "monty",
    )
    assert report["scenarios"][0]["attempts"][0]["turns"][0]["run"]["answer"] == "It is 51."


async def test_a_language_model_that_fails_is_an_error_of_the_scenario_with_its_own_words(tmp_path: Path) -> None:
    async with wire_server(lambda _: reply({"error": {"message": "model 'llama9' not found"}}, 404)) as model:
        project = make_project(tmp_path, f"{{base_url: '{model.url}', model: llama9}}")
        done = await asyncio.to_thread(project.run, "play")
    assert done.code == 3
    assert "model 'llama9' not found" in done.out
