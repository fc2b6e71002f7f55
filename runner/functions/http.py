"""Answers with what a web service says. Where the request goes stands in the file; the arguments only fill it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from runner.domain.hosts import is_authority, is_loopback
from runner.functions import MAX_OUTPUT_BYTES, FunctionFailed, Misfit, describe_excess

if TYPE_CHECKING:
    import httpx2

DEFAULT_TIMEOUT_S = 10.0
LONGEST_QUOTE = 500
_WITHOUT_BODY = ("GET", "DELETE")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MOST_ADDRESSES = 4
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Where a network translates the newer addresses into the older: RFC 6052.
_TRANSLATED = IPv6Network("64:ff9b::/96")
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})

MAIN_FIELD = "url"
SCHEMA = {
    "type": "object",
    "description": "A web service; its answer's text is the result.",
    "properties": {
        "url": {
            "type": "string",
            "minLength": 1,
            "maxLength": 2000,
            "examples": ["https://rates.example/{from}"],
            "description": "Its address. {argument} in the path is filled with that argument of the call.",
        },
        "method": {
            "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"],
            "type": "string",
            "title": "method",
            "default": "GET",
            "examples": ["POST"],
            "description": "With GET and DELETE, arguments are put into the query, otherwise into a JSON body.",
        },
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "examples": [{"Authorization": "Bearer ${secret:RATES_KEY}"}],
            "description": "Headers of the request. Keep keys out of the file.",
        },
        "timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 600,
            "default": DEFAULT_TIMEOUT_S,
            "examples": [30],
            "description": "Seconds that a call may take.",
        },
        "private": {
            "type": "boolean",
            "default": False,
            "examples": [True],
            "description": "True lets the host's name lead into a private network; an address in the URL needs it not.",
        },
    },
    "required": ["url"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address of a host: what stands in a URL for it, and what makes TLS ask for the host all the same."""

    authority: str
    extensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    is_remote: ClassVar[bool] = True
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = DEFAULT_TIMEOUT_S
    private: bool = False

    def __post_init__(self) -> None:
        _check_url(self.url)
        _check_headers(self.headers)

    @property
    def code(self) -> str:
        return ""

    async def answer(self, arguments: Mapping[str, object]) -> str:
        import asyncio

        import httpx2

        address = urlsplit(self.url)
        target, rest = _fill(address, arguments)
        try:
            async with asyncio.timeout(float(self.timeout)):
                routes = await find_routes(address, may_be_private=self.private or is_named(address.hostname or ""))
                return await self._ask(address, routes, target, rest)
        except TimeoutError:
            raise FunctionFailed(f"{address.hostname} gave no answer within {self.timeout:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise FunctionFailed(f"{address.hostname} can't be asked: {str(error) or type(error).__name__}") from error

    async def _ask(
        self, address: SplitResult, routes: tuple[Route, ...], target: str, rest: Mapping[str, object]
    ) -> str:
        """The answer of the first of the host's addresses that a connection can be made to."""
        import httpx2

        in_query = self.method in _WITHOUT_BODY
        query = "&".join(part for part in (address.query, _encode_query(rest) if in_query else "") if part)
        headers = {"Accept-Encoding": "identity", **self.headers, "Host": address.netloc}
        for route in routes:
            request = httpx2.Request(
                self.method,
                f"{address.scheme}://{route.authority}{target}{'?' if query else ''}{query}",
                headers=headers,
                json=None if in_query else dict(rest),
                extensions=route.extensions,
            )
            try:
                return await _exchange(request)
            except httpx2.ConnectError:
                if route is routes[-1]:
                    raise
        raise FunctionFailed(f"{address.hostname} has no address")


def _check_url(url: str) -> None:
    """Raises ValueError for what is no address, or where arguments would say where the request goes."""
    try:
        address = urlsplit(url)
        is_usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"'{url}' is no address; write it like https://host/path")
    if "@" in address.netloc:
        raise ValueError("a user name or password in the address is not accepted; put it into a header")
    outside_path = (address.scheme, address.netloc, address.query, address.fragment)
    if any("{" in part or "}" in part for part in outside_path):
        raise ValueError("arguments can only stand in the path of the address")
    if not is_authority(address.netloc):
        # Older Pythons refuse the brackets of "[::1]x" themselves: the same words for all.
        what = "address; write it like https://host/path" if "[" in address.netloc else "name of a host"
        raise ValueError(f"'{address.netloc}' is no {what}")
    names = _PLACEHOLDER.findall(address.path)
    if not all(names) or set("{}") & set(_PLACEHOLDER.sub("", address.path)):
        raise ValueError("a brace in the path is not closed, or empty; write {argument}")


def find_misfits(settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[Misfit]:
    """What the address is to be filled with, and calls may come without."""
    from runner.json_schema import describe_gap

    for name in _PLACEHOLDER.findall(urlsplit(settings["url"]).path):
        if reason := describe_gap(name, parameters):
            message = f"the address needs the argument '{name}'"
            yield Misfit(message=message, hint=f"{reason}: add it", place=(MAIN_FIELD,))


def _check_headers(headers: Mapping[str, str]) -> None:
    """Raises ValueError. A value is never quoted: it may be a secret."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"'{name}' can't be a header's name")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"the header '{name}' is not yours to set")
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"the header '{name}' has a character in its value that no header can have")


def _fill(address: SplitResult, arguments: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """The path with arguments in it, and the arguments that are left."""
    rest = dict(arguments)
    taken: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        value = arguments.get(name)
        if value is None or isinstance(value, list | dict):
            raise FunctionFailed(f"the argument '{name}' is needed, as a text or a number")
        taken.add(name)
        return quote(_as_word(value), safe="")

    segments = [_PLACEHOLDER.sub(fill, segment) for segment in address.path.split("/")]
    for written, filled in zip(address.path.split("/"), segments, strict=True):
        if written != filled and filled in ("", ".", ".."):
            raise FunctionFailed(f"'{filled}' can't stand in the address")
    return "/".join(segments) or "/", {name: value for name, value in rest.items() if name not in taken}


def _encode_query(arguments: Mapping[str, object]) -> str:
    pairs = [
        (name, _as_word(one))
        for name, value in arguments.items()
        if value is not None
        for one in (value if isinstance(value, list) else [value])
    ]
    return urlencode(pairs)


def _as_word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def _exchange(request: httpx2.Request) -> str:
    import httpx2

    from runner.connections import trust_nobody

    verify = trust_nobody() if request.url.scheme == "http" else True
    # No proxy from the environment: the address that was looked at must be the one that is asked.
    async with httpx2.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=None) as client:
        response = await client.send(request, stream=True)
        try:
            if 300 <= response.status_code < 400:
                raise FunctionFailed(f"the service redirects ({response.status_code}), which is not followed")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise FunctionFailed("the service sends a compressed answer although that was ruled out")
            text = await _read(response)
        finally:
            await response.aclose()
    if not response.is_success:
        raise FunctionFailed(f"the service says {response.status_code}: {text[:LONGEST_QUOTE]}")
    return text


async def _read(response: httpx2.Response) -> str:
    content = b""
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > MAX_OUTPUT_BYTES:
            raise FunctionFailed(describe_excess(len(content)).replace("has", "has at least"))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise FunctionFailed("the service's answer is not text in UTF-8") from None


def is_named(host: str) -> bool:
    """Whether the host is said so that nobody can be mistaken about where it is: an address, or this machine."""
    try:
        ip_address(host)
    except ValueError:
        return is_loopback(host)
    return True


async def find_routes(address: SplitResult, *, may_be_private: bool) -> tuple[Route, ...]:
    """The ways to a URL's host. Raises FunctionFailed if there is none, or one leads into a private network."""
    import asyncio
    import socket

    host = address.hostname or ""
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FunctionFailed(f"the host name '{host}' can't be found") from error
    # The older addresses first: not every machine has a way to the newer ones.
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    ips = list(dict.fromkeys(ip_address(str(one[4][0]).partition("%")[0]) for one in found))[:_MOST_ADDRESSES]
    if not may_be_private and not all(map(_is_public, ips)):
        raise FunctionFailed(
            f"'{host}' leads into a private network, which the function must not; `private: true` in its declaration "
            "lets it"
        )
    extensions = {} if host == str(ips[0]) else {"sni_hostname": host}
    return tuple(Route(authority=f"{_in_url(ip)}:{port}", extensions=extensions) for ip in ips)


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address):
        within = IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _TRANSLATED else ip.ipv4_mapped or ip.sixtofour
        if within is None:
            return ip.is_global and ip in _GLOBAL_UNICAST
        ip = within
    return ip.is_global and not ip.is_multicast


def _in_url(ip: IPv4Address | IPv6Address) -> str:
    return f"[{ip}]" if isinstance(ip, IPv6Address) else str(ip)
