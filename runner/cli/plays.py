"""`runner plays`: the plays that are kept, and which can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click

from runner.cli._session import file_option, find_root
from runner.errors import NothingFound, WriteFailed

_LONGEST_SELECTION = 50
_COLUMNS = ("id", "began (UTC)", "took", "target", "played", "result", "state")


@click.command(name="plays", short_help="List the plays that are kept.")
@file_option
@click.option("-n", "--limit", type=click.IntRange(1), metavar="N", help="Only the newest N.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(*, file: Path | None, limit: int | None, as_json: bool) -> None:
    """List the plays under .runner/plays, the newest first: when, where, what came of it, and whether it can go on.

    `play --resume ID` goes on with one, `report ID` tells it again, `compare` holds two against each other. The newest
    50 are kept, and those that may have left something on a server; `report ID --report json=FILE` keeps one for good.
    What pytest plays is not listed, and takes no place among them.
    """
    from runner.cli._plays import find_plays
    from runner.escaping import pad, terminal_line, terminal_width
    from runner.journal import PLAYS_KEPT

    plays = [_describe(one) for one in islice(find_plays(find_root(file) / ".runner" / "plays"), limit)]
    if as_json:
        click.echo(json.dumps(plays, indent=2, ensure_ascii=True))
        return
    if not plays:
        raise NothingFound("no play is kept under .runner/plays")
    rows = [_COLUMNS, *(tuple(map(terminal_line, _cells(one))) for one in plays)]
    widths = [max(map(terminal_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if len(plays) >= PLAYS_KEPT:
        click.echo(f"the newest {PLAYS_KEPT} are kept; `runner report ID --report json=FILE` keeps one for good")


def _cells(play: Mapping[str, Any]) -> Iterator[str]:
    from runner.cli._plays import show_time
    from runner.domain.report import NOT_STARTED

    counts = dict(play["counts"])
    last = counts.pop(NOT_STARTED, 0)
    # In the order of the play's own last line.
    parts = [*counts.items(), ("cut off", play["cut_off"]), ("not started", last)]
    came_to = ", ".join(f"{times} {word}" for word, times in parts if times)
    yield play["id"]
    yield show_time(play["started_at"])
    yield f"{play['duration_s']:,.1f} s" if play["duration_s"] is not None else ""
    yield ", ".join(play["variants"])
    selected = play["selection"] or "all"
    yield selected if len(selected) <= _LONGEST_SELECTION else f"{selected[:_LONGEST_SELECTION]}..."
    yield f"{came_to or 'nothing played'} of {play['planned']}"
    yield f"{play['state']} from {play['judged']}" if play["judged"] else play["state"]


def _describe(folder: Path) -> dict[str, Any]:
    """What `play.json` says; of a play that did not come to its end, what had come in."""
    from runner.cli._plays import is_going_on
    from runner.domain.result_json import variant_from_json
    from runner.kept_play import find_argument, read_head, read_play, report_of

    head: Mapping[str, Any] = {}
    counts: Mapping[str, int] = {}
    try:
        head = read_head(folder)
        counts = head["counts"] if "counts" in head else report_of(read_play(folder)).counts
    except (WriteFailed, OSError):
        pass
    planned, goes_on = int(head.get("planned", 0)), is_going_on(folder)
    return {
        "id": folder.name,
        "started_at": head.get("started_at", ""),
        "duration_s": head.get("duration_s"),
        "variants": [variant_from_json(one).label for one in head.get("variants", ())],
        "selection": " ".join(_selection(head)),
        "shard": find_argument(head, "shard"),
        "planned": planned,
        "counts": dict(counts),
        "cut_off": 0 if goes_on else max(0, planned - sum(counts.values())),
        "exit_code": head.get("exit_code"),
        "stopped": head.get("stopped", ""),
        "judged": head.get("judged", ""),
        "state": _state(head, counts, planned, goes_on=goes_on),
    }


def _selection(head: Mapping[str, Any]) -> Iterator[str]:
    """What was asked for, as it could be asked for again."""
    from runner.kept_play import find_selection

    arguments = head.get("arguments", {})
    yield from [head["selection"]] if head.get("selection") else find_selection(arguments)
    for option, key in (("--repeat", "repeat"), ("--shard", "shard")):
        if value := arguments.get(key):
            yield f"{option} {str(value).partition(' of ')[0]}"
    if arguments.get("failed_first"):
        yield "--ff"


def _state(head: Mapping[str, Any], counts: Mapping[str, int], planned: int, *, goes_on: bool) -> str:
    from runner.domain.report import DECLINED

    if goes_on:
        return "going on"
    if "judged" in head:
        return "judged anew"
    if "arguments" not in head:
        return "damaged"
    # Offline rules would decline the same once more.
    settled = sum(counts.get(word, 0) for word in ("passed", "failed", "flaky", "skipped", DECLINED))
    return "complete" if settled >= planned else "can be resumed"
