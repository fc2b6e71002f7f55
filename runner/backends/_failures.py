"""What went wrong with a request, in our words: the SDK's exceptions become ours, on one line, without the key.

They are not kept as causes: their own text may repeat the key.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from socket import gaierror
from urllib.parse import urlsplit

import httpx2

from runner.backends._sdk import openai
from runner.backends._waiting import next_room_s, retry_after_s
from runner.did_you_mean import seconds
from runner.domain.hosts import host_of, is_azure, is_openai
from runner.errors import (
    KeyRejected,
    ModelMissing,
    QuotaUsedUp,
    RateLimited,
    RemoteError,
    RemoteMissing,
    RemoteUnreachable,
    TooLargeForLimit,
    UsageError,
)

LONGEST_QUOTE = 300
_LONGEST_WAIT_TOLD_S = 86_400
_ASSISTANTS_END = "OpenAI shut the Assistants API down on 2026-08-26"
SHUT_DOWN = (
    f"{_ASSISTANTS_END}; use its successor, `api: responses`, or play this on the embedded server (`--target embedded`)"
)
_CONVERSATIONS = "/conversations"
# What a server without this path probably is, and what to do about it.
_WITHOUT_PATH = (
    (("/assistants", "/threads"), f"{_ASSISTANTS_END}; try its successor, `api: responses`"),
    (("/agents",), "few servers but OpenAI's have agents; try `api: responses`"),
    ((_CONVERSATIONS,), "for a server that keeps no conversations, set `history: replay`"),
    (
        ("/responses",),
        "for a server that only has chat completions, use `server: embedded` with `inference: {base_url: ...}`",
    ),
)
# How servers say that it is the path that they don't know, not the object.
_NO_SUCH_PATH = (
    *("Invalid URL", "Unknown request URL", "Not Found", "404 ", "Resource not found", "File Not Found"),
    *("Cannot POST", "Cannot GET", "Unexpected endpoint", "Method Not Allowed"),
)
_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum context|prompt is too long|too many (?:input )?tokens",
    re.IGNORECASE,
)
SHORTEN = "what the model is given is too long for it; with file_search, a smaller `max_num_results` makes it shorter"
_NO_MODEL = "the model is not there; is its name right, and may the key use it?"
_VERSIONED = re.compile(r"/v\d[^/]*/?$")
_REFUSALS = {
    400: "the server refuses the request",
    409: "it is in conflict with another change",
    413: "it is too large for the server",
    422: "the server can't process the request",
    424: "a server that the assistant's tools are on does not work",
}
# The request never left: nothing can have come of it.
_UNSENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.LocalProtocolError,
    httpx2.ProxyError,
    ssl.SSLCertVerificationError,
)
_QUOTA_CODES = frozenset(
    "insufficient_quota billing_hard_limit_reached billing_not_active credit_balance_exhausted".split()
)
_MODEL_CODES = frozenset({"model_not_found", "DeploymentNotFound"})
_MODEL_STATUSES = frozenset({400, 403, 404, 410})
# "The model `x` does not exist" (OpenAI, vLLM), "model 'x' not found, try pulling it first" (Ollama), "x is not a valid
# model ID" (OpenRouter), "The model `x` has been deprecated" (OpenAI).
_RETIRED = re.compile(
    r"\b(?:has|have) been (?:deprecated|retired|shut down|removed)|\bno longer (?:available|supported)"
)
_MODEL = re.compile(
    rf"^(?:the )?(?:requested )?model\b.{{0,200}}?(?:not found|not exist|{_RETIRED.pattern})|is not a valid model\b",
    re.IGNORECASE,
)


class Remedy(Enum):
    """What may help. PAUSE is for refusals for being too many: then even a create may be sent again."""

    NONE = "none"
    ASK_AGAIN = "ask again"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One request that failed. `is_unclear`: it may have been carried out all the same."""

    error: RemoteError
    is_unclear: bool = False
    remedy: Remedy = Remedy.NONE
    pause_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The server's word, within a stream, that nothing comes of the request."""

    message: str
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Translator:
    """Knows the address that is talked to, and how to clean secrets out of text (`clean`).

    `key` says which key was sent, in words; "" if none was. `is_token`: one that comes up on the way.
    """

    base_url: str
    clean: Callable[[str], str]
    now: Callable[[], float]
    key: str
    is_token: bool = False

    @property
    def _host(self) -> str:
        return host_of(self.base_url)

    def explain(self, error: openai.OpenAIError | httpx2.HTTPError, doing: str, path: str) -> Failure:
        """A failed call of the SDK, or of what is under it; `path` is what was asked for, without the base URL."""
        if isinstance(error, openai.APIStatusError):
            return self._explain_status(error, doing, path)
        return self._explain_connection(error, doing)

    def explain_silence(self, doing: str, budget_s: float) -> Failure:
        """The time that one request may take is over."""
        message = f"no complete answer from {self.base_url} within {seconds(budget_s)}"
        return Failure(error=RemoteUnreachable(self.line(doing, message)), is_unclear=True)

    def explain_nonsense(self, doing: str, what: str) -> Failure:
        """Something came back with a good status, and it isn't the API's."""
        message = f"what {self.base_url} sent back is not the API's answer: {what}; is this the right base URL?"
        return Failure(error=RemoteUnreachable(self.line(doing, message)), is_unclear=True)

    def explain_unsent(self, doing: str, what: str) -> Failure:
        """The request broke off on our side: the server never had all of it."""
        return Failure(error=RemoteError(self.line(doing, what)))

    def explain_refusal(self, doing: str, refusal: Refusal) -> Failure:
        """The server took the request, and then said in the stream that it can't."""
        kind = _kind_of(refusal)
        code = f" ({refusal.code})" if refusal.code else ""
        said = explain_overflow(refusal.code, refusal.message[:LONGEST_QUOTE])
        message = f"the server gives up{code}: {said}"
        return Failure(error=kind(self.line(doing, message), code=refusal.code))

    def line(self, doing: str, message: str) -> str:
        """A message for users: one line, without secrets."""
        return " ".join(self.clean(f"while {doing}: {message}").split())

    def _explain_status(self, error: openai.APIStatusError, doing: str, path: str) -> Failure:
        status = error.status_code
        if _is_web_page(error.response) and status != 429:
            return self._explain_server(RemoteUnreachable, error, self.line(doing, self._describe_page(status, path)))
        say = partial(self._say, error, doing)
        if is_about_model(status, error.code, _quote(error)):
            is_over = is_retired(status, _quote(error))
            words = "the model was shut down; choose another" if is_over else _NO_MODEL
            return Failure(error=say(ModelMissing, words))
        if status in {401, 403}:
            return Failure(error=say(KeyRejected, self._describe_rejection(status, error.code)))
        if status in {404, 410}:
            return Failure(error=self._explain_missing(error, doing, path))
        # The SDK says that it is a text, and passes on whatever came.
        kind: object = error.type
        if is_about_quota(status, error.code, kind if isinstance(kind, str) else None):
            words = "the quota is used up, waiting will not help; see to the account's billing"
            return Failure(error=say(QuotaUsedUp, words))
        if status == 429:
            return self._explain_too_many(error, doing)
        if status == 507:
            # A full disk refuses: nothing was stored, and asking again frees no room.
            return Failure(error=say(RemoteError, "the server can't store this"))
        if status >= 500 or status == 408:
            return self._explain_server(RemoteError, error, str(say(RemoteError, "the server failed")))
        if 300 <= status < 400:
            return Failure(error=say(RemoteError, self._describe_redirect(error.response)))
        return Failure(error=say(RemoteError, self._describe_refusal(error, path)))

    def _explain_server(self, kind: type[RemoteError], error: openai.APIStatusError, line: str) -> Failure:
        is_server = error.status_code >= 500 or error.status_code == 408
        return Failure(
            error=kind(line, status=error.status_code, code=error.code),
            is_unclear=is_server,
            remedy=Remedy.ASK_AGAIN if is_server else Remedy.NONE,
        )

    def _describe_page(self, status: int, path: str) -> str:
        advice = _advise_path(path) if status in (404, 405) else ""
        message = f"{self.base_url} answered {status} with a web page: is a proxy in between, or the URL wrong?"
        return message + self._advise_version() + (f" ({advice})" if advice else "")

    def _describe_refusal(self, error: openai.APIStatusError, path: str) -> str:
        if is_too_long(error.code, _quote(error)):
            return SHORTEN
        if error.status_code == 405 and _advise_path(path):
            return f"{self.base_url} has something else at {path} ({_advise_path(path)})"
        return _REFUSALS.get(error.status_code, _REFUSALS[400])

    def _explain_missing(self, error: openai.APIStatusError, doing: str, path: str) -> RemoteError:
        is_a_service = is_openai(self._host) or is_azure(self._host)
        if is_a_service and path.startswith(("/assistants", "/threads")):
            line = self.line(doing, f"{SHUT_DOWN} ({error.status_code})")
            return RemoteMissing(line, status=error.status_code, code=error.code)
        asked = f"what was asked for is {self.base_url.rstrip('/')}{path}"
        if error.status_code == 410:
            return self._say(error, doing, RemoteMissing, "it is not there any more", asked)
        if path != _CONVERSATIONS and _quote(error) and not _quote(error).startswith(_NO_SUCH_PATH):
            return self._say(error, doing, RemoteMissing, "it is not there", asked)
        advice = _advise_path(path)
        words = f"{self.base_url} has no {path}; is this the right API?{self._advise_version()}"
        return self._say(error, doing, RemoteMissing, f"{words} ({advice})" if advice else words)

    def _advise_version(self) -> str:
        return "" if _VERSIONED.search(self.base_url) else " Base URLs mostly end in /v1."

    def _describe_rejection(self, status: int, code: str | None) -> str:
        if not self.key:
            return "no key was sent, and the server wants one: name its environment variable with key_env"
        if code == "unsupported_country_region_territory":
            return "the API is not offered in the country that this machine is in"
        if status == 401 and self.is_token:
            return f"{self.key} was rejected, and so was a new one; is it of the right tenant, for this server?"
        if status == 401:
            return f"{self.key} was rejected; is it whole, and for this server?"
        return f"{self.key} has no permission for this; give it one, or use another"

    def _explain_too_many(self, error: openai.APIStatusError, doing: str) -> Failure:
        if "request too large" in _quote(error).lower():
            words = "the request exceeds the rate limit by itself"
            return Failure(error=self._say(error, doing, TooLargeForLimit, words))
        pause_s = retry_after_s(error.response.headers, self.now())
        told = ""
        if pause_s is not None:
            wait = f"{pause_s:.0f} s" if pause_s <= _LONGEST_WAIT_TOLD_S else "for more than a day"
            told = f", and the server asks to wait {wait}"
        said = self._say(error, doing, RateLimited, f"too many requests{told}")
        if pause_s is None:
            pause_s = next_room_s(error.response.headers)
        limited = RateLimited(str(said), status=said.status, code=said.code, pause_s=pause_s)
        return Failure(error=limited, remedy=Remedy.PAUSE, pause_s=pause_s)

    def _describe_redirect(self, response: httpx2.Response) -> str:
        target = urlsplit(response.headers.get("location", ""))
        place = f"{target.scheme}://{target.netloc}" if target.netloc else "another path"
        return f"{self.base_url} redirects to {place}, which is not followed; name the final base URL"

    def _say(
        self, error: openai.APIStatusError, doing: str, kind: type[RemoteError], words: str, more: str = ""
    ) -> RemoteError:
        quote = _quote(error)
        said = f"{words} ({error.status_code})" + (f": {quote}" if quote else "")
        line = self.line(doing, f"{said}; {more}" if more else said)
        return kind(line, status=error.status_code, code=error.code)

    def _explain_connection(self, error: Exception, doing: str) -> Failure:
        # Waiting for more bytes is no failure of TLS; it stands in the chain of a timeout.
        is_waiting = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        causes = tuple(cause for cause in _causes(error) if not isinstance(cause, is_waiting))
        if token_trouble := next((cause for cause in causes if isinstance(cause, UsageError)), None):
            return Failure(error=KeyRejected(self.line(doing, str(token_trouble))))
        message = self._describe_connection(causes)
        is_tls = any(isinstance(cause, ssl.SSLError) for cause in causes)
        return Failure(
            error=RemoteUnreachable(self.line(doing, message)),
            is_unclear=not any(isinstance(cause, _UNSENT) for cause in causes),
            remedy=Remedy.NONE if is_tls else Remedy.ASK_AGAIN,
        )

    def _describe_connection(self, causes: tuple[BaseException, ...]) -> str:
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                advice = "if an authority of your own signs it, name that one's file in SSL_CERT_FILE"
                return f"the certificate of {self._host} can't be trusted: {cause.verify_message}; {advice}"
            if isinstance(cause, ssl.SSLError):
                reason = cause.reason or "the TLS handshake failed"
                return f"no secure connection to {self._host}: {reason}; does the server speak https?"
            if isinstance(cause, gaierror):
                return f"the host name '{self._host}' can't be found"
            if isinstance(cause, httpx2.ProxyError):
                return f"the proxy between here and {self._host} refuses the connection"
            if isinstance(cause, httpx2.LocalProtocolError):
                return "the request could not be sent as it is"
        if any(isinstance(cause, httpx2.ConnectTimeout) for cause in causes):
            return f"no connection to {self.base_url} in time: is the server up, or a firewall in between?"
        if any(isinstance(cause, httpx2.ConnectError) for cause in causes):
            return f"nothing answers at {self.base_url}: is the server up?"
        return f"the connection to {self.base_url} broke before the answer was complete"


def is_too_long(code: str | None, words: str) -> bool:
    """Whether a refusal or a failure says that the model's context is too small for what it was given."""
    return code == "context_length_exceeded" or _TOO_LONG.search(words) is not None


def explain_overflow(code: str | None, words: str) -> str:
    """Why a run failed, with what can be done about it if its context was too small."""
    return f"{words} ({SHORTEN})" if is_too_long(code, words) and SHORTEN not in words else words


def explain_end(status: str, error: str | None, code: str | None, incomplete_reason: str | None) -> str | None:
    """Why a run came to its end; None where there is nothing to explain."""
    if error:
        return explain_overflow(code, error)
    defaults = {
        "failed": "the run failed, and the server doesn't say why",
        "incomplete": f"the answer is incomplete: {incomplete_reason or 'the server does not say why'}",
        "cancelled": "the run was cancelled, not by us",
        "expired": "the run took longer than the server allows, and expired",
    }
    return defaults.get(status)


def _advise_path(path: str) -> str:
    return next((words for paths, words in _WITHOUT_PATH if path.startswith(paths)), "")


def _kind_of(refusal: Refusal) -> type[RemoteError]:
    if is_about_model(None, refusal.code, refusal.message):
        return ModelMissing
    if is_about_quota(None, refusal.code, None):
        return QuotaUsedUp
    return RateLimited if refusal.code == "rate_limit_exceeded" else RemoteError


def _quote(error: openai.APIStatusError) -> str:
    """The server's own words, "" if it has none; they count as hostile text."""
    body = error.body
    words = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    match words:
        case [{"msg": str(words)}, *_]:
            # How servers built on FastAPI say what is wrong with a request.
            pass
    return " ".join(words.split())[:LONGEST_QUOTE] if isinstance(words, str) else ""


def _is_web_page(response: httpx2.Response) -> bool:
    return "html" in response.headers.get("content-type", "") or response.content[:64].lstrip().startswith(b"<")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that led to it, groups included."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [*members, one.__context__, one.__cause__]


def is_about_model(status: int | None, code: str | None, words: str) -> bool:
    """Whether a refusal says that the model isn't there; `status` is None inside a stream."""
    if code in _MODEL_CODES:
        return True
    return (status is None or status in _MODEL_STATUSES) and _MODEL.search(words) is not None


def is_retired(status: int | None, words: str) -> bool:
    """Whether what isn't there was there once."""
    return status == 410 or _RETIRED.search(words) is not None


def is_about_quota(status: int | None, code: str | None, kind: str | None) -> bool:
    """Whether a refusal says that the account has no credit left; 402 is "payment required"."""
    return status == 402 or code in _QUOTA_CODES or kind in _QUOTA_CODES
