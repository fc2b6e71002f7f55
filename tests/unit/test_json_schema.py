"""JSON Schemas out of users' files."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from decimal import Decimal

import pytest
from cpu_time import at_most_cpu_s

from runner.json_schema import CannotTell, check_schema, find_looseness, find_mismatch, find_misspelt, tell_mismatch

RATE = {
    "type": "object",
    "properties": {"to": {"$ref": "#/$defs/currency"}, "amount": {"type": "number"}},
    "required": ["to"],
    "additionalProperties": False,
    "$defs": {"currency": {"type": "string", "pattern": "^[A-Z]{3}$"}},
}


def test_a_schema_with_references_into_itself_is_accepted():
    check_schema(RATE)
    check_schema({"$ref": "#"})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "objct"}, "is no JSON Schema: type: 'objct'"),
        ({"properties": 3}, "is no JSON Schema: properties: 3"),
        ({"properties": {"a": {"pattern": "("}}}, "is no JSON Schema: properties.a.pattern: '('"),
        (
            {"items": {"$ref": "https://example.org/x.json"}},
            "refers to 'https://example.org/x.json', which is not in it",
        ),
        ({"$ref": "file:///etc/passwd"}, "which is not in it"),
        ({"$ref": "other.json#/a"}, "which is not in it"),
        ({"$ref": "#/$defs/missing"}, "refers to '#/$defs/missing', which is not there"),
        ({"$dynamicRef": "https://example.org"}, "which is not in it"),
        ({"patternProperties": {"(a+)+$": {}}}, "has `patternProperties`, which is not accepted here"),
    ],
)
def test_what_is_no_schema_or_leads_elsewhere_is_refused(schema, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        check_schema({"type": "object", **schema})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"to": "NOK", "amount": 1}, ""),
        ({"to": "NOK", "amount": 1.0}, ""),
        ({"to": "nok"}, "to: 'nok' does not match '^[A-Z]{3}$'"),
        ({}, "'to' is a required property"),
        ([], "[] is not of type 'object'"),
        ({"to": "NOK", "amount": "1"}, "amount: '1' is not of type 'number'"),
        ({"to": "NOK", "x": 1}, "Additional properties are not allowed ('x' was unexpected)"),
        ({"to": 1, "amount": "1"}, "amount: '1' is not of type 'number'; to: 1 is not of type 'string'"),
    ],
)
def test_a_mismatch_is_told_with_its_place(value, words):
    assert find_mismatch(value, RATE) == words


def test_words_about_a_huge_value_are_few():
    assert len(find_mismatch({"to": "x" * 100_000}, RATE)) < 400


def test_a_pattern_can_not_keep_the_program_busy():
    schema = {"properties": {"a": {"pattern": r"^(\w+\s?)*$"}}}
    told = find_mismatch({"a": "word " * 2000 + "!"}, schema)
    assert told


def test_a_schema_that_only_refers_to_itself_is_no_way_out():
    assert find_mismatch(1, {"$ref": "#"}) == "it is nested too deep"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "object", "properties": {}, "additionalProperties": False}, ""),
        ({"type": "object", "properties": {}}, "an object in it lacks `additionalProperties: false`"),
        ({**RATE, "required": ["to", "amount"]}, ""),
        (RATE, "'amount' is not among the `required`"),
        ({**RATE, "required": ["to", "amount"], "$defs": {"a": {"type": "object"}}}, "an object in it lacks"),
    ],
)
def test_what_keeps_a_schema_from_being_strict_is_told(schema, words):
    assert find_looseness(schema).startswith(words)
    assert bool(find_looseness(schema)) == bool(words)


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "integer"}, Decimal("1.0"), True),
        ({"type": "integer"}, Decimal("1.5"), False),
        ({"type": "integer"}, True, False),
        ({"format": "date"}, "2026-02-30", False),
        ({"format": "date-time"}, "2026-03-04T10:00:00Z", True),
        ({"format": "date-time"}, "2026-03-04T10:00:00", False),
        ({"format": "time"}, "10:00:00+01:00", True),
        ({"format": "time"}, "10 o'clock", False),
        ({"format": "email"}, "x", False),
        ({"format": "uri"}, "https://example.org/a?b=c#d", True),
        ({"format": "uri"}, "not a uri", False),
        ({"format": "uuid"}, "x", False),
        ({"format": "ipv4"}, "300.1.1.1", False),
        ({"format": "int32"}, "anything", True),
        ({"uniqueItems": True}, [{"a": 1}, {"a": Decimal("1.0")}], False),
        ({"uniqueItems": True}, [1, True, "1", [1]], True),
    ],
)
def test_formats_whole_numbers_and_unique_items_are_looked_at(schema: object, value: object, fits: bool):
    assert (find_mismatch(value, schema) == "") is fits


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"pattern": "^(a|aa)+$"}}, ["a" * 60 + "b"]),
        (
            {"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}, {"const": 1}]},
            json.loads("[" * 40 + "]" * 40),
        ),
        ({"uniqueItems": True, "items": {"uniqueItems": True}}, [[{"a": n}] for n in range(50_000)]),
    ],
)
@pytest.mark.slow
def test_no_schema_and_no_value_keep_it_busy(schema: object, value: object):
    with at_most_cpu_s(3), suppress(CannotTell):
        tell_mismatch(value, schema)


@pytest.mark.parametrize(
    ("schema", "place", "words"),
    [
        ({"requird": ["a"]}, ("requird",), "did you mean 'required'?"),
        ({"items": {"additionalproperties": False}}, ("items", "additionalproperties"), "'additionalProperties'"),
        ({"anyOf": [{}, {"regex": "^z"}]}, ("anyOf", 1, "regex"), "did you mean 'pattern'?"),
        ({"$defs": {"a": {"max": 3}}}, ("$defs", "a", "max"), "did you mean 'maximum'?"),
        ({"dependencies": {"a": ["b"]}}, ("dependencies",), "did you mean 'dependentRequired'?"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": []}, ("prefixItems",), ""),
        ({"not": {"then": {"required": ["a"]}}}, ("not", "then"), ""),
        ({"type": "array", "minContains": 2}, ("minContains",), ""),
        ({"format": "date_time"}, ("format",), "did you mean 'date-time'?"),
        ({"properties": {"a": {"format": "hostname"}}}, ("properties", "a", "format"), "write a `pattern`"),
    ],
)
def test_a_word_of_a_schema_that_says_nothing_is_found_where_it_stands(schema, place, words):
    (found,) = find_misspelt(schema, asserts=True)

    assert (found.place, words in found.hint) == (place, True)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"requird": {"type": "string"}, "format": {"const": {"requird": 1}}}, "required": ["requird"]},
        {"enum": [{"max": 1}], "default": {"max": 1}, "examples": [{"format": "phone"}]},
        {"x-order": 1, "nullable": True, "example": 3, "definitions": {"a": {}}, "$ref": "#/definitions/a"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}, "items": [{}]},
    ],
)
def test_names_and_data_in_a_schema_are_no_keywords(schema):
    assert list(find_misspelt(schema, asserts=True)) == []


def test_a_schema_is_of_the_dialect_that_it_names():
    draft_7 = {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}}

    assert "dependency" in find_mismatch({"a": 1}, draft_7)
    with pytest.raises(ValueError, match="dialect"):
        check_schema({"$schema": "https://example.org/mine"})
