"""Hundreds of cases in one test: each as a test of its own costs three times what judging a sentence does."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

import pytest


def each(names: str | tuple[str, ...], cases: Collection[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize`, in one test; all cases that fail are named, each with what went wrong."""
    fields = (names,) if isinstance(names, str) else names

    def in_one(test: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(test)

        @functools.wraps(test)
        def run_all(**others: Any) -> None:
            failed: list[BaseException] = []
            for case in cases:
                given = dict(zip(fields, (case,) if isinstance(names, str) else case, strict=True))
                try:
                    test(**others, **given)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - told below, with its case
                    error.add_note(f"the case: {given}")
                    failed.append(error)
            if failed:
                raise BaseExceptionGroup(f"{len(failed)} of {len(cases)} cases", failed)

        others = [one for one in signature.parameters.values() if one.name not in fields]
        run_all.__dict__["__signature__"] = signature.replace(parameters=others)
        return run_all

    return in_one
