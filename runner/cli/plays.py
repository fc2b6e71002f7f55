"""`runner plays`: the plays that are kept, and which can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from runner.cli._session import file_option


@click.command(name="plays", short_help="List the plays that are kept.")
@file_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(*, file: Path | None, as_json: bool) -> None:
    """List the plays under .runner/plays, the newest first: when, where, what came of it, and whether it can go on.

    `play --resume ID` goes on with one, `report ID` tells it again, `compare` holds two against each other.
    """
    from runner.cli._plays import find_plays
    from runner.config.paths import find_project_file
    from runner.errors import NothingFound
    from runner.escaping import terminal_line

    root = find_project_file(file, Path.cwd()).parent.resolve()
    plays = [_describe(one) for one in find_plays(root / ".runner" / "plays")]
    if as_json:
        click.echo(json.dumps(plays, indent=2, ensure_ascii=True))
        return
    if not plays:
        raise NothingFound("no play is kept under .runner/plays")
    for one in plays:
        counts = ", ".join(f"{times} {word.replace('_', ' ')}" for word, times in one["counts"].items() if times)
        shard = f" · shard {one['shard'].partition(' ')[0]}" if one["shard"] else ""
        where = ", ".join(one["variants"])
        line = f"{one['id']} {where}{shard} · {counts or 'nothing played'} of {one['planned']} · {one['state']}"
        click.echo(terminal_line(line))


def _describe(folder: Path) -> dict[str, Any]:
    """What `play.json` says; of a play that did not come to its end, what had come in."""
    from runner.cli._plays import is_going_on
    from runner.errors import WriteFailed
    from runner.kept_play import find_argument, read_head, read_play, report_of

    head: Mapping[str, Any] = {}
    counts: Mapping[str, int] = {}
    try:
        head = read_head(folder)
        counts = head["counts"] if "counts" in head else report_of(read_play(folder)).counts
    except (WriteFailed, OSError):
        pass
    planned = int(head.get("planned", 0))
    return {
        "id": folder.name,
        "started_at": head.get("started_at", ""),
        "variants": [_label(one) for one in head.get("variants", ())],
        "shard": find_argument(head, "shard"),
        "planned": planned,
        "counts": dict(counts),
        "exit_code": head.get("exit_code"),
        "stopped": head.get("stopped", ""),
        "state": _state(head, counts, planned, goes_on=is_going_on(folder)),
    }


def _label(variant: Mapping[str, Any]) -> str:
    model = f"/{variant['model']}" if variant.get("model") else ""
    return f"{variant.get('target', '?')}{model}"


def _state(head: Mapping[str, Any], counts: Mapping[str, int], planned: int, *, goes_on: bool) -> str:
    if goes_on:
        return "going on"
    if "arguments" not in head:
        return "damaged"
    judged = sum(counts.get(word, 0) for word in ("passed", "failed", "flaky", "skipped"))
    return "complete" if judged >= planned else "can be resumed"
