"""Find a plug-in: a module or a folder of a package, whose name is the name that users write.

A trailing `_` is dropped (`import_.py` is `import`); what has a leading `_` is no plug-in. Installed distributions add
checks by entry points of the group `assistant_runner.checks`, each naming a module; a name of ours stays ours.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType

_GROUPS = {"runner.checks": "assistant_runner.checks"}


def plugin_names(package: str) -> tuple[str, ...]:
    """The names of all plug-ins of a package, sorted; nothing but the package itself is imported."""
    return tuple(_find_modules(package))


def find_module(package: str, name: str) -> str:
    """The full name of the plug-in's module. Raises KeyError if the package has none of that name."""
    return _find_modules(package)[name]


@cache
def load_plugin(package: str, name: str) -> ModuleType:
    """The module of the plug-in `name`. Raises KeyError if the package has none of that name.

    What an installed package adds may do anything when it is imported: `runner.checks.load_check` is for that.
    Remembered: checks are looked up for each expectation, several times over.
    """
    return import_module(find_module(package, name))


@cache
def _find_modules(package: str) -> Mapping[str, str]:
    """The modules of all plug-ins by their names. Listed once: each listing reads the folder anew."""
    found = (module.name for module in pkgutil.iter_modules(import_module(package).__path__))
    modules = {name.removesuffix("_"): f"{package}.{name}" for name in found if not name.startswith("_")}
    added = _find_added(_GROUPS[package]) if package in _GROUPS else {}
    return MappingProxyType(dict(sorted((added | modules).items())))


def _find_added(group: str) -> dict[str, str]:
    """What installed distributions add. `importlib.metadata` takes a fifth of a second for it, this a hundredth."""
    added: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path):
        for file in sorted(Path(folder or ".").glob("*.dist-info/entry_points.txt")):
            with suppress(OSError, ValueError):
                text = file.read_text(encoding="utf-8")
                if f"[{group}]" in text:
                    added = _read_entry_points(text, group) | added
    return added


def _read_entry_points(text: str, group: str) -> dict[str, str]:
    import configparser

    reader = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    reader.optionxform = str  # type: ignore[assignment,method-assign]  # as the standard library's own reader does
    reader.read_string(text)
    return {name: module.strip() for name, module in reader[group].items() if not name.startswith("_")}
