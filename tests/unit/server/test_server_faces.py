"""Between the wire and the engine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.server.engine.state.records import TextPart
from runner.server.faces.assistants_api.assistants import read_chunking
from runner.server.faces.assistants_api.messages import insert_marks, read_message
from runner.server.inference import SourceMark
from runner.server.wire.fields import BadRequest, Fields
from runner.server.wire.replies import poll_pace_ms


def mark(position: int, file_id: str = "file-1", filename: str = "menu.pdf") -> SourceMark:
    return SourceMark(position=position, file_id=file_id, filename=filename)


def test_marks_stand_where_the_sources_are_and_count_files() -> None:
    part = TextPart(text="A b.", sources=(mark(3), mark(1, "file-2", "map.md"), mark(4)))
    text, annotations = insert_marks(part)

    assert text == "A【4:0†map.md】 b【4:1†menu.pdf】.【4:1†menu.pdf】"
    assert [one["file_citation"] for one in annotations] == [
        {"file_id": "file-2"},
        {"file_id": "file-1"},
        {"file_id": "file-1"},
    ]


@given(st.text(), st.lists(st.integers(0, 50), max_size=5))
def test_text_without_its_annotations_is_the_text_that_was_written(text: str, positions: list[int]) -> None:
    sources = tuple(mark(min(position, len(text))) for position in positions)
    marked, annotations = insert_marks(TextPart(text=text, sources=sources))

    for annotation in reversed(annotations):
        start, end = annotation["start_index"], annotation["end_index"]
        assert isinstance(start, int)
        assert isinstance(end, int)
        assert marked[start:end] == annotation["text"]
        marked = marked[:start] + marked[end:]
    assert marked == text


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"content": "x"}, "role"),
        ({"role": "system", "content": "x"}, "role"),
        ({"role": "user"}, "content"),
        ({"role": "user", "content": " "}, None),
        ({"role": "user", "content": []}, None),
        ({"role": "user", "content": 7}, "content"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///a"}}]}, None),
        ({"role": "user", "content": "x", "attachments": [{"file_id": "f", "tools": []}]}, "attachments[0].tools"),
        ({"role": "user", "content": "x", "attachments": [{"tools": [{"type": "file_search"}]}]}, None),
        ({"role": "user", "content": "x", "metadata": {"k": 1}}, "metadata.k"),
        ({"role": "user", "content": "x", "metadata": [1]}, "metadata"),
    ],
)
def test_a_wrong_message_is_refused(message: dict[str, object], param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        read_message(Fields(message))

    assert param is None or refused.value.param == param


def test_a_boolean_is_no_number() -> None:
    with pytest.raises(BadRequest, match="expected an integer, but got a boolean"):
        Fields({"days": True}).integer("days", least=1)
    with pytest.raises(BadRequest, match="expected a decimal, but got a boolean"):
        Fields({"top_p": True}).number("top_p", least=0.0, most=1.0)


def test_chunks_may_overlap_by_half_at_most() -> None:
    static = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 101}
    with pytest.raises(BadRequest, match="<= 100, but got 101"):
        read_chunking(Fields({"chunking_strategy": {"type": "static", "static": static}}))


@pytest.mark.parametrize(("age_s", "pace_ms"), [(-1.0, 10), (0.0, 10), (0.4, 100), (3600.0, 1000)])
def test_the_pace_of_polling_follows_the_age_of_the_work(age_s: float, pace_ms: int) -> None:
    assert poll_pace_ms(age_s) == pace_ms
