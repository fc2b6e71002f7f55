"""Whatever is in a request: the Python that is printed has the same value, and no secret in it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.assistant import Address, Assistant, Server, Target
from runner.errors import Location
from runner.exporting import Export
from runner.exporting._python_code import write
from runner.plugins import load_plugin, plugin_names

HERE = Location("assistants.yaml", 1, 1)
ASSISTANT = Assistant(address=Address("guide"), location=HERE, name="Guide", model="m")
TARGET = Target(name="openai", api="responses", server=Server.OPENAI, location=HERE, key_variable="OPENAI_API_KEY")
SECRETS = {"first-line\nsecond-line": "TWO_LINES", "second-line of text": "LONGER", "second-line": "SHORTER"}
TEXTS = st.lists(st.sampled_from([*SECRETS, "\n", '"', "\\", "'''", "é", "\u202e", "\U0001f600", "a"])).map("".join)
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=5), values, max_size=4),
    max_leaves=12,
)


def exporting(**body: object) -> Export:
    return Export(assistant=ASSISTANT, target=TARGET, body={"model": "m", **body}, secrets=SECRETS)


@given(VALUES)
def test_the_python_that_is_written_has_the_value(value: object) -> None:
    written = write(value, exporting(), depth=2)
    known = {name: secret for secret, name in SECRETS.items()}
    assert eval(written, {"os": SimpleNamespace(environ=known)}) == value  # noqa: S307
    assert "second-line" not in written


@pytest.mark.parametrize("name", plugin_names("runner.exporting"))
def test_a_secret_of_several_lines_is_not_printed(name: str) -> None:
    export = exporting(instructions="Say:\nfirst-line\nsecond-line\nor second-line.")
    text = load_plugin("runner.exporting", name).render(export)
    assert "second-line" not in text
    assert "TWO_LINES" in text


def test_json_is_the_body() -> None:
    body = {"instructions": "Say \u202e\n'hi'.", "tools": [], "temperature": 0.2}
    assert json.loads(load_plugin("runner.exporting", "json").render(exporting(**body))) == {"model": "m", **body}


@pytest.mark.parametrize("name", plugin_names("runner.exporting"))
def test_a_format_says_in_one_sentence_what_it_is_and_stands_in_the_docs(name: str) -> None:
    assert (load_plugin("runner.exporting", name).__doc__ or "").strip().endswith(".")
    page = (Path(__file__).parents[2] / "docs/export.md").read_text("utf-8")
    assert f"| `{name.replace('_', '-')}` |" in page
