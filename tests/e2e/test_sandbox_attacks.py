"""Attacks on the code interpreter: each is contained, and the tool answers afterwards.

What is protected: the host's files, environment, network, processes, memory, time and terminal.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.server.inference import Passage, ToolOutcome, ToolRequest
from runner.server.sandboxes import OUTPUT_LIMIT_BYTES, open_sandbox
from runner.server.tools import ToolContext
from runner.server.tools.code_interpreter import CodeInterpreter

CANARY = "canary-7f3a91"
TIME_LIMIT_S = 15.0
"""More than any other limit needs to end an attack, on a busy machine too."""
ENDLESS = "longer than"
SHORT_LIMIT_S, LONG_LIMIT_S = 0.4, 1.5
"""For what nothing but the limit ends: it computes as long; and for what makes as much as it can until then."""
MAX_GROWTH_MIB = 400


class NoIndex:
    def search(self, store_ids: object, query: str, limit: int) -> tuple[Passage, ...]:
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """`says` is in the output; `stopped` says whether a limit ends the run. In code, HOST is a folder outside."""

    name: str
    code: str
    says: str = ""
    stopped: bool = False
    limit_s: float = TIME_LIMIT_S


ATTACKS = (
    # files
    Attack(name="read a file of the host", code="open('HOST/secret.txt').read()", says="PermissionError"),
    Attack(name="read the passwords", code="open('/etc/passwd').read()", says="PermissionError"),
    Attack(name="look for keys", code="from pathlib import Path\nPath.home()", says="Error"),
    Attack(name="open the ssh folder", code="import os\nos.listdir('/root/.ssh')", says="PermissionError"),
    Attack(name="list the root", code="import os\nos.listdir('/')", says="PermissionError"),
    Attack(name="write outside", code="open('HOST/marker', 'w').write('x')", says="PermissionError"),
    Attack(name="write above its folder", code="open('/mnt/data/../marker', 'w').write('x')", says="PermissionError"),
    Attack(name="delete a given file", code="import os\nos.remove('/mnt/data/given.txt')"),
    Attack(
        name="fill the disk", code="while True: open('/mnt/data/x', 'a').write('x' * 10**6)", says="disk write limit"
    ),
    Attack(
        name="fill the disk with names",
        code="n = 0\nwhile True:\n  open(f'/mnt/data/{n}', 'w').write('')\n  n += 1",
        says="[stopped",
        stopped=True,
        limit_s=LONG_LIMIT_S,
    ),
    Attack(name="climb out with dots", code="open('/mnt/data/../../HOST/secret.txt').read()", says="PermissionError"),
    Attack(name="climb out relatively", code="open('../' * 9 + 'HOST/secret.txt'.lstrip('/')).read()", says="Error"),
    Attack(name="follow a link outwards", code="open('/mnt/data/link.txt').read()", says="Error"),
    Attack(name="make a link", code="import os\nos.symlink('HOST/secret.txt', '/mnt/data/x')", says="AttributeError"),
    Attack(name="read memory through proc", code="open('/proc/self/environ', 'rb').read()", says="PermissionError"),
    Attack(name="read a device for ever", code="open('/dev/zero', 'rb').read()", says="PermissionError"),
    # environment, processes, network
    Attack(name="read the environment", code="import os\nos.environ['RUNNER_CANARY']", says="Error"),
    Attack(name="ask for a variable", code="import os\nos.getenv('RUNNER_CANARY')", says="Error"),
    Attack(name="run a command", code="import os\nos.system('touch HOST/marker')", says="AttributeError"),
    Attack(name="start a process", code="import subprocess\nsubprocess.run(['id'])", says="ModuleNotFoundError"),
    Attack(name="fork without end", code="import os\nwhile True: os.fork()", says="AttributeError"),
    Attack(name="kill the parent", code="import os\nos.kill(os.getppid(), 9)", says="AttributeError"),
    Attack(
        name="open a socket",
        code="import socket\nsocket.create_connection(('127.0.0.1', PORT))",
        says="ModuleNotFoundError",
    ),
    Attack(
        name="fetch a page",
        code="import urllib.request\nurllib.request.urlopen('http://127.0.0.1:PORT')",
        says="ModuleNotFoundError",
    ),
    Attack(
        name="use the event loop's network",
        code="import asyncio\nasyncio.open_connection('127.0.0.1', PORT)",
        says="AttributeError",
    ),
    Attack(name="call C", code="import ctypes\nctypes.CDLL(None).abort()", says="ModuleNotFoundError"),
    Attack(
        name="start threads",
        code="import threading\nthreading.Thread(target=print).start()",
        says="ModuleNotFoundError",
    ),
    Attack(
        name="install a package",
        code="# /// script\n# dependencies = ['six']\n# ///\nimport six",
        says="ModuleNotFoundError",
    ),
    # imports and dunder walks
    Attack(name="import by name", code="__import__('os').system('id')", says="NameError"),
    Attack(
        name="import through importlib",
        code="import importlib\nimportlib.import_module('os')",
        says="ModuleNotFoundError",
    ),
    Attack(name="import the server", code="import runner\nrunner.server", says="ModuleNotFoundError"),
    Attack(name="walk to all classes", code="().__class__.__base__.__subclasses__()", says="AttributeError"),
    Attack(name="walk to globals", code="(lambda: 0).__globals__['__builtins__']", says="AttributeError"),
    Attack(name="walk up the frames", code="import sys\nsys._getframe(0).f_back", says="AttributeError"),
    Attack(
        name="walk from a traceback",
        code="try:\n  1/0\nexcept Exception as e:\n  e.__traceback__.tb_frame",
        says="Error",
    ),
    Attack(name="evaluate a walk", code="eval('print.__self__.__import__(\"os\")')", says="AttributeError"),
    Attack(name="format a walk", code="'{0.__class__.__init__.__globals__}'.format(print)", says="Error"),
    # time
    Attack(name="loop for ever", code="while True: pass", says=ENDLESS, stopped=True),
    Attack(
        name="loop for ever and swallow the end",
        code="while True:\n  try:\n    while True: pass\n  except BaseException: pass",
        says=ENDLESS,
        stopped=True,
    ),
    Attack(name="sum for ever", code="sum(range(10**13))", says=ENDLESS, stopped=True),
    Attack(name="a factorial for ever", code="import math\nmath.factorial(10**7)", says=ENDLESS, stopped=True),
    Attack(name="sleep for ever", code="import time\nfor _ in range(900): time.sleep(3600)\n'awake'", says="awake"),
    Attack(name="await for ever", code="import asyncio\nawait asyncio.sleep(1e9)\n'awake'", says="awake"),
    Attack(name="a slow expression", code="import re\nprint(re.match('(a+)+$', 'a' * 50 + 'b'))", says="None"),
    Attack(name="a slow backreference", code="import re\nre.match(r'(a|a)*\\1$', 'a' * 50 + 'b')", says="PatternError"),
    Attack(
        name="ask for the clock without end",
        code="import time\nwhile True: time.time()",
        says=ENDLESS,
        stopped=True,
    ),
    # memory
    Attack(name="multiply a text", code="x = 'a' * 10**10", says="memory", stopped=True),
    Attack(name="multiply a list", code="x = [0] * 10**10", says="memory", stopped=True),
    Attack(
        name="grow a list", code="x = []\nwhile True: x.append('a' * 20_000 + str(len(x)))", says="memory", stopped=True
    ),
    Attack(name="a huge power", code="x = 2 ** (10**10)", says="memory", stopped=True),
    Attack(name="a huge power, caught", code="try: 2 ** 10**10\nexcept BaseException: 1", says="memory", stopped=True),
    Attack(name="a huge width", code="f'{1:>{10**10}}'", says="memory", stopped=True),
    Attack(
        name="a huge precision",
        code="import decimal as d\nd.getcontext().prec = 10**9\nd.Decimal(2).sqrt()",
        says="memory",
        stopped=True,
    ),
    Attack(name="a huge number in digits", code="print(7 ** 1_000_000)", says="ValueError"),
    Attack(name="a huge number as value", code="7 ** 1_000_000", says="integer of"),
    Attack(
        name="a replacement that explodes", code="('a' * 10**6).replace('a', 'b' * 10**4)", says="memory", stopped=True
    ),
    Attack(
        name="permutations",
        code="import itertools\nlist(itertools.permutations(range(12)))",
        says="memory",
        stopped=True,
    ),
    Attack(name="a value with a billion parts", code="a = [0]\nfor _ in range(40): a = [a] * 10\na", says="[[[["),
    Attack(
        name="a dictionary with a billion parts", code="a = {}\nfor _ in range(40): a = {1: a, 2: a}\na", says="{1: {"
    ),
    Attack(name="a value within itself", code="a = []\na.append(a)\na", says="[...]"),
    Attack(name="a value nested without end", code="a = []\nfor _ in range(10**5): a = [a]\na", says="[[[["),
    # stack
    Attack(name="recurse for ever", code="def f(): return f()\nf()", says="RecursionError"),
    Attack(name="nest brackets", code="(" * 100_000, says="SyntaxError"),
    Attack(name="nest signs", code="-" * 100_000 + "1", says="SyntaxError"),
    Attack(name="nest JSON", code="import json\njson.loads('[' * 10**6)", says="JSONDecodeError"),
    Attack(
        name="compare what is nested", code="a = []\nfor _ in range(10**5): a = [a]\na == a[0]", says="RecursionError"
    ),
    # output
    Attack(
        name="print without end",
        code="while True: print('x' * 1000)",
        says="printed more than",
        stopped=True,
        limit_s=LONG_LIMIT_S,
    ),
    Attack(name="print one huge line", code="print('x' * 10**7)", says="printed more than", stopped=True),
    Attack(name="a huge traceback", code="raise ValueError('x' * 10**6)", says="..."),
    Attack(name="write to the host's terminal", code=f"import sys\nprint('{CANARY[::-1]}', file=sys.stderr)", says=""),
    # endings
    Attack(name="exit", code="raise SystemExit(3)", says="Error"),
    Attack(name="interrupt", code="raise KeyboardInterrupt", says="KeyboardInterrupt"),
    Attack(
        name="fail while dying", code="class A:\n  def __del__(self): raise ValueError\na = A()\na = None\n7", says="7"
    ),
    Attack(name="a hostile repr", code="class A:\n  def __repr__(self): return 'x' * 10**9\nA()", says="object"),
    Attack(name="a key that can't be shown", code="class A: pass\n{A(): 1}", says="can't be shown"),
    Attack(name="no Python at all", code="\0\x1b[2J", says="SyntaxError"),
)


@pytest.fixture
async def tool(request: pytest.FixtureRequest) -> AsyncIterator[CodeInterpreter]:
    attack = request.node.callspec.params.get("attack") if hasattr(request.node, "callspec") else None
    limit_s = TIME_LIMIT_S if attack is None else SHORT_LIMIT_S if attack.says == ENDLESS else attack.limit_s
    opened = CodeInterpreter(open_sandbox("monty", limit_s))
    yield opened
    await opened.close()


async def run(tool: CodeInterpreter, code: str, files: Mapping[str, Path] | None = None) -> ToolOutcome:
    request = ToolRequest(tool="code_interpreter", arguments={"code": code})
    return await tool.run(request, ToolContext(index=NoIndex(), thread_id="thread_1", files=files or {}))


def memory_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def children() -> set[str]:
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="], capture_output=True, text=True, check=False
    )
    return {line for line in listed.stdout.splitlines() if "monty" in line and "defunct" not in line}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
async def test_an_attack_is_contained_and_the_tool_still_answers(
    attack: Attack,
    tool: CodeInterpreter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "secret.txt").write_text(CANARY)
    (tmp_path / "given.txt").write_text("given")
    (tmp_path / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setenv("RUNNER_CANARY", CANARY)
    files = {"given.txt": tmp_path / "given.txt"}
    memory_before = memory_mib()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        code = attack.code.replace("HOST", str(tmp_path)).replace("PORT", str(listener.getsockname()[1]))
        outcome = await run(tool, code, files)
        with pytest.raises(BlockingIOError):
            listener.accept()

    assert attack.says in outcome.output
    assert outcome.completed is not attack.stopped
    assert CANARY not in outcome.output
    assert len(outcome.output) < 2 * OUTPUT_LIMIT_BYTES
    assert memory_mib() - memory_before < MAX_GROWTH_MIB
    assert not (tmp_path / "marker").exists()
    assert (tmp_path / "given.txt").read_text() == "given"
    shown = "".join(capfd.readouterr())
    assert CANARY not in shown
    assert CANARY[::-1] not in shown

    after = await run(tool, "print(open('/mnt/data/given.txt').read())\n6 * 7", files)
    assert (after.completed, after.output) == (True, "given\n42")


def test_there_are_enough_attacks_and_no_two_have_one_name() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 25


@pytest.mark.parametrize(
    "name",
    ["../escaped.txt", "/etc/escaped.txt", "..\\escaped.txt", "a/b/escaped.txt", "escaped.txt/", "\0escaped.txt"],
)
async def test_a_files_hostile_name_does_not_lead_outside(tool: CodeInterpreter, tmp_path: Path, name: str) -> None:
    (tmp_path / "content").write_text("inside")
    outcome = await run(tool, "open('/mnt/data/escaped.txt').read()", {name: tmp_path / "content"})
    assert outcome.output == "'inside'"


async def test_only_the_given_files_are_seen(tool: CodeInterpreter, tmp_path: Path) -> None:
    for name in ("given.txt", "other.txt"):
        (tmp_path / name).write_text(name)
    outcome = await run(tool, "import os\nos.listdir('/mnt/data')", {"given.txt": tmp_path / "given.txt"})
    assert outcome.output == "['given.txt']"


async def test_one_thread_does_not_see_what_another_defined(tool: CodeInterpreter) -> None:
    await run(tool, "secret = 7")
    request = ToolRequest(tool="code_interpreter", arguments={"code": "secret"})
    outcome = await tool.run(request, ToolContext(index=NoIndex(), thread_id="thread_2"))
    assert "NameError" in outcome.output


async def test_no_worker_is_left_when_the_tool_is_closed() -> None:
    before = children()
    tool = CodeInterpreter(open_sandbox("monty", SHORT_LIMIT_S))
    await run(tool, "while True: pass")
    await run(tool, "x = 'a' * 10**10")
    await tool.close()
    assert children() <= before
