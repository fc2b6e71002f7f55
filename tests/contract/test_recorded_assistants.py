"""What OpenAI's servers answered, held against what the embedded server answers to the same requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from openai_schemas import SHARED
from recorded_differences import DIFFERENCES, write_page
from recorded_play import Player, brain_for, load_exchanges
from served import served

FOLDERS = ("assistants", "vectorstores", "files")
RECORDINGS = [path for folder in FOLDERS for path in sorted((SHARED / "recordings" / folder).glob("*.json"))]


@pytest.mark.skipif(not RECORDINGS, reason="no recordings; set RUNNER_SHARED to play them")
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_the_recorded_requests_get_the_recorded_answers(recording: Path, tmp_path: Path) -> None:
    exchanges = load_exchanges(recording)
    brain = brain_for(exchanges)
    async with served(tmp_path / "state", brain) as server:
        player = Player(server.client, brain, exchanges)
        await player.play()
    listed = [one for one in DIFFERENCES if one.recording == recording.stem]
    found = sorted(player.differences)
    assert [one for one in found if not any(row.covers(recording.stem, *one[:2]) for row in listed)] == []
    assert [row for row in listed if not any(row.covers(recording.stem, *one[:2]) for one in found)] == []


def test_the_page_on_differences_is_what_the_table_says() -> None:
    assert (Path(__file__).parents[2] / "docs/differences.md").read_text("utf-8") == write_page()
