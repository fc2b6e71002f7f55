"""One play of every kind of ending, with hostile answers, in all formats at once; each is read by somebody else."""

from __future__ import annotations

import base64
import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import jsonschema_rs
import pyte
import pytest
from junitparser import JUnitXml
from lxml import etree, html
from markdown_it import MarkdownIt
from play_project import Project, make_project
from verbs import Done

from runner.execution.recording import Tape
from runner.reporting import report_kinds, report_schema

SECRET = "canary/98+7654321"
HOSTILE = (
    "=1+1 \x1b]0;owned\x07\x1b[2J\x9b2J </script><script>alert(1)</script>]]>--><img src=x onerror=alert(1)>\u202e | "
    f"![i](http://evil.example/x) @all #1\n::error::owned\n##vso[x]\n```\n</details> {SECRET} {quote(SECRET, safe='')} "
    f"{base64.b64encode(SECRET.encode()).decode()}"
)
PROJECT = {
    "version": 1,
    "namespace": "tests-000001",
    "target": "script",
    "targets": {"script": {"api": "responses", "server": "embedded", "inference": {"scripted": "moves.yml"}}},
    "assistants": {"guide": {"model": "m", "instructions": "Know ${secret:CANARY}."}},
}
MOVES = {
    "passes": {"say": "right"},
    "fails": {"say": HOSTILE},
    "breaks": {"fail": {"code": "invalid_prompt", "message": HOSTILE}},
    "declines": {"say": {"text": "No model.", "declined": True}},
    "refuses": {"refuse": HOSTILE},
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Done]:
    project = make_project(tmp_path_factory.mktemp("all") / "project")
    scripts = [{"question": {"contains": name}, "moves": [move]} for name, move in MOVES.items()]
    # JSON is YAML.
    (project.folder / "assistants.yaml").write_text(json.dumps(PROJECT))
    (project.folder / "moves.yml").write_text(json.dumps({"scripts": scripts}))
    for name in MOVES:
        scenario = {"assistant": "guide", "name": f"=it {name} @all #1", "tags": [name]}
        turns = [{"ask": f"Who {name}?", "expect": [{"contains": "right"}]}]
        project.write_scenario(json.dumps({**scenario, "turns": turns}), name=name)
    told = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project.folder / "summary.md"), "CANARY": SECRET}
    on_github = replace(project, environment={**project.environment, **told})
    done = on_github.run("play", *(f"--report={kind}=out/{kind}" for kind in report_kinds()))
    assert done.code == 1, done.out + done.err
    return project, done


def text_of(played: tuple[Project, Done], kind: str) -> str:
    return (played[0].folder / "out" / kind).read_bytes().decode("utf-8")


def test_no_byte_of_any_of_them_has_the_secret(played: tuple[Project, Done]) -> None:
    project, done = played
    forms = (SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode(), json.dumps(SECRET)[1:-1])
    written = [path for path in project.folder.rglob("*") if path.is_file() and path.name != "moves.yml"]
    # The embedded server is the remote side: it has to know what it was told.
    kept = {str(path): path.read_bytes() for path in written if ".runner/embedded" not in path.as_posix()}
    kept["the screen"] = (done.out + done.err).encode()
    assert {"out/html", "summary.md"} <= {str(path.relative_to(project.folder)) for path in written}
    assert [(name, form) for name, content in kept.items() for form in forms if form.encode() in content] == []


def test_xml_json_and_html_are_what_they_say(played: tuple[Project, Done]) -> None:
    root = etree.fromstring(text_of(played, "junit").encode(), etree.XMLParser(resolve_entities=False))
    assert (len(root.findall(".//testcase")), len(root.findall(".//failure")), len(root.findall(".//error"))) == (
        5,
        2,
        2,
    )
    assert JUnitXml.fromstring(text_of(played, "junit").encode()).tests == 5
    jsonschema_rs.validator_for(json.loads(report_schema())).validate(json.loads(text_of(played, "json")))
    statuses = [test["status"] for test in json.loads(text_of(played, "ctrf"))["results"]["tests"]]
    assert sorted(statuses) == ["failed", "failed", "other", "other", "passed"]
    page = html.fromstring(text_of(played, "html"))
    assert (len(page.xpath("//script")), len(page.xpath("//img | //b//script | //a"))) == (1, 0)


def test_tables_and_markdown_have_no_formula_image_or_link(played: tuple[Project, Done]) -> None:
    rows = list(csv.reader(text_of(played, "csv").splitlines(keepends=True), strict=True))
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]
    for text in (text_of(played, "markdown"), (played[0].folder / "summary.md").read_text("utf-8")):
        tokens = [one for token in MarkdownIt().parse(text) for one in (token, *(token.children or ()))]
        assert not {token.type for token in tokens} & {"image", "link_open"}


def test_the_ci_sees_no_command_but_ours(played: tuple[Project, Done]) -> None:
    commands = [line for line in played[1].out.splitlines() if re.match(r"\s*::", line) or "##vso[" in line]
    assert len(commands) == 4
    assert all(
        re.fullmatch(r"::(error|warning) file=[^:,]+,line=\d+,col=\d+,title=[^:,]+::.*", one) for one in commands
    )


def test_a_terminal_shows_it_and_does_nothing_else(played: tuple[Project, Done]) -> None:
    screen = pyte.Screen(200, 200)
    pyte.Stream(screen).feed(played[1].out.replace("\n", "\r\n"))
    shown = "\n".join(screen.display)
    assert screen.title == ""
    assert r"\x1b]0;owned\x07\x1b[2J" in shown
    assert "failed" in screen.display[screen.cursor.y - 1] or "failed" in shown


def test_a_name_leads_nowhere_but_to_its_folder(tmp_path: Path) -> None:
    tape = Tape(tmp_path, str)
    names = ["../../up", "..", "CON", "a/b", "a-b", "a:b", "\x00", "x" * 300, "x" * 301]
    paths = [tape.path_of(name) for name in names]
    assert {path.resolve().parent for path in paths} == {tmp_path.resolve()}
    assert len({path.name.casefold() for path in paths}) == len(names)
