"""Makes what README.md lists, each between two markers, out of what checks and verbs say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from runner.plugins import load_plugin, plugin_names

README = Path(__file__).parents[1] / "README.md"


def make() -> dict[str, str]:
    text = README.read_text(encoding="utf-8")
    for name, lines in (("checks", _checks()), ("verbs", _verbs())):
        table = "\n".join(lines)
        marked = re.compile(rf"(<!-- {name}: .*?-->\n).*?(\n<!-- end -->)", re.DOTALL)
        assert marked.search(text), f"README.md has no marker for the {name}"
        text = marked.sub(lambda found, table=table: found[1] + table + found[2], text)
    return {"README.md": text}


def _checks() -> Iterator[str]:
    names = ", ".join(f"`{name}`" for name in plugin_names("runner.checks"))
    yield f"The checks are {names}."


def _verbs() -> Iterator[str]:
    yield from ("| Verb | Does |", "|---|---|")
    for name in plugin_names("runner.cli"):
        command: click.Command = load_plugin("runner.cli", name).command
        _, *arguments = command.collect_usage_pieces(click.Context(command))
        usage = " ".join(["runner", name, *arguments]).replace("|", "\\|")
        yield f"| `{usage}` | {command.get_short_help_str(200)} |"
