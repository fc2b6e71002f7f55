"""Each assertion of promptfoo's as a check of ours, or why there is none. Source: promptfoo 0.123's documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from runner.config.imported_scenarios import Check, Json, Lost, Template, literal, templates_of

Make = Callable[[str], Template]
_NOT = "not-"
_JUDGED = frozenset("similar llm-rubric agent-rubric g-eval model-graded-closedqa factuality".split())
_NO_TEXT = "it has no text"

_NO_COUNTERPART: Mapping[str, str] = {
    name: reason
    for names, reason in (
        ("javascript ruby webhook", "runner runs no code of this kind; write a check of the project: `python`"),
        ("python", "a check of the project's own gets other arguments here: see `python`"),
        ("classifier moderation guardrails pi perplexity perplexity-score", "there is no such service behind a check"),
        ("select-best max-score", "it compares several answers; `runner compare` and --model do that here"),
        ("is-xml contains-xml is-sql contains-sql is-html contains-html", "there is no check of this language"),
        (
            "context-faithfulness context-recall context-relevance answer-relevance conversation-relevance",
            "there is no score of this kind; ask a `judge` in words of your own",
        ),
        (
            "is-valid-openai-tools-call is-valid-openai-function-call is-valid-function-call",
            "a call with arguments that are not as declared is an error here by itself",
        ),
        ("levenshtein", "`similar` by levenshtein has a share of the text for its limit, no number of characters"),
        ("non-empty", "an answer that is empty is an error here by itself"),
        ("ends-with tool-call-f1 rouge-s", "there is no check of this kind"),
    )
    for name in names.split()
}


def is_assertion(kind: str) -> bool:
    name = kind.removeprefix(_NOT)
    return name in _READERS or name in _NO_COUNTERPART


def read_assertion(written: Json, make: Make) -> list[Check | Lost]:
    """The check for one assertion, with what of it is lost; `make` gives a text of its with the holes in it."""
    kind = str(written.get("type") or "").strip()
    name = kind.removeprefix(_NOT)
    reader = _READERS.get(name)
    if reader is None or "transform" in written or "contextTransform" in written:
        reason = "the answer is transformed first" if reader else _explain(name)
        return [Lost(what=kind or "an assertion", reason=reason, value=dict(written))]
    try:
        check = reader(written, make)
    except _NoCounterpart as why:
        return [Lost(what=kind, reason=str(why), value=dict(written))]
    except (ValueError, TypeError, KeyError) as error:
        return [Lost(what=kind, reason=f"it can't be read ({error})", value=dict(written))]
    lost = [
        Lost(what=f"{kind}: {key}", reason=reason, value=written[key])
        for key, reason in (
            ("metric", "checks have no names of their own here"),
            ("provider", "the judge is one for the project: `judge` in assistants.yaml"),
            ("rubricPrompt", "the judge's prompt is runner's own"),
            ("threshold", "a judge says yes or no" if name in _JUDGED else ""),
        )
        if reason and written.get(key) is not None
    ]
    return [_negate(check) if kind.startswith(_NOT) else check, *lost]


class _NoCounterpart(Exception):
    """Why an assertion of a kind that is known can't be said here."""


def _explain(name: str) -> str:
    if name.startswith(("trace-", "trajectory:", "skill-")):
        return "runner looks at steps with `tool_called`, `tool_calls` and `code_ran`"
    return _NO_COUNTERPART.get(name, "there is no check of this kind")


def _negate(check: Check) -> Check:
    if isinstance(check, Mapping) and "contains" in check:
        return {"not_contains": check["contains"]}
    return {"not": check}


def _text(written: Json, make: Make) -> Template:
    value = written.get("value")
    if isinstance(value, bool | int | Decimal):
        return literal(value)
    if not isinstance(value, str) or not value:
        raise _NoCounterpart(_NO_TEXT)
    return make(value)


def _texts(written: Json, make: Make) -> list[Template]:
    """A list, or a text with commas."""
    value = written.get("value")
    items = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(one, str | int | Decimal) for one in items):
        raise _NoCounterpart("it has no list of texts")
    return [make(one) if isinstance(one, str) else literal(one) for one in items]


def _contains(value: Any, *, case: bool) -> Check:
    return {"contains": {"value": value, "words": False, **({"case": True} if case else {})}}


def _starts_with(value: Template) -> Check:
    return {"starts_with": {"value": value, "words": False, "case": True}}


def _contains_any(written: Json, make: Make, *, case: bool) -> Check:
    found = [_contains(text, case=case) for text in _texts(written, make)]
    return {"any_of": found} if len(found) > 1 else found[0]


def _equals(written: Json, make: Make) -> Check:
    if isinstance(written.get("value"), Mapping | list):
        return {"json_path": {"path": "$", "equals": templates_of(written["value"], make)}}
    return {"equals": {"value": _text(written, make), "case": True}}


def _is_json(written: Json, make: Make) -> Check:
    schema = written.get("value")
    if schema is None:
        return "json"
    if not isinstance(schema, Mapping):
        raise _NoCounterpart("its schema is in another file")
    return {"json_schema": {"schema": templates_of(schema, make)}}


def _limit(name: str, per: int) -> Callable[[Json, Make], Check]:
    def read(written: Json, _make: Make) -> Check:
        return {name: _number(written, "threshold") / per}

    return read


def _number(written: Json, key: str, otherwise: str | None = None) -> Decimal:
    value = written.get(key, None if otherwise is None else Decimal(otherwise))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _NoCounterpart(f"it has no `{key}` that is a number")
    return Decimal(value)


def _similar(by: str, otherwise: str) -> Callable[[Json, Make], Check]:
    def read(written: Json, make: Make) -> Check:
        least = _number(written, "threshold", otherwise)
        return {"similar": {"value": _text(written, make), "by": by, "threshold": least}}

    return read


def ask_for_meaning(wanted: Template) -> Template:
    """What a judge is asked where others compare embeddings."""
    return Template(("Does the answer mean the same as this text? ", *wanted.parts))


def _similar_meaning(written: Json, make: Make) -> Check:
    return {"judge": ask_for_meaning(_text(written, make))}


def _judge(question: str) -> Callable[[Json, Make], Check]:
    def read(written: Json, make: Make) -> Check:
        value = written.get("value")
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return {"judge": [make(one) for one in value]}
        text = _text(written, make)
        return {"judge": Template((question, *text.parts))} if question else {"judge": text}

    return read


def _factual(written: Json, make: Make) -> Check:
    return {"factual": _text(written, make)}


def _word_count(written: Json, _make: Make) -> Check:
    value = written.get("value")
    bounds = {key: value[key] for key in ("min", "max") if key in value} if isinstance(value, Mapping) else {}
    if not bounds:
        bounds = {"min": int(str(value)), "max": int(str(value))}
    return {"length": bounds}


def _finish_reason(written: Json, _make: Make) -> Check:
    found = {
        "stop": "completed",
        "length": {"value": "incomplete", "code": "max_output_tokens"},
        "content_filter": {"value": "incomplete", "code": "content_filter"},
    }.get(str(written.get("value")))
    if found is None:
        raise _NoCounterpart("a run doesn't end so here")
    return {"status": literal(found) if isinstance(found, str) else templates_of(found, literal)}


def _tool_used(written: Json, make: Make) -> Check:
    value = written.get("value")
    if isinstance(value, str):
        return {"tool_called": make(value)}
    if isinstance(value, Mapping) and set(value) == {"name"} and isinstance(value["name"], str):
        return {"tool_called": make(value["name"])}
    raise _NoCounterpart("it says more than a tool's name")


_CODE: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Check]], ...] = tuple(
    (re.compile(rf"\s*{pattern}\s*"), read)
    for pattern, read in (
        (
            r"output\.includes\((?P<q>['\"])(?P<text>[^'\"\\\n]+)(?P=q)\)",
            lambda found: _contains(literal(found["text"]), case=True),
        ),
        (
            r"output\.toLowerCase\(\)\.includes\((?P<q>['\"])(?P<text>[^'\"\\\nA-Z]+)(?P=q)\)",
            lambda found: _contains(literal(found["text"]), case=False),
        ),
        (
            r"output\.startsWith\((?P<q>['\"])(?P<text>[^'\"\\\n]+)(?P=q)\)",
            lambda found: _starts_with(literal(found["text"])),
        ),
        (
            r"output(?:\.trim\(\))?\s*===?\s*(?P<q>['\"])(?P<text>[^'\"\\\n]+)(?P=q)",
            lambda found: {"equals": {"value": literal(found["text"]), "case": True}},
        ),
        (
            r"output\.length\s*<=\s*(?P<number>\d{1,9})",
            lambda found: {"length": {"max": int(found["number"]), "of": "characters"}},
        ),
        (
            r"output\.length\s*<\s*(?P<number>\d{1,9})",
            lambda found: {"length": {"max": int(found["number"]) - 1, "of": "characters"}},
        ),
        (
            r"(?:JSON\.parse\(output\)|output)(?P<path>(?:\.(?!length\b)[A-Za-z_]\w*|\[\d{1,6}\])+)\s*===?\s*"
            r"(?:(?P<q>['\"])(?P<text>[^'\"\\\n]*)(?P=q)|(?P<json>-?\d{1,15}(?:\.\d{1,9})?|true|false|null))",
            lambda found: {
                "json_path": {"path": literal(f"${found['path']}"), "equals": templates_of(_constant(found), literal)}
            },
        ),
    )
)
"""JavaScript of one line that says what a check of ours says."""


def _constant(found: re.Match[str]) -> Any:
    return json.loads(found["json"], parse_float=Decimal) if found["json"] else found["text"]


def _javascript(written: Json, _make: Make) -> Check:
    code = written.get("value")
    parts = code.strip().removeprefix("return ").removesuffix(";").split("&&") if isinstance(code, str) else []
    checks = [read(found) for part in parts for pattern, read in _CODE if (found := pattern.fullmatch(part))]
    if not checks or len(checks) < len(parts):
        raise _NoCounterpart(_NO_COUNTERPART["javascript"])
    return {"all_of": checks} if len(checks) > 1 else checks[0]


_READERS: Mapping[str, Callable[[Json, Make], Check]] = {
    "equals": _equals,
    "contains": lambda written, make: _contains(_text(written, make), case=True),
    "icontains": lambda written, make: _contains(_text(written, make), case=False),
    "contains-all": lambda written, make: _contains(_texts(written, make), case=True),
    "icontains-all": lambda written, make: _contains(_texts(written, make), case=False),
    "contains-any": lambda written, make: _contains_any(written, make, case=True),
    "icontains-any": lambda written, make: _contains_any(written, make, case=False),
    "starts-with": lambda written, make: _starts_with(_text(written, make)),
    "regex": lambda written, make: {"matches": _text(written, make)},
    "is-json": _is_json,
    "contains-json": _is_json,
    "is-refusal": lambda _written, _make: "refuses",
    "finish-reason": _finish_reason,
    "latency": _limit("latency_s", 1000),
    "cost": _limit("cost", 1),
    "similar": _similar_meaning,
    "bleu": _similar("bleu", "0.5"),
    "gleu": _similar("gleu", "0.5"),
    "rouge-n": _similar("rouge_1", "0.75"),
    "meteor": _similar("meteor", "0.5"),
    "rouge-l": _similar("rouge_l", "0.75"),
    "word-count": _word_count,
    "javascript": _javascript,
    "llm-rubric": _judge(""),
    "agent-rubric": _judge(""),
    "g-eval": _judge(""),
    "model-graded-closedqa": _judge("Does the answer meet this criterion: "),
    "factuality": _factual,
    "model-graded-factuality": _factual,
    "trajectory:tool-used": _tool_used,
}
