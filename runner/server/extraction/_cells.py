"""Numbers in a workbook's cells as people see them: as dates, times or percentages where their format says so.

Source: ECMA-376, part 1, sections 18.8.30 (formats) and 18.17.4 (dates).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import Enum


class Format(Enum):
    PLAIN = "plain"
    DATE = "date"
    ELAPSED = "elapsed"
    PERCENT = "percent"


_BUILT_IN = {
    **dict.fromkeys(map(str, (9, 10)), Format.PERCENT),
    **dict.fromkeys(map(str, (*range(14, 23), *range(27, 37), 45, 47, *range(50, 59))), Format.DATE),
    "46": Format.ELAPSED,
}
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_LEAP_DAY_THAT_NEVER_WAS = 60  # Excel counts a 29 February 1900


def read_format(number: str, code: str | None) -> Format:
    """What a number's format makes of it; `code` is there for those that the workbook has made itself."""
    if code is None:
        return _BUILT_IN.get(number, Format.PLAIN)
    first = _LITERAL.sub("", code).split(";")[0].lower()
    if "[" in first:
        return Format.ELAPSED
    if "%" in first:
        return Format.PERCENT
    is_date = "general" not in first and re.search("[ymdhs]", first) is not None
    return Format.DATE if is_date else Format.PLAIN


def show_number(value: float, wanted: Format, *, is_from_1904: bool = False) -> str:
    """Raises OverflowError for a date that no calendar has."""
    if wanted is Format.PERCENT:
        return f"{value * 100:.12g}%"
    if wanted is Format.DATE and value >= 0:
        return _show_date(value, is_from_1904=is_from_1904)
    if wanted is Format.ELAPSED and value >= 0:
        minutes, seconds = divmod(round(value * 86_400), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return f"{value:.15g}"


def _show_date(value: float, *, is_from_1904: bool) -> str:
    if is_from_1904:
        start = datetime(1904, 1, 1)
    else:
        start = datetime(1899, 12, 30) if value >= _LEAP_DAY_THAT_NEVER_WAS else datetime(1899, 12, 31)
    moment = start + timedelta(seconds=round(value * 86_400))
    time = f"{moment:%H:%M}" if moment.second == 0 else f"{moment:%H:%M:%S}"
    if value < 1:
        return time
    return f"{moment:%Y-%m-%d}" if value == int(value) else f"{moment:%Y-%m-%d} {time}"
