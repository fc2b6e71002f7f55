"""`runner pull` against a real server: what it shows, and what it does to the user's file."""

from decimal import Decimal
from pathlib import Path

import pytest
from stored_project import StoredProject

from runner.domain.assistant import Tool, ToolName

PROJECT = """\
# our assistants
version: 1
namespace:   pull-test-1     # never change this

assistants:
    # the guide
    guide:   # tg
        name:   'City Guide'
        model: gpt-6-luna   # the small one
        instructions: |
            You guide people.

              Be kind.
        # what it has
        tools:
        - code_interpreter   # for sums
        # and this
        - file_search: {max_num_results: 5}
        temperature: 0.30  # cool
        metadata:
            team: blue   # colour
            # the place
            place: "north"
        # end of the guide

    # the other one
    other: {model: gpt-6-luna, instructions: Say hello., tools: [ file_search ], metadata: {a: b}}   # short
# the end
"""


@pytest.fixture
async def project(tmp_path: Path) -> StoredProject:
    project = StoredProject(tmp_path)
    project.write(PROJECT)
    done = await project.run("sync")
    assert done.code == 0, done.err
    return project


def replaced(*pairs: tuple[str, str]) -> str:
    text = PROJECT
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


async def test_without_a_difference_nothing_is_written(project: StoredProject) -> None:
    shown, written = await project.run("pull"), await project.run("pull", "--write")

    assert (shown.code, written.code) == (0, 0), shown.err + written.err
    assert shown.out.count("as the file says") == 2
    assert written.out.endswith("nothing to write\n")
    assert project.file.read_text() == PROJECT
    assert [one.name for one in (project.root / ".runner" / "journal").iterdir() if "pull" in one.name] == []


async def test_a_difference_is_shown_and_only_written_when_asked(project: StoredProject) -> None:
    await project.change_stored("guide", temperature=Decimal("0.7"), instructions="You guide people.\n\nBe quick.")

    done = await project.run("pull", "guide")

    assert done.code == 0, done.err
    assert "temperature: 0.3 -> 0.7 (changed there)" in done.out
    assert "-  Be kind.\n" in done.out
    assert "+Be quick.\n" in done.out
    assert "`runner pull guide --write` takes this into the file" in done.out
    assert project.file.read_text() == PROJECT


async def test_what_is_stored_is_written_and_every_other_character_stays(project: StoredProject) -> None:
    await project.change_stored(
        "guide",
        name="It's a guide",
        model="gpt-6:mini",
        instructions="You guide people.\n\nBe quick.",
        tools=(Tool(name=ToolName.FILE_SEARCH, max_num_results=9),),
        temperature=Decimal("0.7"),
        top_p=Decimal("0.5"),
        metadata={"team": "no"},
    )

    done = await project.run("pull", "guide", "--write")

    assert done.code == 0, done.err
    expected = """\
    guide:   # tg
        name:   'It''s a guide'
        model: gpt-6:mini   # the small one
        instructions: |
            You guide people.

            Be quick.
        # what it has
        tools:
        # and this
        - file_search: {max_num_results: 9}
        temperature: 0.7  # cool
        metadata:
            team: "no"   # colour
            # the place
        top_p: 0.5
        # end of the guide
"""
    before, after = PROJECT.split("    guide:", maxsplit=1)[0], PROJECT[PROJECT.index("\n    # the other one") :]
    assert project.file.read_text() == before + expected + after
    again = await project.run("sync")
    assert (again.code, "0 created, 0 updated" in again.out or "in sync" in again.out) == (0, True), again.out


async def test_a_mapping_on_one_line_stays_one(project: StoredProject) -> None:
    await project.change_stored("other", instructions="Say hello,\nthen go.", temperature=Decimal(0), metadata={})

    done = await project.run("pull", "--write")

    assert done.code == 0, done.err
    old = "other: {model: gpt-6-luna, instructions: Say hello., tools: [ file_search ], metadata: {a: b}}   # short"
    new = 'other: {model: gpt-6-luna, instructions: "Say hello,\\nthen go.", tools: [ file_search ], temperature: 0}'
    assert project.file.read_text() == replaced((old, f"{new}   # short"))


async def test_instructions_of_a_file_of_their_own_go_there(project: StoredProject) -> None:
    (project.root / "other.md").write_text("Say hello.\n")
    project.write(replaced(("instructions: Say hello.", "instructions_file: other.md")))
    before = project.file.read_text()
    await project.change_stored("other", instructions="Say ${nothing}.")

    done = await project.run("pull", "--write")

    assert (done.code, "wrote other.md: 1 value\n" in done.out) == (0, True), done.out + done.err
    assert (project.root / "other.md").read_text() == "Say ${nothing}.\n"
    assert project.file.read_text() == before


async def test_hostile_text_is_written_so_that_it_means_itself(project: StoredProject) -> None:
    hostile = "a: b # c\n${secret:HOME} \u202e\x1b[31m {{x}} 'y' \"z\" &a *b !c\n\n::error::x"
    await project.change_stored("guide", instructions=hostile)
    await project.change_stored("other", name="- *x: ${env:HOME} # 1")

    done = await project.run("pull", "--write")

    assert done.code == 0, done.err
    assert project.load("guide").instructions == hostile + "\n"
    assert project.load("other").name == "- *x: ${env:HOME} # 1"
    assert "\x1b" not in done.out + done.err


async def test_a_placeholder_is_not_overwritten_and_a_secret_not_written(project: StoredProject) -> None:
    project.environment["PULL_TOKEN"] = "correct-horse-battery"
    project.write(replaced(("team: blue", "team: '${secret:PULL_TOKEN}'")))
    assert (await project.run("sync")).code == 0
    await project.change_stored("guide", name="correct-horse-battery", metadata={"team": "x", "place": "north"})

    done = await project.run("pull", "--write")

    assert done.code == 3
    assert "guide: name is left as it was: a secret's value is in it" in done.out
    assert "guide: metadata.team is left as it was: a placeholder is in it, which would be lost" in done.out
    assert done.err.endswith("2 of 2 values have to be changed by hand\n")
    assert "correct-horse" not in done.out + done.err + project.file.read_text()


async def test_a_value_that_two_assistants_share_is_left_to_the_user(project: StoredProject) -> None:
    project.write(replaced(("metadata: {a: b}", "metadata: {a: b}, top_p: &p 0.5"), ("0.30", "*p")))
    text = project.file.read_text().replace("temperature: *p", "temperature: 0.5").replace("&p ", "")
    project.write(text.replace("'City Guide'", "&name Guide").replace("other: {model", "other: {name: *name, model"))
    before = project.file.read_text()
    assert (await project.run("sync")).code == 0
    await project.change_stored("guide", name="Another")

    done = await project.run("pull", "--write")

    assert done.code == 3
    assert "it has an anchor, by which it is used elsewhere too" in done.out
    assert project.file.read_text() == before


async def test_a_file_that_would_no_longer_load_is_put_back(project: StoredProject) -> None:
    (project.root / "facts.md").write_text("Facts.\n")
    project.write(replaced(("tools: [ file_search ]", "tools: [ file_search ], files: [facts.md]")))
    before = project.file.read_text()
    assert (await project.run("sync")).code == 0
    await project.change_stored("other", tools=())

    done = await project.run("pull", "other", "--write")

    assert done.code == 3
    assert "nothing was written: the file would no longer load" in done.err
    assert project.file.read_text() == before


async def test_windows_line_breaks_and_a_byte_order_mark_stay(project: StoredProject) -> None:
    project.write("\ufeff" + PROJECT.replace("\n", "\r\n"))
    await project.change_stored("guide", instructions="One.\nTwo.", top_p=Decimal("0.5"))

    done = await project.run("pull", "--write")

    assert done.code == 0, done.err
    raw = project.file.read_bytes().decode()
    assert raw.startswith("\ufeff#")
    assert raw.count("\n") == raw.count("\r\n")
    assert project.load("guide").top_p == Decimal("0.5")


async def test_what_is_not_stored_is_said(project: StoredProject) -> None:
    project.write(PROJECT.replace("# the end", "    new: {model: m}"))

    everything, named, unknown = [await project.run("pull", *one) for one in ((), ("new",), ("gide",))]

    assert (everything.code, "new: not stored there; `runner sync` creates it" in everything.out) == (0, True)
    assert (named.code, named.err) == (3, "runner: assistant 'new' is not stored on target 'embedded'\n")
    assert (unknown.code, "did you mean 'guide'?" in unknown.err) == (2, True)


async def test_tools_that_this_api_can_t_have_stay_in_the_file(project: StoredProject) -> None:
    project.write(replaced(("tools: [ file_search ]", "tools: [ file_search, web_search ]")))
    before = project.file.read_text()
    await project.change_stored("other", tools=(Tool(name=ToolName.CODE_INTERPRETER),))

    done = await project.run("pull", "other", "--write")

    assert "the file has tools that can't be there: web_search" in done.out + done.err
    assert project.file.read_text() == before
