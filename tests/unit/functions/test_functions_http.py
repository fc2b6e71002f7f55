"""Functions that ask a web service: real sockets, and hosts that the arguments can't reach."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from urllib.parse import urlsplit

import pytest
from wire_server import CLOSE, RESET, reply, wire_server

from runner.functions import FunctionFailed
from runner.functions.http import Answerer, find_routes, is_named


async def failure(answerer: Answerer, **arguments) -> str:
    with pytest.raises(FunctionFailed) as caught:
        await answerer.answer(arguments)
    return str(caught.value)


def answering(*moves):
    return wire_server(lambda _seen: list(moves))


async def test_a_get_has_its_arguments_in_path_and_query():
    async with answering(*reply({"rate": 11.5})) as server:
        answerer = Answerer(url=f"{server.url}/rates/{{from}}?day=1", headers={"Authorization": "Bearer canary"})
        said = await answerer.answer({"from": "EU R/..", "to": ["NOK", "SEK"], "exact": True, "on": None, "å": "ø"})
    (seen,) = server.seen
    assert json.loads(said) == {"rate": 11.5}
    assert (seen.method, urlsplit(seen.target).path) == ("GET", "/v1/rates/EU%20R%2F..")
    assert seen.query == {"day": ["1"], "to": ["NOK", "SEK"], "exact": ["true"], "å": ["ø"]}
    assert seen.headers["authorization"] == "Bearer canary"
    assert seen.headers["host"] == urlsplit(server.url).netloc
    assert seen.body == b""


async def test_a_post_has_its_other_arguments_in_a_json_body():
    async with answering(*reply("ok", 201)) as server:
        answerer = Answerer(url=f"{server.url}/orders/{{id}}", method="POST")
        assert await answerer.answer({"id": 7, "lines": [{"n": 1.5}]}) == "ok"
    (seen,) = server.seen
    assert (str(seen), seen.json) == ("POST /orders/7", {"lines": [{"n": 1.5}]})
    assert seen.headers["content-type"] == "application/json"


async def test_no_certificates_are_loaded_for_a_service_that_none_is_asked_for(monkeypatch):
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: pytest.fail("they were loaded"))
    async with answering(*reply("ok")) as server:
        assert await Answerer(url=f"{server.url}/").answer({}) == "ok"


async def test_a_host_s_name_stays_the_host_though_its_address_is_asked():
    async with answering(*reply("ok")) as server:
        port = urlsplit(server.url).port
        assert await Answerer(url=f"http://localhost:{port}/").answer({}) == "ok"
    assert server.seen[0].headers["host"] == f"localhost:{port}"


@pytest.mark.parametrize("value", ["..", ".", "", None, [1], {"a": 1}])
async def test_an_argument_can_t_climb_out_of_its_place_in_the_path(value):
    async with answering(*reply("ok")) as server:
        told = await failure(Answerer(url=f"{server.url}/a/{{x}}/b"), x=value)
    assert server.seen == []
    assert "can't stand in the address" in told or "the argument 'x' is needed" in told


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
async def test_a_name_that_leads_into_a_private_network_is_refused_unless_that_is_said(host):
    async with answering(*reply("ok")) as server:
        url = f"http://{host}:{urlsplit(server.url).port}/"
        assert "leads into a private network" in await failure(Answerer(url=url))
        assert server.seen == []
        assert await Answerer(url=url, private=True).answer({}) == "ok"


def test_only_an_address_and_this_machine_are_named_so_that_there_is_no_mistake():
    assert all(map(is_named, ["10.0.0.1", "::1", "localhost", "LOCALHOST.", "a.localhost"]))
    assert not any(map(is_named, ["127.1", "localhost.example", "intranet", "rates.example", ""]))


@pytest.mark.parametrize(
    "ip", ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "::1", "fe80::1", "fd00::1",
           "::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1",
           "64:ff9b:1::a00:1", "2002:a00:1::", "fec0::1"]
)  # fmt: skip
async def test_every_kind_of_private_address_is_one(ip):
    address = urlsplit(f"https://[{ip}]/" if ":" in ip else f"https://{ip}/")
    with pytest.raises(FunctionFailed, match="private network"):
        await find_routes(address, may_be_private=False)


@pytest.mark.parametrize("ip", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::"])
async def test_a_public_address_is_none_in_whatever_way_it_is_written(ip):
    address = urlsplit(f"https://[{ip}]/" if ":" in ip else f"https://{ip}/")
    assert len(await find_routes(address, may_be_private=False)) == 1


async def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    async def lookup(_loop, _host, port, **_):
        return [(socket.AF_INET, 1, 6, "", (ip, port)) for ip in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)
    with pytest.raises(FunctionFailed, match="'rates.example' leads into a private network"):
        await find_routes(urlsplit("https://rates.example/"), may_be_private=False)
    first, _ = await find_routes(urlsplit("https://rates.example/"), may_be_private=True)
    assert (first.authority, first.extensions) == ("93.184.216.34:443", {"sni_hostname": "rates.example"})


@pytest.mark.parametrize("location", ["http://example.org/", "/elsewhere", "//example.org"])
async def test_a_redirect_is_not_followed(location):
    async with answering(*reply("", 302, location=location)) as server:
        told = await failure(Answerer(url=f"{server.url}/"))
    assert told == "the service redirects (302), which is not followed"
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("moves", "words"),
    [
        (reply({"error": "no such rate"}, 404), 'the service says 404: {"error": "no such rate"}'),
        (reply(b"x" * 300_000), "the result has at least"),
        ([b"HTTP/1.1 200 X\r\n\r\n", b"x" * 300_000, 60], "the result has at least"),
        (reply(b"\xff\xfe\xfa"), "not text in UTF-8"),
        (reply(b"x", content_encoding="gzip"), "a compressed answer although that was ruled out"),
        ([RESET], "can't be asked: ReadError"),
        ([CLOSE], "can't be asked"),
        ([b"nonsense\r\n\r\n", CLOSE], "can't be asked"),
        ([60], "gave no answer within 0.5 s"),
        ([b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nx", 60], "gave no answer within 0.5 s"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
@pytest.mark.slow
async def test_a_service_that_does_not_answer_well_is_a_reason(moves, words):
    timeout_s = 0.5 if "within 0.5 s" in words else 30
    async with answering(*moves) as server:
        assert words in await failure(Answerer(url=f"{server.url}/", timeout=timeout_s))


@pytest.mark.slow
async def test_drops_of_an_answer_do_not_stretch_the_time_limit():
    drops = [move for _ in range(3_000) for move in (b"x", 0.1)]
    async with answering(b"HTTP/1.1 200 X\r\n\r\n", *drops) as server:
        assert "within 0.5 s" in await failure(Answerer(url=f"{server.url}/", timeout=0.5))


async def test_a_host_that_does_not_exist_or_listen_is_a_reason(unused_tcp_port_factory):
    assert "can't be found" in await failure(Answerer(url="http://no.such.host.invalid/"))
    assert "can't be asked" in await failure(Answerer(url=f"http://127.0.0.1:{unused_tcp_port_factory()}/"))


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with answering(*reply("ok")) as server:
        assert await Answerer(url=f"{server.url}/").answer({}) == "ok"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "ftp://host/x"}, "is no address"),
        ({"url": "rates.example/x"}, "is no address"),
        ({"url": "https://[::1/x"}, "is no address"),
        ({"url": "https://[::1]x/"}, "is no address"),
        ({"url": "https://evil.example\\.rates.example/"}, "is no name of a host"),
        ({"url": "https://exämple.org/"}, "is no address"),
        ({"url": "https://host/a b"}, "is no address"),
        ({"url": "https://{host}/x"}, "only stand in the path"),
        ({"url": "https://host:{port}/x"}, "is no address"),
        ({"url": "{scheme}://host/x"}, "is no address"),
        ({"url": "https://host/x?q={q}"}, "only stand in the path"),
        ({"url": "https://host/x#{q}"}, "only stand in the path"),
        ({"url": "https://me:secret@host/x"}, "a user name or password"),
        ({"url": "https://host/{a"}, "a brace in the path"),
        ({"url": "https://host/{}"}, "a brace in the path"),
        ({"url": "https://host/", "headers": {"Host": "other"}}, "'Host' is not yours to set"),
        ({"url": "https://host/", "headers": {"A b": "x"}}, "'A b' can't be a header's name"),
        ({"url": "https://host/", "headers": {"A": "se\r\ncret"}}, "'A' has a character in its value"),
    ],
)
def test_what_can_t_be_asked_is_refused_when_it_is_read(settings, words):
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        Answerer(**settings)
    assert "cret" not in str(caught.value)
