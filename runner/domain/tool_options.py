"""The options of hosted tools that reach out of the API: to the web, and to servers of tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSearch:
    """How the web is searched. None and () are "not said": the API's default holds.

    `context_size` is low, medium or high. `user_location` has any of country, region, city and timezone; without any
    it means "nowhere in particular". `is_live` False keeps to what the API has in its cache.
    """

    context_size: str | None = None
    allowed_domains: tuple[str, ...] = ()
    user_location: Mapping[str, str] | None = None
    is_live: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """A server of tools that the API calls by itself. `url`, `authorization` and `headers` may hold secrets.

    `allowed_tools` () are all of the server's. `require_approval` is "always", "never", or tools under these words;
    None leaves it to the API. `approved_tools` are those whose calls are approved where the API asks; None: all.
    """

    label: str
    url: str = field(repr=False)
    description: str = ""
    authorization: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_tools: tuple[str, ...] = ()
    require_approval: str | Mapping[str, tuple[str, ...]] | None = None
    approved_tools: frozenset[str] | None = frozenset()

    def approves(self, tool: str) -> bool:
        """Whether the file has a call of the tool approved that the API asks about."""
        return self.approved_tools is None or tool in self.approved_tools
