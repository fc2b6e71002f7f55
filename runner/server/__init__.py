"""The embedded server: an OpenAI-compatible service that needs no key.

A stranger to the client: it shares what lies below both at most, never wire parsing. `app.py` is the way in.
"""
