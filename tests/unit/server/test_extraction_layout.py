"""Lines from words with positions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.server.extraction._layout import Word, read_lines


def word(text: str, x: float, y: float, *, height: float = 10.0) -> Word:
    return Word(text, x, y, 5.0 * len(text), height)


def test_words_of_different_sizes_on_one_baseline_make_one_line() -> None:
    assert read_lines([word("TOTAL", 10, 100, height=14), word("39.25", 200, 99)]) == ["TOTAL 39.25"]


def test_close_lines_are_not_run_together() -> None:
    assert read_lines([word("Burger", 10, 100), word("Soda", 10, 92)]) == ["Burger", "Soda"]


def test_a_wide_distance_tells_of_a_new_paragraph() -> None:
    words = [word(text, 10, y) for text, y in [("a", 100), ("b", 88), ("c", 76), ("d", 40)]]
    assert read_lines(words) == ["a", "b", "c", "", "d"]


def test_two_address_blocks_beside_each_other_stay_in_rows() -> None:
    words = [word(text, x, 100 - 12 * row) for row in range(5) for x, text in [(10, "Name"), (300, "Invoice")]]
    assert read_lines(words) == ["Name Invoice"] * 5


def test_three_columns_are_read_from_left_to_right() -> None:
    line = ("some", "words", "of", "text", "here")
    words = [
        word(f"{text}{column}", column * 200 + 32.0 * place, 700 - 12 * row)
        for row in range(8)
        for column in range(3)
        for place, text in enumerate(line)
    ]
    expected = [" ".join(f"{text}{column}" for text in line) for column in range(3) for _ in range(8)]
    assert [text for text in read_lines(words) if text] == expected


def test_a_page_without_words_has_no_lines() -> None:
    assert read_lines([]) == []


@pytest.mark.slow
def test_a_page_made_to_be_slow_is_read_in_time() -> None:
    chance = random.Random(7)
    words = [word("abc", chance.uniform(0, 1e6), chance.uniform(0, 1e4)) for _ in range(50_000)]
    read_lines(words)


coordinates = st.floats(width=32)
anywhere = st.builds(Word, st.text(max_size=5), coordinates, coordinates, coordinates, coordinates)


@given(st.lists(anywhere, max_size=40))
def test_no_positions_make_the_layout_fail(words: list[Word]) -> None:
    assert all("\n" not in line or any("\n" in word.text for word in words) for line in read_lines(words))


@given(st.permutations(range(12)))
def test_the_order_of_drawing_does_not_matter(order: list[int]) -> None:
    words = [word(f"w{number}", 40.0 * (number % 3), 100 - 12.0 * (number // 3)) for number in range(12)]
    assert read_lines([words[number] for number in order]) == read_lines(words)
