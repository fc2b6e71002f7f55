"""The engine: what the server knows and does, in words of no particular API.

Rooms, from the ground up: `state/` what is kept and how, `search/` the index of passages, `core/` the parts and how
long they live, `documents/` files and vector stores, `containers/` where code runs, `runs/` a run from its order to its
end, `responses/` runs that go on from earlier ones. Belongs here: rules that hold whatever API asks. Doesn't: wire
words (`faces/`).
"""
