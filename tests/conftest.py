"""What every test has: whatever an embedded server answers is held against OpenAI's OpenAPI file.

That goes for servers in the tests' own process and in each process that a test starts, an installed wheel's included.
Without the OpenAPI file nobody listens, and test_server_schema.py skips.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_listening import listen_from
from hypothesis import settings
from judged_answers import take_violations
from openai_schemas import OPENAPI

OF_THE_WHOLE = frozenset({"test_play_cli.py", "test_play_responses.py", "test_server_sdk.py", "test_sync_cli.py"})
"""Of these files in tests/e2e `make quick` runs the first test."""
THE_LONGEST = frozenset(
    {"test_playing_page.py", "test_wheel.py", "test_play_at_scale.py", "test_ci_recipes.py", "test_readme.py"}
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thin", action="store_true", help="tests of parts and a few of the whole; nothing slow")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two more than cores: the tests of the whole wait, too, and each worker costs some seconds of imports."""
    cores = os.cpu_count() or 1
    return cores if config.getoption("--thin") else cores + 2


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_whole = "e2e" in collection_path.parts and collection_path.suffix == ".py"
    return True if config.getoption("--thin") and is_whole and collection_path.name not in OF_THE_WHOLE else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest comes first: at the end the other workers would wait for it.

    What `make quick` runs: all tests of parts that aren't slow, and of some files that test the whole the first.
    """
    items.sort(key=lambda item: item.path.name not in THE_LONGEST)
    if not config.getoption("--thin"):
        return
    quick = [item for item in items if item.get_closest_marker("slow") is None]
    firsts = {item.path: item for item in reversed(quick)}
    chosen = [item for item in quick if "e2e" not in item.path.parts or firsts[item.path] is item]
    left_out = set(items).difference(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = chosen


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay to the end: no search for garbage has to look at them again."""
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Before any test's module is imported: some read the environment as they are."""
    # pytest would compile the whole program anew, with what its asserts compared: it has a plug-in among its modules.
    config.pluginmanager.rewrite_hook._must_rewrite.discard("runner")
    gc.set_threshold(50_000)  # as the program does: thousands of tests are collected, and none of them is garbage
    _hear_signals()
    _keep_files_in_memory()
    # A busy machine is no failure: what may not take long has a limit of its own (cpu_time.py).
    settings.register_profile("whole", deadline=None)
    settings.register_profile("thin", deadline=None, max_examples=20)
    settings.load_profile("thin" if config.getoption("--thin") else "whole")
    if OPENAPI.exists():
        heard = Path(tempfile.mkdtemp(prefix="runner-tests-heard-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
        config.add_cleanup(lambda: shutil.rmtree(heard))
        listen_from(heard)


def _hear_signals() -> None:
    """In a shell's background, and under nohup, a process ignores signals, and so does each that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _keep_files_in_memory() -> None:
    """Plays sync their journals to the disk, and the tests play thousands of times: a sixth of what they cost."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or not os.access(memory, os.W_OK) or "PYTEST_DEBUG_TEMPROOT" in os.environ:
        return
    room = os.statvfs(memory)
    if room.f_bavail * room.f_frsize > 2_000_000_000 and not room.f_flag & os.ST_NOEXEC:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(memory)


@pytest.fixture(autouse=True)
def _every_answer_is_valid() -> Iterator[None]:
    yield
    assert take_violations() == ()
