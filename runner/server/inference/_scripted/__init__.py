"""The parts of the scripted inference: what a script says, how it is read from YAML, and what it holds against a scene.

Nothing in here sees the wire or the store.
"""
