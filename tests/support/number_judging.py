"""Ask the number check about a text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runner.checks.number import Check
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId
from runner.domain.report import Finding


def judge(text: str, value: str, **parameters: Any) -> Finding:
    run = Run(id=RunId("run"), thread_id=ThreadId("thread"), status=RunStatus.COMPLETED, text=text)
    return Check(value=Decimal(value), **parameters).judge(run)
