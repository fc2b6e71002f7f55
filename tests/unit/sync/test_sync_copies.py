"""Play's temporary copies share nothing with what is synced, and go away."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sync_memory import (
    NAMESPACE,
    MemoryBackend,
    MemoryServer,
    losing_answer_of,
    make_assistant,
    make_file,
    refusing,
    sync,
)

from runner.domain.assistant import Assistant
from runner.domain.conversation import AssistantId
from runner.domain.files import FileUse
from runner.domain.plan import Kind
from runner.errors import DeadlineExceeded, UnclearOutcome
from runner.execution.stage import deploy_copy, deployment_if_identical
from runner.journal import Journal
from runner.sync import read_remote, remove_live
from runner.sync.tags import NAMESPACE as NAMESPACE_TAG
from runner.sync.tags import PLAY

TAGS = {NAMESPACE_TAG: str(NAMESPACE), PLAY: "20261123T113000Z-ab12cd"}


@pytest.fixture
def guide(tmp_path: Path) -> Assistant:
    table = make_file(tmp_path / "rates.csv", use=FileUse.CODE_INTERPRETER)
    return make_assistant(files=(make_file(tmp_path / "city.md"), table))


async def test_what_was_synced_is_used_where_it_is_identical(backend: MemoryBackend, guide: Assistant) -> None:
    await sync(backend, guide)
    (stored,) = backend.server.assistants.values()

    found = deployment_if_identical(guide, NAMESPACE, await read_remote(backend))

    assert found is not None
    assert found.assistant_id == stored.id
    assert (found.store_ids, found.code_file_ids) == (stored.store_ids, stored.code_file_ids)


async def test_an_assistant_that_differs_in_one_byte_of_a_file_is_not_identical(
    backend: MemoryBackend, guide: Assistant
) -> None:
    await sync(backend, guide)
    guide.files[0].path.write_text("other words")
    assert deployment_if_identical(guide, NAMESPACE, await read_remote(backend)) is None


async def test_an_assistant_that_somebody_edited_is_not_identical(backend: MemoryBackend, guide: Assistant) -> None:
    await sync(backend, guide)
    (stored,) = backend.server.assistants.values()
    backend.server.assistants[stored.id] = replace(stored, fields={**stored.fields, "instructions": "Be rude."})
    assert deployment_if_identical(guide, NAMESPACE, await read_remote(backend)) is None


async def test_a_copy_shares_no_file_with_what_is_synced_and_sync_does_not_bind_to_it(
    backend: MemoryBackend, guide: Assistant
) -> None:
    await sync(backend, guide)
    synced_files = set(backend.server.files)

    copy = await deploy_copy(guide, backend, TAGS, deadline_s=10)

    used = {*backend.server.stored[copy.store_ids[0]], *copy.code_file_ids}
    assert len(used) == 2
    assert not used & synced_files
    second = await sync(backend, guide)
    assert (second.writes, second.notes) == ([], ())


async def test_removing_what_a_play_made_leaves_what_was_there(
    backend: MemoryBackend, guide: Assistant, tmp_path: Path
) -> None:
    await sync(backend, guide)
    before = _count(backend.server)
    with Journal(tmp_path / "play.jsonl") as journal:
        playing = MemoryBackend(backend.server, journal)
        await deploy_copy(guide, playing, TAGS, deadline_s=10)
        assert _count(backend.server) > before

        assert await remove_live(playing, journal) == ()

        assert _count(backend.server) == before
        assert journal.live == ()
    assert (await sync(backend, guide)).writes == []


@pytest.mark.parametrize("call", ["create_store", "create_assistant"])
async def test_a_copy_whose_creation_was_not_confirmed_is_found_and_removed(
    backend: MemoryBackend, guide: Assistant, call: str
) -> None:
    backend.after = losing_answer_of(call)
    with pytest.raises(UnclearOutcome):
        await deploy_copy(guide, backend, TAGS, deadline_s=10)

    assert await remove_live(backend, backend.journal, sleep=_no_sleep) == ()
    assert _count(backend.server) == (0, 0, 0)


async def test_an_upload_that_was_not_confirmed_is_named_as_possibly_left(
    backend: MemoryBackend, guide: Assistant
) -> None:
    backend.after = losing_answer_of("upload_file")
    with pytest.raises(UnclearOutcome):
        await deploy_copy(guide, backend, TAGS, deadline_s=10)
    (line,) = await remove_live(backend, backend.journal, sleep=_no_sleep)
    assert "may be left on the server: the answer to its creation was lost" in line


async def test_what_sync_left_unconfirmed_is_never_removed(backend: MemoryBackend, guide: Assistant) -> None:
    backend.after = losing_answer_of("create_assistant")
    await sync(backend, guide)

    await remove_live(backend, _only_unclear(backend.journal), sleep=_no_sleep)

    assert len(backend.server.assistants) == 1


async def test_an_object_that_can_not_be_removed_is_named_and_the_others_go(
    backend: MemoryBackend, guide: Assistant
) -> None:
    await deploy_copy(guide, backend, TAGS, deadline_s=10)
    (stored,) = backend.server.assistants
    backend.before = refusing("delete_assistant")

    lines = await remove_live(backend, backend.journal)

    assert lines == (f"assistant {stored} could not be removed: while delete_assistant: the server failed",)
    assert _count(backend.server) == (1, 0, 0)
    assert backend.journal.live == ((Kind.ASSISTANT, AssistantId(stored)),)


async def test_a_copy_that_is_not_ready_in_time_says_so(backend: MemoryBackend, guide: Assistant) -> None:
    async def hang(_called: str) -> None:
        await asyncio.sleep(60)

    backend.before = hang
    with pytest.raises(DeadlineExceeded, match=r"a copy of 'guide' was not ready after 0.05 s"):
        await deploy_copy(guide, backend, TAGS, deadline_s=0.05)


def _count(server: MemoryServer) -> tuple[int, int, int]:
    return len(server.assistants), len(server.stores), len(server.files)


def _only_unclear(journal: Journal) -> Journal:
    """The journal as if everything that was confirmed had been removed already."""
    for kind, remote_id in journal.live:
        journal.deleted(kind, remote_id)
    return journal


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)
