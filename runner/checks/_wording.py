"""What the words around a number make of it: a range, a denial, a bound, a part of a sum."""

from __future__ import annotations

import re

_SPELLED_REACH = 120
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: value for value, word in enumerate(_SMALL)} | {word: 20 + 10 * i for i, word in enumerate(_TENS)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
SPELLED = "|".join([*sorted(_VALUES, key=len, reverse=True), "hundred", *_SCALES])
"""The words that numbers are made of, for use in a pattern."""
_RUN = re.compile(rf"(?<![\w-])(?:(?:{SPELLED})(?:-|[ ]and[ ]|[ ])){{1,16}}\Z", re.IGNORECASE)
_PARTIAL = re.compile(r"(?:\d|\b(?:point|half|quarters?|thirds?|and)|[^\W\d]-)[ ]?\Z", re.IGNORECASE)


def spelled_value(before: str) -> int | None:
    """The value of the words that `before` ends in; None without any, or after "point", "half a" or digits."""
    reached = before[-_SPELLED_REACH:]
    run = _RUN.search(reached)
    if run is None or _PARTIAL.search(reached[: run.start()].removesuffix("a ")):
        return None
    total = current = 0
    for word in re.findall(r"[a-z]+", run.group().lower()):
        if word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0
        elif word == "hundred":
            current = max(current, 1) * 100
        else:
            current += _VALUES.get(word, 0)
    return total + current


_REACH = 60
_TAG_REACH = 200
_FILLER = (
    "be|been|is|exactly|precisely|equal|equals|to|the|a|an|just|only|pay|paying|cost|costs|come|comes|owe|have|worth|total|"
    "amount|sum|price|as|much|even|quite|simply|really|actually|at|for|of|more|less|than|answer|correct|right|your|need|"
    "result|say|saying|claim|call|it|this|that|give|guess|assume|believe|think|sure|certain|convinced|was|were|would|if"
)
_FILLERS = rf"(?:[ ](?:{_FILLER})\b(?:'s)?)"
_MARKS = r"[*_(\\~≈$]{0,4}"
_SURE = r"(?<!\bno[ ])(?<!out[ ])(?<![ ]a[ ])(?<!any[ ])(?<!beyond[ ])(?<!\bof[ ])(?<!not[ ])(?<!n't[ ])"


def _ignoring_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_NEVER = re.compile(r"(?!)")
_DENIED = (
    _ignoring_case(
        r"(?:\b(?:not|never|cannot|instead[ ]of|rather[ ]than|other[ ]than|no[ ]longer|neither|nor"
        rf"|except|hardly|scarcely|far[ ]from|nowhere[ ]near|anything[ ]but|{_SURE}doubt(?:s|ed|ful)?"
        r"|(?:false|untrue|wrong|incorrect|mistaken|mistake)(?=[ ](?:to|that)\b))\b|n't\b|[≠]|!=|\\neq?\b)"
        rf"{_FILLERS}{{0,5}}[ :*_(\\~≈$]{{0,4}}\Z"
    ),
    _ignoring_case(
        r"[ *_$)\\]{0,4}(?:is|was|are|would[ ]be)(?:[ ](?:definitely|clearly|simply|actually|also))?"
        r"(?:[ ](?:wrong|incorrect|false)\b"
        r"|(?:[ ]not|n't)[ ](?:the[ ]|a[ ])?(?:right|correct|answer|total|result|accurate)\b)"
        r"|[ *_$)\\]{0,4}(?:[ ]\w{1,12})?[,;.:]?(?:[ ][-–—])?[ ](?:but|though|although|yet|however,?)[ ]"
        r"(?:that|this|it)(?:(?:'s|’s|[ ]is|[ ]was|[ ]would[ ]be)[ ](?:not|wrong|incorrect|false|mistaken)"
        r"|[ ]?(?:isn|wasn|wouldn)['’]t)\b"
    ),
)
_OPEN = (
    _ignoring_case(
        r"(?<!\bof[ ])(?<!matter[ ])\bwhether[ ](?!or[ ]not\b)(?:(?![ ](?:and|but|so)[ ])[^.!?,;:\n]){0,40}\Z"
        rf"|\b(?:if|suppose|supposing){_FILLERS}{{1,5}}[ ]{_MARKS}\Z"
    ),
    re.compile(r"(?:[^.!?\n:;,—–(-]|[.,]\d|(?<! )-){0,80}\?(?!\w)"),
)
_BOUND = (
    _ignoring_case(
        r"(?:\b(?:(?:less|more|fewer|greater|higher|lower)[ ]than(?:[ ]or[ ]equal[ ]to)?|at[ ]least|at[ ]most|up[ ]to"
        r"|(?:is|are|was|be|well|just|slightly|little|bit|way|costs?|to|totals?|pay|pays)[ ](?:over|under|above|below)"
        r"|in[ ]excess[ ]of|upwards?[ ]of|exceed(?:s|ing)?|no[ ]less[ ]than|a[ ](?:minimum|maximum)[ ]of)[ ]"
        r"|[≥≤≧≦][ ]?|\\[gl]eq?[ ]?|(?<!<)<=?[ ]?|(?<![-=>])>=?|(?<=\w[ ])>=?[ ]|(?<=\()>=?[ ])"
        rf"{_MARKS}\Z"
    ),
    _ignoring_case(
        r"[*_$)]{0,4}(?:\+(?=[\s.,;:!?)*]|\Z)"
        r"|(?:[ ]\w{1,12})?[ ](?:or|and)[ ](?:more|less|fewer|up|over|under|above|below|upwards?|higher|lower)\b"
        r"|(?:[ ]\w{1,12})?[ ]upwards?\b)"
    ),
)
_WORKED_ON = (
    _ignoring_case(
        rf"(?:\b(?:double|twice|triple|thrice|half|(?:{SPELLED})[ ]times"
        r"|(?:a|one)[ ](?:quarter|third|fourth|fifth|tenth)[ ]of)"
        r"|(?:%|\bper[ ]?cent)[ ]of)(?:[ ]of)?(?:[ ]the)?[ ]"
        rf"{_MARKS}\Z|\d[ ]?[/÷][ ]?{_MARKS}\Z"
    ),
    _ignoring_case(
        rf"[*_$)]{{0,4}}(?:[ ](?:times|multiplied[ ]by|divided[ ]by)[ ](?:{SPELLED})\b"
        r"|[ ](?:squared|cubed|doubled|tripled|halved)\b"
        r"|(?:[ ]\w{1,12})?[ ]and[ ](?:a[ ](?:half|quarter|third|bit)|change"
        r"|(?:one|two|three)[ ](?:half|quarters?|thirds?))\b"
        r"|(?:[ ]\w{1,12})?[ ](?:plus|\+)(?:[ ]\w{1,12}){0,2}?"
        r"[ ](?:tax(?:es)?|vat|gst|tips?|shipping|postage|fees?|interest|service|delivery|expenses)\b)"
    ),
)
_FACTOR = re.compile(rf"\d[ ]?(?:×|\\times\b|[ ][x*][ ])[ ]?{_MARKS}\Z")
_RESULT_FOLLOWS = _ignoring_case(r"[ *_$)\\]{0,4}(?:=|≈|→|equals?\b|is\b|makes?\b|comes\b|gives\b|for[ ]a[ ]total)")
_DIFFERENCE = (
    _ignoring_case(rf"\b(?:off|wrong|out)[ ]by(?:[ ](?:about|exactly|only|just))?[ ]{_MARKS}\Z"),
    _ignoring_case(
        r"[*_$)]{0,4}(?:(?:[ ]\w{1,12})?[ ](?:short|shy)[ ]of\b"
        r"|(?:[ ](?:is|was|are|would[ ]be))?(?:[ ](?:far|much|way|a[ ]bit))?"
        r"[ ]too[ ](?:low|high|much|many|little|few|small|large|big)\b)"
    ),
)
_STRUCK = (_ignoring_case(r"(?:(?<![\w*_$).%])~~|<(?:s|del|strike)>)[*_\\$]{0,4}\Z"), _NEVER)
_OBJECTIONS = (
    (_STRUCK, "is struck out"),
    (_DENIED, "is denied: the answer says that it is not that"),
    (_OPEN, "is left open: the answer asks or supposes it"),
    (_BOUND, "is only a bound"),
    (_WORKED_ON, "is only part of a sum that isn't worked out"),
    (_DIFFERENCE, "is only how far off something is"),
)
_SAYS_SOMETHING = re.compile(r"[A-Za-z<>≥≤≧≦≠=%÷\\~/]")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,180}>[*_(\\$]{0,4}\Z")
_PLACEHOLDER = re.compile(r"<\Z")
_CLOSED_RANGE = re.compile(r"[*_\\]{0,2}[-–—~][*_\\]{0,2}|[ ]?(?:±|\+/-|\\pm)[ ]?")
_WORDED_RANGE = re.compile(r"[*_]{0,2}[ ](?:to|or|up[ ]to)[ ][*_\\]{0,3}", re.IGNORECASE)
_SPACED_RANGE = re.compile(r"[*_]{0,2}[ ][-–—][ ]?[*_\\]{0,3}")
_BETWEEN = re.compile(r"\bbetween[ ][*_(\\~≈]{0,4}\Z", re.IGNORECASE)
_AND = re.compile(r"[*_]{0,2}[ ]and[ ][*_\\]{0,3}", re.IGNORECASE)
_CONTRAST = re.compile(
    r"[*_)]{0,3}(?:[ ][a-z]{1,12}){0,2}[ ]?[,;(–—-]{0,2}[ ]?(?:and[ ]|but[ ])?"
    r"(?:not|rather[ ]than|instead[ ]of)\b[^.!?\n]{0,40}",
    re.IGNORECASE,
)


def objection(text: str, start: int, end: int) -> str:
    """Why the number there is not given as the answer, as the end of "39.25 ..."; "" if nothing says so."""
    before = text[max(0, start - _REACH) : start]
    if not _SAYS_SOMETHING.search(before):
        before = ""  # saves most of the time on long tables
    for (ahead, behind), reason in _OBJECTIONS:
        if behind.match(text, end) or (
            ahead.search(before) and not (ahead is _BOUND[0] and _is_in_tag(text, start, end))
        ):
            return reason
    if _FACTOR.search(before) and not _RESULT_FOLLOWS.match(text, end):
        return "is only part of a sum that isn't worked out"
    return ""


def _is_in_tag(text: str, start: int, end: int) -> bool:
    """Whether the < or > before the number is no sign: `<b>39.25`, `<39.25>`."""
    if _PLACEHOLDER.search(text[max(0, start - 1) : start]):
        return text[end : end + 1] == ">"
    return _TAG.search(text[max(0, start - _TAG_REACH) : start]) is not None


def is_contrast(text: str, end: int, start: int) -> bool:
    """Whether the number at `start` is denied only to set off the one that ends at `end` ("40, not 39.25")."""
    return start - end <= _REACH and _CONTRAST.fullmatch(text, end, start) is not None


def is_range(text: str, *, first: tuple[int, int], second: tuple[int, int], alike: bool) -> bool:
    """Whether two numbers, each with its start and end, are the ends of one range ("39-40", "39 or 40").

    `alike`: they are written with as many decimals. A dash between spaces separates those that aren't
    ("2 - 47.50" is a quantity and a price).
    """
    gap = first[1], second[0]
    if gap[1] - gap[0] > 12:
        return False
    if _CLOSED_RANGE.fullmatch(text, *gap) or _WORDED_RANGE.fullmatch(text, *gap):
        return True
    if _AND.fullmatch(text, *gap):
        return _BETWEEN.search(text[max(0, first[0] - 16) : first[0]]) is not None
    return alike and _SPACED_RANGE.fullmatch(text, *gap) is not None
