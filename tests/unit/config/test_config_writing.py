"""Single values changed in a text, everything else left as it is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.writing import FieldEdit, Unwritable, add_assistants, edit_assistant, find_instructions_file
from runner.domain.assistant import Tool, ToolName
from runner.yaml_text import MapNode, TextNode, parse_yaml

BLOCK = """\
assistants:
  guide:
    model: m  # small
    instructions: >-
      Be
      kind.
    # about the tools
    tools:
      - file_search  # to search
"""
FLOW = "assistants: {guide: {model: m, instructions: 'Be kind.', metadata: {a: b}}}  # end\n"
TEXTS = st.text(max_size=60).filter(lambda text: text == text.encode("utf-8", "ignore").decode() and text.strip())


def read(text: str, *path: str) -> str:
    node = parse_yaml(text, file="f").root
    for key in ("assistants", "guide", *path):
        assert isinstance(node, MapNode)
        found = node.find(key)
        assert found is not None, (key, text)
        node = found[1]
    assert isinstance(node, TextNode)
    return node.text


@given(text=TEXTS, key=TEXTS, yaml_text=st.sampled_from([BLOCK, FLOW]))
def test_any_text_under_any_key_is_read_back_and_nothing_else_moves(text: str, key: str, yaml_text: str) -> None:
    once = edit_assistant(yaml_text, "guide", FieldEdit(path=("instructions",), value=text))
    twice = edit_assistant(once, "guide", FieldEdit(path=("metadata", key), value=text))

    expected = text.replace("${", "$${")
    assert read(twice, "instructions").removesuffix("\n") == expected.removesuffix("\n")
    assert read(twice, "metadata", key) == expected
    assert read(twice, "model") == "m"
    assert twice.count("#") >= yaml_text.count("#")


@given(text=TEXTS, key=TEXTS, yaml_text=st.sampled_from([BLOCK, FLOW]))
def test_what_was_put_in_can_be_taken_out_again(text: str, key: str, yaml_text: str) -> None:
    if key == "a":
        return
    there = edit_assistant(yaml_text, "guide", FieldEdit(path=("metadata", key), value=text))

    assert edit_assistant(there, "guide", FieldEdit(path=("metadata", key), value=None)) == yaml_text


@pytest.mark.parametrize(
    ("written", "changed"),
    [
        ("{json_schema: {name: bill, schema: {type: object}}}", "json_object"),
        ("\n      json_schema:\n        name: bill\n        schema: {type: object}", "\n      json_object"),
    ],
)
def test_a_word_takes_the_place_of_a_mapping(written: str, changed: str) -> None:
    text = f"assistants:\n  guide:\n    response_format: {written}\n    model: m\n"

    done = edit_assistant(text, "guide", FieldEdit(path=("response_format",), value="json_object"))

    assert done == text.replace(written, changed)
    assert read(done, "response_format") == "json_object"


def test_a_placeholder_inside_of_a_mapping_is_not_lost() -> None:
    text = "assistants:\n  guide: {response_format: {json_schema: {name: '${env:NAME}', schema: {}}}}\n"

    with pytest.raises(Unwritable, match="a placeholder is in it"):
        edit_assistant(text, "guide", FieldEdit(path=("response_format",), value="text"))


def test_the_last_key_of_a_group_takes_the_group_along() -> None:
    bare = edit_assistant(FLOW, "guide", FieldEdit(path=("metadata", "a"), value=None))

    assert bare == "assistants: {guide: {model: m, instructions: 'Be kind.'}}  # end\n"


def test_tools_that_stay_keep_their_comments() -> None:
    wanted = (Tool(name=ToolName.FILE_SEARCH), Tool(name=ToolName.CODE_INTERPRETER))

    more = edit_assistant(BLOCK, "guide", FieldEdit(path=("tools",), value=wanted))
    none = edit_assistant(BLOCK, "guide", FieldEdit(path=("tools",), value=()))
    other = edit_assistant(BLOCK, "guide", FieldEdit(path=("tools",), value=wanted[1:]))

    assert more == BLOCK + "      - code_interpreter\n"
    assert none == BLOCK.split("    tools:", maxsplit=1)[0]
    assert other == BLOCK.split("      - file", maxsplit=1)[0] + "      - code_interpreter\n"


def test_a_number_of_results_may_be_written_as_yaml_has_it() -> None:
    text = BLOCK.replace("file_search  #", "file_search: {max_num_results: 0x5}  #")
    changed = edit_assistant(
        text, "guide", FieldEdit(path=("tools",), value=(Tool(name=ToolName.FILE_SEARCH, max_num_results=5),))
    )

    assert changed == text


def test_a_folded_text_stays_folded() -> None:
    edited = edit_assistant(BLOCK, "guide", FieldEdit(path=("instructions",), value="Be quick.\nAnd kind."))

    assert edited == BLOCK.replace("      Be\n      kind.", "      Be quick.\n\n      And kind.")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("assistants: {x: &x {model: m}, guide: *x}", "alias of another assistant"),
        ("assistants: {guide: &x {model: m}, other: *x}", "it has an anchor"),
        ("assistants: {guide: {model: m, name: &x a}, other: {model: *x}}", "it has an anchor"),
        ("assistants: {other: {model: &x a}, guide: {model: m, name: *x}}", "it is an alias"),
        ("assistants: {guide: {model: m, name: 'a ${env:B}'}}", "a placeholder is in it"),
    ],
)
def test_what_others_refer_to_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Unwritable, match=reason):
        edit_assistant(text, "guide", FieldEdit(path=("name",), value="b"))


def test_a_literal_dollar_is_no_placeholder() -> None:
    text = "assistants: {guide: {model: m, name: 'a $${env:B}', temperature: 1}}"

    assert "name: 'b', temperature: 0.5" in edit_assistant(
        edit_assistant(text, "guide", FieldEdit(path=("name",), value="b")),
        "guide",
        FieldEdit(path=("temperature",), value=Decimal("0.5")),
    )


def test_entries_come_behind_the_last_assistant_and_before_what_follows() -> None:
    text = "assistants:\n    guide:\n        model: m  # small\n\n# targets\ntargets: {}\n"

    assert add_assistants(text, ["new:\n  model: n\n"]) == text.replace(
        "# small\n", "# small\n\n    new:\n      model: n\n"
    )
    with pytest.raises(Unwritable, match="not written as a block"):
        add_assistants(FLOW, ["new:\n  model: n\n"])


def test_the_file_of_the_instructions_is_found() -> None:
    assert find_instructions_file("assistants: {a: {model: m, instructions_file: x.md}}", "a") == "x.md"
    assert find_instructions_file(FLOW, "guide") is None
