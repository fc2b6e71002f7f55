"""Read one numeral as people write it, such as `1.234,50`, to its value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_MAX_DIGITS = 40
_ARABIC_POINT = "٫"
_SEPARATOR = re.compile(r"[^\d]")
_WESTERN_GROUPS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
_INDIAN_GROUPS = re.compile(r"[1-9]\d?(?:,\d{2})+,\d{3}")


@dataclass(frozen=True, slots=True)
class Unclear:
    """A numeral that stands for a number, though it can't be said for which one."""

    reason: str


def read_numeral(written: str, *, decimal: str | None) -> Decimal | Unclear | None:
    """The value of digits with separators; None if it is no number at all (a version, a date, a code).

    Separators are `.` `,` `'` `٫`, a space, and a no-break space for any narrow one. `decimal` is the decimal
    mark, `.` or `,`, where the user has said it; otherwise a lone comma is unclear unless three digits follow.
    """
    separators = _SEPARATOR.findall(written)
    if len(written) - len(separators) > _MAX_DIGITS:
        return None
    if not separators:
        looks_like_a_code = len(written) > 2 and written.startswith("0")
        return None if looks_like_a_code else Decimal(written)
    if len(set(separators)) == 1 and (len(separators) > 1 or separators[0] not in ".,٫"):
        return _read_whole(written, separators[0], decimal=decimal)
    if len(separators) == 1:
        return _read_with_one_mark(written, separators[0], decimal=decimal)
    return _read_grouped_decimal(written, separators, decimal=decimal)


def _read_whole(written: str, separator: str, *, decimal: str | None) -> Decimal | Unclear | None:
    """Groups without a decimal part: 890.500.000, 1'234, 1 234."""
    if not _is_grouped(written, separator):
        return Unclear(f"{written} may be one number or several") if separator == "," else None
    if separator == " ":
        return Unclear(f"{written} may be one number or two")
    if separator == decimal:
        return Unclear(f"{written} has several decimal marks '{decimal}'")
    return Decimal(written.replace(separator, ""))


def _read_with_one_mark(written: str, mark: str, *, decimal: str | None) -> Decimal | Unclear | None:
    """One point or comma: 39.25, 39,25, 1,234, .5."""
    as_decimal = Decimal(written.replace(mark, "."))
    if mark in (decimal or ".", _ARABIC_POINT):
        return as_decimal
    if _is_grouped(written, mark):
        return Decimal(written.replace(mark, ""))
    if decimal is None:
        return Unclear(
            f"{written} is ambiguous: the comma may be a decimal mark (then say `decimal: ','`) or stand between groups"
        )
    return Unclear(f"{written} doesn't fit `decimal: '{decimal}'`")


def _read_grouped_decimal(written: str, separators: list[str], *, decimal: str | None) -> Decimal | Unclear | None:
    """Groups, then a decimal part after another mark: 1,234.50, 1.234,50, 1 234,50, 1,23,456.00."""
    mark = separators[-1]
    groups, fraction = written.rsplit(mark, 1)
    grouping = set(separators[:-1])
    if len(grouping) > 1 or mark in grouping or mark not in ".,٫" or not _is_grouped(groups, separators[0]):
        return Unclear(f"{written} mixes separators in no known way") if "," in separators else None
    if decimal not in (None, mark) and mark != _ARABIC_POINT:
        return Unclear(f"{written} doesn't fit `decimal: '{decimal}'`")
    if grouping == {" "} and mark == ".":
        return Unclear(f"{written} may be one number or two")
    return Decimal(f"{groups.replace(separators[0], '')}.{fraction}")


def _is_grouped(written: str, separator: str) -> bool:
    """Whether groups are of three digits, or, between commas, as in India (1,23,456)."""
    commas = written.replace(separator, ",")
    if _WESTERN_GROUPS.fullmatch(commas):
        return True
    return separator == "," and _INDIAN_GROUPS.fullmatch(commas) is not None
