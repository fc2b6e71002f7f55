"""A thing that many ask for is made once."""

import asyncio

import pytest

from runner.execution.stage import MadeOnce


async def test_many_who_ask_at_once_get_the_one_thing() -> None:
    made: list[str] = []

    async def make(key: str) -> str:
        await asyncio.sleep(0)
        made.append(key)
        return key.upper()

    once: MadeOnce[str, str] = MadeOnce(make)
    assert await asyncio.gather(*(once.get("a") for _ in range(10)), once.get("b")) == ["A"] * 10 + ["B"]
    assert made == ["a", "b"]


async def test_a_failure_is_not_tried_again() -> None:
    tries: list[str] = []

    async def make(key: str) -> str:
        tries.append(key)
        raise OSError(key)

    once: MadeOnce[str, str] = MadeOnce(make)
    for _ in range(3):
        with pytest.raises(OSError, match="a"):
            await once.get("a")
    assert tries == ["a"]


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    async def make(key: str) -> str:
        await asyncio.sleep(0.01)
        return key

    once: MadeOnce[str, str] = MadeOnce(make)
    impatient = asyncio.create_task(once.get("a"))
    patient = asyncio.create_task(once.get("a"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == "a"
