"""Files that code writes in a play: read with the answer, and gone from the server afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import assistants_wire as wire
import pytest
from backend_talk import talking
from play_project import Project, make_project
from wire_server import Seen, refusal, reply

from runner.domain.conversation import FileId, ProducedFile
from runner.domain.plan import Kind
from runner.journal import Journal
from runner.sync import remove_live

SHARES = b"Ann,12.50"
MOVES = r"""
scripts:
  - question: any
    moves:
      - call:
          code_interpreter: |
            with open('/mnt/data/shares.csv', 'w') as file:
                file.write('Ann,12.50')
            with open('/mnt/data/draft.csv', 'w') as file:
                file.write('Ann')
      - {last}
"""
ENDINGS = {
    "it points to one of two": "say: See [the shares](sandbox:/mnt/data/shares.csv).",
    "it points to none": "say: I wrote it down.",
    "it fails": "fail: server_error",
    "it breaks off": "{incomplete: {reason: max_completion_tokens, text: 'See sandbox:/mnt/data/shares.csv'}}",
}
SCENARIO = """
scenarios:
  - {name: one, assistant: guide, smoke: true, turns: [{ask: Write the shares down.}, {ask: Again.}]}
"""


@pytest.mark.parametrize("api", ["assistants", "responses", "foundry"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_that_code_wrote_is_left_after_a_play(tmp_path: Path, api: str, ending: str) -> None:
    project = scripted_project(tmp_path / "project", api, ENDINGS[ending])
    done = project.run("play")

    assert done.code == (0 if "say" in ENDINGS[ending] else 3), done.out + done.err
    assert project.count_objects() == {}
    assert contents_kept(project) == []


@pytest.mark.parametrize("api", ["assistants", "responses", "foundry"])
def test_what_a_kept_play_wrote_stays(tmp_path: Path, api: str) -> None:
    project = scripted_project(tmp_path / "project", api, ENDINGS["it points to one of two"])
    assert project.run("play", "--keep").code == 0
    digest = hashlib.sha256(SHARES).hexdigest()
    assert digest in contents_kept(project)


def scripted_project(folder: Path, api: str, last: str) -> Project:
    project = make_project(folder, target="script")
    file = folder / "assistants.yaml"
    target = f"  script: {{api: {api}, server: embedded, inference: {{scripted: moves.yaml}}}}\n"
    text = file.read_text().replace("targets:\n", f"targets:\n{target}").replace("    files: [city.md]\n", "")
    file.write_text(text.replace("[code_interpreter, file_search]", "[code_interpreter]"))
    (folder / "moves.yaml").write_text(MOVES.format(last=last))
    project.write_scenario(SCENARIO)
    return project


def contents_kept(project: Project) -> list[str]:
    """The files on the server's disk, by their hashes."""
    found = (path for path in project.state.rglob("*") if path.is_file())
    return [path.name for path in found if len(path.name) == 64]


async def test_files_and_images_of_a_run_come_with_their_content_and_are_noted(tmp_path: Path) -> None:
    async with talking(tmp_path, interpreting()) as (backend, _, journal):
        run = await backend.ask(wire.question())
        assert run.files == (
            ProducedFile(name="plot.png", size_bytes=4, sha256=hashlib.sha256(b"\x89PNG").hexdigest()),
            ProducedFile(
                name="shares.csv", size_bytes=9, sha256=hashlib.sha256(SHARES).hexdigest(), text=SHARES.decode()
            ),
        )
        assert set(journal.live) == {(Kind.THREAD, "thread_1"), (Kind.FILE, "file-plot"), (Kind.FILE, "file-shares")}


async def test_a_file_that_the_code_was_given_is_not_taken_for_an_output(tmp_path: Path) -> None:
    async with talking(tmp_path, interpreting(purpose="assistants")) as (backend, server, journal):
        assert (await backend.ask(wire.question())).files == ()
        assert journal.live == ((Kind.THREAD, "thread_1"),)
        assert await remove_live(backend, journal) == ()
        assert [call for call in server.calls if call.startswith("DELETE")] == ["DELETE /threads/thread_1"]


async def test_a_file_that_cannot_be_read_is_named_with_the_reason_and_still_removed(tmp_path: Path) -> None:
    async with talking(tmp_path, interpreting(content=None)) as (backend, server, journal):
        files = (await backend.ask(wire.question())).files
        assert [(file.name, file.size_bytes) for file in files] == [("plot.png", None), ("shares.csv", None)]
        assert "while downloading 'plot.png'" in files[0].problem
        assert await remove_live(backend, journal) == ()
        assert {"DELETE /files/file-plot", "DELETE /files/file-shares"} <= set(server.calls)


async def test_a_journal_that_a_killed_play_left_still_names_the_files(tmp_path: Path) -> None:
    async with talking(tmp_path, interpreting()) as (backend, _, _journal):
        await backend.ask(wire.question())
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert (Kind.FILE, FileId("file-shares")) in journal.live


def interpreting(*, purpose: str = "assistants_output", content: bytes | None = SHARES) -> Callable[[Seen], list]:
    """A server whose run draws an image, says so, and points to a file."""
    image = {"type": "image", "image": {"file_id": "file-plot"}}
    call = {"id": "call_1", "type": "code_interpreter", "code_interpreter": {"input": "plot()", "outputs": [image]}}
    where = {"start_index": 4, "end_index": 31, "text": "sandbox:/mnt/data/shares.csv"}
    pointer = {"type": "file_path", "file_path": {"file_id": "file-shares"}, **where}
    message = wire.message("See sandbox:/mnt/data/shares.csv", [pointer])
    message["content"].insert(0, {"type": "image_file", "image_file": {"file_id": "file-plot"}})
    names = {"file-plot": "plot.png", "file-shares": "shares.csv"}

    def answer(seen: Seen) -> list:
        words = seen.path.strip("/").split("/")
        if seen.method == "DELETE":
            return reply({"id": words[-1], "deleted": True})
        if words[0] == "files" and words[-1] == "content":
            body = b"\x89PNG" if words[1] == "file-plot" else content
            return refusal(404, "gone") if content is None else reply(body)
        if words[0] == "files":
            return reply({"id": words[1], "object": "file", "filename": names[words[1]], "purpose": purpose})
        lists = {"messages": [message], "steps": [wire.step(call)]}
        return reply(wire.page(*lists[words[-1]]) if words[-1] in lists else wire.run())

    return answer
