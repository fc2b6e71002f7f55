"""An installed package whose checks do what no check should: they hang, end their process, eat memory, ask for ever."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner import plugins
from runner.checks import _packages
from runner.config.expectations import _check_names
from runner.config.file_schemas import scenario_schema, single_schema

if TYPE_CHECKING:  # a forked process has no use for it
    import pytest

_CHECK = '''
"""It does what its parameter says."""
import asyncio, os, re, signal, sys, threading, time
from dataclasses import dataclass
from runner.checks import FAILS, PASSES, Example
from runner.domain.report import Finding

MAIN_FIELD = "does"
endless = {}
endless["x"] = endless
SCHEMA = {"type": "object", "description": "It.", "properties": {"does": {"type": "string", "description": "What."}},
          "required": ["does"], "additionalProperties": False}
EXAMPLES = (Example("odd: well", "x", PASSES), Example("odd: badly", "x", FAILS))
WELL = Finding(holds=True, expected="well", found="well")


def do(does):
    match does:
        case "spin":
            while True: pass
        case "sleep": time.sleep(60)
        case "nap": time.sleep(0.6)
        case "pattern": re.fullmatch("(a+)+b", "a" * 64)
        case "leave":
            if not os.fork():
                os.setsid()
                time.sleep(2)
                os._exit(0)
            time.sleep(60)
        case "linger": threading.Timer(0.1, os._exit, [3]).start()
        case "exit": sys.exit(3)
        case "die": os._exit(3)
        case "raise": raise KeyError("x")
        case "eat": return bytearray(1 << 50)
        case "print": print("x" * 100_000); input()
        case "meddle":
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.chdir("/")
            os.environ["MEDDLED"] = "1"
            threading.Thread(target=time.sleep, args=[60]).start()
            print("Hello!")
        case "nothing": return None
        case "silent": return Finding(holds=None, expected="x", found="y")
        case "odd": return Finding(holds=True, expected=7, found=b"x" * 10**7, details={"x": re.compile("y")})
        case "much": return Finding(holds=True, expected="", found="", details={"x": "y" * 10**7})
        case "score": return Finding(holds=True, expected="", found="", score=float("nan"))
        case "endless": return Finding(holds=True, expected="", found="", details=endless)
        case "pid": return Finding(holds=True, expected="", found=str(os.getpid()))
        case "badly": return Finding(holds=False, expected="well", found="badly", reason="no")
    return WELL

do(os.environ.get("ODD_IMPORTS", ""))
'''
_ODD = """
@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    does: str

    def __post_init__(self):
        if self.does.startswith("make "): do(self.does.removeprefix("make "))
        if self.does == "refuse": raise ValueError("`does: refuse` is not taken")

    def judge(self, run):
        return do(self.does)
"""
_ODD_ASKING = """
from runner.domain.judgement import Question, QuestionKind, Questions, Said

POLITE = Question(name="polite", kind=QuestionKind.PREDICATE, instructions="Is it polite?", rubric="Be strict.")

@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    does: str
    is_paid = True

    async def judge_asking(self, exchange, ask):
        match self.does:
            case "wait": await asyncio.sleep(60)
            case "ask": return await self.judge_by(exchange, ask)
            case "ask twice": return (await asyncio.gather(*[self.judge_by(exchange, ask) for _ in range(2)]))[0]
            case "ask for ever":
                while True: await self.judge_by(exchange, ask)
            case "ask in vain":
                try: await asyncio.wait_for(self.judge_by(exchange, ask), 0.01)
                except TimeoutError: return WELL
            case "ask oddly": await ask("Is it polite?")
        return do(self.does)

    async def judge_by(self, exchange, ask):
        said = Said(by="assistant", text=exchange.run.text)
        answers = await ask(Questions(said=(said,), questions=(POLITE,)))
        share = answers.answers["polite"].probabilities["yes"]
        return Finding(holds=share > 0.5, expected="polite", found=str(share), reason="" if share > 0.5 else "rude")
"""
_ODD_AROUND = """
from runner.checks import parts

MAIN_FIELD = "expect"
SCHEMA = {"type": "object", "description": "It.", "required": ["expect"], "additionalProperties": False,
          "properties": {"expect": parts("Checks.", example={"contains": "x"})}}
EXAMPLES = (Example("odd_around: {contains: x}", "x", PASSES), Example("odd_around: {contains: x}", "y", FAILS))

@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    expect: tuple
    states_endings = True

    def parts_in(self, exchange): return self.expect

    def combine(self, verdicts):
        if verdicts[0].found == "badly": time.sleep(60)
        return Finding(holds=verdicts[0].outcome.value == "passed", expected="all", found=verdicts[0].reason, reason="")
"""
_SOURCES = {"odd": _ODD, "odd_asking": _ODD_ASKING, "odd_around": _ODD_AROUND}


@contextmanager
def odd_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The checks `odd`, `odd_asking` and `odd_around`, installed as pip leaves them, in this folder."""
    (folder / "odd-1.0.dist-info").mkdir(parents=True)
    points = "".join(f"{name} = {name}_check\n" for name in _SOURCES)
    (folder / "odd-1.0.dist-info" / "entry_points.txt").write_text(f"[assistant_runner.checks]\n{points}")
    for name, source in _SOURCES.items():
        (folder / f"{name}_check.py").write_text(_CHECK + source)
    monkeypatch.syspath_prepend(str(folder))
    forget_plugins()
    yield
    forget_plugins()
    for name in _SOURCES:
        sys.modules.pop(f"{name}_check", None)


def forget_plugins() -> None:
    _packages._packages().end()
    of_packages = (_packages._packages, _packages._describe, _packages.load_check)
    known = (*of_packages, plugins._find_modules, plugins.load_plugin, _check_names, scenario_schema, single_schema)
    for remembered in known:
        remembered.cache_clear()
