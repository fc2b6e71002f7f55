"""Imported by the process that verbs are forked off (forked_verbs.py): has done once what else each does anew.

The words beside numbers in fifty languages, and the patterns that look for them, are half of what a small play costs.
"""

from __future__ import annotations

import gc
import mimetypes
import sys
from decimal import Decimal
from importlib import import_module
from pathlib import Path

from runner.checks.number import Check
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId

mimetypes.init()
for text in ("You pay 39.25 dollars for 2 hours.", "It is 40.", ""):
    Check(value=Decimal("39.25")).judge(
        Run(id=RunId("run"), thread_id=ThreadId("thread"), status=RunStatus.COMPLETED, text=text)
    )
# Each process imports it, and it looks for all of the program's modules. In Python 3.11 the path has yet to be told.
sys.path.append(str(Path(__file__).parents[1]))
import_module("forked_verbs")
# A search for garbage writes into everything there is, and what is written into has to be copied.
gc.freeze()
