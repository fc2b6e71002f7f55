"""What OpenAI's servers answered on responses, held against what the embedded server answers to the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai_schemas import SHARED
from recorded_responses_brain import RecordedResponsesBrain
from recorded_responses_differences import DIFFERENCES
from recorded_responses_play import Found, Json, ResponsesPlayer, describe_call, load_exchanges, shown_responses
from recorded_responses_rules import RULES, Rule
from served import served

FOLDERS = ("responses", "responsestool", "responsestore", "conversation", "container")
RECORDINGS = [path for folder in FOLDERS for path in sorted((SHARED / "recordings" / folder).glob("*.json"))]
NEEDS_RECORDINGS = pytest.mark.skipif(not RECORDINGS, reason="no recordings; set RUNNER_SHARED to play them")


def meant_by_rules(recording: Path) -> Iterator[tuple[Found, Rule]]:
    """What the rules find in a recording, but for the exchanges that have another status here."""
    asked: dict[str, Json] = {}
    unanswered = {number for number, place, _ in listed_for(recording) if place == "status"}
    for number, exchange in enumerate(load_exchanges(recording), start=1):
        for prefix, response in () if number in unanswered else shown_responses(exchange):
            request = asked.setdefault(response["id"], exchange["request"])
            for rule in RULES:
                if what := rule.find(request, response):
                    yield (number, prefix + rule.place, what), rule


def listed_for(recording: Path) -> list[Found]:
    rows = [row for row in DIFFERENCES if row.recording == recording.stem]
    return [found for row in rows for found in row.expand(load_exchanges(recording))]


@pytest.mark.slow
@NEEDS_RECORDINGS
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_the_recorded_requests_get_the_recorded_responses(recording: Path, tmp_path: Path) -> None:
    brain = RecordedResponsesBrain()
    async with served(tmp_path / "state", brain) as server:
        player = ResponsesPlayer(server.client, brain, recording)
        await player.play()

    expected = [*listed_for(recording), *(found for found, _ in meant_by_rules(recording))]
    assert [one for one in player.found if one not in expected] == []
    assert [one for one in expected if one not in player.found] == []


@NEEDS_RECORDINGS
def test_every_row_on_the_page_is_about_a_recording_that_is_played() -> None:
    assert {row.recording for row in DIFFERENCES} <= {path.stem for path in RECORDINGS}
    assert set(RULES) == {rule for path in RECORDINGS for _, rule in meant_by_rules(path)}


@NEEDS_RECORDINGS
def test_every_row_names_the_endpoint_of_its_exchanges() -> None:
    recorded = {path.stem: load_exchanges(path) for path in RECORDINGS}
    for row in DIFFERENCES:
        assert {describe_call(recorded[row.recording][number - 1]) for number in row.exchanges} == {row.endpoint}
