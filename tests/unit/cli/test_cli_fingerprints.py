"""What a kept result hangs on beside questions and definitions: the judge, and code of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli._plays import Fingerprints, find_inputs, hash_inputs, refuse_changes
from runner.config import Configuration, load_configuration
from runner.domain.report import Variant
from runner.errors import GateClosed
from runner.kept_play import Kept, KeptResults

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


FUNCTIONS = """version: 1
namespace: demo
assistants:
  guide:
    model: m
    instructions_file: prompt.md
    functions: [{name: rate, description: rates, parameters: {type: object}, python: "rates.py:rate"}]
  other: {model: m}
"""


def read_functions(
    folder: Path, *, code: str = "1", prompt: str = "Be brief.", repeat: int = 1
) -> tuple[Configuration, dict[str, str]]:
    folder.mkdir(exist_ok=True)
    turns = "turns: [{ask: Hi, expect: [contains: hi]}]"
    (folder / "assistants.yaml").write_text(FUNCTIONS, "utf-8")
    (folder / "all.yaml").write_text(
        f"scenarios:\n  - {{name: one, assistant: guide, {turns}}}\n"
        f"  - {{name: two, assistant: other, repeat: {repeat}, {turns}}}\n",
        "utf-8",
    )
    (folder / "rates.py").write_text(f"def rate():\n    return {code}\n", "utf-8")
    (folder / "prompt.md").write_text(prompt, "utf-8")
    read = load_configuration(file=None, scenario_paths=("all.yaml",), cwd=folder, environment={})
    hashed, variant = Fingerprints(), Variant(target="own", api="responses")
    return read, {one.name: hashed.unit(one, variant, read.project).fingerprint for one in read.scenarios}


def test_other_code_of_a_function_and_another_repeat_make_results_stale_wherever_the_project_lies(
    tmp_path: Path,
) -> None:
    read, first = read_functions(tmp_path / "one")

    assert tmp_path / "one" / "rates.py" in find_inputs(read)
    assert changed(first, read_functions(tmp_path / "another")[1]) == set()
    assert changed(first, read_functions(tmp_path / "one", code="2")[1]) == {"one"}
    assert changed(first, read_functions(tmp_path / "one", repeat=3)[1]) == {"two"}


def test_a_play_does_not_go_on_in_silence_with_other_instructions_or_code(tmp_path: Path) -> None:
    read, _ = read_functions(tmp_path)
    kept = Kept(folder=tmp_path, head={"files": hash_inputs(read, Fingerprints())}, results=KeptResults())

    refuse_changes(kept, read)
    with pytest.raises(GateClosed, match="assistant 'guide';"):
        refuse_changes(kept, read_functions(tmp_path, prompt="Be long.")[0])
    with pytest.raises(GateClosed, match="began: rates.py;"):
        refuse_changes(kept, read_functions(tmp_path, code="2")[0])


def test_a_target_s_script_and_faults_the_judge_s_and_recordings_count_as_what_answers(tmp_path: Path) -> None:
    moves, recordings = "conversations: [{moves: [{say: hi}]}]\n", tmp_path / "recordings"
    recordings.mkdir()
    for name, text in (
        ("own.yaml", moves),
        ("judge.yaml", moves),
        ("faults.yaml", "[]\n"),
        ("recordings/one.yaml", "a\n"),
    ):
        (tmp_path / name).write_text(text, "utf-8")
    embedded = "{api: responses, server: embedded, inference: {scripted: %s.yaml}}"
    targets = f"{{own: {embedded % 'own'}, judging: {embedded % 'judge'}, bad: {{api: responses, server: embedded}}}}"
    targets = targets.replace("bad: {", "bad: {faults: faults.yaml, ")
    text = PROJECT.replace('{own: {api: responses, base_url: "http://127.0.0.1:9/v1"}}', targets)
    (tmp_path / "assistants.yaml").write_text(text.replace("target: own", "target: judging"), "utf-8")
    (tmp_path / "all.yaml").write_text(SCENARIOS.replace("python: policy.py:check", "contains: hi"), "utf-8")
    read = load_configuration(file=None, scenario_paths=("all.yaml",), cwd=tmp_path, environment={})
    first = hash_inputs(read, Fingerprints(recordings))

    def units(target: str, replay: Path | None = None) -> dict[str, str]:
        variant, hashed = Variant(target=target, api="responses"), Fingerprints(replay)
        return {one.name: hashed.unit(one, variant, read.project).fingerprint for one in read.scenarios}

    touched = {
        "own.yaml": [("own", None, {"judged", "coded", "plain"}), ("bad", None, set())],
        "judge.yaml": [("own", None, {"judged"})],
        "faults.yaml": [("own", None, set()), ("bad", None, {"judged", "coded", "plain"})],
        "recordings/one.yaml": [("own", None, set()), ("own", recordings, {"judged", "coded", "plain"})],
    }
    for name, cases in touched.items():
        before = [units(target, replay) for target, replay, _ in cases]
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write("# other\n")
        for (target, replay, stale), old in zip(cases, before, strict=True):
            assert changed(old, units(target, replay)) == stale, (name, target)
    kept = Kept(folder=tmp_path, head={"files": first, "arguments": {"replay": "recordings"}}, results=KeptResults())
    named = "began: faults.yaml, judge.yaml, own.yaml, recordings/one.yaml;"
    with pytest.raises(GateClosed, match=named):
        refuse_changes(kept, read)


def test_a_change_in_what_a_function_s_or_a_check_s_file_imports_from_the_project_counts_too(tmp_path: Path) -> None:
    (tmp_path / "shop" / "prices").mkdir(parents=True)
    modules = {
        "tables.py": "import json\nfrom shop import orders\n",
        "shop/__init__.py": "",
        "shop/orders.py": "from . import returns\nfrom .prices import list as prices\n",
        "shop/returns.py": "import tables\n",
        "shop/prices/__init__.py": "",
        "shop/prices/list.py": "RATE = 1\n",
    }
    for name, text in modules.items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "unused.py").write_text("", "utf-8")
    code = "__import__('json') and tables\n\nimport tables"
    read, first = read_functions(tmp_path, code=code)

    assert {tmp_path / name for name in modules} <= find_inputs(read)
    assert tmp_path / "unused.py" not in find_inputs(read)
    kept = Kept(folder=tmp_path, head={"files": hash_inputs(read, Fingerprints())}, results=KeptResults())
    for name in modules:
        before = (tmp_path / name).read_text("utf-8")
        (tmp_path / name).write_text(before + "# other\n", "utf-8")
        assert changed(first, read_functions(tmp_path, code=code)[1]) == {"one"}, name
        with pytest.raises(GateClosed, match=f"began: {name};"):
            refuse_changes(kept, read)
        (tmp_path / name).write_text(before, "utf-8")
    refuse_changes(kept, read)


@pytest.mark.parametrize("code", ["from ... import x", "from ..... import y", "import os, sys", "from . import *"])
def test_imports_from_outside_the_project_or_of_nothing_harm_nothing(tmp_path: Path, code: str) -> None:
    (tmp_path.parent / f"{tmp_path.name}.py").write_text("", "utf-8")
    read, _ = read_functions(tmp_path, code=f"1\n\n{code}")

    assert {one.name for one in find_inputs(read)} == {"assistants.yaml", "all.yaml", "rates.py"}
