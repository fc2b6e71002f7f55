"""The engine: what the server knows and does, in words of no particular API.

Rooms, from the ground up: `state/` what is kept and how, `search.py` the index of passages, `core.py` the parts and how
long they live, `documents.py` files and vector stores, `containers.py` where code runs, `runs/` a run from its order to
its end; on these `responses.py` runs that go on from earlier ones, `sessions.py`, `agent_versions.py`, `batches.py`.
Belongs here: rules that hold whatever API asks. Doesn't: wire words (`faces/`).
"""
