"""A plan for programs."""

from __future__ import annotations

import json

from runner.sync.printing import PrintedPlan, as_json


def render(plan: PrintedPlan) -> str:
    return json.dumps(as_json(plan), indent=2, ensure_ascii=True)
