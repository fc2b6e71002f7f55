"""A target whose token is printed by a command: what goes where, when it is renewed, what is said if it can't be."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from embedded_brains import Echo
from verbs import Done, run_verb
from wire_server import Seen, refusal, reply, wire_server

from runner.server.embedded import start_embedded

FILE = """\
version: 1
namespace: tokens-1
target: azure
targets:
  azure:
    api: foundry
    base_url: "{url}"
    token_command: [{python}, {script}]
assistants:
  guide: {{model: gpt-6-luna, instructions: Be short.}}
"""
SCENARIO = "{assistant: guide, turns: [{ask: hello, expect: [contains: hello]}]}"
PLACE = "assistants.yaml:5:3: target 'azure': "


@dataclass
class Folder:
    root: Path

    def write(self, url: str, body: str) -> None:
        """The project's file, and the program that prints the token; each call of it leaves a line in `asked`."""
        self.root.mkdir(exist_ok=True)
        program = f"import os, sys, time\nopen({str(self.root / 'asked')!r}, 'a').write('x\\n')\n{body}\n"
        (self.root / "token.py").write_text(program)
        script = json.dumps(str(self.root / "token.py"))
        text = FILE.format(url=url, python=json.dumps(sys.executable), script=script)
        (self.root / "assistants.yaml").write_text(text)
        (self.root / "scenarios").mkdir(exist_ok=True)
        (self.root / "scenarios" / "one.yaml").write_text(SCENARIO)

    @property
    def times_asked(self) -> int:
        asked = self.root / "asked"
        return len(asked.read_text().splitlines()) if asked.exists() else 0

    async def run(self, *arguments: str) -> Done:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root)}
        return await asyncio.to_thread(run_verb, *arguments, cwd=self.root, environment=environment)

    def everything_written(self) -> str:
        files = (path for path in self.root.rglob("*") if path.is_file() and path.name != "token.py")
        return "\n".join(path.read_bytes().decode(errors="replace") for path in files)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "project")


def project_url(base_url: str) -> str:
    return base_url.removesuffix("/v1") + "/api/projects/tests"


async def test_every_verb_works_with_what_the_command_prints(folder: Folder, tmp_path: Path) -> None:
    async with start_embedded(tmp_path / "server", Echo()) as address:
        folder.write(project_url(address.base_url), f"print({address.token!r})")
        for verb in (("sync",), ("plan", "--exit-code"), ("play",), ("clean",), ("destroy", "--confirm", "tokens-1")):
            done = await folder.run(*verb)
            assert done.code == 0, done.out + done.err
            assert address.token not in done.out + done.err
        assert address.token not in folder.everything_written()
    assert folder.times_asked == 5, "once for each verb"


async def test_validate_never_runs_it(folder: Folder) -> None:
    folder.write("https://res.services.ai.azure.com/api/projects/p", "print('x')")
    assert (await folder.run("validate")).code == 0
    assert folder.times_asked == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("print('no login', file=sys.stderr); sys.exit(1)", "ended with 1: no login"),
        ("print('<html>Sign in</html>')", "printed a web page and no token; is a proxy or a login page in between?"),
        ("pass", "printed nothing; it is to print a token, or az's JSON"),
    ],
)
async def test_a_command_that_fails_is_one_line_with_its_place_and_nothing_is_sent(
    folder: Folder, body: str, words: str
) -> None:
    async with wire_server(lambda _: reply({"data": []})) as server:
        folder.write(project_url(server.url), body)
        for verb in ("plan", "sync", "play"):
            done = await folder.run(verb)
            assert done.code == 2, done.out + done.err
            (line,) = done.err.splitlines()
            assert line == f"runner: {PLACE}token_command: '{sys.executable}' {words}"
        assert server.seen == []


async def test_a_command_that_hangs_is_one_line(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "runner.backends.foundry.access_tokens.from_command.__kwdefaults__", {"limit_s": 1.0}, raising=False
    )
    folder.write("http://127.0.0.1:9/api/projects/p", "time.sleep(60)")
    done = await folder.run("plan")
    assert done.code == 2, done.out + done.err
    assert done.err.startswith(f"runner: {PLACE}token_command: '{sys.executable}' has not ended after 1 s; ")


def rejecting(times: int) -> Callable[[Seen], list]:
    """The first answers are 401s that repeat the token; then there are no agents and no stores."""
    left = [times]

    def answer(seen: Seen) -> list:
        if left[0] > 0:
            left[0] -= 1
            return refusal(401, f"Bad credentials: {seen.headers['authorization']}", code="401")
        return reply({"object": "list", "data": [], "has_more": False})

    return answer


async def test_a_rejected_token_is_renewed_once_and_the_request_sent_again(folder: Folder) -> None:
    async with wire_server(rejecting(1)) as server:
        folder.write(project_url(server.url), "print(f'token-canary-{time.time_ns()}')")
        done = await folder.run("plan")
        assert done.code == 0, done.out + done.err
        first, *rest = [one.headers["authorization"] for one in server.seen]
        assert len(rest) == 2
        assert folder.times_asked == 2
        assert first not in rest or rest.count(first) == 1, "both lists went out with the first token"


async def test_a_token_that_is_rejected_when_it_is_new_is_one_line_with_its_place(folder: Folder) -> None:
    async with wire_server(rejecting(1000)) as server:
        folder.write(project_url(server.url), "print(f'token-canary-{time.time_ns()}')")
        done = await folder.run("plan")
        assert done.code == 3, done.out + done.err
        (line,) = done.err.splitlines()
        assert (
            f"{PLACE}the token that token_command prints was rejected, and so was a new one; is it of the right tenant"
            in line
        )
        assert "canary" not in done.out + done.err
        assert "canary" not in folder.everything_written()
        assert folder.times_asked <= 3


async def test_a_token_goes_to_no_other_host(folder: Folder) -> None:
    async with wire_server(lambda _: reply({"data": []})) as elsewhere:
        there = elsewhere.url.replace("127.0.0.1", "localhost")
        async with wire_server(lambda _: reply("", 307, location=f"{there}/agents")) as server:
            folder.write(project_url(server.url), "print('token-canary-1')")
            done = await folder.run("plan")
        assert done.code == 3, done.out + done.err
        assert "redirects to http://localhost" in done.err
        assert elsewhere.seen == []


async def test_a_token_of_yesterday_is_renewed_and_nothing_is_made_twice(folder: Folder, tmp_path: Path) -> None:
    async with start_embedded(tmp_path / "server", Echo()) as address:
        good = (tmp_path / "good").as_posix()
        body = f"print({address.token!r} if os.path.exists({good!r}) else 'token-of-yesterday'); open({good!r}, 'w')"
        folder.write(project_url(address.base_url), body)
        done = await folder.run("sync")
        assert done.code == 0, done.out + done.err
        assert "created guide:1" in done.out
        again = await folder.run("sync")
        assert "in sync: nothing to do" in again.out


IDENTITY = FILE.replace("    token_command: [{python}, {script}]\n", "")


def without_a_command(folder: Folder, url: str) -> None:
    folder.write(url, "")
    (folder.root / "assistants.yaml").write_text(IDENTITY.format(url=url))


async def test_without_command_and_extra_it_is_said_what_to_do(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    without_a_command(folder, "https://res.services.ai.azure.com/api/projects/p")
    done = await folder.run("plan")
    assert done.code == 2, done.out + done.err
    assert done.err == (
        f"runner: {PLACE}Azure wants a token: name `token_command`, or install the extra: "
        "pip install 'assistant-runner[azure]'\n"
    )


async def test_what_azure_identity_says_is_one_line(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    import azure.identity

    class LoggedOut:
        def get_token(self, scope: str) -> object:
            assert scope == "https://ai.azure.com/.default"
            raise ValueError("DefaultAzureCredential failed to retrieve a token.\nAttempted credentials:\n\tmany")

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", LoggedOut)
    without_a_command(folder, "https://res.services.ai.azure.com/api/projects/p")
    done = await folder.run("plan")
    assert done.code == 2, done.out + done.err
    assert done.err == (
        f"runner: {PLACE}azure-identity finds no login: DefaultAzureCredential failed to retrieve a token.; "
        "try `az login`, or `token_command`\n"
    )


async def test_a_server_of_this_machine_gets_no_token_that_nobody_named(folder: Folder) -> None:
    async with wire_server(lambda _: reply({"object": "list", "data": [], "has_more": False})) as server:
        without_a_command(folder, project_url(server.url))
        assert (await folder.run("plan")).code == 0
        assert {one.headers["authorization"] for one in server.seen} == {"Bearer none"}
