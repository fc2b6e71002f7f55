"""Faces: between an API's wire and the engine, nothing else; one file or folder per API.

A face has `routes(engine) -> list[Route]`; `app.py` finds it by itself. What they share is in `server/wire/`. Not here:
rules about runs, files or stores (`engine/`); who may come in (`gate.py`).
"""
