"""The embedded server: an OpenAI-compatible service that needs no key.

A stranger to the client: it shares `domain/` with it at most, never wire parsing. `app.py` is the way in.
"""
