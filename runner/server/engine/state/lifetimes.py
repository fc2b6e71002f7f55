"""When things end by themselves: runs, leases, vector stores, containers, and the waits inside a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """In seconds. A run that has not ended `run_s` after its creation is expired, as at OpenAI (10 minutes).

    `lease_s` is how long a process that fell silent is believed to be alive. `documents_s` is how long a run
    waits for the thread's files to become searchable. `attachment_store_days`: a store made for a message's files.
    `container_s`: a container that nobody uses, as at OpenAI (20 minutes).
    """

    run_s: float = 600.0
    lease_s: float = 10.0
    documents_s: float = 60.0
    attachment_store_days: int = 7
    container_s: float = 1_200.0

    @property
    def renewal_s(self) -> float:
        """How often a living process renews its leases, and looks for cancellations from elsewhere."""
        return self.lease_s / 4
