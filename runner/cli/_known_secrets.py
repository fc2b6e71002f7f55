"""The secrets that a verb has come to know: what the program says at its end, of a bug too, is without them."""

from __future__ import annotations

from collections.abc import Iterable

import click


def keep_secret(values: Iterable[str]) -> None:
    """To be called by a verb as soon as it knows them."""
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.obj, set):
        context.obj.update(values)
