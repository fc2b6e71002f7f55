"""Responses: conversations, their items, and runs that go on from earlier ones."""
