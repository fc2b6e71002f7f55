"""Numbers on the command line that would be no limit at all."""

from __future__ import annotations

import click
import pytest

from runner.cli.clean import command as clean
from runner.cli.play import command as play


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400"])
@pytest.mark.parametrize(
    ("verb", "option"), [(play, "--max-cost"), (play, "--rate"), (play, "--max-time"), (clean, "--older-than")]
)
def test_a_limit_that_is_never_reached_is_refused(verb: click.Command, option: str, value: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        verb.make_context("verb", [option, value])
    assert option in caught.value.format_message()
