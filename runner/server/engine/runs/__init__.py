"""Runs: assistants, threads and messages, and a run from its order to its end."""
