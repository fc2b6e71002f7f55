"""A limit for work that must not take long, whatever else the machine is doing: it counts what the thread computed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most_cpu_s(limit_s: float) -> Iterator[None]:
    begun = time.thread_time()
    yield
    spent_s = time.thread_time() - begun
    assert spent_s <= limit_s, f"it took {spent_s:.1f} s of the processor; {limit_s:g} s are enough"
