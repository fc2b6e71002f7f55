"""The vocabulary: frozen dataclasses and pure functions.

Belongs here: what every other package talks about. Doesn't: I/O, clocks, third-party imports, wire words.
"""
