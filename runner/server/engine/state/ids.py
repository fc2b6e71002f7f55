"""Identifiers: a prefix that tells the kind, and enough randomness never to meet again."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from enum import Enum

_ALPHANUMERIC = string.ascii_letters + string.digits
_HEXADECIMAL = "0123456789abcdef"


class IdKind(Enum):
    """Prefix, alphabet and length of each kind, as recorded from OpenAI's servers."""

    ASSISTANT = ("asst_", _ALPHANUMERIC, 24)
    THREAD = ("thread_", _ALPHANUMERIC, 24)
    MESSAGE = ("msg_", _ALPHANUMERIC, 24)
    RUN = ("run_", _ALPHANUMERIC, 24)
    STEP = ("step_", _ALPHANUMERIC, 24)
    CALL = ("call_", _ALPHANUMERIC, 24)
    FILE = ("file-", _ALPHANUMERIC, 22)
    STORE = ("vs_", _HEXADECIMAL, 32)
    BATCH = ("vsfb_", _HEXADECIMAL, 32)
    RESPONSE = ("resp_", _HEXADECIMAL, 50)
    CONVERSATION = ("conv_", _HEXADECIMAL, 48)
    CONTAINER = ("cntr_", _HEXADECIMAL, 48)
    CONTAINER_FILE = ("cfile_", _HEXADECIMAL, 32)

    @property
    def prefix(self) -> str:
        return self.value[0]


NewId = Callable[[IdKind], str]


def random_id(kind: IdKind) -> str:
    prefix, alphabet, length = kind.value
    return prefix + "".join(secrets.choice(alphabet) for _ in range(length))
