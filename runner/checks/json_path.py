"""What a path finds in the answer's JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from runner.checks import BREAKS, FAILS, PASSES, Example, Part, an_answer, field, parameters, parts, text_field
from runner.checks._json import IN_THE_ANSWER, NoJson, read_json, same_value, show_json
from runner.checks._parts import explain, name_parts, saying
from runner.checks._text import quote, shorten, tell
from runner.domain.conversation import Run, RunStatus
from runner.domain.report import Finding, Outcome
from runner.errors import CheckBroken
from runner.patience import at_most, check_time, compile_pattern, match

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathQuery
    from jsonpath_rfc9535.selectors import JSONPathSelector

MAIN_FIELD = "path"
SCHEMA = parameters(
    "The answer is JSON, and the path (JSONPath, RFC 9535) finds something in it; with `equals`, each thing that it "
    "finds is this value, with `expect`, each passes these checks. Numbers are compared as numbers, keys in any order.",
    required=["path"],
    path=text_field("Where to look: $.total, $.items[0].name, $.items[?@.price > 20].name.", "$.total", maxLength=1000),
    equals=field(
        ["string", "number", "boolean", "array", "object", "null"], "The value that each thing found must have."
    ),
    expect=parts(
        "Checks on each thing that is found: on a text as it is, on anything else as JSON.",
        example={"number": 39.25},
    ),
    found=field("integer", "Exactly so many things are found; without it, one or more.", minimum=0),
    place=IN_THE_ANSWER,
)
_BILL = '{"total": 39.250, "items": [{"name": "burger", "price": 23.75}, {"name": "soda", "price": 15.5}]}'
EXAMPLES = (
    Example("json_path: {path: $.total, equals: 39.25}", _BILL, PASSES),
    Example("json_path: {path: '$.items[?@.price > 20].name', equals: burger}", _BILL, PASSES),
    Example("json_path: {path: '$.items[*]', found: 3}", _BILL, FAILS),
    Example("json_path: {path: '$.items[*].name', expect: {one_of: [burger, soda]}}", _BILL, PASSES),
    Example("json_path: {path: '$.items[*].name', expect: {contains: burger}}", _BILL, FAILS),
    Example("json_path: $.tip", _BILL, FAILS),
    Example("json_path: $.total", "The total is 39.25.", FAILS),
    Example("json_path: $.total", an_answer('{"total": 3', status=RunStatus.INCOMPLETE), BREAKS),
)
_NOTHING = object()
_MOST_FOUND = 10_000
_MOST_JUDGED = 100
_PATTERN_TIMEOUT_S = 0.5
_MOST_DESCENTS = 2
_TIMEOUT_S = 1.0
_ONE = r"""(?:'[^']*'|"[^"]*"|-?\d+)\]"""
_WIDE_ROOT = re.compile(rf"\$(?:\.[^\W\d]\w*|\[{_ONE})*(?:\.[.*]|\[(?!{_ONE}))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    path: str
    equals: object = _NOTHING
    expect: Sequence[Part] = ()
    found: int | None = None
    place: str = "alone_or_fenced"

    def __post_init__(self) -> None:
        _compile(self.path)
        if self.found == 0 and (self.equals is not _NOTHING or self.expect):
            raise ValueError("`found: 0` leaves nothing that `equals` or `expect` could be about")

    def judge(self, run: Run) -> Finding:
        try:
            values = _find(self.path, read_json(run.text, self.place, exact=False))
        except NoJson as error:
            return self._finding(run.text, f"no JSON: {error}")
        shown = ", ".join(show_json(value) for value in values[:20]) or "nothing"
        if self.found is None and not values:
            return self._finding(run.text, f"{self.path} finds nothing")
        if self.found not in (None, len(values)):
            return self._finding(shown, f"{self.path} finds {len(values)}, not {self.found}")
        if self.equals is not _NOTHING:
            other = next((value for value in values if not same_value(value, self.equals)), _NOTHING)
            if other is not _NOTHING:
                return self._finding(shown, f"{show_json(other)} is not {show_json(self.equals)}")
        return self._finding(shown, self._judge_parts(run, values))

    def _judge_parts(self, run: Run, values: list[object]) -> str:
        """Why a check inside says no to one of the values; "" if all hold."""
        broken = ""
        for value in values[:_MOST_JUDGED] if self.expect else ():
            text = value if isinstance(value, str) else show_json(value)
            verdicts = [part.judge(saying(run, text)) for part in self.expect]
            if any(one.outcome is Outcome.FAILED for one in verdicts):
                return f"{shorten(text)}: {explain(verdicts, Outcome.FAILED)}"
            broken = broken or explain(verdicts, Outcome.ERRORED)
        if broken:
            raise CheckBroken(broken)
        if self.expect and len(values) > _MOST_JUDGED:
            raise CheckBroken(f"{self.path} finds {len(values)} things, more than the {_MOST_JUDGED} that are judged")
        return ""

    def _finding(self, found: str, reason: str) -> Finding:
        wants = [f"{self.path} in the answer's JSON"]
        wants += [f"to be {show_json(self.equals)}"] if self.equals is not _NOTHING else []
        wants += [f"to pass {name_parts(self.expect)}"] if self.expect else []
        wants += [f"{self.found} times"] if self.found is not None else []
        return tell(", ".join(wants), found, reason)


def _find(path: str, value: Any) -> list[object]:
    from jsonpath_rfc9535 import JSONPathError

    found: list[object] = []
    try:
        with at_most(_TIMEOUT_S):
            for node in _compile(path).finditer(value):
                found.append(node.value)
                if len(found) > _MOST_FOUND:
                    raise CheckBroken(f"the path {quote(path)} finds more than can be looked at")
                check_time()
    except (JSONPathError, RecursionError) as error:
        raise NoJson(f"it is nested too deep for the path {quote(path)}") from error
    except TimeoutError as error:
        raise CheckBroken(f"the path {quote(path)} took more than {_TIMEOUT_S:g} s, or a pattern in it") from error
    return found


@lru_cache(maxsize=256)
def _compile(path: str) -> JSONPathQuery:
    """Raises ValueError for what is no path."""
    from jsonpath_rfc9535 import JSONPathError

    if path.count("..") > _MOST_DESCENTS:
        raise ValueError(f"{quote(path)} has more than {_MOST_DESCENTS} `..`, which could take for ever")
    if _WIDE_ROOT.search(path, 1):
        raise ValueError(f"{quote(path)} looks at the whole answer for each thing in it, which could take for ever")
    try:
        query = _environment().compile(path)
        for selector in (one for segment in query.segments for one in segment.selectors):
            _keep_to_the_time(selector)
        return query
    except (JSONPathError, RecursionError, ValueError) as error:
        raise ValueError(f"{quote(path)} is no JSONPath (RFC 9535): {error}") from error


def _keep_to_the_time(selector: JSONPathSelector) -> None:
    """A filter that finds nothing gives up, too, once the time is over."""
    from jsonpath_rfc9535.filter_expressions import FilterContext, FilterExpression
    from jsonpath_rfc9535.selectors import FilterSelector

    class _InTime(FilterExpression):
        def evaluate(self, context: FilterContext) -> bool:
            check_time()
            return super().evaluate(context)

    if isinstance(selector, FilterSelector):
        selector.expression = _InTime(selector.expression.token, selector.expression.expression)


@cache
def _environment() -> JSONPathEnvironment:
    """The library's, with a time limit on the patterns of match() and search()."""
    import regex
    from jsonpath_rfc9535 import JSONPathEnvironment
    from jsonpath_rfc9535.function_extensions import Match, Search
    from jsonpath_rfc9535.function_extensions._pattern import map_re  # I-Regexp to the dialect of `regex`

    class _Match(Match):
        def __call__(self, string: object, pattern: object) -> bool:
            return _matches("fullmatch", string, pattern)

    class _Search(Search):
        def __call__(self, string: object, pattern: object) -> bool:
            return _matches("search", string, pattern)

    def _matches(find: str, string: object, pattern: object) -> bool:
        if not isinstance(string, str) or not isinstance(pattern, str):
            return False
        try:
            compiled = compile_pattern(map_re(pattern))
        except regex.error:
            return False
        except ValueError as error:  # it may have come from the answer
            raise CheckBroken(f"the pattern {quote(pattern)} {error}") from error
        return match(getattr(compiled, find), string, seconds=_PATTERN_TIMEOUT_S) is not None

    environment = JSONPathEnvironment()
    environment.function_extensions |= {"match": _Match(), "search": _Search()}
    return environment
