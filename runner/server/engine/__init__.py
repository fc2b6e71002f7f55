"""The engine: what the server knows and does, in words of no particular API.

`records.py` is what is kept, `store.py` the only place that changes it, `loop.py` a run's state machine;
`engine.py` ties them together. Belongs here: rules that hold whatever API asks. Doesn't: wire words (`faces/`).
"""
