"""`runner adopt` against a real server: what it takes over, and what it leaves to others."""

from pathlib import Path

import pytest
from stored_project import StoredProject

PROJECT = """\
version: 1
namespace: adopt-test-1
assistants:
  guide: {model: gpt-6-luna, name: Guide, instructions: Be short.}
  other: {model: gpt-6-luna}
"""


@pytest.fixture
def project(tmp_path: Path) -> StoredProject:
    project = StoredProject(tmp_path)
    project.write(PROJECT)
    return project


async def test_only_tags_are_written_and_the_next_sync_is_announced(project: StoredProject) -> None:
    stray = await project.store_stray("guide", {"team": "blue"}, name="Old Guide", instructions="Be long.")

    adopted = await project.run("adopt", "guide", stray)

    assert (adopted.code, adopted.err) == (0, "")
    assert f"assistant guide: adopted {stray} ('Old Guide'); only its tags were written\n" in adopted.out
    assert "update assistant guide (name, instructions)\n" in adopted.out
    assert "name: Old Guide -> Guide\n" in adopted.out
    (stored,) = await project.stored()
    assert (stored.name, stored.fields["instructions"]) == ("Old Guide", "Be long.")
    assert stored.metadata == {"team": "blue", "runner.namespace": "adopt-test-1", "runner.address": "guide"}
    assert (await project.run("sync")).code == 0
    assert sorted(one.name for one in await project.stored()) == ["Guide", "other"]


async def test_its_values_can_be_pulled_instead(project: StoredProject) -> None:
    stray = await project.store_stray("guide", {}, name="Old Guide")
    assert (await project.run("adopt", "guide", stray)).code == 0

    assert (await project.run("pull", "guide", "--write")).code == 0

    again = await project.run("adopt", "guide", stray)
    assert (again.code, f"{stray} stands for it already; nothing was written" in again.out) == (0, True)
    assert "`runner sync` has nothing to change" in again.out
    assert project.load("guide").name == "Old Guide"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (
            {"runner.namespace": "theirs-1", "runner.address": "helper"},
            "belongs to the namespace 'theirs-1', as 'helper'",
        ),
        ({"runner.namespace": "adopt-test-1", "runner.address": "other"}, "stands for 'other', which this file"),
        ({"runner.namespace": "adopt-test-1", "runner.play": "p1"}, "is the temporary copy of a play"),
        (
            {f"k{number}": "v" for number in range(13)},
            "has 13 metadata keys; the API takes 16, of which runner needs 4",
        ),
    ],
)
async def test_what_belongs_to_others_or_has_no_room_is_refused(
    project: StoredProject, metadata: dict[str, str], reason: str
) -> None:
    stray = await project.store_stray("guide", metadata)

    done = await project.run("adopt", "guide", stray)

    assert done.code == 4
    assert done.err.startswith(f"runner: {stray} ")
    assert reason in done.err
    (stored,) = await project.stored()
    assert stored.metadata == metadata


async def test_an_address_that_is_bound_stays_bound(project: StoredProject) -> None:
    assert (await project.run("sync")).code == 0
    stray = await project.store_stray("guide", {})

    done = await project.run("adopt", "guide", stray)

    (bound,) = [one.id for one in await project.stored() if one.metadata.get("runner.address") == "guide"]
    assert (done.code, f"'guide' is bound to {bound} already" in done.err) == (4, True)


async def test_one_of_ours_whose_address_has_gone_gets_the_new_one(project: StoredProject) -> None:
    assert (await project.run("sync")).code == 0
    (old,) = [one.id for one in await project.stored() if one.metadata["runner.address"] == "guide"]
    project.write(PROJECT.replace("guide:", "city-guide:"))

    done = await project.run("adopt", "city-guide", old)

    assert done.code == 0, done.err
    assert (await project.run("sync")).code == 0
    assert sorted(one.metadata["runner.address"] for one in await project.stored()) == ["city-guide", "other"]


async def test_an_unknown_id_or_address_is_named(project: StoredProject) -> None:
    unknown, undeclared = await project.run("adopt", "guide", "asst_\x1b[1mno"), await project.run("adopt", "gide", "a")

    assert (unknown.code, unknown.err) == (
        3,
        "runner: there is no assistant 'asst_\\x1b[1mno' on this target (it has 0)\n",
    )
    assert (undeclared.code, "did you mean 'guide'?" in undeclared.err) == (2, True)


async def test_a_name_stands_for_the_one_that_has_it(project: StoredProject) -> None:
    stray = await project.store_stray("guide", {}, name="Old Guide")
    await project.store_stray("guide", {}, name=stray)
    await project.store_stray("guide", {"runner.namespace": "adopt-test-1", "runner.play": "p1"}, name="Old Guide")

    near = await project.run("adopt", "guide", "old guide")
    by_name = await project.run("adopt", "guide", "Old Guide")
    by_id = await project.run("adopt", "guide", stray)

    assert near.code == 3
    assert "there is no assistant 'old guide' on this target (it has 3); did you mean 'Old Guide'?" in near.err
    assert (by_name.code, f"adopted {stray} ('Old Guide')" in by_name.out) == (0, True), by_name.err
    assert (by_id.code, f"{stray} stands for it already" in by_id.out) == (0, True), by_id.err


async def test_a_name_that_several_have_is_refused_with_their_ids(project: StoredProject) -> None:
    theirs = {"runner.namespace": "theirs-1", "runner.address": "helper"}
    first, second = await project.store_stray("guide", {}), await project.store_stray("guide", theirs)

    done = await project.run("adopt", "guide", "Guide")

    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("runner: 2 assistants are called 'Guide', so name one by its id: ")
    assert done.err.count(first) == 1
    assert f"{second} ('helper' of theirs-1)" in done.err
    assert {one.id: one.metadata for one in await project.stored()} == {first: {}, second: theirs}
