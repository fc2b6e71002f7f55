"""Imported by the process that verbs are forked off (forked_verbs.py): has done once what else each does anew.

The words beside numbers in fifty languages, and the patterns that look for them, are half of what a small play costs.
"""

from __future__ import annotations

import mimetypes
from decimal import Decimal

from runner.checks.number import Check
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId

mimetypes.init()
for text in ("You pay 39.25 dollars for 2 hours.", "It is 40.", ""):
    Check(value=Decimal("39.25")).judge(
        Run(id=RunId("run"), thread_id=ThreadId("thread"), status=RunStatus.COMPLETED, text=text)
    )
