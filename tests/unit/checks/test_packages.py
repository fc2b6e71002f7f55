"""Checks of installed packages: the program knows what they say of themselves, and runs none of their code."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from forked_verbs import start_worker
from odd_packages import forget_plugins

from runner import side_process
from runner.checks import build_part
from runner.checks._packages import load_check
from runner.domain.report import Outcome
from runner.domain.scenario import Expectation
from runner.errors import Location, UsageError
from runner.plugins import plugin_names

SOURCE = "MAIN_FIELD, EXAMPLES, Check = 'v', (), object\nSCHEMA = {'properties': {'v': {}}}\n"


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A distribution's check `polite`, as pip leaves it."""
    (tmp_path / "polite-1.0.dist-info").mkdir()
    ours = "[assistant_runner.checks]\npolite = polite_checks.polite\ncontains = evil\n"
    (tmp_path / "polite-1.0.dist-info" / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n{ours}")
    (tmp_path / "polite_checks").mkdir()
    (tmp_path / "polite_checks" / "__init__.py").write_text("")
    (tmp_path / "polite_checks" / "polite.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(side_process, "spawn", start_worker)
    forget_plugins()
    yield tmp_path / "polite_checks" / "polite.py"
    forget_plugins()


@pytest.mark.slow
def test_an_installed_distribution_adds_checks_and_replaces_none() -> None:
    assert "polite" in plugin_names("runner.checks")
    assert load_check("polite").MAIN_FIELD == "v"
    assert load_check("contains").__name__ == "runner.checks.contains"
    assert "polite" not in plugin_names("runner.backends")
    assert "polite_checks.polite" not in sys.modules


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def", "SyntaxError: "),
        ("SCHEMA, MAIN_FIELD, EXAMPLES = {}, 'x', ()", "it has no Check"),
        ("SCHEMA, MAIN_FIELD, EXAMPLES, Check = {'properties': {}}, 'x', (), 1", "its MAIN_FIELD is none of"),
        ("SCHEMA, MAIN_FIELD, EXAMPLES, Check = 7, 'x', (), 1", "its SCHEMA is no JSON Schema: "),
        ("SCHEMA, MAIN_FIELD, EXAMPLES, Check = {}, 'x', (), 1", "KeyError: 'properties'"),
        (
            SOURCE + "SCHEMA['properties']['v'] = {'type': 'nonsense'}",
            "its SCHEMA is no JSON Schema: properties.v.",
        ),
        (SOURCE + "SCHEMA['properties']['v'] = True", "each of the properties of its SCHEMA has to be a mapping"),
        (SOURCE + "SCHEMA['properties']['v'] = {'$ref': '#/no'}", "its SCHEMA refers to '#/no', which is not there"),
        (SOURCE + "SCHEMA['properties']['v'] = {'pattern': '('}", "its SCHEMA "),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (SOURCE + "SCHEMA['properties']['v'] = SCHEMA", "RecursionError: "),
        (SOURCE + "SCHEMA['properties']['v'] = print", "it says of itself what is no plain data: builtin_function"),
        (SOURCE + "class A: pass\nEXAMPLES = (A(),)", "UnpicklingError: polite_checks.polite.A is no plain data"),
        (SOURCE + "SCHEMA['description'] = 'x' * 10**7", "it says 10,000,"),
        ("import os; os._exit(7)", "importing it ended its process (exit code 7)"),
    ],
)
def test_an_installed_check_that_is_broken_is_named_with_its_package(module: Path, source: str, problem: str) -> None:
    module.write_text(source)

    with pytest.raises(UsageError) as caught:
        load_check("polite")

    assert str(caught.value).startswith("the check 'polite' of an installed package, polite_checks.polite, can't be ")
    assert problem in str(caught.value)


WHOLE = """
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from runner.checks import FAILS, PASSES, Example
from runner.domain.conversation import Ending

class Word(str): pass

MAIN_FIELD = Word("v")
SCHEMA = OrderedDict(description=Word("It."), properties={"v": {"default": Decimal("0.10")}})
EXAMPLES = [Example("polite: x", "x", PASSES)]
NEEDS_TOOLS = frozenset({"file_search"})

class Kind(type):
    @property
    def endings(cls): return {Ending.REFUSED}

@dataclass(frozen=True)
class Check(metaclass=Kind):
    v: str
    is_paid = False
    async def judge_asking(self, exchange, ask): ...
    def names(self, file): return file == self.v
"""


@pytest.mark.slow
def test_what_it_says_of_itself_is_of_python_s_own_types(module: Path) -> None:
    module.write_text(WHOLE)

    found = load_check("polite")

    field = {"default": Decimal("0.10"), "description": ""}
    assert {"description": "It.", "properties": {"v": field}} == found.SCHEMA
    assert type(found.SCHEMA) is dict
    assert type(found.MAIN_FIELD) is str
    assert [one.check for one in found.EXAMPLES] == ["polite: x"]
    assert set(found.NEEDS_TOOLS) == {"file_search"}
    assert [one.value for one in found.Check.endings] == ["refused"]
    assert hasattr(found.Check, "judge_asking")
    assert not hasattr(found.Check, "combine")
    assert found.Check.is_paid is False
    assert found.names_any(polite("a.txt"), ["b.txt", "a.txt"])
    assert not found.names_any(polite("a.txt"), ["b.txt"])
    assert "polite_checks.polite" not in sys.modules


def polite(value: object) -> Expectation:
    return Expectation(check="polite", parameters={"v": value}, location=Location("x.yaml", 3, 5))


MAKING = """
import os, time
from pathlib import Path
class Check:
    def __init__(self, v):
        with Path(__file__).with_name("made").open("a") as file: file.write(f"{v} {os.getpid()}\\n")
        if v == "spin":
            while True: pass
        if v == "die": os._exit(7)
        if v == "exit": raise SystemExit(3)
        if v == "wrong": raise ValueError("`v: wrong` is not taken")
        if v == "odd": raise KeyError("x")
"""


@pytest.mark.slow
def test_what_its_constructor_does_is_told_and_asked_once(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module.write_text(SOURCE + MAKING)
    monkeypatch.setattr("runner.checks._packages.MAKE_S", 0.5)
    monkeypatch.setattr("runner.checks._packages.MAKE_ALL_S", 20.0)
    said = {}
    for value in ("well", "well", "wrong", "odd", "exit", "die", "well", "spin", "spin", "spin twice", "spin"):
        try:
            build_part(polite(value))
            said[value] = ""
        except ValueError as error:
            said[value] = str(error)

    name = "the check 'polite' of polite_checks.polite"
    assert said == {
        "well": "",
        "wrong": "`v: wrong` is not taken",
        "odd": "the check's own code broke: KeyError: 'x'",
        "exit": "the check's own code broke: SystemExit: 3",
        "die": f"{name} ended its process (exit code 7) on these parameters",
        "spin": f"{name} took more than 0.5 s for these parameters, and was ended",
        "spin twice": "",
    }
    made = [line.rsplit(" ", 1) for line in module.with_name("made").read_text().splitlines()]
    assert [value for value, _ in made] == ["well", "wrong", "odd", "exit", "die", "spin", "spin twice"]
    assert len({process for _, process in made}) == 3


@pytest.mark.slow
def test_its_patterns_are_matched_there_and_never_for_long(module: Path) -> None:
    hopeless = "{'type': 'string', 'pattern': '^(a|aa)+$', 'examples': [{'pattern': 'x'}]}"
    module.write_text(SOURCE + f"SCHEMA['properties'] = {{'v': {hopeless}, 'pattern': {{}}}}\n" + MAKING)

    fields = load_check("polite").SCHEMA["properties"]
    assert fields["v"] == {"type": "string", "examples": [{"pattern": "x"}], "description": ""}
    assert list(fields) == ["v", "pattern"]
    for value, problem in (("b", "does not match"), ("a" * 64 + "b", "a pattern takes longer than 0.5 s")):
        with pytest.raises(ValueError, match=problem):
            build_part(polite(value))
    build_part(polite("aaa"))


@pytest.mark.slow
def test_all_parameters_together_have_a_limit(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module.write_text(SOURCE + "import time\nclass Check:\n    def __init__(self, v): time.sleep(v)\n")
    monkeypatch.setattr("runner.checks._packages.MAKE_ALL_S", 1.0)
    build_part(polite(0.5))
    with pytest.raises(ValueError, match=r"took more than 0\.\d+ s"):
        build_part(polite(60))

    with pytest.raises(ValueError, match=r"not tried: the check 'polite' .* has taken 1 s for the parameters of"):
        build_part(polite(0.1))


@pytest.mark.slow
def test_thousands_of_parameters_take_no_time(module: Path) -> None:
    module.write_text(SOURCE + "class Check:\n    def __init__(self, v): pass\n")
    build_part(polite(-1))
    started_s = time.process_time()
    for number in range(2_000):
        build_part(polite(number))
    assert time.process_time() - started_s < 1.0


def test_what_a_process_says_imports_nothing_here() -> None:
    from runner.side_process import read_plain

    for hostile in (
        pickle.dumps(time.sleep),
        # A function of ours, what a module of ours has imported, that by a dot, a class that acts when it is made.
        b"crunner.plugins\nload_plugin\n(Vrunner.checks\nVnumber\ntR.",
        b"crunner.side_process\nkill\n.",
        b"crunner.side_process\nsubprocess\n.",
        b"\x80\x04\x8c\x13runner.side_process\x8c\x10subprocess.Popen\x93(\x8c\x04true\x85R.",
        b"\x80\x04\x8c\x0erunner.journal\x8c\x0eJournal.reopen\x93.",
        b"crunner.journal\nJournal\n(Vx\ntR.",
        b"\x80\x04\x8c\x07pathlib\x8c\x09Path.home\x93)R.",
        b"crunner.__main__\nmain\n.",
        # An attribute of what is no Enum.
        b"cbuiltins\ngetattr\n(cpathlib\nPath\nVhome\ntR.",
    ):
        with pytest.raises(pickle.UnpicklingError, match="is no plain data"):
            read_plain(hostile)
    for nonsense in (
        b"",
        b"no pickle",
        b"crunner.domain.report\nNothing\n.",
        b"crunner.nothing\nNothing\n.",
        b"K\x01s.",
    ):
        with pytest.raises(pickle.UnpicklingError):
            read_plain(nonsense)
    # As Python before 3.11.4 pickles a member of an Enum.
    assert read_plain(b"cbuiltins\ngetattr\n(crunner.domain.report\nOutcome\nVPASSED\ntR.") is Outcome.PASSED
