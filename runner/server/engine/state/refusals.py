"""What the engine answers when it can't do what was asked; the faces turn these into their API's errors.

Refusal            the request can't be served
├── Missing        an object that does not exist
└── Conflict       the objects' state forbids it
Damaged            a kept object can't be read any more
"""

from __future__ import annotations


class Refusal(Exception):
    """The request can't be served; the message is for users, `param` names the parameter at fault."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        self.param = param
        self.code = code
        super().__init__(message)


class Missing(Refusal):
    """There is no `kind` (a record's KIND) called `object_id`; `parent_id` says where it was looked for."""

    def __init__(self, kind: str, object_id: str, parent_id: str = "") -> None:
        self.kind = kind
        self.object_id = object_id
        self.parent_id = parent_id
        super().__init__(f"There is no {kind} {object_id!r}.")


class Conflict(Refusal):
    """The objects are in a state that forbids it."""


class Damaged(Exception):
    """What the state has under `object_id` is no `kind`: somebody else wrote there, or the disk lost something."""

    def __init__(self, kind: str, object_id: str, reason: str) -> None:
        super().__init__(f"The {kind} {object_id!r} in this server's state is damaged: {reason}.")
