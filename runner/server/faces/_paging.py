"""Reads which page of a list is wanted."""

from __future__ import annotations

from runner.server.engine.paging import PageRequest
from runner.server.faces._bodies import Fields

PAGE_PARAMETERS = ("limit", "order", "after", "before")


def read_page(query: Fields, *, default: int = 20, most: int = 100) -> PageRequest:
    return PageRequest(
        limit=_limit(query, default, most),
        newest_first=query.choice("order", ("asc", "desc")) != "asc",
        after=query.text("after"),
        before=query.text("before"),
    )


def _limit(query: Fields, default: int, most: int) -> int:
    text = query.text("limit")
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError as error:
        raise query.invalid("limit", f"expected an integer, but got '{text}' instead.", "invalid_type") from error
    return Fields({"limit": number}).integer("limit", least=1, most=most) or default
