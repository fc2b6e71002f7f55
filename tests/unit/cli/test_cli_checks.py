"""`runner checks`: at the terminal, what docs/checks.md says."""

from __future__ import annotations

from pathlib import Path

import pytest
from verbs import Done, run_verb

from runner.plugins import load_plugin, plugin_names

NAMES = plugin_names("runner.checks")


def run(*arguments: str) -> Done:
    return run_verb(*arguments, cwd=Path.cwd(), environment={})


def test_all_checks_are_listed_and_each_is_explained_with_its_fields_and_examples() -> None:
    listed = run("checks")
    assert "names this file; `not_cites: '*'`\n" in listed.out
    assert (listed.code, listed.err) == (0, "")
    assert [line.split()[0] for line in listed.out.splitlines() if line[:1].strip()][:-1] == list(NAMES)
    for name in NAMES:
        told, module = run("checks", name).out, load_plugin("runner.checks", name)
        assert told.startswith(f"{name}: ")
        assert all(f"\n  {field}" in told for field in module.SCHEMA["properties"]), name
        assert all(f"\n  - {one.check}  # " in told for one in module.EXAMPLES), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("checks", "nubmer"), "runner: there is no check 'nubmer'; did you mean 'number'?"),
        (("checks", "icontains"), "runner: there is no check 'icontains'; write `contains: TEXT`"),
        (("checks", "soup"), "runner: there is no check 'soup'; `runner checks` lists them"),
        (("explain", "number"), "No such command 'explain'. Did you mean 'checks'?"),
        (("assertions",), "No such command 'assertions'. Did you mean 'checks'?"),
    ],
)
def test_a_wrong_word_leads_there(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert message in done.err
