"""The Agents API (beta): agents, sessions, turns, items, events, hosted environments and artifacts."""

PATHS = ("agents",)
PARTS = ("sessions", "agents")  # `/agents/sessions` before `/agents/{agent_id}`
