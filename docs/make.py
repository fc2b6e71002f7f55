"""Makes everything in the repository that is made out of the program: `make docs`.

Each `make_*.py` beside this file is found by itself. It has `make() -> dict[str, str]`: the files that it makes, by
their paths from the repository's root, and what belongs in them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
MAKERS = tuple(sorted(path.stem for path in HERE.glob("make_*.py")))


def make(maker: str) -> dict[str, str]:
    """What the module makes; nothing is written."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    made: dict[str, str] = import_module(maker).make()
    return made


def main() -> None:
    for maker in MAKERS:
        for name, text in make(maker).items():
            path = ROOT / name
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                print(f"{name}: made anew by docs/{maker}.py")


if __name__ == "__main__":
    main()
