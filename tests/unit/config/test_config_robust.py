"""Any value in any place of a good file gives a configuration or mistakes with a place, never anything else."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from runner.config import load_configuration
from runner.errors import ConfigError
from runner.server.inference.scripted import create

OK = Path(__file__).parents[2] / "configs" / "ok" / "travel"
ENVIRONMENT = {"STAGE": "test", "MODEL": "m", "TOKEN": "a-token-of-some-length"}
ODD = [None, True, 5, -0.5, "", "x", "${x", "\0", [], [None], [[]], ["x", "x"], {}, {"x": None}, {"file": []}, {"": {}}]


def places(value: object, where: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield where
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*where, key))


def unlike_places(value: object) -> Iterator[tuple[str | int, ...]]:
    """Of the items of a list that have the same key in the same place, the first one's."""
    seen = set()
    for where in places(value):
        kind = tuple("*" if isinstance(part, int) else part for part in where)
        if kind not in seen:
            seen.add(kind)
            yield where


def with_odd(value: object, where: tuple[str | int, ...], odd: object) -> object:
    if not where:
        return odd
    changed = copy.deepcopy(value)
    container = changed
    for part in where[:-1]:
        container = container[part]  # type: ignore[index] - the place was taken from this very value
    container[where[-1]] = odd  # type: ignore[index] - likewise
    return changed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["assistants.yaml", "scenarios/bill.yaml", "scenarios/several.yaml"])
def test_an_odd_value_anywhere_never_breaks_the_reading(name, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(OK, root)
    scenarios = (name if "scenarios" in name else "scenarios/bill.yaml",)
    value = yaml.safe_load((root / name).read_text(encoding="utf-8"))
    for where in unlike_places(value):
        for odd in ODD:
            (root / name).write_text(json.dumps(with_odd(value, where, odd)), encoding="utf-8")
            with suppress(ConfigError):
                load_configuration(file=None, scenario_paths=scenarios, cwd=root, environment=ENVIRONMENT)


@pytest.mark.slow
def test_an_odd_value_anywhere_in_a_script_never_breaks_the_reading(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "scripted.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(# tests/moves\.yaml\n.*?)```", page, re.DOTALL)
    value = yaml.safe_load(example)
    path = tmp_path / "moves.yaml"
    for where in unlike_places(value):
        for odd in ODD:
            path.write_text(json.dumps(with_odd(value, where, odd)), encoding="utf-8")
            with suppress(ConfigError):
                create({"script": str(path)})
