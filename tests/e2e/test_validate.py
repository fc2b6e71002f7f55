from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from verbs import Done, run_verb

from runner.reporting import MARK

CONFIGS = Path(__file__).parents[1] / "configs"
ENVIRONMENT = {**os.environ, "STAGE": "test", "MODEL": "m", "TOKEN": "a-token-of-some-length"}


def run(*arguments: str, cwd: Path) -> Done:
    return run_verb(*arguments, cwd=cwd, environment=ENVIRONMENT)


@pytest.fixture
def project(tmp_path):
    shutil.copytree(CONFIGS / "ok" / "travel", tmp_path / "project")
    return tmp_path / "project"


def test_a_valid_project_is_counted(project):
    result = run("validate", cwd=project)
    assert (result.code, result.err) == (0, "")
    assert result.out == "assistants.yaml: 3 assistants\n3 scenarios, 4 turns: valid\n"


def test_one_file_is_counted_alone(project):
    result = run("validate", "scenarios/bill.yaml", cwd=project)
    assert result.out == "assistants.yaml: 3 assistants\n1 scenario, 2 turns: valid\n"


def test_every_mistake_is_a_line_with_its_place_and_the_code_is_2(project):
    shutil.copy(CONFIGS / "broken" / "scenarios" / "many_mistakes.yaml", project / "scenarios")
    shutil.copy(CONFIGS / "broken" / "scenarios" / "misspelt_expect.yaml", project / "scenarios")
    result = run("validate", cwd=project)
    assert (result.code, result.out) == (2, "")
    lines = result.err.splitlines()
    assert "scenarios/misspelt_expect.yaml:4:5: turns[0]: unknown key 'expct'; did you mean 'expect'?" in lines
    assert len([line for line in lines if line.startswith("scenarios/many_mistakes.yaml:")]) == 7
    assert "8 mistakes" in lines[-1]


def test_mistakes_in_what_targets_name_are_told_whether_or_not_the_target_is_chosen(project):
    """Scripts, the judge's among them, and files of faults: nothing is played for that."""
    path, moves, faults = (project / name for name in ("assistants.yaml", "moves.yaml", "faults.yaml"))
    named = "{api: responses, server: embedded, inference: {scripted: moves.yaml}, faults: faults.yaml}"
    path.write_text(path.read_text().replace("targets:\n", f"targets:\n  script: {named}\n", 1))
    faults.write_text("faults: [{on: {path: /v1/files}, answr: 500}]\n")
    script = "scripts:\n  - {question: any, moves: [{call: {rates: {}}}, {refuse: No.}]}\n"
    moves.write_text(f"{script.replace('refuse', 'refuses')}rulings: [{{question: any}}]\n")
    for arguments in ((), ("-t", "script"), ("-t", "second")):
        done = run("validate", *arguments, cwd=project)
        told = done.err.splitlines()
        assert (done.code, done.out) == (2, "")
        assert told[0].startswith("moves.yaml:2:29: no assistant has the function 'rates'")
        assert told[1] == "moves.yaml:2:51: scripts[0].moves[1]: unknown move 'refuses'; did you mean 'refuse'?"
        assert told[2].startswith("moves.yaml:3:11: rulings[0]: the key 'says' is missing")
        assert told[3].startswith("faults.yaml:1:")
    path.write_text(path.read_text().replace(", faults: faults.yaml", ""))
    moves.write_text(script)
    done = run("validate", cwd=project)
    assert (done.code, done.err.splitlines()[0].partition(";")[0]) == (
        2,
        "moves.yaml:2:29: no assistant has the function 'rates'",
    )
    assert run("play", "-t", "script", "-k", "Greeting", cwd=project) == done, "nothing was sent"
    moves.write_text("otherwise: offline\nscripts: [{question: {contains: a}, moves: [{say: x}]}]\n")
    assert run("validate", cwd=project).code == 0
    assert not (project / ".runner").exists()


def test_mistakes_of_all_files_are_told_in_one_round(project):
    """What a mistake hides is not guessed about: the tools of an assistant, its functions."""
    (project / "assistants.yaml").write_text("""\
version: 1
namespace: demo
targets: {script: {api: responses, server: embedded, inference: {scripted: moves.yaml}}}
assistants:
  desk:
    model: m
    tools: [fiel_search]
    files: [nowhere.md]
    functions: [{name: fee, returns: 1, parameters: {type: object, properties: {days: {}, item: {}}}}]
  other: {model: m, fuctions: [{name: hidden, returns: 1, parameters: {type: object, properties: {y: {}}}}]}
""")
    scenario = """\
scenarios:
  - name: one
    assistant: desk
    turns:
      - ask: How much?
        attach: [missing.pdf]
        expect:
          - tool_called: web_search
          - tool_called: {tool: fee, arguments: {dyas: 2}}
          - tool_called: feee
  - {name: two, assistant: other, turns: [{ask: Hm?, expect: [tool_called: hidden, tool_called: mcp, cites: x.md]}]}
"""
    script = """\
scripts:
  - question: any
    moves:
      - call: {hidden: {x: 1}}
      - call: {fee: {dyas: 1}}
      - {refuses: No.}
      - {say: x}
"""
    for one in (project / "scenarios").iterdir():
        if one.suffix == ".yaml":
            one.unlink()
    (project / "scenarios" / "one.yaml").write_text(scenario)
    (project / "moves.yaml").write_text(script)
    done = run("validate", cwd=project)
    assert [":".join(line.split(":")[:2]) for line in done.err.splitlines()[:-1]] == [
        "assistants.yaml:7",
        "assistants.yaml:8",
        "assistants.yaml:10",
        "scenarios/one.yaml:6",
        "scenarios/one.yaml:9",
        "scenarios/one.yaml:10",
        "moves.yaml:6",
    ]

    text = (project / "assistants.yaml").read_text().replace("fuctions", "functions")
    (project / "assistants.yaml").write_text(text)
    done = run("validate", cwd=project)
    assert "; did you mean 'days'?" in done.err.splitlines()[-3]
    assert [line.split(":")[1] for line in done.err.splitlines() if line.startswith("moves")] == ["4", "5", "6"]


def test_of_thousands_of_mistakes_the_first_two_hundred_are_shown_and_all_counted(project):
    (project / "scenarios" / "generated.yaml").write_text("".join(f"key{n}: 1\n" for n in range(5_000)))
    result = run("validate", cwd=project)
    lines = result.err.splitlines()
    # Beside the unknown keys: no assistant, and no turns.
    assert (result.code, len(lines)) == (2, 202)
    assert lines[-2:] == ["... and 4,801 more", "runner: 5001 mistakes found; nothing was sent"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["scenarios/*.yml"], 5, "no scenario file matches 'scenarios/*.yml'"),
        (
            ["scenarios/bil.yaml"],
            2,
            "there is no file or folder 'scenarios/bil.yaml'; did you mean 'scenarios/bill.yaml'?",
        ),
        ([""], 2, "One of the arguments is empty; is a variable unset?"),
        (["-t", ""], 2, "One of the arguments is empty; is a variable unset?"),
        (["--target="], 2, "--target= has no value; is a variable unset?"),
        ([" "], 2, "one of the paths is empty; is a variable unset?"),
        (["scenarios/several.yaml::fist"], 2, "there is no scenario 'fist' in scenarios/several.yaml"),
        (["scenarios/several.yaml:1"], 2, "scenarios/several.yaml:1 is in no scenario"),
        (["-f", "elsewhere.yaml"], 2, "there is no file 'elsewhere.yaml'"),
    ],
)
def test_a_selection_that_finds_nothing_is_told_from_wrong_usage(project, arguments, code, message):
    result = run("validate", *arguments, cwd=project)
    assert result.code == code
    assert message in result.err


def test_a_hostile_key_reaches_the_terminal_as_visible_text(project):
    (project / "scenarios" / "hostile.yaml").write_text('"\\e]52;c;aGk=\\a": 1\nturns: []\n')
    result = run("validate", cwd=project)
    assert result.code == 2
    assert "\x1b" not in result.err
    assert "unknown key '\\x1b]52;c;aGk=\\x07'" in result.err


@pytest.mark.parametrize("kind", ["assistants", "scenario"])
def test_the_schema_is_printed_as_json(project, kind):
    result = run("schema", kind, cwd=project)
    assert json.loads(result.out)["$id"] == f"urn:assistant-runner:{kind}"


def test_validating_never_imports_openai(project):
    code = (
        "import sys\nfrom runner.cli import main\n"
        "try:\n    main(['validate'])\nexcept SystemExit as stop:\n    assert stop.code == 0, stop.code\n"
        "print([name for name in ('openai', 'httpx2', 'starlette', 'rich') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_hundred_scenarios_are_validated(project):
    text = (project / "scenarios" / "bill.yaml").read_text()
    for number in range(99):
        (project / "scenarios" / f"bill{number}.yaml").write_text(text)
    result = run("validate", cwd=project)
    assert (result.code, "102 scenarios" in result.out) == (0, True), result.out + result.err


def test_a_mistake_is_told_even_where_there_is_no_scenario_yet(project):
    shutil.rmtree(project / "scenarios")
    assert run("validate", cwd=project).code == 5
    path = project / "assistants.yaml"
    path.write_text(path.read_text() + "  spare: {modle: m}\n")
    result = run("validate", cwd=project)
    assert (result.code, "unknown key 'modle'; did you mean 'model'?" in result.err) == (2, True), result.err


def test_a_target_is_looked_at_when_it_is_named_and_no_key_is_needed(tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "one.yaml").write_text("assistant: guide\nturns: [{ask: Hi, expect: [contains: hi]}]\n")
    (tmp_path / "assistants.yaml").write_text(
        "version: 1\nnamespace: n-1\ntargets: {openai: {api: responses}}\n"
        "assistants:\n  guide: {model: m, tools: [web_search]}\n"
    )
    assert run("validate", cwd=tmp_path).code == 0
    assert run("validate", "--target", "openai", cwd=tmp_path).code == 0
    embedded = run("validate", "--target", "embedded", cwd=tmp_path)
    assert embedded.code == 2
    assert embedded.err.startswith("assistants.yaml:5:29: assistants.guide.tools[0]: target 'embedded'"), embedded.err


def test_keys_are_looked_at_where_that_is_asked_for_the_judge_s_too(tmp_path):
    assert run_verb("init", cwd=tmp_path, environment={}).code == 0
    file, scenario = tmp_path / "assistants.yaml", tmp_path / "scenarios" / "prices.yaml"
    assert run_verb("validate", "--keys", cwd=tmp_path, environment={}).code == 0
    missing = run_verb("validate", "--keys", "-t", "openai", cwd=tmp_path, environment={})
    assert (missing.code, "needs a key in the environment variable OPENAI_API_KEY" in missing.err) == (2, True)
    file.write_text(file.read_text() + "judge: {target: openai, model: gpt-6-luna-2026-09-10}\n")
    assert run_verb("validate", "--keys", cwd=tmp_path, environment={}).code == 0, "nothing asks the judge"
    scenario.write_text(scenario.read_text() + "      - judge: Is it polite?\n")
    assert run_verb("validate", cwd=tmp_path, environment={}).code == 0
    judged = run_verb("validate", "--keys", cwd=tmp_path, environment={})
    assert (judged.code, "leave out what the judge is asked about" in judged.err) == (2, True)
    set_ = {"OPENAI_API_KEY": "sk-not-a-real-key"}
    assert run_verb("validate", "--keys", "-t", "openai", cwd=tmp_path, environment=set_).code == 0


def test_a_play_with_an_empty_path_plays_nothing_and_leaves_no_earlier_report(project):
    (project / "out.json").write_text(f'{{"made by": "{MARK}"}}')
    result = run("play", "", "--report", "json=out.json", cwd=project)
    assert (result.code, result.out) == (2, "")
    assert "One of the arguments is empty; is a variable unset?" in result.err
    assert not (project / "out.json").exists()


def test_a_place_is_validated_as_it_was_shown(project):
    assert "1 scenario, " in run("validate", "scenarios/bill.yaml:3:1:", cwd=project).out


def test_a_line_break_in_a_files_name_splits_no_message(project):
    (project / "scenarios" / "a\nb.yaml").write_text("name: odd\nturns: []\nassistant: clerk\n")
    result = run("validate", cwd=project)
    assert result.code == 2
    assert result.err.splitlines() == [
        "scenarios/a\\nb.yaml:2:8: turns: is empty",
        "runner: 1 mistake found; nothing was sent",
    ]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--reruns=3", "`--repeat N`"),
        ("--junit=out.xml", "`--report KIND[=FILE]`"),
        ("-j", "`-n N`"),
        ("--rerun-failed", "`--lf`"),
        ("--quit", "--quiet"),
    ],
)
def test_an_option_of_another_tool_leads_to_ours(project, option, words):
    result = run("play", option, cwd=project)
    assert result.code == 2
    assert words in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sync", "--dry-run"), "`runner plan`"),
        (("plan", "--check"), "`--exit-code`"),
        (("test",), "'play'"),
        (("apply",), "'sync'"),
        (("play", "assistants.yaml"), "declares assistants, and no scenario"),
    ],
)
def test_the_words_of_another_tool_lead_to_ours(project, arguments, words):
    result = run(*arguments, cwd=project)
    assert result.code == 2
    assert words in result.err
    assert len(result.err.strip().splitlines()) <= 4


def test_an_option_of_another_verb_is_not_explained_by_those_for_playing(project):
    assert "No such option" in run("sync", "--filter=x", cwd=project).err
    assert "-k TEXT" not in run("sync", "--filter=x", cwd=project).err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "'faulty.pdf' is no PDF: it doesn't begin with %PDF-"),
        (b"%PDF-1.7\n1 0 obj", "'faulty.pdf' is no whole PDF: its end is missing"),
        (b"%PDF-1.7\ntrailer << /Encrypt 9 0 R >>\nstartxref\n9\n%%EOF", "'faulty.pdf' is encrypted: where it needs"),
        (b"%PDF-1.7\ntrailer << >>\nstartxref\n9\n%%EOF\n", ""),
    ],
)
def test_a_pdf_that_no_target_can_read_is_noted(tmp_path, content, words):
    (tmp_path / "faulty.pdf").write_bytes(content)
    (tmp_path / "assistants.yaml").write_text(
        "version: 1\nnamespace: demo\nassistants: {guide: {model: m, tools: [file_search], files: [faulty.pdf]}}\n"
    )
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "a.yaml").write_text("assistant: guide\nsmoke: true\nturns: [{ask: Hi}]\n")
    done = run("validate", cwd=tmp_path)
    notes = [line for line in done.out.splitlines() if line.startswith("note: ")]
    assert (done.code, len(notes), words in "".join(notes)) == (0, bool(words), True)
