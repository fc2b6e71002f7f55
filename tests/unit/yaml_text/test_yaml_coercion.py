from __future__ import annotations

from decimal import Decimal

import pytest

from runner.yaml_text import parse_yaml
from runner.yaml_text.yaml_document import Unreadable, coerce


def read(text: str, schema: dict[str, object]) -> object:
    root = parse_yaml(text, file="f").root
    assert root is not None
    return coerce(root, schema, schema)


@pytest.mark.parametrize(
    "text", ["no", "NO", "on", "yes", "true", "12:30:00", "012", "1.10", "1_000", "2026-11-23", ".NaN", "1e3"]
)
def test_a_text_field_keeps_what_was_written(text):
    assert read(text, {"type": "string"}) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("39.250", "39.250"),
        ("5", "5"),
        ("-0.5", "-0.5"),
        (".5", "0.5"),
        ("1e3", "1E+3"),
        ("012", "12"),
        ("0x1F", "31"),
        ("0o17", "15"),
    ],
)
def test_a_number_field_gets_a_decimal_as_yaml_1_2_reads_it(text, number):
    value = read(text, {"type": "number"})
    assert isinstance(value, Decimal)
    assert str(value) == number


@pytest.mark.parametrize(
    "text", ["1_000", "1,000", "$5", ".nan", "-.inf", "12:30", "'5'", "9" * 101, "1e301", "1e-9999999", "5%", "0b11"]
)
def test_what_is_no_number_to_reckon_with_stays_text(text):
    assert read(text, {"type": "number"}) == text.strip("'")


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("TRUE", True), ("False", False), ("yes", "yes"), ("on", "on"), ("1", "1")]
)
def test_a_boolean_field_knows_true_and_false_alone(text, value):
    assert read(text, {"type": "boolean"}) == value


def test_a_whole_number_field_takes_no_decimals():
    assert read("5", {"type": "integer"}) == 5
    assert read("5.0", {"type": "integer"}) == "5.0"


def test_a_field_without_a_type_follows_the_core_schema():
    assert read("[~, true, 012, 1.10, no, '1']", {}) == [None, True, 12, Decimal("1.10"), "no", "1"]


def test_a_field_of_several_types_takes_the_narrowest_that_fits():
    schema = {"anyOf": [{"type": "string"}, {"type": "number"}]}
    assert read("[1.5, x, true, '1.5']", {"type": "array", "items": schema}) == [Decimal("1.5"), "x", "true", "1.5"]


def test_a_mapping_is_read_by_the_branch_that_describes_mappings():
    schema = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}}]}
    assert read("{a: 1, b: 1, c: 1}", schema) == {"a": "1", "b": 1, "c": 1}


def test_a_number_out_of_range_is_marked_only_where_a_text_would_be_taken_for_it():
    text = "1e99999999999999999999"
    assert isinstance(read(text, {}), Unreadable)
    assert isinstance(read(text, {"type": ["string", "number"]}), Unreadable)
    assert not isinstance(read(text, {"type": "string"}), Unreadable)
    assert not isinstance(read(text, {"type": "number"}), Unreadable)
    assert not isinstance(read(f"'{text}'", {}), Unreadable)


def test_a_text_field_without_anything_is_nothing():
    assert read("[~, null, '']", {"type": "array", "items": {"type": "string"}}) == [None, None, ""]
