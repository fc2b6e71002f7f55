"""`runner import`: what other tools have, as YAML of ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli._session import file_option, load_project
from runner.did_you_mean import count
from runner.errors import ConfigError, UsageError, WriteFailed

if TYPE_CHECKING:
    from runner.config.imported_scenarios import Foreign
    from runner.config.importing import Imported

MAX_BYTES = 16 * 1024 * 1024
_MOST_FILES = 1000
_TEXTS = (".txt", ".md", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".j2")


@click.command(name="import", short_help="Turn what other tools have into YAML.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--address", metavar="NAME", help="The assistant's address, instead of one made from its name.")
@click.option(
    "--write", is_flag=True, help="Create the files, or put the assistants into the assistants.yaml there is."
)
@file_option
def command(files: tuple[str, ...], address: str | None, write: bool, file: Path | None) -> None:
    """Turn what other tools have into YAML: exported assistants, promptfoo's configuration, OpenAI's Evals.

    An export is JSON as its API prints it, one or a list: an assistant or an agent of OpenAI's, an agent of Azure AI
    Foundry or a version of one, or a classic agent of Azure's. Of Evals, an eval (its graders) goes together with a
    run, its output items, or the dashboard's results in JSON Lines. Which kind a FILE is, is seen from what is in it;
    `-` is standard input.

    The YAML is printed, or with --write put into assistants.yaml and scenarios/. With --address of an assistant that
    is declared already, scenarios are for that one. What has no counterpart becomes a comment; keys and tokens are
    left out.
    """
    project_file = _find_project_file(file)
    taken = _read_addresses(project_file) if project_file.exists() else ()
    inputs = [(name, read_input(name)) for name in files]
    tests = read_tests(inputs)
    if tests is not None:
        _import_tests(tests, project_file, address=address, taken=taken, write=write)
        return

    if len(files) > 1:
        raise UsageError("import exported assistants one file at a time")
    if address in taken:
        raise UsageError(f"{project_file.name} has an assistant '{address}' already; choose another --address")
    imported = import_export(*inputs[0], address=address, taken=taken)
    if write:
        write_assistants(project_file, imported)
    else:
        print_yaml(show_assistants(project_file, imported))


def show_assistants(project_file: Path, imported: tuple[Imported, ...], *, needs_judge: bool | None = None) -> str:
    """What goes into assistants.yaml: all of it, or the entries where there is one."""
    from runner.config.importing import write_project

    text = write_project(make_namespace(imported[0].address), imported, needs_judge=needs_judge)
    check_loads(text)
    return text.split("\nassistants:\n", 1)[1] if project_file.exists() else text


def print_yaml(text: str) -> None:
    # What goes into a file is YAML, and that is UTF-8, whatever a terminal here has.
    click.echo(text if sys.stdout.isatty() else text.encode("utf-8"), nl=False)


def import_export(
    export: str, raw: bytes, *, address: str | None = None, taken: tuple[str, ...] = ()
) -> tuple[Imported, ...]:
    """The assistants in an exported file; `taken` are addresses that are in use already. Raises UsageError."""
    from runner.config.exported_assistants import read_export
    from runner.config.importing import import_assistants
    from runner.redaction import Redactor, find_secrets

    exports = read_export(raw, file="standard input" if export == "-" else export)
    if address is not None and len(exports) > 1:
        raise UsageError(f"--address names one assistant; {export} has {len(exports)}")
    return import_assistants(exports, address=address, taken=taken, clean=Redactor(find_secrets(os.environ)).clean)


def read_input(export: str) -> bytes:
    if export == "-":
        raw = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        path = Path(export)
        if not path.is_file():
            raise UsageError(f"there is no file '{export}'")
        try:
            with path.open("rb") as opened:
                raw = opened.read(MAX_BYTES + 1)
        except OSError as error:
            raise UsageError(f"'{export}' can't be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"'{export}' is larger than {MAX_BYTES // 1024 // 1024} MB, which is the limit")
    return raw


def _find_project_file(file: Path | None) -> Path:
    """The file to extend, or the one to create where there is none."""
    from runner.config.paths import PROJECT_FILE, find_project_file

    try:
        return find_project_file(file, Path.cwd())
    except UsageError:
        return Path.cwd() / (file or PROJECT_FILE)


def _read_addresses(project_file: Path) -> tuple[str, ...]:
    """Raises ConfigError: a file with mistakes is not extended."""
    return tuple(one.address for one in load_project(project_file).project.assistants)


def make_namespace(word: str) -> str:
    """One that begins with `word`, and is random, so that no two projects own the same objects."""
    import re
    import secrets

    shown = re.sub(r"[^a-z0-9]+", "-", word.lower())[:40].strip("-") or "assistants"
    return f"{shown}-{secrets.token_hex(3)}"


def check_loads(text: str) -> None:
    """Raises UsageError if the YAML would not load: an assistant that our vocabulary can't express at all."""
    import tempfile

    from runner.config import load_configuration

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "assistants.yaml"
        path.write_bytes(text.encode("utf-8"))
        try:
            load_configuration(file=path, scenario_paths=None, cwd=Path(folder), environment={})
        except ConfigError as error:
            first = error.problems[0]
            raise UsageError(
                f"it can't be imported: {first.path}: {first.message}; {first.hint}".rstrip("; ")
            ) from error


def write_assistants(project_file: Path, imported: tuple[Imported, ...], *, needs_judge: bool | None = None) -> None:
    from runner.cli._rewriting import read_source, rewrite
    from runner.config.importing import write_project
    from runner.config.writing import Unwritable, add_assistants
    from runner.escaping import terminal_line

    check_loads(write_project("check", imported))
    if project_file.exists():
        try:
            text = add_assistants(read_source(project_file), [one.entry for one in imported])
        except Unwritable as error:
            raise WriteFailed(f"{project_file.name} can't be extended: {error}; put in what is printed") from error
    else:
        text = write_project(make_namespace(imported[0].address), imported, needs_judge=needs_judge)
    rewrite({project_file: text}, lambda: _read_addresses(project_file))
    for one in imported:
        click.echo(f"assistant {one.address}: written to {project_file.name}")
        for note in one.notes:
            click.echo(f"  note: {terminal_line(note)}")


# Tests of other tools.


def _import_tests(
    foreign: Foreign, project_file: Path, *, address: str | None, taken: tuple[str, ...], write: bool
) -> None:
    """Print the files, or write those that are not there yet; then say what is in them and what was left out."""
    from runner.config.paths import SCENARIO_FOLDER
    from runner.whole_file import write_whole

    imported, files = make_files(foreign, address=address, taken=taken)
    needs_judge, is_new = foreign.suite.needs_judge, not project_file.exists()
    named = {f"{SCENARIO_FOLDER}/{name}": text for name, text in files.items()}
    if write:
        _refuse_existing(project_file.parent, named)
        if imported:
            write_assistants(project_file, imported, needs_judge=needs_judge)
        for name, text in named.items():
            write_whole(project_file.parent / name, text, what="the file")
    else:
        shown = (
            {project_file.name: show_assistants(project_file, imported, needs_judge=needs_judge)} if imported else {}
        )
        print_yaml("\n".join(f"# {name}\n{text}" for name, text in {**shown, **named}.items()))
    if lost := sum(one.lost for one in imported):
        click.echo(f"{project_file.name}: {_say_lost(lost)}", err=not write)
    for line in _summarise(foreign, next(iter(named))):
        click.echo(line, err=not write)
    if needs_judge and not is_new:
        click.echo("some of its checks ask a model: `judge` in assistants.yaml says which", err=not write)


def _refuse_existing(root: Path, files: Mapping[str, str]) -> None:
    there = [name for name in files if os.path.lexists(root / name)]
    if there:
        raise UsageError(f"nothing was written: there is {', '.join(there)} already")


def _say_lost(lost: int) -> str:
    return f"{count(lost, 'part')} without counterpart, each a comment in it"


def _summarise(foreign: Foreign, name: str) -> list[str]:
    suite = foreign.suite
    cases = sum(max(1, len(script.rows)) for script in suite.scripts)
    said = f"{name}: {count(len(suite.scripts), 'scenario')}, {count(cases, 'case')}"
    lost = len(suite.all_lost)
    if lost:
        said += f"; {_say_lost(lost)}"
    skipped = sum(bool(script.skip) for script in suite.scripts)
    code = [f"code of theirs, to be read before it is played: {', '.join(suite.code)}"] if suite.code else []
    return [said, *code, *([f"{count(skipped, 'scenario')} can't be played as it is: see `skip`"] if skipped else [])]


def read_tests(inputs: Sequence[tuple[str, bytes]]) -> Foreign | None:
    """What the files have, or None if they are no tests. Raises UsageError."""
    from runner.config.evals import is_of_evals, read_evals
    from runner.config.promptfoo import read_promptfoo

    values = [_parse(name, raw) for name, raw in inputs]
    source = ", ".join(Path(name).name for name, _ in inputs)
    stem = _make_stem(inputs[0][0])
    if len(values) == 1 and _is_promptfoo(values[0]):
        return read_promptfoo(values[0], source=source, stem=stem, open_file=_Opener(Path(inputs[0][0])))
    if values and all(map(is_of_evals, values)):
        return read_evals(values, source=source, stem=stem)
    if any(map(is_of_evals, values)) or any(map(_is_promptfoo, values)):
        raise UsageError(f"{source}: these are files of different kinds; import them one by one")
    return None


def _is_promptfoo(value: object) -> bool:
    from runner.config.promptfoo import KEYS

    return isinstance(value, Mapping) and bool(value.keys() & KEYS) and "object" not in value


def _parse(name: str, raw: bytes) -> Any:
    """YAML, JSON or JSON Lines; None for what is none of them, which the reader of exports explains."""
    from runner.config.exported_assistants import parse_json
    from runner.config.promptfoo_tests import parse_data

    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if name.lower().endswith((".yaml", ".yml")):
        try:
            return parse_data(text, name)
        except ValueError as error:
            raise UsageError(str(error)) from error
    try:
        return parse_json(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
    try:
        return [parse_json(line) for line in lines]
    except ValueError:
        return None


def _make_stem(name: str) -> str:
    """A scenario file's name: that of the file, or of its folder where that says nothing."""
    import re

    path = Path(name)
    word = path.resolve().parent.name if path.stem.lower() in ("promptfooconfig", "-") else path.stem
    return re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:60] or "imported"


class _Opener:
    """Reads text files that a configuration names, in its own folder or below the one where we are."""

    def __init__(self, config: Path) -> None:
        self._folder = config.resolve().parent
        self._left = MAX_BYTES

    def __call__(self, named: str) -> str:
        from runner.config.promptfoo_tests import Unopened

        path = named.removeprefix("file://")
        if "://" in path:
            raise Unopened("runner fetches nothing")
        if not path.lower().endswith(_TEXTS):
            raise Unopened("runner runs no program to find out what is in it" if "." in path else "it is no text file")
        real = (self._folder / path).resolve()
        if not any(real.is_relative_to(folder) for folder in (self._folder, Path.cwd().resolve())):
            raise Unopened("it lies outside of the folder")
        try:
            if not real.is_file():
                raise Unopened("there is no such file")
            with real.open("rb") as file:
                raw = file.read(self._left + 1)
            self._left -= len(raw)
            if self._left < 0:
                raise Unopened("there is too much in the files that are named")
            return raw.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise Unopened(f"it can't be read: {error}") from error

    def find(self, pattern: str) -> list[str]:
        import glob

        from runner.config.promptfoo_tests import Unopened

        path = pattern.removeprefix("file://")
        found = sorted(name for name in glob.glob(path, root_dir=self._folder) if name.lower().endswith(_TEXTS))
        if not found:
            raise Unopened("no text file matches it")
        if len(found) > _MOST_FILES:
            raise Unopened(f"it matches more than {_MOST_FILES} files")
        return found


def make_files(
    foreign: Foreign, *, address: str | None, taken: tuple[str, ...]
) -> tuple[tuple[Imported, ...], dict[str, str]]:
    """The assistants that have to be declared, and the files of scenarios by their names."""
    from runner.config.imported_scenarios import write_suite
    from runner.config.importing import import_assistants
    from runner.redaction import Redactor, find_secrets

    clean = Redactor(find_secrets(os.environ)).clean
    imported: tuple[Imported, ...] = ()
    if address in taken:
        addresses = dict.fromkeys(foreign.assistants, address)
    else:
        own = address if len(foreign.assistants) == 1 else None
        imported = import_assistants(foreign.assistants.values(), address=own, taken=taken, clean=clean)
        addresses = {key: one.address for key, one in zip(foreign.assistants, imported, strict=True)}
    scripts = tuple(replace(one, assistant=str(addresses[one.assistant])) for one in foreign.suite.scripts)
    return imported, write_suite(replace(foreign.suite, scripts=scripts), clean)
