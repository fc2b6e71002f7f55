"""Faces: between an API's wire and the engine, nothing else; one file per kind of object.

A face has `routes(engine) -> list[Route]`; `app.py` finds it by itself. Modules with a leading `_` are shared by
the faces. Not here: rules about runs, files or stores (`engine/`); who may come in (`gate.py`).
"""
