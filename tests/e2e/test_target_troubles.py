"""What users meet at a target that isn't as they think: a line of its own for each, and the key appears nowhere."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import responses_wire as wire
from play_project import Project
from verbs import Done
from wire_server import Seen, refusal, reply, wire_server

from runner.redaction import Redactor

KEY = "sk-canary-0123456789abcdefghij"
OTHERS_KEY = "sk-openai-canary-9876543210"
ASSISTANTS = """\
version: 1
namespace: tests-000001
target: remote
targets:
  remote: {target}
assistants:
  guide:
    name: Guide
    model: gpt-6-luna
"""
SCENARIO = "assistant: guide\nturns: [{ask: 'How much?', expect: [number: 39.25]}]\n"
TALK = "assistant: guide\nturns: [{ask: 'One?', expect: [number: 39.25]}, {ask: 'Two?', expect: [number: 39.25]}]\n"
RESPONSES = "{api: responses, base_url: '{url}', key_env: REMOTE_KEY}"
ANSWERED = wire.response(wire.message())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with two scenarios, and no key in its environment."""
    environment = {name: value for name, value in os.environ.items() if "KEY" not in name and "OPENAI" not in name}
    made = Project(tmp_path, tmp_path / ".runner", environment)
    made.write_scenario(SCENARIO, "one")
    made.write_scenario(SCENARIO, "two")
    return made


def act(project: Project, target: str, *arguments: str, **environment: str) -> Done:
    (project.folder / "assistants.yaml").write_text(ASSISTANTS.replace("{target}", target), encoding="utf-8")
    here = Project(project.folder, project.state, {**project.environment, **environment})
    done = here.run(*arguments)
    assert_hidden(project, done, {KEY, OTHERS_KEY, *environment.values()})
    assert "Traceback" not in done.err
    return done


def play(project: Project, target: str, *arguments: str, **environment: str) -> Done:
    return act(project, target, "play", "-n", "1", *arguments, **environment)


def assert_hidden(project: Project, done: Done, secrets: set[str]) -> None:
    """No form of a key is in what was printed or written."""
    written = [path.read_text("utf-8", "replace") for path in project.folder.rglob("*") if path.is_file()]
    redactor = Redactor(secret for secret in secrets if "canary" in secret)
    for text in (done.out, done.err, *written):
        assert redactor.clean(text) == text


async def play_on(
    answer: Callable[[Seen], list], project: Project, target: str = RESPONSES, *arguments: str, **environment: str
) -> tuple[Done, list[Seen]]:
    """What came of a play on a server with these answers, and what that was asked."""
    return await act_on(answer, project, target, "play", "-n", "1", *arguments, **environment)


async def act_on(
    answer: Callable[[Seen], list], project: Project, target: str, *arguments: str, **environment: str
) -> tuple[Done, list[Seen]]:
    async with wire_server(answer) as server:
        target = target.replace("{url}", server.url).replace("{root}", server.url.removesuffix("/v1"))
        done = await asyncio.to_thread(act, project, target, *arguments, **environment)
        return done, server.seen


def always(answer: list) -> Callable[[Seen], list]:
    return lambda _seen: answer


def plain(text: str) -> str:
    """A report without its line breaks."""
    return " ".join(text.split())


# The key ---------------------------------------------------------------------------------------------------------


def test_a_key_that_is_missing_or_empty_is_told_with_its_place(project):
    for environment, state in (({}, "not set"), ({"REMOTE_KEY": ""}, "empty")):
        done = play(project, RESPONSES.replace("{url}", "http://127.0.0.1:9/v1"), **environment)
        assert (done.code, done.out) == (2, "")
        place = "assistants.yaml:5:3: target 'remote': "
        assert done.err.startswith(f"{place}needs a key in the environment variable REMOTE_KEY, which is {state}; ")
        assert ".env" not in done.err
    (project.folder / ".env").write_text("export REMOTE_KEY=sk-1234567890\n", "utf-8")
    done = play(project, RESPONSES.replace("{url}", "http://127.0.0.1:9/v1"))
    assert (
        "which is not set; `.env` is not read by itself, `set -a; . ./.env; set +a` sets what stands in it; "
        in done.err
    )
    assert "sk-1234567890" not in done.err


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (f"{KEY}\n", "a space or a line break in it; copy it again"),
        (f"{KEY[:12]} {KEY[12:]}", "a space or a line break in it; copy it again"),
        (f"{KEY}é", "a character in it that no key has (not printable ASCII); copy it again"),
        (f"{KEY}\x07", "a character in it that no key has (not printable ASCII); copy it again"),
        (f'"{KEY}"', "quotes around it; leave them out"),
        (f"Bearer {KEY}", "it begins with 'Bearer'; leave that out"),
        ("$OPENAI_CANARY", "the name of a variable that was never filled in"),
        ("sk-canary...", "a placeholder, or a shortened key; copy the whole key into it"),
        ("sk-canary****ghij", "a placeholder, or a shortened key; copy the whole key into it"),
        ("<your-canary-key>", "a placeholder, or a shortened key; copy the whole key into it"),
        ("sk-xxxxxxxxxxxx", "a placeholder, or a shortened key; copy the whole key into it"),
    ],
)
async def test_a_key_that_can_be_none_is_told_before_anything_is_sent(project, key, words):
    done, seen = await play_on(always(reply(ANSWERED)), project, REMOTE_KEY=key)
    assert (done.code, done.out, seen) == (2, "", [])
    assert "target 'remote': the environment variable REMOTE_KEY holds no key: " in done.err
    assert words in done.err


@pytest.mark.fault("N7")
async def test_a_rejected_key_is_named_by_its_variable_and_the_rest_is_not_started(project):
    said = refusal(401, f"Incorrect API key provided: {KEY}.", "invalid_api_key")
    done, seen = await play_on(always(said), project, REMOTE_KEY=KEY)
    assert (done.code, len(seen)) == (3, 1)
    told = "the key in REMOTE_KEY was rejected; is it whole, and for this server? (401): "
    assert f"{told}Incorrect API key provided: [redacted]." in plain(done.out)
    assert "not started: the key was rejected" in done.out


@pytest.mark.fault("N7")
@pytest.mark.parametrize("api", ["responses", "assistants"])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_rejected_key_is_found_before_any_file_is_uploaded(project, api, status):
    (project.folder / "receipt.pdf").write_bytes(b"%PDF-1.4\n")
    project.write_scenario(SCENARIO.replace("ask:", "attach: [../receipt.pdf], ask:"), "one")
    target = RESPONSES.replace("api: responses", f"api: {api}")
    act(project, target, "validate")
    text = (project.folder / "assistants.yaml").read_text() + "    tools: [file_search]\n    files: [receipt.pdf]\n"
    async with wire_server(always(refusal(status, "No."))) as server:
        (project.folder / "assistants.yaml").write_text(text.replace("{url}", server.url))
        here = Project(project.folder, project.state, {**project.environment, "REMOTE_KEY": KEY})
        done = await asyncio.to_thread(here.run, "play", "-n", "1")
    assert done.code == 3, done.out + done.err
    assert [one.path for one in server.seen if one.method == "POST" and "files" in one.path] == []


@pytest.mark.parametrize("verb", ["plan", "sync", "list", "pull", "clean"])
async def test_no_verb_shows_the_key_that_was_rejected_whatever_its_variable_is_called(project, verb):
    target = "{api: assistants, base_url: '{url}', key_env: REMOTE_CREDENTIALS}"
    said = always(refusal(401, f"Incorrect API key provided: {KEY}.", "invalid_api_key"))
    done, seen = await act_on(said, project, target, verb, REMOTE_CREDENTIALS=KEY)
    if verb != "clean":  # it has nothing to ask about
        assert (done.code, len(seen) >= 1) == (3, True)
        assert "the key in REMOTE_CREDENTIALS was rejected" in plain(done.out + done.err)


async def test_a_server_that_wants_a_key_where_none_is_named_says_what_to_add(project):
    answer = always(refusal(401, "Unauthorized."))
    done, seen = await play_on(answer, project, "{api: responses, base_url: '{url}'}", OPENAI_API_KEY=OTHERS_KEY)
    assert done.code == 3
    assert "no key was sent, and the server wants one: name its environment variable with key_env" in plain(done.out)
    assert OTHERS_KEY not in str(seen[0].headers)


@pytest.mark.fault("N7")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            refusal(403, "Missing scopes: api.responses.write."),
            "the key in REMOTE_KEY has no permission for this; give it one, or use another (403)",
        ),
        (
            refusal(403, "Country not supported.", "unsupported_country_region_territory"),
            "the API is not offered in the country that this machine is in (403)",
        ),
    ],
)
async def test_a_key_without_permission_and_a_wrong_country_are_told_apart(project, answer, words):
    done, seen = await play_on(always(answer), project, REMOTE_KEY=KEY)
    assert (done.code, len(seen)) == (3, 1)
    assert words in plain(done.out)


@pytest.mark.parametrize(
    "url", ["https://models.example/v1", "http://127.0.0.1:9/v1", "https://api.openai.com.evil/v1"]
)
def test_the_key_of_openai_goes_to_no_other_host(project, url):
    target = f"{{api: responses, base_url: '{url}', key_env: OPENAI_API_KEY}}"
    done = play(project, target, OPENAI_API_KEY=OTHERS_KEY)
    assert (done.code, done.out) == (2, "")
    assert "assistants.yaml:5:" in done.err
    assert "targets.remote.key_env: OPENAI_API_KEY holds the key for OpenAI, which '" in done.err


async def test_another_server_in_the_environment_gets_no_key_and_is_spoken_of(project):
    async with wire_server(always(reply(ANSWERED))) as server:
        environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": OTHERS_KEY}
        done = await asyncio.to_thread(play, project, "{api: responses}", **environment)
        assert (done.code, server.connections) == (2, 0)
    assert "OPENAI_BASE_URL is set, so OPENAI_API_KEY may hold the key of that server" in done.err


async def test_a_target_goes_where_its_file_says_with_its_own_key_and_nothing_of_openai_s(project):
    ambient = {
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": OTHERS_KEY,
        "OPENAI_ORG_ID": "org-canary",
        "OPENAI_PROJECT_ID": "proj-canary",
        "OPENAI_ADMIN_KEY": "sk-admin-canary",
        "OPENAI_CUSTOM_HEADERS": "X-Private: canary",
    }
    target = "{api: responses, base_url: '{root}/openai/v1/', key_env: REMOTE_KEY}"
    keeper = wire.Keeper(ANSWERED)

    def answer(seen: Seen) -> list:
        return keeper(replace(seen, target=seen.target.removeprefix("/openai")))

    done, seen = await play_on(answer, project, target, REMOTE_KEY=KEY, **ambient)
    assert done.code == 0, done.out + done.err
    assert [one.target for one in seen if one.method == "POST"] == ["/openai/v1/responses"] * 2
    for one in seen:
        assert one.headers.pop("authorization") == f"Bearer {KEY}"
        assert "canary" not in json.dumps(one.headers) + one.target + one.body.decode()


async def test_a_server_on_this_machine_needs_no_key(project):
    target = "{api: responses, base_url: '{url}', history: replay}"
    done, seen = await play_on(wire.Keeper(ANSWERED), project, target, OPENAI_API_KEY=OTHERS_KEY)
    assert done.code == 0, done.out + done.err
    assert OTHERS_KEY not in "".join(str(one.headers) for one in seen)


# The model and the quota -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            refusal(404, "The model `gpt-6-luna` does not exist or you do not have access to it.", "model_not_found"),
            "not",
        ),
        (refusal(403, "Project `p` does not have access to model `gpt-6-luna`.", "model_not_found"), "not"),
        (refusal(400, "The requested model 'gpt-6-luna' does not exist.", "model_not_found"), "not"),
        (refusal(404, "The API deployment for this resource does not exist.", "DeploymentNotFound"), "not"),
        (refusal(404, 'model "gpt-6-luna" not found, try pulling it first'), "not"),
        (refusal(400, "gpt-6-luna is not a valid model ID"), "not"),
        (refusal(404, "The model `gpt-6-luna` has been deprecated, see the page.", "model_not_found"), "shut down"),
        (refusal(410, "The model gpt-6-luna is no longer available."), "shut down"),
        (wire.streamed(wire.event("error", code="model_not_found", message="No such model.")), "gives up"),
    ],
)
async def test_a_model_that_is_not_there_is_named_with_its_line_and_others_are_played(project, answer, words):
    done, seen = await play_on(always(answer), project, REMOTE_KEY=KEY)
    assert (done.code, len(seen)) == (3, 2)
    told = {
        "not": "the model is not there; is its name right, and may the key use it? (",
        "shut down": "the model was shut down; choose another (",
        "gives up": "gives up",
    }[words]
    assert "assistants.yaml:9:5: model 'gpt-6-luna': while asking 'guide': " in plain(done.out)
    assert told in plain(done.out)


async def test_a_sync_names_the_line_of_a_model_that_is_not_there(project):
    def answer(seen: Seen) -> list:
        if seen.method == "GET":
            return reply({"object": "list", "data": [], "has_more": False})
        return refusal(400, "The requested model 'gpt-6-luna' does not exist.", "model_not_found")

    target = "{api: assistants, base_url: '{url}', key_env: REMOTE_KEY}"
    done, _ = await act_on(answer, project, target, "sync", REMOTE_KEY=KEY)
    assert done.code == 3
    assert "assistants.yaml:9:5: model 'gpt-6-luna': while creating the assistant 'guide': " in plain(
        done.out + done.err
    )


@pytest.mark.fault("N2")
@pytest.mark.parametrize(
    "answer",
    [
        refusal(429, "You exceeded your current quota.", "insufficient_quota"),
        refusal(402, "Insufficient credits."),
        wire.streamed(wire.event("error", code="insufficient_quota", message="You exceeded your current quota.")),
        wire.streamed(
            wire.stream_of(wire.response(status="failed", error={"code": "insufficient_quota", "message": "x"}))
        ),
    ],
    ids=["refused", "unpaid", "in a stream", "as a run's failure"],
)
async def test_a_quota_that_is_used_up_is_asked_for_once_and_the_rest_is_not_started(project, answer):
    done, seen = await play_on(always(answer), project, REMOTE_KEY=KEY)
    assert (done.code, [str(one) for one in seen if one.method == "POST"]) == (3, ["POST /responses"])
    assert "not started: the account's quota is used up" in done.out


# The API and the way to it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "answer", "words"),
    [
        (
            "{api: assistants, base_url: '{url}', key_env: REMOTE_KEY}",
            refusal(404, "Invalid URL (GET /v1/assistants)"),
            "has no /assistants; is this the right API? (OpenAI shut the Assistants API down on 2026-08-26; try its "
            "successor, `api: responses`) (404)",
        ),
        (
            RESPONSES,
            reply({"detail": "Not Found"}, 404),
            "has no /responses; is this the right API? (for a server that only has chat completions, use `server: "
            "embedded` with `inference: {base_url: ...}`) (404)",
        ),
        (
            "{api: responses, base_url: '{root}', key_env: REMOTE_KEY}",
            reply("404 page not found", 404),
            "has no /responses; is this the right API? Base URLs mostly end in /v1.",
        ),
        (
            "{api: responses, base_url: '{root}', key_env: REMOTE_KEY}",
            reply("<html>Not found</html>", 404),
            "answered 404 with a web page: is a proxy in between, or the URL wrong? Base URLs mostly end in /v1.",
        ),
        (RESPONSES, reply("<html>Sign in</html>", 403), "answered 403 with a web page: is a proxy in between, or the"),
        (RESPONSES, reply("<html>Hello</html>"), "is not the API's answer:"),
        (RESPONSES, reply("", 307, location="https://elsewhere.example/v1"), "redirects to https://elsewhere.example"),
    ],
    ids=["shut down", "no responses", "no /v1", "page at no /v1", "proxy", "page", "redirect"],
)
async def test_a_wrong_way_is_told_from_a_wrong_api(project, target, answer, words):
    done, _ = await play_on(always(answer), project, target, REMOTE_KEY=KEY)
    assert done.code == 3
    assert words in plain(done.out + done.err)


async def test_a_server_without_conversations_is_told_how_to_go_on(project):
    project.write_scenario(TALK, "talk")
    answer = always(refusal(404, "Not Found"))
    done, seen = await play_on(answer, project, RESPONSES, "scenarios/talk.yaml", REMOTE_KEY=KEY)
    assert (done.code, [str(one) for one in seen]) == (3, ["POST /conversations"])
    assert "(for a server that keeps no conversations, set `history: replay`)" in plain(done.out)


# The way there ----------------------------------------------------------------------------------------------------

FAR = "{api: responses, base_url: 'https://far.invalid/v1'}"
FAR_BRAIN = "{api: responses, server: embedded, inference: {base_url: 'https://far.invalid/v1', model: m}}"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "a proxy in the environment"),
        ("HTTPS_PROXY", "carrier://pigeon-canary", "a proxy in the environment"),
        ("HTTPS_PROXY", "http://me:canary-password@[::", "a proxy in the environment"),
        ("HTTPS_PROXY", "http://me:canary-password@127.0.0.1:99999", "a proxy in the environment"),
        ("SSL_CERT_FILE", "/nowhere/canary.pem", "the file that SSL_CERT_FILE"),
    ],
)
def test_what_the_environment_says_about_the_way_and_can_t_be_used_is_told(project, variable, value, words):
    done = play(project, FAR, **{variable: value})
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    done = play(project, FAR_BRAIN, "-x", **{variable: value})
    assert done.code == 3
    assert words in plain(done.out)


def test_a_log_of_keys_that_can_t_be_written_is_told(project, tmp_path):
    # With certificates named, whatever the machine's own environment has: only then is the log opened at once.
    named = {"SSL_CERT_DIR": str(tmp_path), "SSL_CERT_FILE": "", "SSLKEYLOGFILE": "/nowhere/canary/log"}
    done = play(project, FAR, **named)
    assert (done.code, done.out) == (2, "")
    assert "SSLKEYLOGFILE names can't be used" in done.err


def test_a_target_whose_host_can_be_read_in_two_ways_is_refused(project):
    done = play(project, RESPONSES.replace("{url}", "https://[::1]x/v1"), REMOTE_KEY=KEY)
    assert done.code == 2
    assert "this is no address of a server" in done.err


@pytest.mark.parametrize("verb", ["plan", "sync", "list", "clean", "play"])
def test_a_secret_in_an_address_is_shown_by_no_verb(project, verb):
    target = "{api: responses, base_url: 'http://127.0.0.1:9/${secret:PATH_WORD}/v1'}"
    done = act(project, target, verb, PATH_WORD="canary-path-word")
    assert done.code == 3
    assert "http://127.0.0.1:9/[redacted]/v1" in plain(done.out + done.err)


async def test_a_model_s_endpoint_that_redirects_is_told_as_that(project):
    target = "{api: responses, server: embedded, inference: {base_url: '{url}', model: m}}"
    moved = reply({}, 307, location="http://127.0.0.1:9/v1")
    done, _ = await play_on(always(moved), project, target)
    assert "it redirects, which is not followed" in plain(done.out)
