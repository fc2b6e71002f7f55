"""What every test has: the embedded server's answers are held against OpenAI's OpenAPI file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import validated_app
from openai_schemas import OPENAPI


@pytest.fixture(scope="session", autouse=True)
def _embedded_servers_are_listened_to() -> Iterator[None]:
    """Servers in the tests' own process; without the OpenAPI file nothing is, and test_server_schema.py skips."""
    with pytest.MonkeyPatch.context() as patch:
        if OPENAPI.exists():
            patch.setattr("runner.server.app.Starlette", validated_app.ValidatedApp)
        yield


@pytest.fixture(autouse=True)
def _every_answer_is_valid() -> Iterator[None]:
    validated_app.violations.clear()
    yield
    assert validated_app.violations == []
