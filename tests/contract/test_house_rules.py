"""Rules that hold for every file of the program."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "runner").rglob("*.py"))
MAX_LINES = 600
"""Where the build fails; a module that comes to 400 is talked about."""


def test_a_module_stays_within_the_size_limit_and_says_what_it_is() -> None:
    sources = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in MODULES}
    assert [name for name, source in sources.items() if source.count("\n") > MAX_LINES] == [], "split it"
    unsaid = [name for name, source in sources.items() if not ast.get_docstring(ast.parse(source))]
    assert unsaid == [], "begin with a sentence on what it is"


def test_a_leading_underscore_marks_what_stands_beside_plug_ins_and_nothing_else() -> None:
    packages = (
        "backends checks cli exporting functions reporting server/extraction server/faces server/inference server/tools"
    )
    beside_plug_ins = {ROOT / "runner" / package for package in [*packages.split(), "server/sandboxes"]}
    marked = {
        place for module in MODULES for place in (module, module.parent) if re.match(r"_(?!_)", place.name) is not None
    }
    assert [str(place.relative_to(ROOT)) for place in marked if place.parent not in beside_plug_ins] == []


def test_no_group_of_a_pattern_is_possessive() -> None:
    """Before Python 3.11.5, `re` takes a part of such a group's last repetition along, and matches nothing."""
    possessive = re.compile(r"\)(?:[*+?]|\{\d*,?\d*\})\+")
    assert [str(path.relative_to(ROOT)) for path in MODULES if possessive.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("arguments", [["--help"], ["validate"], ["play", "--help"], ["schema", "scenario"]])
@pytest.mark.slow
def test_openai_is_not_imported_before_it_is_needed(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom runner.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write('IMPORTED' if 'openai' in sys.modules else 'clean')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.endswith("clean"), done.stderr
