"""Texts cut into chunks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.server.extraction import split_into_chunks


def numbered_lines(count: int, words: int = 10) -> str:
    return "\n".join(" ".join(f"l{line}w{word}" for word in range(words)) for line in range(count))


def test_a_short_text_is_one_chunk_as_it_stands() -> None:
    assert split_into_chunks("\nReceipt\n\n  Burger  23.75\nSoda 15.50\n\n", 800, 400) == (
        "Receipt\n\n  Burger  23.75\nSoda 15.50",
    )


@pytest.mark.parametrize("text", ["", "\n \n\t"])
def test_a_blank_text_has_no_chunks(text: str) -> None:
    assert split_into_chunks(text, 800, 400) == ()


def test_chunks_are_of_600_words_and_overlap_by_300() -> None:
    chunks = split_into_chunks(numbered_lines(200), 800, 400)
    assert {len(chunk.split()) for chunk in chunks[:-1]} == {600}
    for before, after in pairwise(chunks):
        assert after.split()[:300] == before.split()[-300:]


def test_lines_stay_whole() -> None:
    text = numbered_lines(500, words=7)
    lines = set(text.splitlines())
    assert all(line in lines for chunk in split_into_chunks(text, 200, 50) for line in chunk.splitlines())


def test_a_text_without_line_ends_is_cut_between_words_and_still_overlaps() -> None:
    words = [f"w{number}" for number in range(3_000)]
    chunks = split_into_chunks(" ".join(words), 800, 400)
    assert all(len(chunk.split()) <= 600 for chunk in chunks)
    assert all(set(before.split()) & set(after.split()) for before, after in pairwise(chunks))
    assert {word for chunk in chunks for word in chunk.split()} == set(words)


def test_a_text_without_spaces_is_cut_too() -> None:
    chunks = split_into_chunks("字" * 100_000, 800, 400)
    assert len(chunks) > 5
    assert max(map(len, chunks)) <= 600 * 20


texts = st.lists(st.sampled_from(["word", "x" * 70, " ", "  ", "\n", "\n\n", "\t"]), max_size=200).map("".join)


@given(texts, st.integers(4, 100), st.integers(0, 50))
def test_nothing_is_lost_and_it_always_ends(text: str, max_tokens: int, overlap_tokens: int) -> None:
    chunks = split_into_chunks(text, max_tokens, min(overlap_tokens, max_tokens // 2))
    found = "".join(chunks)
    assert all(chunk.strip() for chunk in chunks)
    assert found.count("word") >= text.count("word")
    assert bool(chunks) == bool(text.strip())
