"""Where a token comes from, how long it is kept, and what is said when there is none."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from datetime import datetime
from pathlib import Path

import httpx2
import pytest

from runner.backends.foundry.access_tokens import (
    EARLY_S,
    LARGEST_OUTPUT_BYTES,
    UNKNOWN_LIFE_S,
    BearerAuth,
    Token,
    TokenKeeper,
    from_command,
    read_output,
)
from runner.errors import UsageError

NOW = 1_800_000_000.0
PLACE = "assistants.yaml:5:3: target 'azure'"


def jwt(end: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": end}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{claims}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("printed", "ends_at"),
    [
        ("a-bare-token\n", NOW + EARLY_S + UNKNOWN_LIFE_S),
        (jwt(NOW + 3600), NOW + 3600),
        (json.dumps({"accessToken": "t", "expires_on": NOW + 60}), NOW + 60),
        (json.dumps({"accessToken": "t", "expires_on": str(int(NOW) + 60)}), NOW + 60),
        (
            json.dumps({"accessToken": "t", "expiresOn": datetime.fromtimestamp(NOW + 60).isoformat(" ")}),
            NOW + 60,
        ),
        (json.dumps({"accessToken": jwt(NOW + 90)}), NOW + 90),
        (json.dumps({"accessToken": "t", "expiresOn": "soon"}), NOW + EARLY_S + UNKNOWN_LIFE_S),
    ],
)
def test_a_token_is_read_with_its_end(printed: str, ends_at: float) -> None:
    assert read_output(printed.encode(), "az", NOW).ends_at == ends_at


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("", "printed nothing"),
        ("<!DOCTYPE html><title>Sign in</title>", "printed a web page and no token"),
        ("{", "something like JSON that can't be read"),
        ("[" * 5, "a token|something else"),
        ('{"token": "secret-canary"}', "JSON without an `accessToken`"),
        ('{"accessToken": ""}', "JSON without an `accessToken`"),
        ('{"accessToken": 7}', "JSON without an `accessToken`"),
        ("WARNING: update az\nsecret-canary", "something else than a token"),
        ("secret-canary-é", "something else than a token"),
        (json.dumps({"accessToken": "secret-canary", "expires_on": NOW - 1}), "has ended already"),
        ("x" * (LARGEST_OUTPUT_BYTES + 1), "more than 64 kB"),
    ],
)
def test_what_is_no_token_is_told_without_showing_it(printed: str, words: str) -> None:
    if words == "a token|something else":
        assert read_output(printed.encode(), "az", NOW).value == printed, "any one word may be a token"
        return
    with pytest.raises(UsageError, match=words) as refused:
        read_output(printed.encode(), "az", NOW)
    assert "token_command: 'az'" in str(refused.value)
    assert "canary" not in str(refused.value)


async def test_a_token_is_fetched_once_for_all_who_ask_and_again_shortly_before_its_end() -> None:
    now, fetched, learned = [NOW], [], []

    async def fetch() -> Token:
        await asyncio.sleep(0)
        fetched.append(f"token-{len(fetched)}")
        return Token(fetched[-1], now[0] + 1000)

    keeper = TokenKeeper(fetch, place=PLACE, learn=learned.append, now=lambda: now[0])
    assert set(await asyncio.gather(*(keeper.current() for _ in range(8)))) == {"token-0"}
    now[0] += 1000 - EARLY_S - 1
    assert await keeper.current() == "token-0"
    now[0] += 1
    assert await keeper.current() == "token-1"
    rejected = [keeper.current(but_not="token-1") for _ in range(4)]
    assert set(await asyncio.gather(*rejected)) == {"token-2"}, "those who were rejected together renew it once"
    assert learned == fetched


async def test_who_has_no_token_is_told_where_the_target_is() -> None:
    async def fetch() -> Token:
        raise UsageError("token_command: 'az' printed nothing")

    with pytest.raises(
        UsageError, match=r"^assistants\.yaml:5:3: target 'azure': token_command: 'az' printed nothing$"
    ):
        await TokenKeeper(fetch, place=PLACE, learn=print).current()


def script(folder: Path, body: str) -> tuple[str, ...]:
    path = folder / "token.py"
    path.write_text(f"import os, subprocess, sys, time\n{body}\n")
    return (sys.executable, str(path), "an argument; with $(words)")


async def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    command = script(tmp_path, "assert sys.argv[1] == 'an argument; with $(words)'; print('t', len(sys.argv), sep='')")
    assert (await from_command(command)()).value == "t2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit(1)", r"ended with 1; log in \(`az login`\)"),
        ("print('Please run\\n az login', file=sys.stderr); sys.exit(3)", "ended with 3: Please run az login"),
        ("os.kill(os.getpid(), 9)", "ended with -9"),
        ("pass", "printed nothing"),
        ("assert sys.stdin.read() == ''", "printed nothing"),
        ("while True: print('x' * 100_000)", "more than 64 kB|has not ended"),
        ("time.sleep(60)", "has not ended after 1 s"),
        ("subprocess.Popen(['sleep', '60'])", "has not ended after 1 s"),
    ],
)
async def test_a_command_that_prints_no_token_is_one_line(tmp_path: Path, body: str, words: str) -> None:
    begun = time.monotonic()
    with pytest.raises(UsageError, match=words) as refused:
        await from_command(script(tmp_path, body), limit_s=1)()
    assert "\n" not in str(refused.value)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("name", ["/nowhere/az", "."])
async def test_a_command_that_is_none_is_told(name: str) -> None:
    with pytest.raises(UsageError, match=f"token_command: '{name}' can't be run: "):
        await from_command((name,))()


async def test_a_token_is_for_its_host_alone() -> None:
    async def fetch() -> Token:
        return Token("secret-canary", time.time() + 3600)

    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    auth = BearerAuth(TokenKeeper(fetch, place=PLACE, learn=lambda _: None), "here.example")
    async with httpx2.AsyncClient(auth=auth, transport=httpx2.MockTransport(answer)) as client:
        await client.get("https://here.example/agents")
        with pytest.raises(UsageError, match=r"for here\.example alone, and was to go to there\.example"):
            await client.get("https://there.example/agents")
    assert [one.headers["authorization"] for one in seen] == ["Bearer secret-canary"]
