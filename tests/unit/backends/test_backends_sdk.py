"""The SDK that backends import: without its types until somebody asks for one."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
import runner.backends._sdk
import openai

def loaded():
    return len([name for name in sys.modules if name.startswith("openai.types.responses.")])

assert loaded() < 5, loaded()
with ThreadPoolExecutor(8) as threads:
    found = set(threads.map(lambda _: openai.types.responses.Response, range(8)))
assert len(found) == 1 and loaded() > 100
from openai.types import *
from openai.types.beta.threads import Run
assert Batch is openai.types.Batch and Run.model_validate
assert not hasattr(openai.types, "Nonsense") and "Batch" in dir(openai.types)
try:
    from openai.types.responses import Nonsense
except ImportError:
    print("as ever")
"""


@pytest.mark.slow
def test_the_types_come_on_first_use_and_are_what_they_always_were() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("as ever\n", "")
