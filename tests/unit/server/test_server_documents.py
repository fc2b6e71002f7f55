"""Files on their way through the engine: indexed or failed with a reason, found by meaning, written by code."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from engine_kit import Brain, ask, engine_at, keep, make_assistant, until

from runner.errors import UsageError
from runner.server.engine.containers import find_code_files
from runner.server.engine.core import Engine, need, open_engine
from runner.server.engine.documents import (
    NewStore,
    NewStoredFile,
    ResourceOrder,
    attach,
    attach_batch,
    create_store,
    search_store,
)
from runner.server.engine.runs.runs import RunOrder
from runner.server.engine.search import Index
from runner.server.engine.state.file_storage import Chunking, FileRecord, IndexState, StoredFileRecord, stored_file_id
from runner.server.engine.state.records import MessageRecord, PathMark, RunState, StepRecord, TextPart, ToolCall
from runner.server.engine.state.store import Refusal
from runner.server.faces.assistants_api.messages import insert_marks
from runner.server.inference import Answer, EmbeddingFailed, Move, Scene, SourceMark, ToolRequest, UseTools, Vector
from runner.server.tools import ToolSettings

TOPICS = ("dog", "ship", "bread")
SAME = {"hound": "dog", "boat": "ship", "loaf": "bread"}


class TopicEmbedder:
    """A vector per text: how often each topic occurs in it, by whatever word."""

    def __init__(self) -> None:
        self.broken = False
        self.asked: list[int] = []

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        if self.broken:
            raise EmbeddingFailed("connection refused")
        self.asked.append(len(texts))
        return [Vector(model="topics", values=tuple(map(float, self._count(text)))) for text in texts]

    def _count(self, text: str) -> list[int]:
        words = [SAME.get(word, word) for word in text.lower().replace(".", " ").split()]
        return [words.count(topic) for topic in TOPICS]


class EmbeddingBrain(Brain):
    def __init__(self) -> None:
        super().__init__()
        self.embedder = TopicEmbedder()


async def settled(engine: Engine, store_id: str, file_id: str) -> StoredFileRecord:
    def find() -> StoredFileRecord:
        return need(engine, StoredFileRecord, stored_file_id(store_id, file_id))

    await until(lambda: find().state is not IndexState.IN_PROGRESS)
    return find()


async def put(engine: Engine, name: str, content: bytes, chunking: Chunking | None = None) -> StoredFileRecord:
    file = await keep(engine, name, content)
    order = NewStoredFile(file_id=file.id, chunking=chunking or Chunking())
    store = create_store(engine, NewStore(files=(order,)))
    return await settled(engine, store.id, file.id)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.docx", b"", "it is empty"),
        ("blank.txt", b" \n", "it holds no text"),
        ("broken.pdf", b"no PDF " * 50, "malformed"),
        ("broken.pptx", b"PK\x03\x04 no more", "malformed"),
        ("image.md", b"\x89PNG\r\n\x1a\n\0\0", "it isn't"),
    ],
)
@pytest.mark.slow
async def test_a_file_that_can_not_be_read_is_failed_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    async with engine_at(tmp_path) as engine:
        stored = await put(engine, name, content)
        assert stored.state is IndexState.FAILED
        assert stored.failure is not None
        assert stored.failure.code == "invalid_file"
        assert reason in stored.failure.message
        assert await search_store(engine, stored.store_id, ("PNG PDF",)) == ()


async def test_a_word_document_is_found_by_its_words(tmp_path: Path) -> None:
    from docx import Document  # slow, and imported wherever tests are collected

    menu = Document()
    menu.add_paragraph("Burger 23.75")
    menu.add_paragraph("Soda 15.50")
    menu.save(str(tmp_path / "menu.docx"))
    async with engine_at(tmp_path / "state") as engine:
        stored = await put(engine, "menu.docx", (tmp_path / "menu.docx").read_bytes())
        found = await search_store(engine, stored.store_id, ("burger",))
    assert [passage.text for passage in found] == ["Burger 23.75\nSoda 15.50"]


async def test_a_content_that_is_lost_is_the_servers_error(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        file = await keep(engine, "menu.txt", b"Burger")
        engine.blobs.remove(file.sha256)
        stored = await settled(
            engine, create_store(engine, NewStore(files=(NewStoredFile(file_id=file.id),))).id, file.id
        )
        assert stored.failure is not None
        assert stored.failure.code == "server_error"


async def test_a_type_that_is_not_taken_is_refused_when_it_is_attached(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        good, bad, plain = [await keep(engine, name, b"x") for name in ("a.md", "b.csv", "README")]
        store = create_store(engine, NewStore())
        with pytest.raises(Refusal) as refused:
            attach(engine, store.id, [NewStoredFile(file_id=one.id) for one in (good, bad, plain)])
        assert str(refused.value).startswith("Files with extensions [.csv, none] are not supported for retrieval.")
        assert (refused.value.code, refused.value.param) == ("unsupported_file", "file_ids")
        assert engine.store.children(StoredFileRecord, store.id) == ()


async def test_of_a_batch_a_type_that_is_not_taken_is_failed(tmp_path: Path) -> None:
    async with engine_at(tmp_path) as engine:
        file = await keep(engine, "b.csv", b"x")
        store = create_store(engine, NewStore())
        attach_batch(engine, store.id, [NewStoredFile(file_id=file.id)])
        stored = await settled(engine, store.id, file.id)
        assert stored.failure is not None
        assert (stored.failure.code, stored.failure.message) == ("unsupported_file", "The file type is not supported.")


async def test_the_chunking_strategy_says_how_large_passages_are(tmp_path: Path) -> None:
    text = "".join(f"Line {number} about burgers.\n" for number in range(200)).encode()
    async with engine_at(tmp_path) as engine:
        small = await put(engine, "a.txt", text, Chunking(max_tokens=100, overlap_tokens=0))
        large = await put(engine, "a.txt", text, Chunking(max_tokens=4096, overlap_tokens=0))
        assert len(await search_store(engine, small.store_id, ("burgers",), limit=50)) > 10
        assert len(await search_store(engine, large.store_id, ("burgers",), limit=50)) == 1


async def test_a_passage_is_found_by_its_meaning(tmp_path: Path) -> None:
    async with engine_at(tmp_path, EmbeddingBrain()) as engine:
        stored = await put(engine, "a.txt", b"The old boat sails at nine.")
        found = await search_store(engine, stored.store_id, ("ship",))
        assert [passage.text for passage in found] == ["The old boat sails at nine."]
        assert 0 < found[0].score <= 1
        assert await search_store(engine, stored.store_id, ("bread",)) == ()


async def test_what_both_searches_find_comes_first_with_the_full_score(tmp_path: Path) -> None:
    lines = "\n".join(("hound " * 70, "ship sails " * 70, "boat " * 70)).encode()
    async with engine_at(tmp_path, EmbeddingBrain()) as engine:
        stored = await put(engine, "a.txt", lines, Chunking(max_tokens=100, overlap_tokens=0))
        found = await search_store(engine, stored.store_id, ("ship sails",))
        assert found[0].text.startswith("ship sails")
        assert any(passage.text.startswith("boat") for passage in found)
        assert not any(passage.text.startswith("hound") for passage in found)
        assert all(0 < passage.score <= 1 for passage in found)


async def test_without_vectors_at_indexing_a_file_is_searched_by_keywords(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    brain = EmbeddingBrain()
    brain.embedder.broken = True
    with caplog.at_level(logging.WARNING, "runner.server"):
        async with engine_at(tmp_path, brain) as engine:
            stored = await put(engine, "a.txt", b"The old boat sails at nine.")
            brain.embedder.broken = False
            assert stored.state is IndexState.COMPLETED
            assert await search_store(engine, stored.store_id, ("ship",)) == ()
            assert len(await search_store(engine, stored.store_id, ("boat",))) == 1
    assert "connection refused" in caplog.text


async def test_without_vectors_at_the_search_keywords_alone_count(tmp_path: Path) -> None:
    brain = EmbeddingBrain()
    async with engine_at(tmp_path, brain) as engine:
        stored = await put(engine, "a.txt", b"The old boat sails at nine.")
        brain.embedder.broken = True
        assert await search_store(engine, stored.store_id, ("ship",)) == ()
        assert len(await search_store(engine, stored.store_id, ("boat",))) == 1


async def test_vectors_are_asked_for_in_batches(tmp_path: Path) -> None:
    brain = EmbeddingBrain()
    text = "".join(f"Line {number} about the ship and its bread and more.\n" for number in range(2_000)).encode()
    async with engine_at(tmp_path, brain) as engine:
        await put(engine, "a.txt", text, Chunking(max_tokens=100, overlap_tokens=0))
    assert len(brain.embedder.asked) > 1
    assert max(brain.embedder.asked) == 64


def test_vectors_of_another_model_or_of_removed_chunks_are_not_compared(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.db")
    vector = Vector(model="topics", values=(0.0, 1.0))
    index.put("vs", "f", "a.txt", ["boat"], [vector])
    assert len(index.search(["vs"], "ship", 5, meaning=vector)) == 1
    assert index.search(["vs"], "ship", 5, ["g"], meaning=vector) == ()
    assert index.search(["vs"], "ship", 5, meaning=Vector(model="other", values=(0.0, 1.0))) == ()
    assert index.search(["vs"], "ship", 5, meaning=Vector(model="topics", values=(1.0, 2.0, 3.0))) == ()
    index.remove("vs", "f")
    index.put("vs", "f", "a.txt", ["boat"])
    assert index.search(["vs"], "ship", 5, meaning=vector) == ()
    index.close()


def writes_a_file(scene: Scene) -> Move:
    if not scene.outcomes:
        code = "with open('bill 1.csv', 'w') as f:\n    f.write('Burger,23.75\\n')"
        return UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": code}),))
    return Answer(text="Here: [bill](sandbox:/mnt/data/bill%201.csv), not sandbox:/mnt/data/other.csv.")


async def test_a_file_that_code_wrote_is_kept_and_found_in_the_answer(tmp_path: Path) -> None:
    async with engine_at(tmp_path, Brain(writes_a_file)) as engine:
        run = await ask(engine, RunOrder(assistant_id=make_assistant(engine, "code_interpreter").id), "Write it")
        (call,) = engine.store.children(StepRecord, run.id)[0].calls
        part = engine.store.children(MessageRecord, run.thread_id)[-1].parts[0]
        assert isinstance(call, ToolCall)
        assert isinstance(part, TextPart)
        (kept,) = call.files
        file = need(engine, FileRecord, kept.file_id)
        content = engine.blobs.path(file.sha256).read_bytes()

    assert (file.filename, file.purpose, content) == ("bill 1.csv", "assistants_output", b"Burger,23.75\n")
    address = "sandbox:/mnt/data/bill%201.csv"
    assert part.paths == (PathMark(position=part.text.index(address), text=address, file_id=kept.file_id),)


async def test_two_files_that_code_would_see_under_one_name_are_both_there(tmp_path: Path) -> None:
    async with engine_at(tmp_path, Brain()) as engine:
        files = [await keep(engine, f"{folder}/bill.csv", folder.encode()) for folder in ("june", "july")]
        resources = ResourceOrder(code_file_ids=tuple(file.id for file in files))
        guide = make_assistant(engine, "code_interpreter", resources=resources)
        run = await ask(engine, RunOrder(assistant_id=guide.id), "What is there?")
        given, _ = find_code_files(engine, run, None)

    assert {name: path.read_bytes() for name, path in given.items()} == {
        "bill.csv": b"june",
        f"{files[1].id}-bill.csv": b"july",
    }


async def test_a_disk_that_is_full_loses_no_file_of_the_code_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def receive(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with engine_at(tmp_path, Brain(writes_a_file)) as engine:
        monkeypatch.setattr(engine.blobs, "receive", receive)
        run = await ask(engine, RunOrder(assistant_id=make_assistant(engine, "code_interpreter").id), "Write it")

    assert run.state is RunState.FAILED


def test_a_path_is_annotated_where_it_stands_after_the_marks_before_it() -> None:
    address = "sandbox:/mnt/data/a.csv"
    source = SourceMark(position=4, file_id="file-1", filename="menu.pdf")
    path = PathMark(position=6, text=address, file_id="file-2")
    text, annotations = insert_marks(TextPart(text=f"Menu, {address}.", sources=(source,), paths=(path,)))
    start = text.index(address)
    assert [one["type"] for one in annotations] == ["file_citation", "file_path"]
    assert annotations[1] == {
        "type": "file_path",
        "text": address,
        "start_index": start,
        "end_index": start + len(address),
        "file_path": {"file_id": "file-2"},
    }


async def test_an_engine_with_a_sandbox_that_is_not_there_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown sandbox 'docker'"):
        async with open_engine(tmp_path, Brain(), tools=ToolSettings(sandbox="docker")):
            raise AssertionError("it opened")
