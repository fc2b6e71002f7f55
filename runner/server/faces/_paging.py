"""Reads which page of a list is wanted."""

from __future__ import annotations

from runner.server.engine.paging import PageRequest
from runner.server.faces._bodies import Fields, read_number

PAGE_PARAMETERS = ("limit", "order", "after", "before")


def read_page(query: Fields, *, default: int = 20, most: int = 100) -> PageRequest:
    return PageRequest(
        limit=read_number(query, "limit", least=1, most=most) or default,
        newest_first=query.choice("order", ("asc", "desc")) != "asc",
        after=query.text("after"),
        before=query.text("before"),
    )
