"""One play of every kind of ending, with hostile answers, in all formats at once; each is read by somebody else."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import jsonschema_rs
import pyte
import pytest
from junitparser import JUnitXml
from lxml import etree, html
from markdown_it import MarkdownIt
from otlp_collector import Collector
from play_project import Project, make_project
from verbs import Done

from runner.execution.recording import Tape
from runner.reporting import report_kinds, report_schema

pytestmark = pytest.mark.slow
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
    "assistants": {
        "guide": {
            "model": "m",
            "instructions": "Know ${secret:CANARY}.\n" + HOSTILE,
            "functions": [{"name": "leak", "description": "Prints.", "python": "leak.py:leak"}],
        }
    },
}
LEAK = """import base64, os, urllib.parse

def leak():
    secret = os.environ["CANARY"]
    print("\\x1b[2J</pre><script>alert(1)</script>\\n::error::owned", secret, urllib.parse.quote(secret, safe=""))
    print("x" * 7_990, base64.b64encode(secret.encode()).decode())
    raise ValueError(secret)
"""
MEGABYTE = "blah" * 250_000
MOVES = {
    "passes": [{"say": "right"}],
    "fails": [{"call": {"leak": {}}}, {"say": HOSTILE}],
    "breaks": [{"fail": {"code": "invalid_prompt", "message": HOSTILE}}],
    "declines": [{"say": {"text": "No model.", "declined": True}}],
    "refuses": [{"refuse": HOSTILE}],
    "says a lot": [{"say": MEGABYTE}],
    "is undecided": [{"say": "right"}],
    "is skipped": [{"say": "right"}],
    "is hostile, `x` ]] & _b_ %0A'": [{"say": "wrong"}],
}
OPTIONS = {
    # The price of the model is not known.
    "is undecided": {"expect": [{"cost": 1}]},
    "is skipped": {"skip": HOSTILE},
}
COUNTED = {"failed": 4, "errored": 2, "declined": 1, "flaky": 1, "passed": 1, "skipped": 1, "not_started": 0}


def write_scenarios(project: Project) -> None:
    scripts: list[dict[str, object]] = [
        {"question": {"contains": name.split()[-1]}, "moves": moves} for name, moves in MOVES.items()
    ]
    wavers = {"question": {"contains": "wavers"}}
    scripts += [{**wavers, "times": 1, "moves": [{"say": HOSTILE}]}, {**wavers, "moves": [{"say": "right"}]}]
    (project.folder / "moves.yml").write_text(json.dumps({"scripts": scripts}))
    for number, name in enumerate([*MOVES, "wavers"]):
        options = {"expect": [{"contains": "right"}], **OPTIONS.get(name, {})}
        turns = [{"ask": f"Who {name.split()[-1]}?", "expect": options.pop("expect")}]
        scenario = {"assistant": "guide", "name": f"=it {name} @all #1", "tags": [name.split()[0], "=tag"], **options}
        scenario |= {"repeat": 3, "pass_at_least": 1} if name == "wavers" else {}
        project.write_scenario(json.dumps({**scenario, "turns": turns}), name=f"s{number}")


@dataclass(frozen=True)
class Played:
    """One play that told everybody."""

    project: Project
    done: Done
    sent: bytes

    def text(self, kind: str, folder: str = "out") -> str:
        return (self.project.folder / folder / kind).read_bytes().decode("utf-8")

    def again(self, *arguments: str) -> Done:
        return self.project.run(*arguments)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    project = make_project(tmp_path_factory.mktemp("all") / "project")
    # JSON is YAML.
    (project.folder / "assistants.yaml").write_text(json.dumps(PROJECT))
    (project.folder / "leak.py").write_text(LEAK)
    write_scenarios(project)
    collector = Collector()
    told = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(project.folder / "summary.md"),
        "CANARY": SECRET,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
    }
    told_all = replace(project, environment={**project.environment, **told})
    kinds = [f"--report={kind}=out/{kind}" for kind in report_kinds()]
    done = told_all.run("play", "-v", *kinds, "--record", "recordings")
    assert done.code == 1, done.out + done.err
    yield Played(replace(project, environment={**project.environment, "CANARY": SECRET}), done, collector.sent)
    collector.close()


@pytest.mark.fault("C1")
def test_no_byte_of_any_of_them_has_the_secret(played: Played) -> None:
    folder, done = played.project.folder, played.done
    forms = (SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode(), json.dumps(SECRET)[1:-1])
    written = [path for path in folder.rglob("*") if path.is_file() and path.name != "moves.yml"]
    # What a user writes may have a secret in it; the embedded server is the remote side, which was told.
    inputs = (".runner/embedded", f"{folder.name}/scenarios", f"{folder.name}/assistants.yaml")
    kept = {str(path): path.read_bytes() for path in written if not any(one in path.as_posix() for one in inputs)}
    kept |= {"the screen": (done.out + done.err).encode(), "the collector": played.sent}
    names = {path.relative_to(folder).as_posix() for path in written}
    assert {"out/html", "summary.md", "recordings/script/_target.yaml"} <= names
    assert [name for name in names if name.startswith(".runner/plays/") and name.endswith("results.jsonl")]
    assert len(played.sent) > 10_000
    assert all("ValueError: [redacted]" in text for text in (done.out, played.text("html"), played.text("json")))
    assert [(name, form) for name, content in kept.items() for form in forms if form.encode() in content] == []


def test_every_kind_of_ending_is_counted_alike_by_each_of_them(played: Played) -> None:
    assert json.loads(played.text("json"))["counts"] == COUNTED
    page = html.fromstring(played.text("html"))
    tiles = {one.get("data-outcome"): int(one.xpath("string(b)")) for one in page.xpath("//button")}
    assert tiles == {word: count for word, count in COUNTED.items() if count}
    summary = json.loads(played.text("ctrf"))["results"]["summary"]
    words = ("passed", "failed", "other", "skipped", "pending", "flaky")
    assert [summary[word] for word in words] == [2, 4, 3, 1, 0, 1]
    suites = JUnitXml.fromstring(played.text("junit").encode())
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (10, 4, 3, 1)
    rows = list(csv.DictReader(played.text("csv").splitlines(keepends=True)))
    counted = Counter({row["scenario"]: row["counted_as"] for row in rows}.values())
    assert counted == {word: count for word, count in COUNTED.items() if count}
    assert "## runner: 4 failed, 2 errored, 1 declined, 1 flaky, 1 passed, 1 skipped" in played.text("markdown")


@pytest.mark.fault("X2", "X3", "X7")
def test_xml_json_and_html_are_what_they_say(played: Played) -> None:
    root = etree.fromstring(played.text("junit").encode(), etree.XMLParser(resolve_entities=False))
    etree.XMLSchema(file=str(Path(__file__).parents[1] / "support" / "junit.xsd")).assertValid(root)
    jsonschema_rs.validator_for(json.loads(report_schema())).validate(json.loads(played.text("json")))
    page = html.fromstring(played.text("html"))
    assert (len(page.xpath("//script")), len(page.xpath("//img | //b//script"))) == (1, 0)
    assert set(page.xpath("//@href")) == {"#d1"}
    (instructions,) = page.xpath("//details[@id='d1']//pre[@class='code']")
    assert instructions.text.startswith("Know [redacted].\n=1+1 \\x1b]0;owned")


def test_a_megabyte_is_cut_but_in_json(played: Played) -> None:
    sizes = {kind: len(played.text(kind)) for kind in report_kinds()}
    assert sizes["json"] > len(MEGABYTE)
    assert max(sizes["junit"], sizes["ctrf"], sizes["markdown"], sizes["csv"]) < 60_000
    assert "968,000 more characters" in played.text("csv")
    assert sizes["html"] < 700_000


@pytest.mark.fault("X4", "X5")
def test_tables_and_markdown_have_no_formula_image_or_link(played: Played) -> None:
    rows = list(csv.reader(played.text("csv").splitlines(keepends=True), strict=True))
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]
    for text in (played.text("markdown"), (played.project.folder / "summary.md").read_text("utf-8")):
        tokens = [one for token in MarkdownIt().parse(text) for one in (token, *(token.children or ()))]
        assert not {token.type for token in tokens} & {"image", "link_open"}


@pytest.mark.fault("X6")
def test_the_ci_sees_no_command_but_ours(played: Played) -> None:
    commands = [line for line in played.done.out.splitlines() if re.match(r"\s*::", line) or "##vso[" in line]
    assert len(commands) == 8
    assert all(
        re.fullmatch(r"::(error|warning) file=[^:,]+,line=\d+,col=\d+,title=[^:,]+::.*", one) for one in commands
    )


@pytest.mark.fault("X1")
def test_a_terminal_shows_it_and_does_nothing_else(played: Played) -> None:
    screen = pyte.Screen(200, 400)
    pyte.Stream(screen).feed(played.done.out.replace("\n", "\r\n"))
    shown = "\n".join(screen.display)
    assert screen.title == ""
    assert r"\x1b]0;owned\x07\x1b[2J" in shown
    assert "=it is hostile, `x` ]] & _b_ %0A'" in shown
    assert "4 failed, 2 errored, 1 declined, 1 flaky, 1 passed, 1 skipped" in shown


def test_a_kept_play_told_again_is_the_same_in_every_kind(played: Played) -> None:
    kinds = [f"--report={kind}=again/{kind}" for kind in report_kinds()]
    assert played.again("report", "latest", *kinds).code == 0
    assert [kind for kind in report_kinds() if played.text(kind, "again") != played.text(kind)] == []
    assert played.again("report", "out/json", *(one.replace("again/", "from_json/") for one in kinds)).code == 0
    assert [kind for kind in report_kinds() if played.text(kind, "from_json") != played.text(kind)] == []


@pytest.mark.fault("X8")
def test_a_name_leads_nowhere_but_to_its_folder(tmp_path: Path) -> None:
    tape = Tape(tmp_path, str)
    names = ["../../up", "..", "CON", "a/b", "a-b", "a:b", "\x00", "x" * 300, "x" * 301]
    paths = [tape.path_of(name) for name in names]
    assert {path.resolve().parent for path in paths} == {tmp_path.resolve()}
    assert len({path.name.casefold() for path in paths}) == len(names)
