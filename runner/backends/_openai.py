"""The official SDK, imported in half the time: its 300 modules of types wait until somebody asks for one of them.

`import openai` builds every pydantic model of every API, 0.25 s of CPU, and we never touch one: requests go out and
answers come back as plain JSON (see `_sdk.py`). The packages under `openai.types` stand there empty at first, and the
first name that is looked up in one runs it, so that others in this process (a user's functions, say) see no difference.
May go once the SDK does so by itself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_TYPES = "openai.types"


class _OnFirstUse(Loader):
    """Runs a package when a name is first looked up in it; its submodules can be imported before."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._running: set[int] = set()

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        def look_up(name: str) -> object:
            thread = threading.get_ident()
            # A module of the package that looks a name up while the package runs finds what is there by then.
            if thread in self._running or (name.startswith("__") and name != "__all__"):
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            # No lock: two threads may both run it, as all it does is import. One waiting for the other could wait for
            # ever, since each holds the import system's own locks.
            self._running.add(thread)
            try:
                self._loader.exec_module(module)
            finally:
                self._running.discard(thread)
            vars(module).pop("__getattr__", None)
            return getattr(module, name)

        vars(module)["__getattr__"] = look_up


class _TypesFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _TYPES and not fullname.startswith(f"{_TYPES}."):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None and spec.submodule_search_locations is not None:
            spec.loader = _OnFirstUse(spec.loader)
        return spec


_finder = _TypesFinder()
sys.meta_path.insert(0, _finder)
try:
    import openai
finally:
    sys.meta_path.remove(_finder)

__all__ = ["openai"]
