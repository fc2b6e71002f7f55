"""`play --record` and `play --replay`: the same verdicts with no key and no network, or a clear miss."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from embedded_brains import Echo
from play_project import Project, make_project, project_elsewhere

from runner.backends import Deployment, Question
from runner.backends.responses import CAPABILITIES
from runner.domain.assistant import Address, Assistant
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId
from runner.errors import Location
from runner.execution.recording import SCENARIO, Recorder, Replayer, Tape

SUM = """
assistant: guide
turns:
  - ask: We are 4 people and the bill is $50.00. How much should each of us pay?
    expect:
      - number: 12.50
      - tool_called: code_interpreter
      - latency_s: 20
  - ask: What is {number} times 12?
    expect: [number: 144]
"""
TICKET = """
assistant: guide
turns:
  - ask: I had the burger and soda, how much should I pay for this meal?
    attach: [{file: note.md, for: file_search}]
    expect: [number: 39.25]
"""
FUNCTIONAL = """
version: 1
namespace: tests-000001
target: script
targets:
  script: {api: responses, server: embedded, inference: {scripted: moves.yml}}
assistants:
  guide:
    model: m
    functions:
      - name: exchange_rate
        parameters: {type: object, properties: {source: {type: string}}, required: [source]}
        python: rates.py:exchange_rate
"""
MOVES = """
scripts:
  - question: any
    moves:
      - call: {exchange_rate: {source: EUR}}
      - say: The rate is 1.08.
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path / "project")
    project.write_scenario(SUM.format(number=12))
    project.write_scenario(TICKET, name="ticket")
    (project.folder / "scenarios" / "note.md").write_text("# Receipt\n\nBurger 23.75\nSoda 15.50\n")
    return project


def verdicts(project: Project, name: str = "report.json") -> list[object]:
    """What was decided, without the times and ids that differ."""
    report = json.loads((project.folder / name).read_text())
    return [
        (
            one["name"],
            one["outcome"],
            [[v["outcome"] for v in turn["verdicts"]] for turn in one["attempts"][0]["turns"]],
        )
        for one in report["scenarios"]
    ]


def recording(project: Project, name: str = "one") -> Path:
    (path,) = (project.folder / "recordings").glob(f"*/{name}.yaml")
    return path


def test_what_was_recorded_comes_to_the_same_verdicts_without_a_server(project: Project) -> None:
    project.write_scenario(SUM.format(number=13), name="wrong")
    recorded = project.run("play", "--record", "recordings", "--report", "json")
    assert recorded.code == 1, recorded.out + recorded.err
    before = verdicts(project)
    replayed = project.run("play", "--replay", "recordings", "--report", "json")
    assert replayed.code == 1, replayed.out + replayed.err
    assert verdicts(project) == before
    assert "replayed from recordings: nothing is sent, times are not measured" in replayed.out
    assert "answered by offline rules" in replayed.out
    assert "weak pass of `latency_s`" in replayed.out
    report = json.loads((project.folder / "report.json").read_text())
    turn = report["scenarios"][0]["attempts"][0]["turns"][0]
    assert (turn["run"]["replayed"], turn["verdicts"][2]["found"]) == (True, "not measured")


def test_another_server_s_answers_are_replayed_when_it_is_gone_and_without_its_key(tmp_path: Path) -> None:
    async def record() -> Project:
        async with project_elsewhere(tmp_path, Echo()) as project:
            project.write_scenario("assistant: guide\nturns: [{ask: Say hello., expect: [contains: hello]}]")
            done = await asyncio.to_thread(project.run, "play", "--record", "recordings")
            assert done.code == 0, done.out + done.err
            return project

    project = asyncio.run(record())
    key = project.environment["ELSEWHERE_KEY"]
    keyless = replace(
        project, environment={name: one for name, one in project.environment.items() if name != "ELSEWHERE_KEY"}
    )
    assert keyless.run("play").code == 2
    done = keyless.run("play", "--replay", "recordings")
    assert (done.code, done.err) == (0, ""), done.out
    kept = "".join(path.read_text() for path in (project.folder / "recordings").rglob("*.yaml"))
    assert key not in kept


def test_what_was_played_again_is_green_in_the_replay_too_and_waits_for_nobody(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", target="stormy")
    file = project.folder / "assistants.yaml"
    stormy = "stormy: {api: responses, server: embedded, inference: {scripted: moves.yml}, faults: faults.yml}"
    file.write_text(file.read_text().replace("targets:\n", f"targets:\n  {stormy}\n"))
    (project.folder / "moves.yml").write_text(
        "scripts:\n  - {question: {contains: limit}, times: 1, moves: [{fail: {code: rate_limit_exceeded, message: "
        "Please try again in 1ms.}}]}\n  - {question: any, moves: [{say: Hello.}]}\n"
    )
    (project.folder / "faults.yml").write_text(
        "faults: [{on: POST /v1/responses, contains: and then, times: 1, do: {answer: 503}}]\n"
    )
    for name, asked in {"limit": ["A limit?"], "broken": ["Hello?", "and then?"]}.items():
        turns = "".join(f"  - {{ask: '{one}', expect: [contains: hello]}}\n" for one in asked)
        project.write_scenario(f"assistant: guide\nturns:\n{turns}", name=name)
    recorded = project.run("play", "--record", "recordings")
    assert (recorded.code, recorded.out.count("played again after")) == (3, 2), recorded.out + recorded.err
    told = recording(project, "limit").read_text()
    recording(project, "limit").write_text(told.replace("again in 1ms", "again in 100s"))

    replayed = project.run("play", "--replay", "recordings", "--report", "json", "--max-time", "60")

    assert replayed.code == 0, replayed.out
    told = json.loads((project.folder / "report.json").read_text())["scenarios"]
    assert {one["name"]: len(one["attempts"][0]["retried"]) for one in told} == {"limit": 1, "broken": 0}


def test_a_recording_is_the_same_each_time_and_one_file_for_each_scenario(project: Project) -> None:
    assert project.run("play", "--record", "recordings").code == 0
    first = {path.name: path.read_text() for path in (project.folder / "recordings" / "embedded").iterdir()}
    assert set(first) == {"_target.yaml", "one.yaml", "ticket.yaml"}
    assert project.run("play", "--record", "recordings").code == 0
    assert {path.name: path.read_text() for path in (project.folder / "recordings" / "embedded").iterdir()} == first
    data = yaml.safe_load(first["ticket.yaml"])
    (exchange,) = data["exchanges"]
    assert exchange["sent"]["attachments"][0]["name"] == "note.md"
    assert not re.search(r"(run|thread|asst|file|vs)_[0-9a-zA-Z]{8}", first["ticket.yaml"])


def change_word(project: Project) -> None:
    project.write_scenario(SUM.format(number=13))


def change_file(project: Project) -> None:
    (project.folder / "scenarios" / "note.md").write_text("# Receipt\n\nBurger 23.70\nSoda 15.50\n")


def change_instructions(project: Project) -> None:
    file = project.folder / "assistants.yaml"
    file.write_text(file.read_text().replace("You are a guide.", "You are a tour guide."))


def change_the_end_of_long_instructions(project: Project) -> None:
    file = project.folder / "assistants.yaml"
    file.write_text(file.read_text().replace("You are a guide.", f"You are a guide. {'Be kind. ' * 40}Be brief."))
    assert project.run("play", "--record", "recordings").code == 0
    file.write_text(file.read_text().replace("Be brief.", "Be short."))


def change_model(project: Project) -> None:
    file = project.folder / "assistants.yaml"
    text = file.read_text()
    file.write_text(re.sub(r"model: \S+", "model: gpt-7", text))


def change_standing_file(project: Project) -> None:
    (project.folder / "city.md").write_text("# Lisbon\n\nThe museum opens at 10:30.\n")


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (change_word, "one", "is turn 2, but question was 'What is 12 times 12?', and is 'What is 13 times 12?'"),
        (change_file, "ticket", "is turn 1, but attachment note.md for file_search changed"),
        (
            change_instructions,
            "one",
            "is turn 1, but instructions was 'You are a guide.', and is 'You are a tour guide.'",
        ),
        (
            change_the_end_of_long_instructions,
            "one",
            "is turn 1, but instructions was '… Be kind. Be kind. Be kind. Be kind. Be brief.', and is "
            "'… Be kind. Be kind. Be kind. Be kind. Be short.'",
        ),
        (change_model, "one", "is turn 1, but model was 'gpt-6-luna', and is 'gpt-7'"),
        (change_standing_file, "one", "is turn 1, but file city.md for file_search changed"),
    ],
    ids=["a word", "an attachment", "instructions", "the end of a text", "the model", "a standing file"],
)
def test_what_was_changed_is_a_miss_that_names_the_difference(
    project: Project, change: Callable[[Project], None], name: str, words: str
) -> None:
    assert project.run("play", "--record", "recordings").code == 0
    change(project)
    done = project.run("play", "--replay", "recordings", f"scenarios/{name}.yaml")
    assert done.code == 3, done.out
    assert f"not recorded: the nearest recording of '{name}' {words}" in done.out


def test_a_changed_definition_is_told_in_full_once_and_how_to_record_anew_at_the_end(project: Project) -> None:
    assert project.run("play", "--record", "recordings").code == 0
    change_instructions(project)
    done = project.run("play", "--replay", "recordings")
    assert done.out.count("'You are a tour guide.'") == 1
    assert done.out.count(", but differs as for '") == 1
    anew = "2 scenarios not recorded as now asked: where the key is, `runner play -t embedded --record recordings`"
    assert done.out.splitlines()[-1].startswith(anew)


def test_what_was_never_recorded_and_what_is_damaged_is_told(project: Project) -> None:
    assert project.run("play", "--record", "recordings").code == 0
    project.write_scenario(TICKET, name="tickets")
    done = project.run("play", "--replay", "recordings", "scenarios/tickets.yaml")
    assert (done.code, "not recorded: there is nothing of 'tickets'" in done.out) == (3, True)
    assert "did you mean 'ticket'" in done.out
    for text in ("version: 2\n", "a: [", "", "version: 1\nexchanges: [{}]\n", "version: 1\nexchanges: 1\n"):
        recording(project).write_text(text)
        done = project.run("play", "--replay", "recordings", "scenarios/one.yaml")
        assert (done.code, "not recorded: " in done.out) == (3, True), done.out + done.err
    assert project.run("play", "--repeat", "2", "--replay", "recordings", "scenarios/ticket.yaml").code == 3


def test_a_recording_that_was_edited_into_nonsense_is_told(project: Project) -> None:
    assert project.run("play", "--record", "recordings").code == 0
    path = recording(project, "ticket")
    path.write_text(path.read_text().replace("status: completed", "status: [1]"))
    done = project.run("play", "--replay", "recordings", "scenarios/ticket.yaml")
    assert (done.code, "damaged" in done.out) == (3, True), done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--replay", "nowhere"), "there is no folder nowhere"),
        (("--replay", "empty"), "nothing is recorded in empty for embedded"),
        (("--replay", "empty", "--record", "other"), "leave --record"),
        (("--replay", "empty", "--keep"), "leave --record"),
    ],
)
def test_what_can_t_be_replayed_is_told_before_anything_is_played(
    project: Project, arguments: tuple[str, ...], words: str
) -> None:
    (project.folder / "empty").mkdir()
    done = project.run("play", *arguments)
    assert (done.code, words in done.err) == (2, True), done.err


def test_functions_answer_anew_and_a_different_answer_is_a_miss(tmp_path: Path) -> None:
    project = with_function(make_project(tmp_path / "project"), answer="print(f'asked {1 + 1}'); return {'rate': 1.08}")
    assert project.run("play", "--record", "recordings").code == 0
    assert "asked 2" not in recording(project, "one").read_text()
    replayed = project.run("play", "-v", "--replay", "recordings")
    assert (replayed.code, "asked 2\n" in replayed.out) == (0, True), replayed.out
    with_function(project, answer="return {'rate': 1.19}")
    done = project.run("play", "--replay", "recordings")
    assert done.code == 3
    assert "function exchange_rate answered '{\"rate\": 1.08}' when 'one' was recorded, and now" in done.out


def with_function(project: Project, *, answer: str) -> Project:
    (project.folder / "assistants.yaml").write_text(FUNCTIONAL)
    (project.folder / "moves.yml").write_text(MOVES)
    (project.folder / "rates.py").write_text(f"def exchange_rate(source):\n    {answer}\n")
    project.write_scenario(
        "assistant: guide\nturns: [{ask: 'What is the rate?', expect: [tool_called: exchange_rate]}]\n"
    )
    return project


@pytest.mark.fault("C1")
def test_secrets_are_kept_out_by_value_and_by_name(tmp_path: Path) -> None:
    secret = "canary/12+34567890"
    project = make_project(tmp_path / "project")
    answer = f"return {{'api_key': 'named-98765', 'said': {secret!r}, 'line': 'a\\n{secret}\\nb'}}"
    with_function(project, answer=answer)
    file = project.folder / "assistants.yaml"
    file.write_text(file.read_text().replace("    model: m\n", "    model: m\n    instructions: ${secret:CANARY}\n"))
    project = replace(project, environment={**project.environment, "CANARY": secret})
    done = project.run("play", "--record", "recordings", "--report", "json", "--report", "html", "--report", "junit")
    assert done.code == 0, done.out + done.err
    forms = (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode(), json.dumps(secret)[1:-1])
    written = [path for path in project.folder.rglob("*") if path.is_file() and path.suffix != ".py"]
    # The embedded server is the remote side: it has to know what it was told.
    kept = [path for path in written if ".runner/embedded" not in path.as_posix()]
    assert [(path, form) for path in kept for form in forms if form.encode() in path.read_bytes()] == []
    assert "named-98765" not in recording(project).read_text()


JUDGED = """
version: 1
namespace: tests-000001
target: script
targets:
  script: {api: responses, server: embedded, inference: {scripted: moves.yml}}
judge: {target: script, model: judge-2026-09-10}
assistants: {guide: {model: m, instructions: Help.}}
"""


def test_what_the_judge_said_is_replayed_too_and_another_rubric_is_a_miss(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    moves = "scripts: [{question: any, moves: [{say: Hello.}]}]\nrulings: [{question: any, says: 0.95}]\n"
    (project.folder / "assistants.yaml").write_text(JUDGED)
    (project.folder / "moves.yml").write_text(moves)
    asks = "assistant: guide\nturns: [{ask: Hi, expect: [judge: %s]}]\n"
    project.write_scenario(asks % "Is it polite")
    recorded = project.run("play", "--record", "recordings")
    assert recorded.code == 0, recorded.out + recorded.err
    (project.folder / "moves.yml").write_text(moves.replace("0.95", "0.05"))
    replayed = project.run("play", "--replay", "recordings")
    assert replayed.code == 0, replayed.out + replayed.err
    project.write_scenario(asks % "Is it short")
    missed = project.run("play", "--replay", "recordings")
    assert (
        missed.code,
        "asked about 'one', but criterion 1 was 'Is it polite', and is 'Is it short'" in missed.out,
    ) == (3, True), missed.out


def test_each_model_has_what_the_judge_said_of_it(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    moves = "scripts: [{question: any, moves: [{say: Hello.}]}]\nrulings: [{question: any, says: 0.95}]\n"
    (project.folder / "assistants.yaml").write_text(JUDGED)
    (project.folder / "moves.yml").write_text(moves)
    project.write_scenario("assistant: guide\nturns: [{ask: Hi?, expect: [judge: Is it polite]}]\n")
    for model in ("one", "two"):
        assert project.run("play", "--model", model, "--record", "recordings").code == 0
    done = project.run("play", "--model", "one", "--model", "two", "--replay", "recordings")
    assert done.code == 0, done.out


def test_repeats_and_several_models_are_replayed_each_by_its_own_answers(project: Project) -> None:
    arguments = ("scenarios/one.yaml", "--repeat", "3", "--model", "one", "--model", "two", "--report", "json")
    assert project.run("play", *arguments, "--record", "recordings").code == 0
    before = verdicts(project)
    assert project.run("play", *arguments, "--replay", "recordings").code == 0
    assert verdicts(project) == before
    folders = sorted(path.name for path in (project.folder / "recordings").iterdir())
    assert folders == ["embedded-one", "embedded-two"]
    missing = project.run("play", "--model", "three", "--replay", "recordings")
    assert (missing.code, "for embedded/three; there is embedded-one, embedded-two" in missing.err) == (2, True)


class _Rates(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"1.08")

    def log_message(self, *_: object) -> None: ...


def test_a_function_over_the_network_is_not_asked_again(tmp_path: Path) -> None:
    project = with_function(make_project(tmp_path / "project"), answer="return 1")
    file = project.folder / "assistants.yaml"
    with ThreadingHTTPServer(("127.0.0.1", 0), _Rates) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/rates"
        http = f"http: {{url: '{url}', headers: {{X-Api-Key: '${{secret:RATES_KEY}}'}}}}"
        file.write_text(file.read_text().replace("python: rates.py:exchange_rate", http))
        keyed = replace(project, environment={**project.environment, "RATES_KEY": "canary-12345"})
        assert keyed.run("play", "--record", "recordings").code == 0
        server.shutdown()
    # A fork has neither the service nor its key.
    done = project.run("play", "--replay", "recordings")
    assert (done.code, done.err) == (0, ""), done.out
    assert server.asked == ["/rates?source=EUR"]  # type: ignore[attr-defined]


def test_a_call_whose_arguments_were_secret_is_not_made_again(tmp_path: Path) -> None:
    project = with_function(make_project(tmp_path / "project"), answer="return access_token + ' is good'")
    for name in ("assistants.yaml", "moves.yml", "rates.py"):
        path = project.folder / name
        path.write_text(path.read_text().replace("source", "access_token"))
    assert project.run("play", "--record", "recordings").code == 0
    assert 'arguments: \'{"access_token": "[redacted]"}\'' in recording(project).read_text()
    assert project.run("play", "--replay", "recordings").code == 0


def test_a_secret_that_is_not_set_shows_as_a_difference_where_it_was_sent(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    file = project.folder / "assistants.yaml"
    file.write_text(file.read_text().replace("You are a guide.", "You are ${env:WHO}."))
    project.write_scenario(SUM.format(number=12))
    known = replace(project, environment={**project.environment, "WHO": "a guide"})
    assert known.run("play", "--record", "recordings").code == 0
    done = project.run("play", "--replay", "recordings")
    assert done.code == 3
    assert "instructions was 'You are a guide.', and is 'You are https://not-set.invalid/WHO.'" in done.out


def test_another_secret_or_none_is_the_same_definition(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    file = project.folder / "assistants.yaml"
    file.write_text(file.read_text().replace("You are a guide.", "You are a guide. Say ${secret:WORD}."))
    project.write_scenario(SUM.format(number=12))
    known = replace(project, environment={**project.environment, "WORD": "canary-12345678"})
    assert known.run("play", "--record", "recordings").code == 0
    for environment in (project.environment, {**project.environment, "WORD": "another-12345678"}):
        done = replace(project, environment=environment).run("play", "--replay", "recordings")
        assert done.code == 0, done.out + done.err


class _Unpunctual:
    """Answers each question with its number, the conversations' second questions in the order of `last`."""

    files = None

    def __init__(self, last: Sequence[str]) -> None:
        self._last = last
        self._begun = 0
        self._answered: list[str] = []

    async def ask(self, question: Question) -> Run:
        thread = question.thread_id
        if thread is None:
            self._begun += 1
            thread = ThreadId(f"thread-{self._begun}")
            return answer(thread, f"first of {thread}")
        while self._last[len(self._answered)] != thread:
            await asyncio.sleep(0)
        self._answered.append(thread)
        return answer(thread, f"second of {thread}")


def answer(thread_id: ThreadId, text: str) -> Run:
    return Run(id=RunId("r"), thread_id=thread_id, status=RunStatus.COMPLETED, text=text)


async def converse(backend: Any) -> list[str]:
    guide = Assistant(address=Address("a"), name="a", model="m", location=Location("a", 1, 1))
    deployment = Deployment(assistant=guide, assistant_id=None, definition_hash="d")
    first = await backend.ask(Question(deployment=deployment, text="One?", thread_id=None))
    second = await backend.ask(Question(deployment=deployment, text="Two?", thread_id=first.thread_id))
    return [first.text, second.text]


@pytest.mark.parametrize("last", [("thread-1", "thread-2"), ("thread-2", "thread-1")])
async def test_repeats_that_were_under_way_at_once_are_not_mixed(tmp_path: Path, last: Sequence[str]) -> None:
    tape = Tape(tmp_path, str)
    SCENARIO.set("both")
    recorder = Recorder(_Unpunctual(last), tape)  # type: ignore[arg-type]
    recorded = await asyncio.gather(converse(recorder), converse(recorder))
    replayer = Replayer(tape, CAPABILITIES)
    assert await asyncio.gather(converse(replayer), converse(replayer)) == recorded
    runs = [one["runs"] for one in tape.read(tape.path_of("both"))["exchanges"]]
    assert [[run.get("attempt", 1) for run in told] for told in runs] == [[1, 2], [1, 2]]
