"""The Assistants API: /assistants and /threads, with messages, runs and steps."""

PATHS = ("assistants", "threads")
PARTS = ("assistants", "runs", "messages")  # `/threads/runs` before `/threads/{thread_id}`
