"""A YAML file to a plan of faults, or all of its mistakes at once: read by a JSON Schema, as scripts are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http.client import responses
from pathlib import Path
from typing import Any

from runner.server.faults import (
    Cut,
    Dribble,
    Ending,
    Fault,
    FaultPlan,
    Inserted,
    Limit,
    OtherAnswer,
    OtherLength,
    Part,
    Requests,
    Rule,
    Word,
    write_error,
)
from runner.yaml_text.reading import COUNT, TEXT, Json, list_of, mapping, read_document
from runner.yaml_text.yaml_document import Where, YamlDocument, as_json

_ANY = "any"
_ON = re.compile(
    r"(?P<method>[A-Z]+|\*) (?P<path>/[^\s#]*)"
    r"(?:#(?P<first>[1-9]\d{0,8})(?P<more>\+|-(?P<last>[1-9]\d{0,8}))?)?"
)
_PIECES = re.compile(r"\*\*|\*|[^*]+")
_WRITE_ON = "write it like `POST /v1/files`, `GET /v1/files/*` or `POST /v1/files#2`; `any` is every request"
_MESSAGE = "The fault script says that this request fails."


def read_faults(path: Path, *, file: str) -> FaultPlan:
    """The plan of a file; `file` is its name in messages. Raises ConfigError with all mistakes."""
    document = read_document(path, file=file, schema=lambda _: fault_schema())
    rules = tuple(_Reader(document, place).read_rule() for place, _ in document.sound_items("faults"))
    limits = tuple(_Reader(document, place).read_limit() for place, _ in document.sound_items("limits"))
    document.check()
    assert isinstance(document.value, dict)
    return FaultPlan(rules=rules, limits=limits, seed=document.value.get("seed", 0))


class _Reader:
    """Reads one rule or limit, whose value fits the schema, and reports what a schema can't say."""

    def __init__(self, document: YamlDocument, where: Where) -> None:
        self._document = document
        self._where = where
        self._value: Json = document.value_at(where)

    def _report(self, where: Where, message: str, hint: str) -> None:
        self._document.report((*self._where, *where), message, hint)

    def read_rule(self) -> Rule:
        value = self._value
        requests, first, last = self._read_on()
        if "do" not in value and "delay" not in value:
            self._report((), "there is no fault in it", "say what to `do`, or a `delay`")
        return Rule(
            where=str(self._document.location(self._where)),
            requests=requests,
            fault=self._read_fault(value["do"]) if "do" in value else None,
            delay_s=float(value.get("delay", 0)),
            first=first,
            last=last,
            every=value.get("every", 1),
            chance=float(value.get("chance", 1)),
            times=value.get("times"),
        )

    def read_limit(self) -> Limit:
        value = self._value
        rates = {key: float(value[key]) for key in ("requests_per_minute", "tokens_per_minute") if key in value}
        if not rates:
            self._report((), "there is no limit in it", "say `requests_per_minute` or `tokens_per_minute`")
        requests, first, last = self._read_on()
        if (first, last) != (1, None):
            self._report(("on",), "a limit counts all requests", "leave out what follows '#'")
        return Limit(requests=requests, burst=value.get("burst"), **rates)

    def _read_on(self) -> tuple[Requests, int, int | None]:
        """The requests, and the numbers of the first and the last of them."""
        written, contains = self._value["on"], self._value.get("contains", "")
        if written == _ANY:
            return Requests(contains=contains), 1, None
        found = _ON.fullmatch(written)
        if found is None:
            self._report(("on",), f"{written!r} names no requests", _WRITE_ON)
            return Requests(), 1, None
        method = None if found["method"] == "*" else found["method"]
        first = int(found["first"] or 1)
        last = None if found["first"] is None or found["more"] == "+" else int(found["last"] or first)
        if last is not None and last < first:
            self._report(("on",), f"{last} comes before {first}", f"write #{last}-{first}")
        return Requests(method=method, path=_compile(found["path"]), contains=contains), first, last

    def _read_fault(self, written: Any) -> Fault | None:
        if isinstance(written, str):
            return Word(written)
        kinds = [key for key in written if key != "by"]
        if len(kinds) != 1:
            message = f"{len(kinds)} faults in one: {', '.join(kinds)}" if kinds else "there is no fault beside 'by'"
            self._report(("do",), message, "write a rule for each")
            return None
        (kind,) = kinds
        if "by" in written and kind != "cut":
            self._report(("do", "by"), f"'by' has no meaning beside {kind!r}", "remove it")
        given = written[kind]
        match kind:
            case "answer":
                return _read_answer(given)
            case "cut":
                return self._read_cut(given, Ending(written.get("by", Ending.RESET.value)))
            case "dribble":
                return Dribble(bytes_per_s=float(given))
            case "insert":
                return Inserted(after=given.get("after"), text=given["text"].encode())
            case "repeat_event":
                return Inserted(after=given)
            case _:
                return OtherLength(content_length=given)

    def _read_cut(self, given: Any, by: Ending) -> Cut:
        part, after = next(iter(given.items())) if isinstance(given, dict) else (Part.BODY.value, given)
        if by is Ending.END and part == Part.HEADERS.value:
            self._report(("do", "by"), "an answer can't end regularly in its head", "write reset or close")
        return Cut(after=after, part=Part(part), by=by)


def _compile(path: str) -> re.Pattern[str]:
    """`*` is one segment of a path, or a part of it; `**` is any rest."""
    wild = {"*": "[^/]*", "**": ".*"}
    return re.compile("".join(wild.get(piece) or re.escape(piece) for piece in _PIECES.findall(path)))


def _read_answer(given: Any) -> OtherAnswer:
    full: Mapping[str, Any] = given if isinstance(given, dict) else {"status": given}
    status, body = full.get("status", 200), full.get("body")
    content = body.encode() if isinstance(body, str) else json.dumps(as_json(body)).encode()
    if "body" not in full:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        message = full.get("message", f"{_MESSAGE} ({status} {responses.get(status, 'unknown')})")
        content = write_error(message, kind=full.get("type", kind), code=full.get("code"))
    plain = "text/html" if content.lstrip().startswith(b"<") else "application/json"
    headers = {name.lower(): str(value) for name, value in full.get("headers", {}).items()}
    return OtherAnswer(
        status=status, headers={"content-type": plain, **headers}, body=content, applied=full.get("apply", False)
    )


def fault_schema() -> Json:
    """The JSON Schema of a file of faults."""
    on: Json = {**TEXT, "description": _WRITE_ON, "examples": ["POST /v1/files#2"]}
    contains: Json = {**TEXT, "description": "Only requests with this text in their JSON body."}
    rule = {
        "on": on,
        "contains": contains,
        "every": {"type": "integer", "minimum": 1, "description": "Every so many of these requests."},
        "chance": {"type": "number", "minimum": 0, "maximum": 1, "description": "The probability, drawn by the seed."},
        "times": {"type": "integer", "minimum": 1, "description": "At most so often."},
        "delay": {"type": "number", "minimum": 0, "description": "Seconds before anything else happens."},
        "do": {"anyOf": [{"enum": [word.value for word in Word], "title": "fault"}, _fault()]},
    }
    rate = {"type": "number", "exclusiveMinimum": 0}
    limit = {
        "on": on,
        "contains": contains,
        "requests_per_minute": rate,
        "tokens_per_minute": rate,
        "burst": {"type": "integer", "minimum": 1, "description": "Requests that may come at once."},
    }
    faults = mapping(rule, required=["on"], title="key")
    body = {
        "seed": {"type": "integer", "description": "Decides what `chance` draws."},
        "faults": list_of(faults, description="The first that is due happens."),
        "limits": list_of(mapping(limit, required=["on"], title="key")),
    }
    return mapping(body, title="key", minProperties=1)


def _fault() -> Json:
    status = {"type": "integer", "minimum": 200, "maximum": 599}
    answer = {
        "status": status,
        "headers": {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        "body": {"description": "A text, or what is sent as JSON."},
        "message": TEXT,
        "code": TEXT,
        "type": TEXT,
        "apply": {"type": "boolean", "description": "Whether the request is carried out before."},
    }
    parts = mapping({part.value: COUNT for part in Part}, title="part", minProperties=1, maxProperties=1)
    kinds = {
        "answer": {"anyOf": [status, mapping(answer, title="key", minProperties=1)]},
        "cut": {"anyOf": [COUNT, parts]},
        "by": {"enum": [ending.value for ending in Ending], "title": "ending"},
        "dribble": {"type": "number", "exclusiveMinimum": 0, "description": "Bytes a second."},
        "insert": mapping({"after": COUNT, "text": TEXT}, required=["text"], title="key"),
        "repeat_event": {"type": "integer", "minimum": 1, "description": "This event of a stream comes twice."},
        "content_length": COUNT,
    }
    return mapping(kinds, title="fault", minProperties=1)
