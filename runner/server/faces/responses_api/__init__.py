"""The Responses API: /responses and /conversations."""

PATHS = ("responses", "conversations")
PARTS = ("responses",)
