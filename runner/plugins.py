"""Find a plug-in: a module of a package, whose file name is the name that users write.

A trailing `_` is dropped (`import_.py` is `import`); modules with a leading `_` are no plug-ins.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def plugin_names(package: str) -> tuple[str, ...]:
    """The names of all plug-ins of a package, sorted; nothing but the package itself is imported."""
    path = import_module(package).__path__
    found = (module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))
    return tuple(sorted(name.removesuffix("_") for name in found))


def load_plugin(package: str, name: str) -> ModuleType:
    """The module of the plug-in `name`. Raises KeyError if the package has none of that name."""
    if name not in plugin_names(package):
        raise KeyError(name)
    modules = {
        module.name.removesuffix("_"): module.name for module in pkgutil.iter_modules(import_module(package).__path__)
    }
    return import_module(f"{package}.{modules[name]}")
