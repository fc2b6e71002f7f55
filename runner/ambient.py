"""What the environment says about the way to other machines, and how it is told that it can't be used."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies

BAD_PROXY = (
    "a proxy in the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) can't be used; write it like http://host:8080, "
    "SOCKS is not supported"
)
"""It never shows the proxy's address, which may have a password in it."""
BAD_CERTIFICATES = "the file that SSL_CERT_FILE, SSL_CERT_DIR or SSLKEYLOGFILE names can't be used"


def check_ambient_proxies() -> None:
    """Raises ValueError for an address that only connecting would show to be none."""
    for name, address in getproxies().items():
        # `no` is a list of hosts that need none.
        if name != "no" and urlsplit(address).port == 0:
            raise ValueError("there is no port 0")
