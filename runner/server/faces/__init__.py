"""Faces: between an API's wire and the engine, nothing else; one file or folder per API.

A face has `PATHS`, the first words of its paths, and `routes(engine) -> list[Route]`, asked for when the first request
comes for one of them; `app.py` finds it by itself. In a folder it is `PARTS` that have the routes, modules beside them
in the order in which their paths are tried. What they share is in `server/wire/`. Not here: rules about runs,
files or stores (`engine/`); who may come in (`app.py`).
"""
