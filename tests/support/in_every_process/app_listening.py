"""An import hook: wherever the embedded server's application is imported, it is one that is listened to.

Part of no test's subject: it costs the standard library's import machinery, and the rest once `runner.server.app` is
imported, so that tests of what a command imports stay true.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

_APP = "runner.server.app"
HEARD_FOLDER = "RUNNER_TESTS_HEARD"
"""The variable with the folder where the answers are put, one file for each."""
_LISTENING: dict[str, str] = {}


def install() -> None:
    """In front of all other finders: pytest's own, which rewrites the asserts of plug-ins, takes the whole package."""
    sys.meta_path[:] = [_AppFinder(), *(one for one in sys.meta_path if not isinstance(one, _AppFinder))]


def listening_environment() -> dict[str, str]:
    """What a child needs to be listened to, for tests that give it an environment of its own."""
    return dict(_LISTENING) or {name: os.environ[name] for name in ("PYTHONPATH", HEARD_FOLDER) if name in os.environ}


def heard_folder() -> str | None:
    """Where answers are put; a test that took this process's environment away has not made it deaf."""
    return _LISTENING.get(HEARD_FOLDER) or os.environ.get(HEARD_FOLDER)


def listen_from(heard: Path) -> None:
    """Listen to this process and to the ones that it starts from now on."""
    _LISTENING.update({HEARD_FOLDER: str(heard), "PYTHONPATH": str(Path(__file__).parent)})
    os.environ.update(_LISTENING)
    install()


class _AppFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _APP:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _ListeningLoader(spec.loader.name, spec.loader.path)
        return spec


class _ListeningLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        from listened_app import ListenedApp

        module.__dict__["Starlette"] = ListenedApp
