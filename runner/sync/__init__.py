"""Sync: make the remote side match the file, by identity in remote metadata.

Read, decide, act:

- `read_desired`, `read_remote`: what the file declares, contents of files included, and what is stored (two lists);
- `plan_sync`: pure; binds each address to its remote objects and says what differs; `decide` reads and plans;
- `apply_plan`: files, stores, assistants, in this order; creates are sent once, one object remains.

For play, which never changes what is synced: `deployment_if_identical` (the stored assistant, if it is exactly
the declared one), `deploy_copy` (a temporary one), `remove_live` (everything that a play's journal created).

Not here: how an API is spoken to (`backends/`), what is printed (`cli/`).
"""

from runner.sync.applier import Applied, apply_plan
from runner.sync.content import ContentCache, hash_content
from runner.sync.copies import deploy_copy, deployment_if_identical
from runner.sync.creating import Patience
from runner.sync.deciding import decide
from runner.sync.desired import Desired, read_desired
from runner.sync.planner import SyncPlan, plan_sync
from runner.sync.remote import RemoteState, read_remote
from runner.sync.removing import remove_live
from runner.sync.stores import FilesMoved

__all__ = [
    "Applied",
    "ContentCache",
    "Desired",
    "FilesMoved",
    "Patience",
    "RemoteState",
    "SyncPlan",
    "apply_plan",
    "decide",
    "deploy_copy",
    "deployment_if_identical",
    "hash_content",
    "plan_sync",
    "read_desired",
    "read_remote",
    "remove_live",
]
