"""Sync: make the remote side match the file, by identity in remote metadata.

Read, decide, act:

- `read_desired`, `read_remote`: what the file declares, contents of files included, and what is stored (two lists);
- `plan_sync`: pure; binds each address to its remote objects and says what differs, and which side moved it;
  `decide` reads and plans, `check_gates` refuses plans that delete too much;
- `apply_plan`: files, stores, assistants, deletions, in this order; creates are sent once, one object remains.

For play, which never changes what is synced: `remove_live` (everything that a play's journal created).

Not here: how an API is spoken to (`backends/`), what is printed (`cli/`), temporary copies (`execution/`).
"""

from runner.sync.applier import Applied, apply_plan, explain
from runner.sync.creating import Patience
from runner.sync.desired import ContentCache, Desired, find_excesses, hash_content, read_desired
from runner.sync.leftovers import EarlierFiles, adopt_batches, read_earlier_files, remove_live
from runner.sync.planner import OnDrift, Policy, SyncPlan, check_gates, decide, plan_destruction, plan_sync
from runner.sync.remote import RemoteState, read_remote
from runner.sync.uploads import FilesMoved, Uploading

__all__ = [
    "Applied",
    "ContentCache",
    "Desired",
    "EarlierFiles",
    "FilesMoved",
    "OnDrift",
    "Patience",
    "Policy",
    "RemoteState",
    "SyncPlan",
    "Uploading",
    "adopt_batches",
    "apply_plan",
    "check_gates",
    "decide",
    "explain",
    "find_excesses",
    "hash_content",
    "plan_destruction",
    "plan_sync",
    "read_desired",
    "read_earlier_files",
    "read_remote",
    "remove_live",
]
