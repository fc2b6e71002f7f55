"""`play --tier`: the same verdicts for less money and more patience, in the background or by batches."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, NoReturn

import pytest
import responses_wire as wire
from acting_brains import Act, Actor
from backend_talk import hurry
from play_project import Project, at_api, project_elsewhere
from verbs import Done
from wire_server import Seen, refusal, reply, wire_server

from runner.backends import Batching
from runner.backends.responses.batches import Batches
from runner.domain.plan import Kind
from runner.errors import RemoteError
from runner.server.inference import Answer, Fail, Role, Scene, Turnout
from runner.sync import adopt_batches

SCENARIOS = """
defaults: {assistant: guide}
scenarios:
  - {name: right, turns: [{ask: one, expect: [contains: one]}]}
  - {name: wrong, turns: [{ask: two, expect: [contains: three]}]}
  - {name: twice, repeat: 2, turns: [{ask: four, expect: [contains: four]}]}
  - {name: talk, turns: [{ask: five, expect: [contains: five]}, {ask: six, expect: [contains: six after five]}]}
"""
EMPTY = {"run", "response", "conversation", "file", "vector_store", "container"}


def echo(scene: Scene) -> Answer:
    """The question, and in a conversation the one before it."""
    asked = [one.text for one in scene.messages if one.role is Role.USER]
    return Answer(text=" after ".join(reversed(asked[-2:])))


async def until(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.01)


class Held(Actor):
    """Answers only once it may, if there are so many messages. `is_asked`: it has been asked such a thing."""

    def __init__(self, *acts: Act, messages: int = 1) -> None:
        super().__init__(*acts)
        self._messages = messages
        self.is_asked, self.may_answer = threading.Event(), threading.Event()  # the server has a thread of its own

    async def decide(self, scene: Scene) -> Turnout:
        if len(scene.messages) >= self._messages:
            self.is_asked.set()
            await until(self.may_answer)
        return await super().decide(scene)


@asynccontextmanager
async def project_on(
    folder: Path, *, api: str = "responses", actor: Actor | None = None, has_files: bool = False
) -> AsyncIterator[tuple[Project, Actor]]:
    actor = actor or Actor(echo)
    async with project_elsewhere(folder, actor) as project:
        path = project.folder / "assistants.yaml"
        text = at_api(path.read_text(), api)
        files = "    tools: [code_interpreter, file_search]\n    files: [city.md]\n"
        path.write_text(text if has_files else text.replace(files, ""))
        project.write_scenario(SCENARIOS)
        yield project, actor


async def play(project: Project, *arguments: str) -> tuple[Done, dict[str, Any]]:
    report = project.folder / "report.json"
    done = await asyncio.to_thread(project.run, "play", "--report", f"json={report}", *arguments)
    return done, json.loads(report.read_text()) if report.exists() else {}


def told(report: dict[str, Any]) -> dict[str, Any]:
    """What a report says that is the same however it was asked."""
    return {
        one["name"]: (
            one["outcome"],
            [
                (turn["outcome"], turn["run"]["answer"], turn["run"]["usage"])
                for attempt in one["attempts"]
                for turn in attempt["turns"]
            ],
        )
        for one in report["scenarios"]
    }


def read_batches(project: Project) -> list[dict[str, Any]]:
    """What the server has of batches."""
    with closing(sqlite3.connect(project.state / "server.db")) as connection:
        rows = connection.execute("SELECT body FROM objects WHERE kind = 'request_batch'").fetchall()
    return [json.loads(body) for (body,) in rows]


@pytest.mark.parametrize("tier", ["2h", "8h"])
async def test_a_window_changes_no_verdict_and_leaves_nothing(tmp_path: Path, tier: str) -> None:
    async with project_on(tmp_path) as (project, _):
        plainly, plain = await play(project)
        done, report = await play(project, "--tier", tier)
        left = project.count_objects()
    assert (plainly.code, done.code) == (1, 1), done.out + done.err
    assert told(report) == told(plain)
    assert f", the list price and not that of --tier {tier}, fees for tools not included" in done.out
    assert not EMPTY & left.keys(), left


async def test_a_queue_timeout_that_does_not_hold_with_a_tier_is_said(tmp_path: Path) -> None:
    async with project_on(tmp_path) as (project, _):
        project.write_scenario(
            f"{SCENARIOS}  - {{name: stuck, queue_timeout: 1, turns: [{{ask: a, expect: [contains: a]}}]}}\n"
        )
        done = await asyncio.to_thread(project.run, "play", "-k", "right or stuck", "--tier", "2h")
    said = "`queue_timeout` of 1 scenario does not hold with --tier 2h: waiting in the queue is what is bought"
    assert said in done.out.splitlines(), done.out + done.err


async def test_a_window_travels_with_each_background_response(tmp_path: Path) -> None:
    queued = wire.Keeper(reply(wire.response(status="completed")))
    async with wire.talking(tmp_path, queued, background=True, window="8h") as (backend, server, _):
        await backend.ask(wire.question())
    body = server.seen[0].json
    assert (body["background"], body["background_options"]) == (True, {"completion_window": "8h"})


@pytest.mark.parametrize("tier", ["2h", "batch"])
async def test_a_tier_on_another_api_is_a_usage_error_before_anything_is_sent(tmp_path: Path, tier: str) -> None:
    async with project_on(tmp_path, api="assistants") as (project, actor):
        done, _ = await play(project, "--tier", tier)
    assert (done.code, actor.scenes) == (2, [])
    assert f"--tier {tier} needs a target with `api: responses`; 'elsewhere' has `api: assistants`" in done.err


async def test_a_batch_changes_no_verdict_and_leaves_nothing(tmp_path: Path) -> None:
    async with project_on(tmp_path) as (project, actor):
        plainly, plain = await play(project)
        asked = len(actor.scenes)
        done, report = await play(project, "--tier", "batch")
        batches, left = read_batches(project), project.count_objects()
    assert (plainly.code, done.code) == (1, 1), done.out + done.err
    assert told(report) == told(plain)
    assert len(actor.scenes) == 2 * asked
    assert [(one["total"], one["state"]) for one in batches] == [(4, "completed")], (
        "of a repeated one, what is certain to be needed"
    )
    assert not EMPTY & left.keys(), left
    assert report["leftovers"] == []


async def test_what_waited_in_a_batch_was_not_measured_and_how_far_it_is_is_shown(tmp_path: Path) -> None:
    async with project_on(tmp_path) as (project, _):
        project.write_scenario(
            "defaults: {assistant: guide}\nscenarios:\n"
            "  - {name: alone, turns: [{ask: one, expect: [contains: one, latency_s: 0.001]}]}\n"
            "  - {name: talk, turns: [{ask: two, expect: [contains: two]}, {ask: three, expect: [contains: three]}]}\n"
        )
        reports = ("--report", f"html={project.folder}/r.html", "--report", f"csv={project.folder}/r.csv")
        done, report = await play(project, "--tier", "batch", *reports)
    alone, talk = ([turn["run"]["duration_s"] for turn in one["attempts"][0]["turns"]] for one in report["scenarios"])
    assert (alone, talk[0], talk[1] > 0) == ([None], None, True), done.out
    assert report["scenarios"][0]["attempts"][0]["turns"][0]["verdicts"][1]["found"] == "not measured"
    assert report["latency_s"]["p50"] == pytest.approx(talk[1], abs=0.001), "of what was measured"
    assert re.search(r"PASSED +alone +time not measured ", done.out), done.out
    assert re.search(r"PASSED +talk +\d+\.\d\d s\n", done.out), done.out
    assert re.search(r"^batch batch_\w+ is completed: 2 of 2 questions done$", done.out, re.MULTILINE), done.out
    assert " · not measured · " in (project.folder / "r.html").read_text()
    rows = list(csv.DictReader((project.folder / "r.csv").read_text().splitlines()))
    assert [row["duration_s"] == "" for row in rows] == [True, True, False]


@pytest.mark.slow
async def test_a_batch_that_takes_its_time_is_seen_to_be_waited_for(tmp_path: Path) -> None:
    held = Held(echo)
    async with project_on(tmp_path, actor=held) as (project, _):
        out = await interrupt(project, signal.SIGINT, held)
        held.may_answer.set()
    assert re.search(r"^batch batch_\w+ is in_progress: 0 of 4 questions done$", out, re.MULTILINE), out


async def test_a_limit_ends_a_play_by_tier_and_the_answers_of_its_batch_are_kept(tmp_path: Path) -> None:
    async with project_on(tmp_path) as (project, actor):
        done, report = await play(project, "--tier", "batch", "--max-tokens", "1", "-n", "1")
        asked = len(actor.scenes)
        in_vain, _ = await play(project, "--resume", "--max-tokens", "1")
        again, whole = await play(project, "--resume")
        (batch,), left = read_batches(project), project.count_objects()
    assert (done.code, in_vain.code, again.code) == (4, 4, 1), done.out + in_vain.out + again.out
    assert report["stopped"].startswith("--max-tokens 1 is reached: ")
    assert report["counts"]["not_started"] == 3
    assert ", which goes on: `runner play --resume 2" in " ".join(report["leftovers"])
    assert "limits count what this play used before: " in in_vain.out
    assert {one["name"]: one["outcome"] for one in whole["scenarios"]} == {
        "right": "passed", "wrong": "failed", "twice": "passed", "talk": "passed"
    }  # fmt: skip
    assert (asked, len(actor.scenes), batch["total"]) == (4, 6, 4), "no question of the batch was asked twice"
    assert not EMPTY & left.keys(), left


async def test_a_server_that_never_says_how_its_batch_is_does_not_outlast_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say_nothing(_batches: Batches, _batch_id: str) -> NoReturn:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(Batches, "look_at", say_nothing)
    async with project_on(tmp_path) as (project, _):
        done, report = await play(project, "--tier", "batch", "--max-time", "0.5s")
    assert (done.code, report["counts"]["not_started"]) == (4, 4), done.out
    assert ", which goes on: `runner play --resume 2" in " ".join(report["leftovers"])


async def test_a_limit_holds_for_background_responses_too(tmp_path: Path) -> None:
    async with project_on(tmp_path) as (project, actor):
        done, report = await play(project, "--tier", "2h", "--max-tokens", "1", "-n", "1")
    assert (done.code, report["counts"]["not_started"], len(actor.scenes)) == (4, 3, 1), done.out


async def interrupt(project: Project, number: signal.Signals, held: Held) -> str:
    """Play by batch until the server holds an answer back, and then no further; what was printed."""
    process = project.start("play", "--tier", "batch")
    async with asyncio.timeout(60):
        await until(held.is_asked)
    await asyncio.sleep(0.3)  # so that it has the answer to what it created, and waits
    process.send_signal(number)
    out, _ = await asyncio.to_thread(process.communicate)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_a_resumed_play_takes_the_answers_of_its_batch_and_makes_no_second_one(
    tmp_path: Path, number: signal.Signals
) -> None:
    held = Held(echo)
    async with project_on(tmp_path, actor=held) as (project, _):
        out = await interrupt(project, number, held)
        held.may_answer.set()
        done, report = await play(project, "--resume")
        batches, left = read_batches(project), project.count_objects()
        asked = len(held.scenes)
        _, plain = await play(project)
    if number is signal.SIGINT:
        assert ", which goes on: `runner play --resume 2" in " ".join(out.split())
    assert done.code == 1, done.out + done.err
    assert told(report) == told(plain)
    assert ([one["total"] for one in batches], asked) == ([4], 6)
    assert not EMPTY & left.keys(), left


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_a_conversation_that_was_cut_off_goes_on_from_its_answer_in_the_batch(
    tmp_path: Path, number: signal.Signals
) -> None:
    held = Held(echo, messages=3)
    async with project_on(tmp_path, actor=held) as (project, _):
        await interrupt(project, number, held)
        before = len(held.scenes)
        held.may_answer.set()
        done, report = await play(project, "--resume")
        batches, left = read_batches(project), project.count_objects()
        asked = [[one.text for one in scene.messages] for scene in held.scenes[before:]]
        _, plain = await play(project)
    assert done.code == 1, done.out + done.err
    assert told(report) == told(plain)
    assert [one["total"] for one in batches] == [4]
    assert ["five", "five", "six"] in asked
    assert ["five"] not in asked
    assert not EMPTY & left.keys(), left


@pytest.mark.slow
async def test_what_a_running_batch_may_search_stays_until_the_resumed_play_is_over(tmp_path: Path) -> None:
    held = Held(echo)
    async with project_on(tmp_path, actor=held, has_files=True) as (project, _):
        await interrupt(project, signal.SIGINT, held)
        meanwhile = project.count_objects()
        held.may_answer.set()
        done, report = await play(project, "--resume")
        batches, left = read_batches(project), project.count_objects()
    assert (meanwhile["vector_store"], meanwhile["file"]) == (1, 2), meanwhile
    assert {one["name"]: one["outcome"] for one in report["scenarios"]}["talk"] == "passed", done.out + done.err
    assert [one["total"] for one in batches] == [4]
    assert not EMPTY & left.keys(), left


@pytest.mark.slow
async def test_clean_cancels_the_batch_of_a_play_that_was_interrupted(tmp_path: Path) -> None:
    held = Held(echo)
    async with project_on(tmp_path, actor=held) as (project, _):
        await interrupt(project, signal.SIGINT, held)
        done = await asyncio.to_thread(project.run, "clean")
        (batch,), left = read_batches(project), project.count_objects()
    assert "removed 2 objects that its journal names" in done.out, done.out + done.err
    assert (batch["state"], held.scenes) == ("cancelled", [])
    # A response that was being made for `talk`, which goes on, stays: nobody was told of it.
    assert not {"file", "vector_store", "conversation"} & left.keys(), left
    assert left.get("response", 0) <= 1


async def test_an_answer_that_failed_is_an_error_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    def act(scene: Scene) -> Answer | Fail:
        return Fail(code="invalid_prompt", message="Not that.") if scene.messages[-1].text == "one" else echo(scene)

    async with project_on(tmp_path, actor=Actor(act)) as (project, _):
        done, report = await play(project, "--tier", "batch")
    outcomes = {one["name"]: one["outcome"] for one in report["scenarios"]}
    assert outcomes == {"right": "errored", "wrong": "failed", "twice": "passed", "talk": "passed"}
    assert "Not that." in done.out


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"status": "expired"}, "the batch batch_1 is expired: it was not finished within its time"),
        ({"status": "cancelled"}, "the batch batch_1 is cancelled: it was cancelled"),
        (
            {"status": "failed", "errors": {"data": [{"code": "token_limit_exceeded", "message": "Too many tokens."}]}},
            "the batch batch_1 is failed: Too many tokens.",
        ),
        (
            {"status": "completed", "error_file_id": "file-bad"},
            "the batch batch_1 has no answer to this question (batch_expired): This took too long.",
        ),
    ],
)
async def test_a_batch_that_ends_badly_makes_errors_with_the_reason(
    tmp_path: Path, end: dict[str, Any], reason: str
) -> None:
    rows: list[str] = []

    def answer(seen: Seen) -> list:
        batch = {"id": "batch_1", "object": "batch", "request_counts": None, **end}
        match str(seen):
            case "POST /files":
                keys = re.findall(rb'"custom_id": "(.*?)"', seen.body)
                error = {"code": "batch_expired", "message": "This took too long."}
                rows.extend(json.dumps({"custom_id": key.decode(), "response": None, "error": error}) for key in keys)
                return reply({"id": "file-in"})
            case "POST /batches" | "GET /batches/batch_1":
                return reply(batch)
            case "GET /files/file-bad/content":
                return reply("\n".join(rows))
        return reply({"id": "file-in", "deleted": True})

    async with wire_server(answer) as server, project_on(tmp_path) as (project, _):
        path = project.folder / "assistants.yaml"
        path.write_text(re.sub(r"base_url: '.*?'", f"base_url: '{server.url}'", path.read_text()))
        project.write_scenario(SCENARIOS.replace(" repeat: 2,", ""))
        done, report = await play(project, "--tier", "batch")
    assert done.code == 3, done.out + done.err
    reasons = {turn["reason"] for one in report["scenarios"] for at in one["attempts"] for turn in at["turns"]}
    assert reasons == {reason}
    assert server.calls.count("POST /batches") == 1
    assert "POST /responses" not in server.calls
    assert report["leftovers"] == []


async def test_where_no_batch_can_be_started_nothing_is_asked_for_the_full_price(tmp_path: Path) -> None:
    def answer(seen: Seen) -> list:
        return refusal(503, "Busy.") if seen.path == "/batches" else reply({"id": "file-in", "deleted": True})

    async with wire_server(answer) as server, project_on(tmp_path) as (project, _):
        path = project.folder / "assistants.yaml"
        path.write_text(re.sub(r"base_url: '.*?'", f"base_url: '{server.url}'", path.read_text()))
        project.write_scenario("assistant: guide\nturns: [{ask: one, expect: [contains: one]}]\n")
        done, report = await play(project, "--tier", "batch")

    assert done.code == 3, done.out + done.err
    assert "the server failed (503): Busy." in report["scenarios"][0]["attempts"][0]["turns"][0]["reason"]
    assert "POST /responses" not in server.calls


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"error": "overloaded"}, "an answer that is none of the API's: its 'error' is text, not an object"),
        ({"response": {"status_code": 500, "body": {"error": "Oops"}}}, "is none of the API's: its 'error' is text"),
        ({"response": {"status_code": 200, "body": []}}, "is none of the API's: its 'body' is a list"),
    ],
)
async def test_a_line_of_a_batch_that_is_none_of_the_api_s_is_that_question_s_error(
    tmp_path: Path, row: dict[str, Any], words: str
) -> None:
    lines = "\n".join(['["no line"]', "{", json.dumps({"custom_id": "one", **row})])
    over = {"id": "batch_1", "status": "completed", "output_file_id": "file-out"}

    async with wire.talking(tmp_path, lambda seen: reply(lines if "content" in seen.path else over)) as (backend, _, _):
        assert isinstance(backend, Batching)
        answers = await backend.read_batch("batch_1")
        assert set(answers) == {"one"}
        with pytest.raises(RemoteError, match=words):
            await answers["one"]()
        await backend.delete_batch("batch_1")


async def test_a_batch_in_a_list_that_has_no_id_is_an_error_like_any_other(tmp_path: Path) -> None:
    listed = {"object": "list", "data": [{"id": 7, "metadata": {"runner.play": "p1"}}], "has_more": False}

    async with wire.talking(tmp_path, lambda _seen: reply(listed)) as (backend, _, _):
        assert isinstance(backend, Batching)
        with pytest.raises(RemoteError, match="while listing the batches: .*its 'id' is a number, not text"):
            await backend.find_batches({"runner.play": "p1"})


async def test_what_needs_an_answer_of_ours_is_asked_the_ordinary_way(tmp_path: Path) -> None:
    async with project_on(tmp_path) as (project, _):
        path = project.folder / "assistants.yaml"
        rate = "{name: rate, description: R, parameters: {type: object, properties: {}}, returns: 7}"
        path.write_text(path.read_text() + f"  caller: {{model: gpt-6-luna, functions: [{rate}]}}\n")
        project.write_scenario("assistant: caller\nturns: [{ask: seven, expect: [contains: seven]}]\n", "two")
        done, report = await play(project, "--tier", "batch")
        (batch,) = read_batches(project)
    assert "1 scenario can't wait for a batch (functions, MCP or attachments): the ordinary price" in done.out
    assert {one["name"]: one["outcome"] for one in report["scenarios"]}["two"] == "passed", done.out + done.err
    assert batch["total"] == 4


async def test_a_batch_whose_id_never_arrived_is_found_by_its_tags(tmp_path: Path) -> None:
    tags = {"runner.namespace": "tests-000001", "runner.play": "p1", "runner.batch": "m 1"}
    others = [{"id": "batch_1", "metadata": None}, {"id": "batch_3", "metadata": {**tags, "runner.play": "p2"}}]
    listed = {"object": "list", "data": [*others, {"id": "batch_2", "metadata": tags}], "has_more": False}
    async with wire.talking(tmp_path, lambda _seen: reply(listed)) as (backend, _, journal):
        journal.intend(Kind.BATCH, "m 1", tags)
        assert isinstance(backend, Batching)
        found = await adopt_batches(backend, journal, sleep=hurry)
    assert found == ("batch_2",)


@pytest.mark.parametrize(
    ("option", "value"), [("--engine", "dask"), ("--record", "tape"), ("--resume", "latest"), ("--target", "replaying")]
)
async def test_what_does_not_go_with_a_batch_is_a_usage_error(tmp_path: Path, option: str, value: str) -> None:
    async with project_on(tmp_path) as (project, actor):
        path = project.folder / "assistants.yaml"
        replaying = "  replaying: {api: responses, base_url: 'http://127.0.0.1:9/v1', history: replay}\nassistants:"
        path.write_text(path.read_text().replace("assistants:", replaying))
        done, _ = await play(project, "--tier", "batch", option, value)
    assert (done.code, actor.scenes) == (2, []), done.out + done.err
    assert "--tier" in done.err
