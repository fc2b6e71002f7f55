"""Functions as users meet them: declared, synced, called, refused (T1, T2, P7, S3 from the command line)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from forked_verbs import start_program
from play_project import Project, at_api, make_project, project_elsewhere
from verbs import Done
from wire_server import reply, wire_server

from runner.server.inference import Answer, FunctionRequest, Scene, Turnout, UseTools

ASSISTANTS = """
version: 1
namespace: tests-000001
target: scripted
targets:
  scripted: {api: assistants, server: embedded, inference: {scripted: moves.yml}}
  responding: {api: responses, server: embedded, inference: {scripted: moves.yml}}
  elsewhere: {api: assistants, base_url: '{BASE}', key_env: ELSEWHERE_KEY}
  replaying: {api: responses, base_url: 'http://127.0.0.1:9/v1', history: replay}
assistants:
  changer:
    model: any
    functions:
      - name: exchange_rate
        description: Today's rate.
        parameters:
          type: object
          properties: {from: {type: string}, to: {type: string}}
          required: [from, to]
        python: tools/rates.py:exchange_rate
"""
MOVES = """
scripts:
  - question: {contains: "100 EUR"}
    moves:
      - call: {exchange_rate: {from: EUR, to: NOK}}
      - expect: {outputs_contain: ["11.5"]}
      - say: 100 EUR are 1150 NOK.
"""
RATES = """
import os, sys, threading, time

RATES = {"EUR": 11.5}
print("the module is loud")
open("ran.txt", "a").write("ran")


def exchange_rate(**given):
    print("so is the function"); os.write(1, b"raw"); os.system("echo a shell")
    os.chdir("/"); os.environ["HOME"] = "/nowhere"
    threading.Thread(target=time.sleep, args=(30,)).start()
    return {"rate": RATES[given["from"]]}
"""
SCENARIO = """
assistant: changer
turns:
  - ask: How many NOK are 100 EUR?
    expect:
      - number: 1150
      - tool_called: {tool: exchange_rate, arguments: {to: NOK, from: EUR}, times: 1}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "project")
    write(made, "assistants.yaml", ASSISTANTS.replace("{BASE}", "http://127.0.0.1:9/v1"))
    write(made, "moves.yml", MOVES)
    write(made, "tools/rates.py", RATES)
    made.write_scenario(SCENARIO)
    return made


def write(project: Project, name: str, text: str) -> None:
    path = project.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("target", ["scripted", "responding"])
def test_a_python_function_answers_and_nothing_it_does_hurts_the_play(project, target):
    done = project.run("play", "-t", target, "--report", "json=report.json")
    assert done.code == 0, done.out + done.err
    lines = done.out.splitlines()
    assert lines[1] == "functions run code of this project: tools/rates.py:exchange_rate"
    assert not [line for line in lines if "loud" in line or "raw" in line or "shell" in line]
    assert done.err == ""
    (step,) = json.loads((project.folder / "report.json").read_text())["scenarios"][0]["attempts"][0]["turns"][0][
        "run"
    ]["steps"]
    assert step["printed"] == "the module is loud\nso is the function\nrawa shell"
    assert (step["tool"], json.loads(step["input"])) == ("exchange_rate", {"from": "EUR", "to": "NOK"})
    assert (step["completed"], step["output"]) == (True, '{"rate": 11.5}')
    assert project.count_objects() == {}


def test_no_code_refuses_it_before_anything_is_sent_and_another_answer_helps(project):
    refused = project.run("play", "--no-code")
    assert refused.code == 2
    assert refused.err.startswith(
        "assistants.yaml:20:9: the function 'exchange_rate' runs tools/rates.py:exchange_rate, which --no-code forbids"
    )
    assert not project.state.exists()
    project.write_scenario(SCENARIO + "functions: {exchange_rate: {returns: {value: {rate: 11.5}}}}\n")
    played = project.run("play", "--no-code")
    assert (played.code, "functions run code" in played.out) == (0, False), played.out + played.err
    assert not (project.folder / "ran.txt").exists()


def test_nothing_but_a_call_runs_the_project_s_code(project):
    """T1, with an audit hook in the process of the verbs."""
    assert _touches(project, "validate", "plan", "sync", "sync --check", "list", "pull", "play --no-code") == []
    assert not (project.folder / "ran.txt").exists()
    assert _touches(project, "play") == [], "it runs in a process of its own"
    assert (project.folder / "ran.txt").exists()


def _touches(project: Project, *commands: str) -> list[str]:
    script = (
        "import sys\n"
        "def hook(event, arguments):\n"
        "    if event == 'exec' and 'rates' in getattr(arguments[0], 'co_filename', ''):\n"
        "        sys.stderr.write(f'TOUCHED {event} {arguments}\\n')\n"
        "    if event == 'import' and 'rates' in f'{arguments[0]}{arguments[1]}':\n"
        "        sys.stderr.write(f'TOUCHED {event} {arguments}\\n')\n"
        "sys.addaudithook(hook)\n"
        "from runner.cli import main\n"
        "for command in sys.argv[1:]:\n"
        "    try:\n        main(command.split())\n"
        "    except SystemExit:\n        sys.stderr.write(f'ENDED {command}\\n')\n"
    )
    watching = project.folder / "watching.py"
    watching.write_text(script)
    process = start_program(str(watching), *commands, cwd=project.folder, environment=project.environment)
    _, err = process.communicate()
    assert "Traceback" not in err
    assert err.count("ENDED ") == len(commands)
    return [line for line in err.splitlines() if line.startswith("TOUCHED")]


def test_a_function_that_fails_is_told_to_the_model_and_counts_as_not_completed(project):
    write(project, "tools/rates.py", "def exchange_rate(**given):\n    raise LookupError('no rate today')\n")
    write(project, "moves.yml", MOVES.replace('"11.5"', "no rate today"))
    done = project.run(
        "play",
        "--report",
        "json=report.json",
        "--report",
        "html=report.html",
        "--report",
        "junit",
        "--report",
        "markdown",
    )
    assert done.code == 1
    assert "was called once without completing" in done.out
    assert "not completed: error: tools/rates.py:2: LookupError: no rate today\n" in done.out
    assert "  printed   -v shows what exchange_rate printed, and the traceback\n" in done.out
    for name in ("report.junit.xml", "report.md"):
        told = (project.folder / name).read_text()
        assert "did not complete: error: tools/rates.py:2: LookupError" in told.replace("\u200b", "").replace("\\", "")
    traceback = 'File "tools/rates.py", line 2, in exchange_rate'
    assert traceback in project.run("report", "-v").out
    assert traceback.replace('"', "&#34;") in (project.folder / "report.html").read_text()
    (step,) = json.loads((project.folder / "report.json").read_text())["scenarios"][0]["attempts"][0]["turns"][0][
        "run"
    ]["steps"]
    assert (step["completed"], step["output"]) == (False, "error: tools/rates.py:2: LookupError: no rate today")


BROKEN = {
    "raises": ("python: ../tools/broken.py:raises", "tools/broken.py:4: KeyError: 'NOK'"),
    "wrong signature": ("python: ../tools/broken.py:takes_nothing", "TypeError: <lambda>() got an unexpected keyword"),
    "not callable": ("python: ../tools/broken.py:table", "tools/broken.py: TypeError: 'dict' object is not callable"),
    "no JSON": ("python: ../tools/broken.py:gives_a_set", "tools/broken.py:7: TypeError: Object of type set"),
    "hangs": (
        "python: {call: ../tools/broken.py:hangs, timeout: 0.3}",
        "broken.py:hangs: there was no result after 0.3 s",
    ),
    "exits": ("python: ../tools/broken.py:exits", "broken.py:exits: it ended its process before there was a result"),
    "refused": ("http: http://127.0.0.1:9/rates", "127.0.0.1 can't be asked"),
    "no case": ("returns: {cases: [{when: {from: SEK}, value: 1}]}", "there is no result for these arguments"),
}


@pytest.mark.slow
def test_a_function_that_breaks_is_an_error_with_its_place_and_never_a_decline(project):
    """Not under --allow-declines either, and nobody is sent to a language model for it."""
    code = (
        "import os, time\n\ndef raises(**given):\n    return {}[given['to']]\n\n\n"
        "def gives_a_set(**given): return {1}\n"
        "def hangs(**given): time.sleep(60)\ndef exits(**given): os._exit(3)\n"
        "takes_nothing = lambda: 1\ntable = dict(a=1)\n"
    )
    write(project, "tools/broken.py", code)
    ask = "turns: [{ask: What is the exchange rate from EUR to NOK?, expect: [{contains: '11.5'}]}]"
    scenarios = "".join(
        f"  - {{name: {name}, functions: {{exchange_rate: {{{answer}}}}}, {ask}}}\n"
        for name, (answer, _) in BROKEN.items()
    )
    fine = f"  - {{name: fine, functions: {{exchange_rate: {{returns: 11.5}}}}, {ask}}}\n"
    other = "  - {name: other, turns: [{ask: Is it any good?, expect: [{contains: yes}]}]}\n"
    project.write_scenario(f"defaults: {{assistant: changer}}\nscenarios:\n{fine}{other}{scenarios}")
    done = project.run("play", "-t", "embedded", "--allow-declines")
    assert done.code == 3, done.out + done.err
    assert "PASSED   fine" in done.out
    assert "SKIPPED  other" in done.out
    ends = done.out.split("Once more")[0]
    for name, (_, error) in BROKEN.items():
        told = ends.split(f"ERRORED  {name} ")[1].split("ERRORED")[0]
        assert "reason    exchange_rate did not complete: error: " in told
        assert error in told
        assert "language model" not in told
    assert "1 declined: no language model is connected" in done.out
    assert done.out.splitlines()[-1].startswith(f"{len(BROKEN)} errored, 1 passed, 1 skipped")


def test_functions_are_synced_once_and_a_change_of_theirs_is_one(project):
    first, second = project.run("sync"), project.run("sync", "--check")
    assert (first.code, second.code) == (0, 0), first.out + second.out + second.err
    text = (project.folder / "assistants.yaml").read_text()
    write(project, "assistants.yaml", text.replace("Today's rate.", "The rate of today."))
    changed = project.run("plan", "--exit-code")
    assert changed.code == 6
    assert "The rate of today." in changed.out
    assert project.run("sync").code == 0
    write(project, "assistants.yaml", text.split("    functions:")[0])
    assert (project.run("sync").code, project.run("sync", "--check").code) == (0, 0)


def test_a_missing_function_is_found_when_the_files_are_read(project):
    write(project, "tools/rates.py", "def exchange_rates(): pass\n")
    done = project.run("validate")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "assistants.yaml:20:17: assistants.changer.functions[0].python: 'tools/rates.py' has no function "
        "'exchange_rate'; did you mean 'exchange_rates'?",
    )


def test_a_function_that_takes_other_arguments_is_found_when_the_files_are_read(project):
    write(project, "tools/rates.py", "X = {}\ndef exchange_rate(source, to): pass\ndef local(to, **more): pass\n")
    project.write_scenario(SCENARIO + "functions: {exchange_rate: {python: ../tools/rates.py:local}}\n", "other")
    renamed = project.run("validate")
    assert (renamed.code, renamed.err.splitlines()[0]) == (
        2,
        "assistants.yaml:20:17: assistants.changer.functions[0].python: the function at tools/rates.py:2 takes no "
        "argument 'from'; it takes source, to",
    )
    assert len(renamed.err.splitlines()) == 2
    write(
        project, "assistants.yaml", (project.folder / "assistants.yaml").read_text().replace("py:exchange_rate", "py:X")
    )
    data = project.run("validate")
    assert (data.code, data.err.splitlines()[0].partition("python: ")[2]) == (
        2,
        "in 'tools/rates.py', 'X' is a dict, not a function; the file has exchange_rate, local",
    )


def test_what_a_target_can_t_do_is_said_with_its_place_and_nothing_is_sent(project):
    text = (project.folder / "assistants.yaml").read_text()
    write(project, "assistants.yaml", text.replace("    model: any", "    model: any\n    tools: [file_search]"))
    tools = project.run("play", "-t", "replaying")
    assert tools.code == 2
    assert tools.err.splitlines()[0] == (
        "assistants.yaml:13:13: assistants.changer.tools[0]: target 'replaying' (api responses, history replay) does "
        "not have the tool file_search; it has no hosted tools; choose another target"
    )
    (project.folder / "receipt.pdf").write_bytes(b"%PDF-1.4")
    project.write_scenario(SCENARIO + "    attach: [{file: ../receipt.pdf, for: input}]\n")
    attached = project.run("play")
    assert (attached.code, attached.err.splitlines()[0]) == (
        2,
        "scenarios/one.yaml:8:14: target 'scripted' (api assistants, embedded server) can't take a '.pdf' file "
        "('receipt.pdf') as the model's input; it takes gif jpeg jpg png webp; use `for: file_search`, or choose "
        "another target",
    )
    assert not project.state.exists()


class Confused:
    """Makes the mistakes that a model can make with a function, all at once."""

    name = "confused"
    calls = (
        ("exchange_rate", '{"from": "EUR", "to": "NOK"}'),
        ("exchange_rate", '{"from": "EUR"}'),
        ("exchange_rate", '{"from": "EUR", '),
        ("exchange_rate", "[]"),
        ("exchange_rate", ""),
    )

    async def decide(self, scene: Scene) -> Turnout:
        if not scene.outcomes:
            requests = tuple(FunctionRequest(name=name, arguments=text) for name, text in self.calls)
            return Turnout(move=UseTools(requests=requests))
        return Turnout(move=Answer(text=" | ".join(outcome.output for outcome in scene.outcomes)))


async def _play_confused(tmp_path: Path, api: str) -> tuple[Done, list[dict]]:
    async with project_elsewhere(tmp_path, Confused()) as project:
        base = project.folder.joinpath("assistants.yaml").read_text().split("base_url: '")[1].split("'")[0]
        text = at_api(ASSISTANTS.replace("{BASE}", base), api)
        text = text.replace("target: scripted", "target: elsewhere")
        write(project, "assistants.yaml", text)
        write(project, "moves.yml", MOVES)
        write(project, "tools/rates.py", "def exchange_rate(**given):\n    return 11.5\n")
        project.write_scenario("assistant: changer\nturns: [{ask: Go, expect: [contains: '11.5 | error']}]")
        done = await asyncio.to_thread(project.run, "play", "--report", "json=report.json")
        report = json.loads((project.folder / "report.json").read_text())
        return done, report["scenarios"][0]["attempts"][0]["turns"][0]["run"]["steps"]


@pytest.mark.parametrize("api", ["assistants", "responses", "foundry", "agents"])
async def test_every_call_of_a_confused_model_is_answered(tmp_path, api):
    done, steps = await _play_confused(tmp_path, api)
    assert done.code == 0, done.out + done.err
    assert [(step["completed"], step["output"][:44]) for step in steps] == [
        (True, "11.5"),
        (False, "error: the arguments are not as declared: 't"),
        (False, "error: the arguments are not JSON: Expecting"),
        (False, "error: the arguments are not a JSON object"),
        (False, "error: the arguments are not as declared: 'f"),
    ]


async def test_a_web_service_answers_at_its_own_host_alone(project):
    answers = [reply({"rate": 11.5}), reply("", 302, location="http://169.254.169.254/latest")]
    async with wire_server(lambda _seen: answers.pop(0)) as service:
        port = urlsplit(service.url).port
        text = (project.folder / "assistants.yaml").read_text()
        http = f"http: {{url: 'http://127.0.0.1:{port}/rates/{{from}}', headers: {{X-Key: '${{secret:RATES}}'}}}}"
        write(project, "assistants.yaml", text.replace("python: tools/rates.py:exchange_rate", http))
        environment = {**project.environment, "RATES": "canary-of-rates-1"}
        with_secret = Project(project.folder, project.state, environment)
        first = await asyncio.to_thread(with_secret.run, "play", "--no-code", "--report", "json=report.json")
        second = await asyncio.to_thread(with_secret.run, "play")
    assert (first.code, second.code) == (0, 3), first.out + second.out
    assert [str(seen) for seen in service.seen] == ["GET /rates/EUR"] * 2
    assert service.seen[0].headers["x-key"] == "canary-of-rates-1"
    assert service.seen[0].query == {"to": ["NOK"]}
    written = "".join(path.read_text(errors="replace") for path in project.folder.rglob("*") if path.is_file())
    assert "canary-of-rates-1" not in written + first.out + first.err + second.out + second.err
