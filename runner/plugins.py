"""Find a plug-in: a module or a folder of a package, whose name is the name that users write.

A trailing `_` is dropped (`import_.py` is `import`); what has a leading `_` is no plug-in.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType, ModuleType


def plugin_names(package: str) -> tuple[str, ...]:
    """The names of all plug-ins of a package, sorted; nothing but the package itself is imported."""
    return tuple(_find_modules(package))


@cache
def load_plugin(package: str, name: str) -> ModuleType:
    """The module of the plug-in `name`. Raises KeyError if the package has none of that name.

    Remembered: checks are looked up for each expectation, several times over.
    """
    return import_module(f"{package}.{_find_modules(package)[name]}")


@cache
def _find_modules(package: str) -> Mapping[str, str]:
    """The modules of all plug-ins by their names. Listed once: each listing reads the folder anew."""
    found = (module.name for module in pkgutil.iter_modules(import_module(package).__path__))
    modules = {name.removesuffix("_"): name for name in found if not name.startswith("_")}
    return MappingProxyType(dict(sorted(modules.items())))
