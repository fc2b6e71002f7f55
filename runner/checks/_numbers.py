"""Find the numbers that a text gives, each with its value, or with the reason why it can't be taken at its word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from runner.checks._affixes import After, Before, read_after, read_before, vulgar_value
from runner.checks._labels import is_label
from runner.checks._lexing import find_candidates
from runner.checks._numerals import Unclear, read_numeral
from runner.checks._plain_text import plain_text
from runner.checks._spelled import spelled_value
from runner.checks._units import CURRENCIES
from runner.checks._wording import is_contrast, is_range, objection

PRECISION = 200
"""Digits that amounts are computed with: far more than 40 digits times 10**99 need."""

_SPELLED_NUMBER = re.compile(
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,5}teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
    r"|hundred|thousand|million)[ ]\Z",
    re.IGNORECASE,
)
_RATIO = re.compile(r"\{\s?\\?\$?(?P<over>\d[\d.,]*)\s?\}\s?\{\s?\\?\$?(?P<under>\d[\d.,]*)\s?\}\Z")
_AND_CENTS = re.compile(r"[ ]?(?:,|&|and)?[ ]?")
_MAJOR_UNITS = frozenset({"usd", "eur", "gbp", "aud", "cad"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNumber:
    """A number at `start` to `end` of the plain text.

    `problem` says why the value is not to be taken at its word; "" if it is. `units` are the names of the units
    beside it, as `unit_name` gives them. A percentage's value is the figure before the sign. `decimals` counts the
    digits after the decimal mark.
    """

    text: str
    start: int
    end: int
    value: Decimal
    decimals: int = 0
    is_percent: bool = False
    units: frozenset[str] = frozenset()
    problem: str = ""


def find_numbers(text: str, *, decimal: str | None = None) -> tuple[FoundNumber, ...]:
    """The numbers in reading order; `decimal` is the decimal mark (`.` or `,`) if the user has said it.

    A number that is denied only to set off the one before it ("40, not 39.25") is left out.
    """
    plain = plain_text(text)
    with localcontext(prec=PRECISION):
        found = _join_cents(plain, list(_read_all(plain, decimal)))
    judged = [_with_objection(plain, number) for number in _mark_ranges(plain, found)]
    return tuple(
        number
        for previous, number in zip([None, *judged], judged, strict=False)
        if previous is None or previous.problem or not is_contrast(plain, previous.end, number.start)
    )


def _read_all(text: str, decimal: str | None) -> Iterator[FoundNumber]:
    floor = 0
    for candidate in find_candidates(text):
        if candidate.start() < floor:
            continue
        number = _read_candidate(text, candidate, floor, decimal)
        if number is not None:
            floor = number.end
            yield number


def _read_candidate(text: str, candidate: re.Match[str], floor: int, decimal: str | None) -> FoundNumber | None:
    before = read_before(text, candidate.start(), floor=floor)
    value = _base_value(candidate, decimal)
    if before is None or value is None:
        return None
    after = read_after(text, candidate.end(), is_plain=candidate.group().isdecimal(), before=before)
    if after is None or _is_name(text, candidate, after):
        return None
    amount = value if isinstance(value, Decimal) else Decimal(0)
    amount = (amount / after.under + after.plus).scaleb(after.zeros)
    start, end, is_negative, doubt = _read_parentheses(text, before, after.end, is_percent=after.is_percent)
    if before.is_negative or after.is_negative or is_negative:
        amount = -amount
    elif not _agrees_with_words(text, start, amount):
        doubt = "isn't the number in the words before it"
    problems = [value.reason] if isinstance(value, Unclear) else []
    shown = text[start:end]
    problems += [f"{shown} {problem}" for problem in (before.problem, after.problem, doubt) if problem]
    written = candidate.group()
    return FoundNumber(
        text=shown,
        start=start,
        end=end,
        value=amount,
        decimals=len(re.split(r"[.,]", written)[-1]) if re.search(r"[.,]", written) else 0,
        is_percent=after.is_percent,
        units=after.units,
        problem="; ".join(problems),
    )


def _agrees_with_words(text: str, start: int, amount: Decimal) -> bool:
    """Whether the number in parentheses at `start` repeats the words before it: "seventeen (17)"."""
    if text[start - 1 : start] != "(":
        return True
    spelled = spelled_value(text[max(0, start - 121) : start - 1])
    return spelled is None or spelled == amount


def _is_name(text: str, candidate: re.Match[str], after: After) -> bool:
    """Whether the digits name a page, a room, an error; an amount of money or a percentage never does."""
    has_value_unit = after.is_percent or after.zeros or after.units & CURRENCIES
    return not has_value_unit and is_label(text, candidate.start(), candidate.end())


def _base_value(candidate: re.Match[str], decimal: str | None) -> Decimal | Unclear | None:
    written = candidate.group()
    if candidate.lastgroup != "ratio":
        return vulgar_value(written) if not written[-1].isdecimal() else read_numeral(written, decimal=decimal)
    parts = _RATIO.search(written)
    over, under = (read_numeral(parts[part], decimal=decimal) for part in ("over", "under")) if parts else (None, None)
    if isinstance(over, Decimal) and isinstance(under, Decimal) and under:
        return over / under
    return Unclear(f"{written} is a formula, not a number")


def _read_parentheses(text: str, before: Before, end: int, *, is_percent: bool) -> tuple[int, int, bool, str]:
    """Start, end, and whether the number is negative because it stands alone in parentheses, as in accounts.

    Not after a name or a backslash (a call, a formula), nor after the same number in words; after other digits
    it may be an aside: the last item says so.
    """
    start = before.start
    if text[start - 1 : start] != "(" or text[end : end + 1] != ")" or is_percent or before.is_negative:
        return start, end, False, ""
    opening = text[max(0, start - 21) : start - 1]
    if re.search(r"[\w)\]}\\]\Z", opening) or _SPELLED_NUMBER.search(opening):
        return start, end, False, ""
    doubt = "may be negative or an aside" if re.search(r"[\d%€£$*][ ]\Z", opening) else ""
    return start - 1, end + 1, True, doubt


def _join_cents(text: str, numbers: list[FoundNumber]) -> list[FoundNumber]:
    """With "39 dollars and 25 cents" as one number."""
    joined: list[FoundNumber] = []
    for number in numbers:
        whole = joined[-1] if joined else None
        is_part = whole is not None and "cent" in number.units and whole.units & _MAJOR_UNITS and not whole.decimals
        if whole is not None and is_part and _AND_CENTS.fullmatch(text, whole.end, number.start):
            shown = text[whole.start : number.end]
            value = whole.value + number.value.scaleb(-2).copy_sign(whole.value)
            joined[-1] = replace(whole, text=shown, end=number.end, value=value, decimals=2)
        else:
            joined.append(number)
    return joined


def _mark_ranges(text: str, numbers: list[FoundNumber]) -> list[FoundNumber]:
    marked = list(numbers)
    for index in range(1, len(numbers)):
        first, second = numbers[index - 1], numbers[index]
        ends = (first.start, first.end), (second.start, second.end)
        if is_range(text, first=ends[0], second=ends[1], alike=first.decimals == second.decimals):
            problem = f"{text[first.start : second.end]} is a range or a choice, not one number"
            for place in (index - 1, index):
                marked[place] = replace(marked[place], problem=marked[place].problem or problem)
    return marked


def _with_objection(text: str, number: FoundNumber) -> FoundNumber:
    reason = "" if number.problem else objection(text, number.start, number.end)
    return replace(number, problem=f"{number.text} {reason}") if reason else number
