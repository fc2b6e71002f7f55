"""Ask the number check about a text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runner.checks import an_answer
from runner.checks.number import Check
from runner.domain.report import Finding


def judge(text: str, value: str, **parameters: Any) -> Finding:
    return Check(value=Decimal(value), **parameters).judge(an_answer(text))
