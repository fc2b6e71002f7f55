"""What other tools call tests, imported: promptfoo's configuration and OpenAI's Evals as files of a project."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.config.imported_scenarios import Foreign
    from runner.config.importing import Imported

_MOST_BYTES = 16 * 1024 * 1024
_MOST_FILES = 1000
_TEXTS = (".txt", ".md", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".j2")


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
        self._left = _MOST_BYTES

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
