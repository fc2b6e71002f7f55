"""Functions of the project's own: real processes, and everything that could go wrong in them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from runner.functions import MAX_OUTPUT_BYTES, FunctionFailed
from runner.functions.python import SCHEMA, Answerer, find_misfits, locate


class Files:
    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, named: str) -> Path:
        return self.root / named


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    return tmp_path


def made(root: Path, source: str, *, function: str = "f", timeout: float = 20) -> Answerer:
    (root / "tools" / "rates.py").write_text(source, encoding="utf-8")
    return Answerer(**locate({"call": f"tools/rates.py:{function}", "timeout": timeout}, Files(root)))


async def failure(answerer: Answerer) -> str:
    with pytest.raises(FunctionFailed) as caught:
        await answerer.answer({})
    return str(caught.value)


async def test_arguments_come_by_name_and_the_result_is_json_or_a_text_as_it_is(root):
    source = "def f(**given):\n    return given\ndef g(amount, to='NOK'):\n    return f'{amount * 2} {to} å'\n"
    assert await made(root, source).answer({"a": [1, None], "b": "å"}) == '{"a": [1, null], "b": "å"}'
    assert await made(root, source, function="g").answer({"amount": 1.5}) == "3.0 NOK å"


async def test_a_coroutine_is_waited_for(root):
    assert (
        await made(root, "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 7\n").answer({}) == "7"
    )


async def test_other_modules_of_the_project_can_be_used_and_no_bytecode_is_left(root):
    (root / "tools" / "table.py").write_text("RATE = 11.5\n")
    assert await made(root, "from tools.table import RATE\ndef f():\n    return RATE\n").answer({}) == "11.5"
    assert not list(root.rglob("__pycache__"))


@pytest.mark.fault("P7")
async def test_what_it_prints_changes_and_leaves_running_hurts_nobody(root, capfd):
    source = (
        "import os, sys, threading, time, subprocess\n"
        "print('at import')\n"
        "def f():\n"
        "    print('loud'); sys.stdout.flush(); os.write(1, b'raw'); os.write(2, b'raw'); os.system('echo shell')\n"
        "    os.environ['LEFT_BEHIND'] = 'yes'; os.chdir('/')\n"
        "    threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "    return child.pid\n"
    )
    before, threads = os.getcwd(), set(threading.enumerate())
    child = int(await made(root, source).answer({}))
    assert (os.getcwd(), os.environ.get("LEFT_BEHIND")) == (before, None)
    assert await _have_ended(set(threading.enumerate()) - threads)
    assert capfd.readouterr() == ("", "")
    assert await _is_gone(child)


async def test_what_it_prints_and_its_traceback_come_along_with_the_project_s_paths(root):
    said = await made(
        root, "print('at import')\ndef f():\n    import os; os.system('echo shell')\n    return 7\n"
    ).answer({})
    assert (said, said.printed) == ("7", "at import\nshell")
    with pytest.raises(FunctionFailed) as caught:
        await made(root, "def f():\n    print('looking')\n    return {}['EUR']\n").answer({})
    printed = caught.value.printed
    assert printed.startswith('looking\nTraceback (most recent call last):\n  File "tools/rates.py", line 3, in f\n')
    assert printed.endswith("KeyError: 'EUR'")
    assert "_python_worker" not in printed


async def test_what_it_printed_before_it_hangs_is_there_and_of_much_the_end(root):
    with pytest.raises(FunctionFailed, match="no result after 0.5 s") as caught:
        await made(root, "import time\ndef f():\n    print('a')\n    time.sleep(60)\n", timeout=0.5).answer({})
    assert caught.value.printed == "a"
    said = await made(root, "def f():\n    print('x' * 1_000_000 + 'the end')\n").answer({})
    assert said.printed.endswith("xthe end")
    assert len(said.printed) < 70_000


async def test_it_runs_in_the_project_s_folder_with_nothing_of_runner_s_in_its_way(root):
    source = (
        "import os, sys, http\ndef f():\n    return [os.getcwd(), 'functions' in http.__file__, sys.stdin.read()]\n"
    )
    assert await made(root, source).answer({}) == f'["{root}", false, ""]'


@pytest.mark.fault("S3", "P7")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no such rate')", "ValueError: no such rate"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import os; os._exit(3)", "ended its process before there was a result (exit code 3)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "(signal 11)"),
        ("return float('nan')", "ValueError: Out of range float values are not JSON compliant"),
        ("return b'bytes'", "TypeError: Object of type bytes is not JSON serializable"),
        ("return {1, 2}", "TypeError: Object of type set is not JSON serializable"),
        ("return 'x' * 2_000_000", "the result has 2,000,000 bytes; at most 262,144 are passed on"),
        ("x = []; x.append(x); return x", "ValueError: Circular reference detected"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("class E(Exception):\n        __str__ = None\n    raise E", "E: it can't be shown"),
        ("raise ValueError('x' * 1_000_000)", "ValueError: xxx"),
        ("return missing", "NameError: name 'missing' is not defined"),
        ("import os, sys; sys.stderr.close(); os.closerange(1, 3); raise ValueError('\\ud800')", "ValueError: "),
    ],
)
@pytest.mark.slow
async def test_what_breaks_is_told_in_a_few_words(root, body, words):
    told = await failure(made(root, f"def f():\n    {body}\n"))
    assert words in told
    assert len(told) <= 1000


async def test_arguments_that_the_function_does_not_take_are_its_error(root):
    with pytest.raises(FunctionFailed, match=r"TypeError: f\(\) got an unexpected keyword argument 'to'"):
        await made(root, "def f():\n    return 1\n").answer({"to": "NOK"})


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (
            "import json\ndef g():\n    return json.loads('{')\ndef f():\n    return g()\n",
            "tools/rates.py:3: JSONDecodeError",
        ),
        ("from tools.table import RATE\ndef f():\n    return RATE\n", "tools/table.py:2: ZeroDivisionError"),
        ("import tools.wrong\ndef f(): pass\n", "tools/wrong.py:1: SyntaxError"),
        ("x = 1\ndef f(to):\n    return 1\n", "tools/rates.py:2: TypeError: f() missing 1 required positional"),
        ("def f():\n    return {1}\n", "tools/rates.py:1: TypeError: Object of type set"),
        ("f = dict(a=1)\n", "tools/rates.py: TypeError: 'dict' object is not callable"),
    ],
    ids=["its own line", "a module of the project", "no Python", "a wrong call", "the result", "no function"],
)
@pytest.mark.slow
async def test_an_error_names_the_line_of_the_project_s_own_code(root, source, place):
    (root / "tools" / "table.py").write_text("\nRATE = 1 / 0\n")
    (root / "tools" / "wrong.py").write_text("def (\n")
    assert (await failure(made(root, source))).startswith(place)


@pytest.mark.parametrize("body", ["while True: pass", "import time; time.sleep(600)"])
@pytest.mark.slow
async def test_what_takes_too_long_is_ended(root, body):
    answerer = made(
        root, f"import os\ndef f():\n    open('pid', 'w').write(str(os.getpid()))\n    {body}\n", timeout=1.0
    )
    assert await failure(answerer) == "tools/rates.py:f: there was no result after 1 s"
    assert await _is_gone(int((root / "pid").read_text()))


@pytest.mark.fault("P7")
async def test_a_call_that_is_given_up_takes_its_process_along(root):
    answerer = made(
        root, "import os, time\ndef f():\n    open('pid', 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
    )
    call = asyncio.create_task(answerer.answer({}))
    while not (root / "pid").exists() or not (root / "pid").read_text():
        await asyncio.sleep(0.02)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await _is_gone(int((root / "pid").read_text()))


async def test_a_child_that_went_away_with_the_pipe_keeps_nobody_waiting(root):
    source = (
        "import os, time\n"
        "def f():\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os.setsid()\n"
        "        time.sleep(600)\n"
        "        os._exit(0)\n"
        "    return child\n"
    )
    child = int(await made(root, source).answer({}))
    os.kill(child, signal.SIGKILL)


@pytest.mark.slow
async def test_only_what_waits_for_a_process_asks_how_it_ended(root, monkeypatch):
    """Whoever asks second finds no process, and asyncio complains about that on stderr."""
    asked = []
    monkeypatch.setattr(subprocess.Popen, "poll", lambda process: asked.append(process.pid))
    assert await made(root, "def f():\n    return 1\n").answer({}) == "1"
    with pytest.raises(FunctionFailed, match="no result after 0.3 s"):
        await made(root, "import time\ndef f():\n    time.sleep(60)\n", timeout=0.3).answer({})
    assert asked == []


@pytest.mark.slow
async def test_several_calls_at_once_do_not_get_into_each_other_s_way(root):
    answerer = made(root, "import os\ndef f(n):\n    os.environ['N'] = str(n)\n    return int(os.environ['N']) * 2\n")
    answers = await asyncio.gather(*(answerer.answer({"n": n}) for n in range(6)))
    assert answers == [str(n * 2) for n in range(6)]


async def test_a_result_just_as_long_as_is_allowed_comes_through(root):
    answer = await made(root, f"def f():\n    return chr(0) * {MAX_OUTPUT_BYTES}\n").answer({})
    assert answer == "\0" * MAX_OUTPUT_BYTES


@pytest.mark.parametrize(
    "source",
    [
        "def f(): pass",
        "async def f(): pass",
        "f = print",
        "a, f = 1, 2",
        "f = {}.get",
        "f = 1\nfrom os import *",
        "f = None\ndef fill():\n    global f\n    f = print\nfill()",
        "f = {}\nfrom os import getcwd as f",
        "class f: pass",
        "from os import getcwd as f",
        "from os import *",
        "try:\n    import f\nexcept ImportError:\n    f = None",
        "if True:\n    def f(): pass",
    ],
)
def test_a_function_is_found_however_it_got_its_name(root, source):
    assert made(root, source).code == "tools/rates.py:f"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def exchange_rates(): pass", "has no function 'exchange_rate'; did you mean 'exchange_rates'?"),
        ("x = 1", "'tools/rates.py' has no function 'exchange_rate'"),
        ("EXCHANGE_RATES = {}\ndef exchange(): pass", "has no function 'exchange_rate'; did you mean 'exchange'?"),
        ("EXCHANGE_RATES = {}\ndef f(): pass", "has no function 'exchange_rate'; the file has f"),
        ("exchange_rate = {'EUR': 11.5}", "in 'tools/rates.py', 'exchange_rate' is a dict, not a function"),
        ("exchange_rate: float = 1.5", "is a value (float), not a function"),
        ("exchange_rate = [1]\ndef rates(): pass", "is a list of values, not a function; the file has rates"),
        ("import exchange_rate", "is a module, not a function"),
        ("class A:\n    def exchange_rate(self): pass", "has no function"),
        ("def f(:", "is not Python: line 1"),
        ("\0", "is not Python"),
        ("(" * 5000, "is not Python"),
        ("#" * 1_100_000, "too many for Python code"),
    ],
)
def test_a_file_without_the_function_is_refused_before_anything_runs(root, source, words):
    with pytest.raises(ValueError, match="tools/rates.py") as caught:
        made(root, source, function="exchange_rate")
    assert words in str(caught.value)


async def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        await asyncio.sleep(0.02)
    return False


async def _have_ended(threads: set[threading.Thread]) -> bool:
    """The thread that waits for a child ends a moment after the child."""
    for _ in range(200):
        if not any(thread.is_alive() for thread in threads):
            return True
        await asyncio.sleep(0.02)
    return False


def test_a_line_break_is_no_part_of_a_function_s_name():
    pattern = SCHEMA["properties"]["call"]["pattern"]
    assert re.search(pattern, "tools/rates.py:rate")
    assert not re.search(pattern, "tools/rates.py:rate\n")


PARAMETERS = {
    "type": "object",
    "properties": {"postcode": {"type": "integer"}, "service": {"type": "string"}},
    "required": ["postcode"],
}


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        (
            "\ndef f(postal_code, service=''): pass",
            "at tools/rates.py:2 takes no argument 'postcode'",
            "'postal_code'?",
        ),
        ("def f(plz, what): pass", "takes no argument 'postcode'", "it takes plz, what"),
        ("def f(postcode, /, service=''): pass", "takes no argument 'postcode'", "it takes service"),
        ("def f(postcode, service): pass", "needs the argument 'service'", "it isn't among the `required`"),
        ("async def f(postcode, *, day, **more): pass", "needs the argument 'day'", "it isn't among the declared"),
    ],
)
def test_a_function_that_calls_as_declared_would_break_is_told(root, source, message, hint):
    settings = locate({"call": f"tools/{made(root, source).file.name}:f"}, Files(root))
    first = next(find_misfits(settings, PARAMETERS))
    assert message in first.message
    assert hint in first.hint


@pytest.mark.parametrize(
    "source",
    [
        "def f(postcode, service='fibre', more=1): pass",
        "def f(**given): pass",
        "import functools\n@functools.cache\ndef f(a): pass",
        "f = print",
        "class f: pass",
        "if True:\n    def f(a): pass\nelse:\n    def f(postcode, service=1): pass",
    ],
)
def test_what_takes_the_calls_or_can_t_be_told_without_running_it_is_left_alone(root, source):
    made(root, source)
    assert not list(find_misfits(locate({"call": "tools/rates.py:f"}, Files(root)), PARAMETERS))
