"""Every exit code and refusal of `plan`, `sync`, `list`, `destroy` and `clean`: the numbers, the cause, the flag."""

import asyncio
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from embedded_brains import Echo
from play_project import project_elsewhere
from verbs import Done, run_verb

from runner.journal import Journal
from runner.server.embedded import start_embedded

HEAD = "version: 1\nnamespace: gates-1\nassistants:\n"
GUIDE = "  guide:\n    name: Guide\n    model: gpt-6-luna\n    temperature: {temperature}\n    tools: [file_search]\n"
FILES = "    files: [knowledge/*.md]\n"
OTHER = "  {name}: {{name: {name}, model: gpt-6-luna}}\n"


@dataclass
class Project:
    root: Path

    def write(self, *others: str, temperature: str = "0.5", extra: str = "", guide: bool = True) -> None:
        text = HEAD + (GUIDE.format(temperature=temperature) + FILES + extra if guide else "")
        (self.root / "assistants.yaml").write_text(text + "".join(OTHER.format(name=name) for name in others))

    def run(self, *arguments: str) -> Done:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root)}
        return run_verb(*arguments, cwd=self.root, environment=environment)

    def edit_remotely(self, instructions: str) -> None:
        """As another client of the same server would."""

        async def edit() -> None:
            async with start_embedded(self.root / ".runner" / "embedded", Echo()) as address:
                headers = {"authorization": f"Bearer {address.token}"}
                async with httpx2.AsyncClient(
                    base_url=address.base_url, headers=headers, verify=False, trust_env=False
                ) as client:
                    for one in (await client.get("/assistants")).json()["data"]:
                        edited = await client.post(f"/assistants/{one['id']}", json={"instructions": instructions})
                        assert edited.status_code == 200

        asyncio.run(edit())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    (root / "knowledge").mkdir(parents=True)
    (root / "knowledge" / "city.md").write_text("The town hall opens at nine.")
    project = Project(root)
    project.write()
    return project


def test_check_and_plan_say_pending_then_in_sync(project: Project) -> None:
    pending, planned = project.run("sync", "--check"), project.run("plan", "--exit-code")
    assert (pending.code, planned.code) == (6, 6)
    assert pending.err == planned.err == "runner: 2 changes are pending; `runner sync` makes them\n"
    assert project.run("plan").code == 0
    assert project.run("sync").code == 0
    assert project.run("sync", "--check").code == project.run("plan", "--exit-code").code == 0


def test_syncs_of_one_second_have_journals_of_their_own_in_their_order(project: Project) -> None:
    """What became of a file is replayed from them: the later must not come before the earlier."""
    for hour in ("nine", "ten", "eleven"):
        (project.root / "knowledge" / "city.md").write_text(f"The town hall opens at {hour}.")
        assert project.run("sync").code == 0
    journals = sorted((project.root / ".runner" / "journal" / "embedded").iterdir())
    assert len(journals) == 3
    assert journals == sorted(journals, key=lambda one: one.stat().st_mtime_ns)


def test_a_plan_as_json_has_a_version_and_one_as_markdown_escapes_what_is_declared(project: Project) -> None:
    project.write(extra="    instructions: 'see @all | <b>#1</b> https://example.org ```x```'\n")
    plan = json.loads(project.run("plan", "--format", "json").out)
    text = project.run("plan", "--format", "markdown").out
    assert (plan["version"], plan["summary"]["create"]) == (1, 2)
    assert re.fullmatch(r"[0-9a-f]{16}", plan["checksum"])
    assert "@all" not in text
    assert "<b>" not in text
    assert "https://" not in text
    unknown = project.run("plan", "--format", "yaml")
    assert (unknown.code, unknown.err) == (2, "runner: --format 'yaml': there is json, markdown, text\n")


def test_another_plan_than_the_one_seen_is_refused(project: Project) -> None:
    seen = json.loads(project.run("plan", "--format", "json").out)["checksum"]
    project.write(temperature="0.6")
    refused = project.run("sync", "--plan-checksum", seen)
    project.write(temperature="0.5")
    accepted = project.run("sync", "--plan-checksum", seen)
    assert refused.code == 4
    assert f"not {seen} (--plan-checksum)" in refused.err
    assert accepted.code == 0


def test_drift_blocks_until_told_what_to_do(project: Project) -> None:
    project.run("sync")
    project.edit_remotely("edited elsewhere")

    blocked, check = project.run("sync"), project.run("sync", "--check")
    ignored = project.run("sync", "--on-drift", "ignore")
    overwritten = project.run("sync", "--on-drift", "overwrite")

    assert (blocked.code, check.code, ignored.code, overwritten.code) == (4, 4, 0, 0)
    assert "done: 0 created, 0 updated, 1 unchanged, 1 blocked\n" in blocked.out
    for told in (blocked, check):
        assert told.err == "runner: 1 of 2 objects is blocked: assistant guide\n"
        assert "failed" not in told.out
        for words in (
            "blocked, changed remotely",
            "instructions (drift)",
            "`runner pull guide`",
            "--on-drift overwrite",
        ):
            assert told.out.count(words) == 1, words
    assert "1 left alone" in ignored.out
    assert project.run("sync", "--check").code == 0


def test_more_deletes_than_a_third_need_the_exact_number(project: Project) -> None:
    project.write("a", "b")
    project.run("sync")
    project.write()
    shown, refused = project.run("sync"), project.run("sync", "--prune")
    wrong = project.run("sync", "--prune", "--allow-deletes", "3")
    check = project.run("plan", "--prune", "--allow-deletes", "2", "--exit-code")
    pruned = project.run("sync", "--prune", "--allow-deletes", "2")
    assert shown.code == 0
    assert shown.out.count("--prune deletes it") == 2
    assert (refused.code, wrong.code, check.code, pruned.code) == (4, 4, 6, 0)
    assert "deletes 2 of 4 objects, and only 1 (one, or 30%)" in refused.err
    assert "--allow-deletes 2" in refused.err
    assert "deletes 2 objects, and --allow-deletes says 3" in wrong.err
    assert "2 objects of sync" in project.run("list").out


def test_only_names_a_declared_assistant(project: Project) -> None:
    done = project.run("sync", "--only", "giude")
    assert (done.code, done.err) == (2, "runner: --only: unknown assistant 'giude'; did you mean 'guide'?\n")
    assert not (project.root / ".runner").exists()


def test_what_the_api_does_not_take_is_found_before_the_first_call(project: Project) -> None:
    (project.root / "data").mkdir()
    for number in range(21):
        (project.root / "data" / f"{number}.csv").write_text(f"a,{number}")
    guide = GUIDE.format(temperature="1").replace("[file_search]", "[code_interpreter]")
    (project.root / "assistants.yaml").write_text(f"{HEAD}{guide}    files: [data/*.csv]\n")
    done = project.run("sync")
    assert done.code == 2
    assert done.err.startswith("assistants.yaml:9:5: assistants.guide.files: 21; target 'embedded' takes 20 for code_i")
    project.write(extra=f"    instructions: {'x' * 256_001}\n")
    done = project.run("plan")
    assert done.code == 2
    assert "assistants.guide.instructions: 256,001 characters" in done.err
    assert "256,000" in done.err
    assert not (project.root / ".runner").exists()


def test_destroy_asks_for_the_namespace_and_takes_the_files_along(project: Project) -> None:
    path = project.root / "assistants.yaml"
    path.write_text(path.read_text() + "targets: {twin: {api: assistants, server: embedded}}\n")
    project.run("sync")
    project.run("sync", "-t", "twin")
    asked, wrong = project.run("destroy"), project.run("destroy", "--confirm", "gates-2")
    gone = project.run("destroy", "--confirm", "gates-1")
    assert (asked.code, wrong.code, gone.code) == (4, 2, 0)
    assert "1 assistant and 1 vector store of the namespace 'gates-1'" in asked.err
    assert "runner destroy --confirm gates-1" in asked.err
    assert re.search(r"note: target 'twin' uses the vector store vs_\w+ of 'guide', too", asked.out)
    assert "'gates-2', and the file's namespace is 'gates-1'" in wrong.err
    assert "('city.md') was of no use any more and was deleted" in gone.out
    assert "0 objects of sync" in project.run("list").out


def test_destroy_says_what_plays_left_behind(project: Project) -> None:
    (project.root / "scenarios").mkdir()
    (project.root / "scenarios" / "one.yaml").write_text("assistant: guide\nsmoke: true\nturns: [{ask: Hello there}]\n")
    project.run("play", "--keep")
    done = project.run("destroy", "--confirm", "gates-1")
    assert (done.code, done.out.splitlines()[1:]) == (
        0,
        [
            "sync has nothing of 'gates-1' here",
            "2 objects of plays left alone; `runner clean` removes what they left behind",
        ],
    )


def test_what_a_play_kept_is_listed_also_where_the_server_has_no_list_of_it(project: Project) -> None:
    (project.root / "scenarios").mkdir()
    (project.root / "scenarios" / "one.yaml").write_text("assistant: guide\nsmoke: true\nturns: [{ask: Hello there}]\n")
    kept = re.search(r"kept (\d+) objects", project.run("play", "--keep").out)
    listed = project.run("list").out.splitlines()
    assert kept
    assert listed[-1] == f"0 objects of sync, {kept[1]} of plays"
    assert any(re.fullmatch(r"thread of the play \S+: \S+, as its journal says", line) for line in listed)


def test_nothing_is_destroyed_while_a_play_goes_on(project: Project) -> None:
    project.run("sync")
    project.write(extra="targets: {other: {api: responses, server: embedded}, far: {api: responses}}\n")
    with Journal(project.root / ".runner" / "plays" / "now" / "journal.jsonl") as journal:
        journal.add("play", target="far")
        assert "is going on" not in project.run("destroy").err
        journal.add("play", target="other")
        done = project.run("destroy", "--confirm", "gates-1")
        assert (done.code, "play now is going on" in done.err) == (4, True)
        assert "note: going on, and left alone: play now" in project.run("clean", "-t", "other").out
    assert project.run("destroy", "--confirm", "gates-1").code == 0


def test_what_runner_keeps_in_a_project_is_no_business_of_git(project: Project) -> None:
    project.run("sync")
    assert (project.root / ".runner" / ".gitignore").read_text() == "*\n"


def test_a_replaced_file_is_deleted_once_nothing_uses_it(project: Project) -> None:
    project.run("sync")
    (project.root / "knowledge" / "city.md").write_text("The town hall opens at ten.")
    done = project.run("sync")
    assert "('city.md') was of no use any more and was deleted" in done.out
    assert project.run("sync").out.splitlines()[-1].startswith("in sync: nothing to do")


def test_clean_removes_what_a_kept_play_left_and_nothing_of_syncs(project: Project) -> None:
    (project.root / "scenarios").mkdir()
    (project.root / "scenarios" / "one.yaml").write_text(
        "assistant: guide\nsmoke: true\nturns:\n  - ask: When does the town hall open?\n"
    )
    project.run("sync")
    project.write(temperature="0.7")
    project.run("play", "--keep")
    before = project.run("list").out
    cleaned = project.run("clean")
    assert "2 objects of sync, 4 of plays" in before
    assert re.search(r"play \S+: removed 4 objects that its journal names", cleaned.out), cleaned.out
    assert "2 objects of sync, 0 of plays" in project.run("list").out
    assert project.run("clean").out.endswith("nothing to clean\n")


@pytest.mark.fault("P6")
def test_clean_leaves_alone_what_an_edited_journal_only_claims(project: Project) -> None:
    (project.root / "scenarios").mkdir()
    (project.root / "scenarios" / "one.yaml").write_text("assistant: guide\nsmoke: true\nturns: [{ask: Hello there}]\n")
    project.run("sync")
    project.run("play", "--keep")
    (synced,) = re.findall(r"assistant \S+: (asst_\w+)", project.run("list").out)
    (journal,) = (project.root / ".runner" / "plays").rglob("journal.jsonl")
    with journal.open("a") as file:
        file.write(json.dumps({"entry": "created", "number": 900, "kind": "assistant", "id": synced}) + "\n")
        file.write('{"entry": "created", "kind": "something newer", "id": 5}\n{"entry": "crea')
    cleaned = project.run("clean")
    assert cleaned.code == 0, cleaned.err
    assert f"assistant {synced} carries no tag of a play of ours, and was left alone" in cleaned.out
    assert synced in project.run("list").out


def test_of_what_only_tags_tell_only_the_old_is_cleaned(project: Project) -> None:
    (project.root / "scenarios").mkdir()
    (project.root / "scenarios" / "one.yaml").write_text("assistant: guide\nsmoke: true\nturns: [{ask: Hello there}]\n")
    project.run("play", "--keep")
    for journal in (project.root / ".runner" / "plays").rglob("journal.jsonl"):
        journal.unlink()
    young, old = project.run("clean"), project.run("clean", "--older-than", "0")
    assert young.out.count("too young to be left behind") == 2
    assert "of plays" in project.run("list").out
    assert old.out.count(": removed") == 2, old.out


def test_many_files_cost_a_sync_with_nothing_to_do_no_more_than_two_lists(project: Project) -> None:
    for number in range(120):  # more than a list has on a page
        (project.root / "knowledge" / f"{number}.md").write_text(f"Fact number {number}.")
    assert project.run("sync").code == 0
    again = project.run("sync")
    assert again.out.splitlines()[-1].endswith("(1 assistant, 1 vector store; read 2 lists, wrote nothing)")


@pytest.mark.fault("N8")
async def test_a_file_taken_out_of_the_store_behind_our_back_is_brought_back(tmp_path: Path) -> None:
    async with project_elsewhere(tmp_path, Echo()) as project:
        headers = {"Authorization": f"Bearer {project.environment['ELSEWHERE_KEY']}"}
        base_url = re.search(r"http://127\.0\.0\.1:\d+/v1", (project.folder / "assistants.yaml").read_text())
        assert base_url is not None
        first = await asyncio.to_thread(project.run, "sync")
        async with httpx2.AsyncClient(base_url=base_url.group(), headers=headers, verify=False) as client:
            (store,) = (await client.get("/vector_stores")).json()["data"]
            (file,) = (await client.get(f"/vector_stores/{store['id']}/files")).json()["data"]
            await client.delete(f"/vector_stores/{store['id']}/files/{file['id']}")
            second = await asyncio.to_thread(project.run, "sync")
            held = (await client.get(f"/vector_stores/{store['id']}/files")).json()["data"]
        third = await asyncio.to_thread(project.run, "sync")
        assert (first.code, second.code, third.code) == (0, 0, 0)
        assert len(held) == 1
        assert "in sync: nothing to do" in third.out
