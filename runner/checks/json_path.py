"""What a path finds in the answer's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer
from runner.checks._json import IN_THE_ANSWER, NoJson, read_json, same_value, show_json
from runner.checks._text import quote, shorten
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathQuery

MAIN_FIELD = "path"
SCHEMA = {
    "type": "object",
    "description": "The answer is JSON, and the path (JSONPath, RFC 9535) finds something in it; with `equals`, each "
    "thing that it finds is this value. Numbers are compared as numbers, keys in any order.",
    "properties": {
        "path": {
            "type": "string",
            "examples": ["$.total"],
            "minLength": 1,
            "maxLength": 1000,
            "description": "Where to look: $.total, $.items[0].name, $.items[?@.price > 20].name.",
        },
        "equals": {
            "type": ["string", "number", "boolean", "array", "object", "null"],
            "description": "The value that each thing found must have.",
        },
        "found": {
            "type": "integer",
            "minimum": 0,
            "description": "Exactly so many things are found; without it, one or more.",
        },
        "place": IN_THE_ANSWER,
    },
    "required": ["path"],
    "additionalProperties": False,
}
_BILL = '{"total": 39.250, "items": [{"name": "burger", "price": 23.75}, {"name": "soda", "price": 15.5}]}'
EXAMPLES = (
    Example("json_path: {path: $.total, equals: 39.25}", _BILL, PASSES),
    Example("json_path: {path: '$.items[?@.price > 20].name', equals: burger}", _BILL, PASSES),
    Example("json_path: {path: '$.items[*]', found: 3}", _BILL, FAILS),
    Example("json_path: $.tip", _BILL, FAILS),
    Example("json_path: $.total", "The total is 39.25.", FAILS),
    Example("json_path: $.total", an_answer('{"total": 3', status=RunStatus.INCOMPLETE), BREAKS),
)
_NOTHING = object()
_MOST_FOUND = 10_000
