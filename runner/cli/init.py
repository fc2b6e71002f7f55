"""`runner init`: a first project, which plays at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import click

from runner import __version__
from runner.cli._session import state_folder
from runner.escaping import file_name

_WORKFLOWS = ".github/workflows"
_FIRST = "first.yaml"
"""The scenario of an imported assistant, of which nothing is known."""


@click.command(name="init", short_help="Make a first project, which plays at once.")
@click.argument("folder", type=click.Path(path_type=Path), default=".", metavar="[FOLDER]")
@click.option("--from", "source", metavar="FILE", help="What to begin with: whatever `runner import` reads.")
def command(folder: Path, source: str | None) -> int:
    """Make a project in FOLDER, or here: an assistant, two scenarios, a document, a function, a workflow for GitHub.

    Inside a git repository the workflow goes into the repository's root, where GitHub looks for it. The project plays
    with no key, on the embedded server. Nothing is overwritten and nothing asked. Where there is a project already,
    only the schemas for the editor are written anew, into .runner/schemas/.
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
    for note in _describe_places(folder):
        click.echo(f"\nnote: {note}")
    click.echo(f"\n`{where}runner play` plays it; {needs_key or 'it needs no key'}")
    return 0


def _read_starter(folder: Path) -> dict[str, str]:
    home = Path(__file__).parents[1] / "starter"
    files = sorted(one for one in home.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    starter = {one.relative_to(home).as_posix(): one.read_text(encoding="utf-8") for one in files}
    requirement = _find_origin()[0] or f"assistant-runner=={__version__}"
    stand_ins = {
        "namespace: starter": f"namespace: {_make_namespace(folder)}",
        "assistant-runner==0.0.0": requirement,
        "assistant_runner-0.0.0": f"assistant_runner-{__version__}",
    }
    if inside := _find_inside(folder):
        stand_ins |= {
            "name: assistants\non:": f"name: {_quote(f'assistants ({inside})')}\non:",
            "ubuntu-latest\n": f"ubuntu-latest\n    defaults: {{run: {{working-directory: {_quote(inside)}}}}}\n",
            "path: report.*": f"path: {_quote(f'{inside}/report.*')}",
        }
    for old, new in stand_ins.items():
        starter = {path: text.replace(old, new) for path, text in starter.items()}
    places = _find_places(folder)
    return {places.get(path, path): text for path, text in starter.items()}


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _find_places(folder: Path) -> dict[str, str]:
    """Where files of the starter go whose names mean something where they lie; the others keep their paths.

    One that is there already is kept as it is.
    """
    inside = _find_inside(folder)
    up = "../" * len(Path(inside).parts)
    name = f"assistants-{file_name(inside)}.yml" if inside else "assistants.yml"
    return {"gitignore": ".gitignore", "workflow.yml": f"{up}{_WORKFLOWS}/{name}"}


def _find_inside(folder: Path) -> str:
    """Where in a git repository it is, "" if it is no part of one, or its root."""
    here = folder.resolve()
    root = next((one for one in (here, *here.parents) if (one / ".git").exists()), here)
    inside = here.relative_to(root).as_posix()
    return "" if inside == "." else inside


def _find_origin() -> tuple[str, bool]:
    """Where pip got this program as other machines can, "" if no git address says it; and whether from an index."""
    from importlib.metadata import PackageNotFoundError, distribution

    with suppress(PackageNotFoundError, ValueError, KeyError, AttributeError):
        told = distribution("assistant-runner").read_text("direct_url.json")  # PEP 610
        if told is None:
            return "", True
        origin = json.loads(told)
        url = str(origin["url"])
        # Who logs in with the address is nobody's business in a file that is committed.
        if url.startswith("https://") and "@" not in url:
            return f"assistant-runner @ git+{url}@{origin['vcs_info']['commit_id']}", False
    return "", False


def _describe_places(folder: Path) -> Iterator[str]:
    """What isn't as one would expect of the workflow."""
    if inside := _find_inside(folder):
        yield f"the workflow is in the git repository's root, where GitHub looks, and plays in {inside}/"
    if _find_origin() == ("", False):
        yield (
            "this runner does not come from a package index: where yours has no assistant-runner either, commit its "
            "wheel, or name its git address, as `RUNNER` in the workflow"
        )


def _make_namespace(folder: Path) -> str:
    from runner.cli.import_ import make_namespace

    return make_namespace(folder.resolve().name)


def _import_project(folder: Path, source: str) -> tuple[dict[str, str], str]:
    """The starter's frame around what was exported elsewhere, and what a key is needed for.

    Without tests, there is a question that any can answer.
    """
    from runner.cli.import_ import check_loads, import_export, make_files, read_input, read_tests
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
    frame = {path: starter[path] for path in _find_places(folder).values()}
    placed = {f"{SCENARIO_FOLDER}/{name}": written for name, written in scenarios.items()}
    needs_key = "some checks ask the `judge` of assistants.yaml, which needs OPENAI_API_KEY" if needs_judge else ""
    return {**frame, PROJECT_FILE: f"{schema_line}\n{text}", **placed}, needs_key


def _refuse_to_mix(folder: Path, texts: Mapping[str, str]) -> None:
    """Raises UsageError: a project made half of files that mean something else would be nobody's."""
    from runner.errors import UsageError, on_one_line

    kept = _find_places(folder).values()
    there = [path for path in texts if path not in kept and os.path.lexists(folder / path)]
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
        # A way up begins where the folder is, which may be a link, or not be there yet.
        place = Path(os.path.normpath(folder.resolve() / path)) if path.startswith("..") else folder / path
        if os.path.lexists(place):
            click.echo(f"kept  {path}, which was there")
            continue
        write_whole(place, texts[path], what="the file")
        click.echo(f"made  {path}")


def _write_schemas(folder: Path) -> None:
    """For the editor, which finds them by the first line of each YAML file; they are no part of the project."""
    from runner.config.file_schemas import schema_text
    from runner.whole_file import write_whole

    schemas = state_folder(folder) / "schemas"
    for kind in ("assistants", "scenario"):
        write_whole(schemas / f"{kind}.json", schema_text(kind), what="the schema")
