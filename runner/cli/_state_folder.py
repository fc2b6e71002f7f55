"""`.runner/`: what runner keeps in a project."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def state_folder(root: Path) -> Path:
    """The folder, made on its first use, with a `.gitignore` that keeps answers and documents out of commits.

    What can't be made is left to the writer that needs it: its message says for what.
    """
    folder = root / ".runner"
    if not folder.exists():
        with suppress(OSError):
            folder.mkdir()
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder
