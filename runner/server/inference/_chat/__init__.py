"""The parts of the openai_compatible inference: a scene as a chat-completions request, and its reply as a move.

Pure functions on plain JSON; the SDK, sockets and deadlines are in `openai_compatible.py`.
"""
