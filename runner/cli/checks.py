"""`runner checks`: what an answer can be held to, as the checks say of themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import click

_LONGEST_ANSWER = 90
# A dot or colon inside of backticks is code.
_FIRST_CLAUSE = re.compile(r"(?:`[^`]*`|(?!(?<!\d)\. |: ).)*", re.DOTALL)


@click.command(name="checks", short_help="List the checks, or explain one.")
@click.argument("name", required=False)
@click.pass_context
def command(context: click.Context, name: str | None) -> None:
    """List the checks that may stand under `expect`, or explain the one called NAME: its fields, and examples."""
    from runner.checks._packages import load_check
    from runner.config.expectations import find_fault
    from runner.config.familiar_words import advise_on_check
    from runner.did_you_mean import quote, suggest
    from runner.errors import UsageError
    from runner.plugins import plugin_names

    names = plugin_names("runner.checks")
    shown = context.make_formatter()
    if name is None:
        told = {one: find_fault(one) or _first_clause(load_check(one).SCHEMA["description"]) for one in names}
        shown.write_dl(list(told.items()))
        shown.write("\n`runner checks NAME` explains one.\n")
    elif name in names:
        module = load_check(name)
        shown.write_text(f"{name}: {module.SCHEMA['description']}")
        with shown.section(f"Fields; `{name}: VALUE` sets the one with *"):
            shown.write_dl([(field, f"{meaning} [{value}]") for field, value, meaning in describe_fields(module)])
        shown.write("\nexpect:\n" + "".join(f"  {line}\n" for line in show_examples(module)))
    else:
        hint = advise_on_check(name) or suggest(name, names) or "`runner checks` lists them"
        raise UsageError(f"there is no check {quote(name)}; {hint}")
    click.echo(shown.getvalue().lstrip("\n"), nl=False)


def _first_clause(text: str) -> str:
    found = _FIRST_CLAUSE.match(text)
    return found[0].rstrip(".") if found else text


def describe_fields(module: Any) -> Iterator[tuple[str, str, str]]:
    """Name, kind of value and meaning of each parameter of a check; the main field's name ends with a `*`."""
    from runner.checks import EXPECTATIONS

    schema: Mapping[str, Any]
    for field, schema in module.SCHEMA["properties"].items():
        is_parts = schema.get("format") == EXPECTATIONS
        kind = schema.get("type", "anything")  # a package's may have none
        kinds = kind if isinstance(kind, list) else [kind]
        kinds = ["a check or a list of checks"] if is_parts else kinds
        value = ", ".join(map(str, schema["enum"])) if isinstance(schema.get("enum"), list) else " or ".join(kinds)
        default = f" (default {str(schema['default']).lower()})" if "default" in schema else ""
        yield field + "*" * (field == module.MAIN_FIELD), value + default, str(schema["description"])


def show_examples(module: Any) -> Iterator[str]:
    """What passes and what doesn't, each to be copied under `expect`, on which answer where that is a short text."""
    from runner.checks import BREAKS, FAILS, PASSES

    words = {PASSES: "passes", FAILS: "fails", BREAKS: "is an error"}
    for one in module.EXAMPLES:
        is_short = isinstance(one.answer, str) and len(one.answer) <= _LONGEST_ANSWER
        on = f" on {json.dumps(one.answer, ensure_ascii=False)}" if is_short else ""
        yield f"- {one.check}  # {words[one.outcome]}{on}"
