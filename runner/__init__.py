"""Assistants as code: declare, sync, play, judge."""

__version__ = "0.1.0"
