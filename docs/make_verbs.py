"""Makes docs/verbs.md out of the command line itself."""

from __future__ import annotations

from inspect import cleandoc

import click

from runner.cli import root

HEAD = """# Verbs

Made by `docs/make_verbs.py` out of the command line; don't edit it here. `runner VERB --help` says the same.

A project is the nearest `assistants.yaml` from the current folder upwards; `-f FILE` names another, and `runner init`
makes the first. What each exit code means: [exit_codes.md](exit_codes.md).
"""


def make() -> dict[str, str]:
    context = click.Context(root, info_name="runner")
    verbs = [(name, root.get_command(context, name)) for name in root.list_commands(context)]
    return {"docs/verbs.md": "\n".join([HEAD, *(_describe(name, verb, context) for name, verb in verbs if verb)])}


def _describe(name: str, verb: click.Command, context: click.Context) -> str:
    own = click.Context(verb, info_name=name, parent=context)
    usage = " ".join(verb.collect_usage_pieces(own))
    rows = [row for option in verb.params if isinstance(option, click.Option) and (row := _row(option, own))]
    table = ["", "| Option | Meaning |", "|---|---|", *rows] if rows else []
    return "\n".join([f"## {name}\n\n`runner {name} {usage}`\n\n{_unwrap(cleandoc(verb.help or ''))}", *table, ""])


def _unwrap(text: str) -> str:
    """Paragraphs as they were written; a name in capitals or with an underscore is no markup."""
    return text.replace("\b\n", "").replace("*", "\\*").replace("<", "&lt;")


def _row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    if record is None:
        return ""
    names, meaning = (part.replace("|", "\\|") for part in record)
    return f"| `{names}` | {' '.join(meaning.split())} |"
