"""Makes docs/capabilities.md out of what the backends say that they can do."""

from __future__ import annotations

from collections.abc import Iterator

from runner.backends import Capabilities
from runner.cli._targets import find_capabilities
from runner.domain.assistant import History, Server, Target
from runner.domain.files import IMAGE_TYPES
from runner.errors import Location
from runner.plugins import load_plugin, plugin_names

HEAD = """# What each API can do

Made by `docs/make_capabilities.py` out of `runner/backends/`; don't edit it here.

What an assistant or a scenario needs and the target's API can't do is one error with file and line, from `runner play`,
`plan` and `sync`, before anything is sent. The embedded server speaks the same APIs with the same limits; it has the
tools that it brings along, and reads the files that it can take the text out of.
"""


def make() -> dict[str, str]:
    columns = dict(_columns())
    rows = {
        "keeps assistants": [_yes(one.stores_assistants) for one in columns.values()],
        "tools": [_words(one.tools) for one in columns.values()],
        "functions": [_yes(one.functions) for one in columns.values()],
        "`for: input` takes": [_words(one.input_types) for one in columns.values()],
        "documents for it, in one turn": [_size(one) for one in columns.values()],
        "settings": [_words(one.settings) for one in columns.values()],
        "`max_output_tokens` at least": [str(one.least_output_tokens) for one in columns.values()],
    }
    lines = [f"| | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    choices = (
        f"- `api: {api}`, if {load_plugin('runner.backends', api).CHOOSE_IT_WHEN}."
        for api in plugin_names("runner.backends")
    )
    text = "\n".join((HEAD, *lines, "", "Which one to choose:", "", *choices))
    return {"docs/capabilities.md": f"{text}\n"}


def _columns() -> Iterator[tuple[str, Capabilities]]:
    for api in plugin_names("runner.backends"):
        elsewhere = find_capabilities(_target(api))
        embedded = find_capabilities(_target(api, server=Server.EMBEDDED))
        yield f"`api: {api}`", elsewhere
        if embedded != elsewhere:
            yield f"`api: {api}`, `server: embedded`", embedded
        if hasattr(load_plugin("runner.backends", api), "REPLAY_CAPABILITIES"):
            yield f"`api: {api}`, `history: replay`", find_capabilities(_target(api, history=History.REPLAY))


def _target(api: str, *, server: Server = Server.BASE_URL, history: History = History.CONVERSATION) -> Target:
    return Target(name=api, api=api, server=server, history=history, location=Location("", 1, 1))


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _words(words: frozenset[str]) -> str:
    return ", ".join(sorted(words)) or "none"


def _size(capabilities: Capabilities) -> str:
    """Of documents; images are counted otherwise."""
    if not capabilities.input_types - IMAGE_TYPES:
        return "none"
    return "any size" if capabilities.input_bytes is None else f"{capabilities.input_bytes // (1024 * 1024)} MB"
