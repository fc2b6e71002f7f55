"""Makes docs/capabilities.md: `python docs/make_capabilities.py > docs/capabilities.md`."""

from __future__ import annotations

from runner.domain.capabilities import Capabilities
from runner.plugins import load_plugin, plugin_names

HEAD = """# What each API can do

Made by `docs/make_capabilities.py` out of `runner/backends/`; don't edit it here.

What an assistant or a scenario needs and the target's API can't do is one error with file and line, from `runner play`,
`plan` and `sync`, before anything is sent. The embedded server speaks the same APIs, with the same limits.
"""


def main() -> None:
    columns: dict[str, Capabilities] = {}
    for name in plugin_names("runner.backends"):
        module = load_plugin("runner.backends", name)
        columns[f"`api: {name}`"] = module.CAPABILITIES
        if hasattr(module, "REPLAY_CAPABILITIES"):
            columns[f"`api: {name}`, `history: replay`"] = module.REPLAY_CAPABILITIES
    rows = {
        "keeps assistants": [_yes(one.stores_assistants) for one in columns.values()],
        "tools": [_words(one.tools) for one in columns.values()],
        "functions": [_yes(one.functions) for one in columns.values()],
        "`for: input` takes": [_words(one.input_types) for one in columns.values()],
        "settings": [_words(one.settings) for one in columns.values()],
    }
    lines = [f"| | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    print(HEAD + "\n" + "\n".join(lines))


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _words(words: frozenset[str]) -> str:
    return ", ".join(sorted(words)) or "none"


if __name__ == "__main__":
    main()
