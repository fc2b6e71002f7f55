"""What OpenAI's servers answered, held against what the embedded server answers to the same requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from openai_schemas import SHARED
from recorded_differences import DIFFERENCES, write_page
from recorded_play import Player, describe_call, load_exchanges
from served import served

FOLDERS = ("assistants", "vectorstores", "files")
RECORDINGS = [path for folder in FOLDERS for path in sorted((SHARED / "recordings" / folder).glob("*.json"))]


@pytest.mark.slow
@pytest.mark.skipif(not RECORDINGS, reason="no recordings; set RUNNER_SHARED to play them")
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_the_recorded_requests_get_the_recorded_answers(recording: Path, tmp_path: Path) -> None:
    exchanges = load_exchanges(recording)
    player = Player(exchanges)
    async with served(tmp_path / "state", player.brain) as server:
        found = await player.play(server.client)
    rows = [row for row in DIFFERENCES if row.recording == recording.stem]
    listed = [one for row in rows for one in row.expand(exchanges)]
    assert [one for one in found if one not in listed] == []
    assert [one for one in listed if one not in found] == []
    assert {describe_call(exchanges[number - 1]) for row in rows for number in row.exchanges} == {
        row.endpoint for row in rows
    }


def test_no_place_is_listed_twice() -> None:
    places = [(row.recording, number, row.place) for row in DIFFERENCES for number in row.exchanges]
    assert len(places) == len(set(places))


@pytest.mark.skipif(not RECORDINGS, reason="no recordings; set RUNNER_SHARED to play them")
def test_every_difference_is_of_a_recording_that_is_played() -> None:
    assert {row.recording for row in DIFFERENCES} <= {recording.stem for recording in RECORDINGS}


def test_the_page_on_differences_is_what_the_table_says() -> None:
    assert (Path(__file__).parents[2] / "docs/differences.md").read_text("utf-8") == write_page()
