"""`runner init`: a first project, which plays at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner import __version__
from runner.cli._session import state_folder

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_WORKFLOW = ".github/workflows/assistants.yml"
_PLACES = {"gitignore": ".gitignore", "workflow.yml": _WORKFLOW}
"""Where files of the starter go whose names mean something where they lie; the others keep their paths."""
_BESIDE_IT = frozenset(_PLACES.values())
"""What a folder may have already: it is kept as it is."""
_FIRST = "first.yaml"
"""The scenario of an imported assistant, of which nothing is known."""


@click.command(name="init", short_help="Make a first project, which plays at once.")
@click.argument("folder", type=click.Path(path_type=Path), default=".", metavar="[FOLDER]")
@click.option("--from", "source", metavar="FILE", help="What to begin with: whatever `runner import` reads.")
def command(folder: Path, source: str | None) -> int:
    """Make a project in FOLDER, or here: an assistant, two scenarios, a document, a function, a workflow for GitHub.

    It plays with no key, on the embedded server. Nothing is overwritten and nothing asked. Where there is a project
    already, only the schemas for the editor are written anew, into .runner/schemas/.
    """
    from runner.config.paths import PROJECT_FILE
    from runner.errors import UsageError

    project_file = folder / PROJECT_FILE
    if os.path.lexists(project_file):
        if source is not None:
            raise UsageError(f"there is a {project_file} already; `runner import {source} --write` puts it in there")
        _write_schemas(folder)
        click.echo(f"{project_file} is there already and stays as it is; the schemas in .runner/schemas/ are new")
        return 0
    if source is None:
        texts, needs_key = {path: text for path, text in _read_starter(folder).items() if path != _FIRST}, ""
    else:
        texts, needs_key = _import_project(folder, source)
    _refuse_to_mix(folder, texts)
    _write(folder, texts)
    _write_schemas(folder)
    where = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"\n`{where}runner play` plays it; {needs_key or 'it needs no key'}")
    return 0


def _read_starter(folder: Path) -> dict[str, str]:
    from importlib.resources import files

    starter = dict(_walk(files("runner") / "starter"))
    stand_ins = {"namespace: starter": f"namespace: {_make_namespace(folder)}", "==0.0.0": f"=={__version__}"}
    for old, new in stand_ins.items():
        starter = {path: text.replace(old, new) for path, text in starter.items()}
    return {_PLACES.get(path, path): text for path, text in starter.items()}


def _walk(folder: Traversable, below: str = "") -> list[tuple[str, str]]:
    found = []
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.is_dir() and one.name != "__pycache__":
            found += _walk(one, f"{below}{one.name}/")
        elif one.is_file():
            found.append((below + one.name, one.read_text(encoding="utf-8")))
    return found


def _make_namespace(folder: Path) -> str:
    from runner.cli.import_ import make_namespace

    return make_namespace(folder.resolve().name)


def _import_project(folder: Path, source: str) -> tuple[dict[str, str], str]:
    """The starter's frame around what was exported elsewhere, and what a key is needed for.

    Without tests, there is a question that any can answer.
    """
    from runner.cli._foreign_tests import make_files, read_tests
    from runner.cli.import_ import check_loads, import_export, read_input
    from runner.config.importing import write_project
    from runner.config.paths import PROJECT_FILE, SCENARIO_FOLDER

    inputs = [(source, read_input(source))]
    tests = read_tests(inputs)
    imported, scenarios = (
        (import_export(*inputs[0]), {}) if tests is None else make_files(tests, address=None, taken=())
    )
    needs_judge = None if tests is None else tests.suite.needs_judge
    text = write_project(_make_namespace(folder), imported, needs_judge=needs_judge)
    check_loads(text)
    starter = _read_starter(folder)
    if not scenarios:
        scenarios[_FIRST] = starter[_FIRST].replace("assistant: help-desk", f"assistant: {imported[0].address}")
    schema_line, _, _ = starter[PROJECT_FILE].partition("\n")
    frame = {path: starter[path] for path in _BESIDE_IT}
    placed = {f"{SCENARIO_FOLDER}/{name}": written for name, written in scenarios.items()}
    needs_key = "some checks ask the `judge` of assistants.yaml, which needs OPENAI_API_KEY" if needs_judge else ""
    return {**frame, PROJECT_FILE: f"{schema_line}\n{text}", **placed}, needs_key


def _refuse_to_mix(folder: Path, texts: Mapping[str, str]) -> None:
    """Raises UsageError: a project made half of files that mean something else would be nobody's."""
    from runner.errors import UsageError, on_one_line

    there = [path for path in texts if path not in _BESIDE_IT and os.path.lexists(folder / path)]
    if there:
        shown = on_one_line(", ".join(there))
        raise UsageError(
            f"nothing was written: there is {shown} in {str(folder.resolve())!r} already; use a new folder"
        )


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """The project's own file last: without it, what was written before a full disk is no project."""
    from runner.config.paths import PROJECT_FILE
    from runner.whole_file import write_whole

    for path in sorted(texts, key=lambda one: (one == PROJECT_FILE, one)):
        if os.path.lexists(folder / path):
            click.echo(f"kept  {path}, which was there")
            continue
        write_whole(folder / path, texts[path], what="the file")
        click.echo(f"made  {path}")


def _write_schemas(folder: Path) -> None:
    """For the editor, which finds them by the first line of each YAML file; they are no part of the project."""
    from runner.config.file_schemas import schema_text
    from runner.whole_file import write_whole

    schemas = state_folder(folder) / "schemas"
    for kind in ("assistants", "scenario"):
        write_whole(schemas / f"{kind}.json", schema_text(kind), what="the schema")
