"""Core: the engine's parts, tied together, and what it tells of runs."""
