"""What a kept result hangs on beside questions and definitions: the judge, and code of the project."""

from __future__ import annotations

from pathlib import Path

from runner.cli._plays import Fingerprints, find_inputs
from runner.config import load_configuration
from runner.domain.report import Variant

PROJECT = """version: 1
namespace: demo
targets: {own: {api: responses, base_url: "http://127.0.0.1:9/v1"}}
judge: {target: own, model: one}
assistants: {guide: {model: m}}
"""
SCENARIOS = """scenarios:
  - {name: judged, assistant: guide, turns: [{ask: Hi, expect: [not: {judge: Is it rude}]}]}
  - {name: coded, assistant: guide, turns: [{ask: Hi, expect: [python: policy.py:check]}]}
  - {name: plain, assistant: guide, turns: [{ask: Hi, expect: [contains: hi]}]}
"""


def fingerprints(folder: Path, *, judge: str = "one", code: str = "True") -> dict[str, str]:
    (folder / "assistants.yaml").write_text(PROJECT.replace("model: one", f"model: {judge}"), "utf-8")
    (folder / "all.yaml").write_text(SCENARIOS, "utf-8")
    (folder / "policy.py").write_text(f"def check(turn):\n    return {code}\n", "utf-8")
    read = load_configuration(file=None, scenario_paths=("all.yaml",), cwd=folder, environment={})
    assert folder / "policy.py" in find_inputs(read)
    hashed = Fingerprints()
    variant = Variant(target="own", api="responses")
    return {one.name: hashed.unit(one, variant, read.project).fingerprint for one in read.scenarios}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_another_judge_or_other_code_makes_old_verdicts_stale_and_only_theirs(tmp_path: Path) -> None:
    first = fingerprints(tmp_path)

    assert changed(first, fingerprints(tmp_path)) == set()
    assert changed(first, fingerprints(tmp_path, judge="two")) == {"judged"}
    assert changed(first, fingerprints(tmp_path, code="False")) == {"coded"}
