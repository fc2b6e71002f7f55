"""What an export says and no file can hold."""

from __future__ import annotations

import pytest

from runner.config.exports import read_export
from runner.errors import UsageError


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1e-99999999999999999999", "1e301"])
def test_a_number_without_end_is_wrong_usage(number: str) -> None:
    with pytest.raises(UsageError, match="a number in it is none, or too long"):
        read_export(f'{{"model": "m", "temperature": {number}}}'.encode(), file="export.json")
