"""What the environment says about the way to other machines: proxies and certificates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

from runner.errors import UsageError

_BAD_PROXY = (
    "a proxy in the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) can't be used; write it like http://host:8080, "
    "SOCKS is not supported"
)
_BAD_CERTIFICATES = "the file that SSL_CERT_FILE, SSL_CERT_DIR or SSLKEYLOGFILE names can't be used"


@contextmanager
def explaining_environment() -> Iterator[None]:
    """For making an HTTP client. Raises UsageError for what the environment says and can't be used.

    The message never shows a proxy's address, which may have a password in it.
    """
    import httpx2

    try:
        yield
    except OSError as error:
        raise UsageError(f"{_BAD_CERTIFICATES}: {error.strerror or type(error).__name__}") from None
    except (ImportError, ValueError, httpx2.InvalidURL):
        raise UsageError(_BAD_PROXY) from None


def check_ambient_proxies() -> None:
    """Raises ValueError for an address that only connecting would show to be none."""
    for name, address in getproxies().items():
        # `no` is a list of hosts that need none.
        if name != "no" and urlsplit(address).port == 0:
            raise ValueError("there is no port 0")
