"""`runner calibrate`: how well the judge agrees with people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli._session import Session, file_option, open_session
from runner.did_you_mean import count, quote

if TYPE_CHECKING:
    from runner.checks import Exchange, Part
    from runner.domain.calibration import Agreement, Labelled
    from runner.domain.report import Judging, Verdict

    Line = tuple[str, Mapping[str, Any], Part]
    """Its place, what it says, and its check."""

CHECKS = ("judge", "factual", "goal")
KEYS = ("question", "answer", "holds", *CHECKS)
MOST_SHOWN = 20
MOST_BYTES = 64 * 1024 * 1024


@click.command(name="calibrate", short_help="Hold the judge to answers that people have judged.")
@click.argument("judged", metavar="JUDGED.jsonl", type=click.Path(path_type=Path))
@file_option
@click.option("--judge", "question", metavar="QUESTION", help="The criterion of lines that name none.")
@click.option(
    "--agreement", type=click.FloatRange(0.5, 1), default=0.95, show_default=True, help="The rate to find bounds for."
)
def command(judged: Path, file: Path | None, question: str | None, agreement: float) -> int:
    """Hold the judge to answers that people have judged.

    Each line of JUDGED.jsonl is `{"question": ..., "answer": ..., "holds": true, "judge": "Is it polite?"}`: `holds` is
    what people say, `judge` (or `factual`, or `goal`) what is asked, as under `expect`. It is asked once for each line.

    Shows how often the judge agrees, between what the true rate lies, the bounds that would give the rate that is
    wanted, and the disagreements to read. Exits 3 if the judge gave no answer to some. Interrupted, it shows what was
    judged by then; the next time asks about the rest.
    """
    import asyncio

    from runner.errors import UsageError

    session = open_session(file, None, needs_key=False)
    if session.configuration.project.judge is None:
        raise UsageError("no judge is declared; write `judge: {target: NAME, model: MODEL}` in assistants.yaml")
    lines = list(_read_lines(judged, question))
    kept = session.state / "calibrate" / f"{_hash(str(judged.resolve()))}.jsonl"
    told = dict(_read_kept(kept))
    verdicts: list[Verdict | None] = [told.get(_key(session, said, part)) for _, said, part in lines]
    earlier = len(lines) - verdicts.count(None)
    more = f"; {earlier} of {count(len(lines), 'answer')} were told before an interruption" if earlier else ""
    session.show([f"asking the judge about {count(verdicts.count(None), 'answer')}{more}"], err=True)
    try:
        asyncio.run(_ask_all(session, lines, verdicts, kept))
    except KeyboardInterrupt:
        if len(lines) > verdicts.count(None):
            _show(session, lines, verdicts, agreement)
        session.show(
            [f"interrupted: {count(verdicts.count(None), 'answer')} to go, which the next time asks about"], err=True
        )
        raise
    kept.unlink(missing_ok=True)
    return _show(session, lines, verdicts, agreement)


def _show(session: Session, lines: Sequence[Line], verdicts: Sequence[Verdict | None], agreement: float) -> int:
    from runner.domain.report import Judging

    told = [(line, verdict) for line, verdict in zip(lines, verdicts, strict=True) if verdict]
    answers = [_label(place, said, verdict) for (place, said, _), verdict in told]
    used = Judging()
    used.add([verdict for _, verdict in told])
    session.show(_describe(answers, used, agreement, _find_bounds_in_use([part for (_, _, part), _ in told])))
    return 3 if any(one.probability is None for one in answers) else 0


def _hash(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _key(session: Session, said: Mapping[str, Any], part: Part) -> str:
    """The same for what the same judge is asked in the same words."""
    from runner.domain.result_json import as_plain

    one = part.expectation
    asked = [one.check, as_plain(one.parameters), said.get("question", ""), said["answer"]]
    return _hash(json.dumps([str(session.configuration.project.judge), *asked]))


def _read_kept(path: Path) -> Iterator[tuple[str, Verdict]]:
    """What the judge said before the verb was interrupted."""
    from runner.domain.result_json import verdict_from_json
    from runner.journal import read_journal

    for entry in read_journal(path):
        # A line of another version must not stand in the way.
        with suppress(KeyError, TypeError, ValueError):
            yield entry.fields["key"], verdict_from_json(entry.fields["verdict"])


def _read_lines(path: Path, question: str | None) -> Iterator[Line]:
    """Raises UsageError for the first that is wrong."""
    from runner.errors import NothingFound, UsageError

    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has more than {MOST_BYTES // 1024**2} MB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise NothingFound(f"{path} has no line")
    labels: dict[str, tuple[int, bool]] = {}
    for number, line in lines:
        place = f"{path}:{number}"
        try:
            read = _read_line(place, line, question)
            asked = json.dumps({**read[1], "holds": None}, sort_keys=True)
            earlier, holds = labels.setdefault(asked, (number, read[1]["holds"]))
            if holds is not read[1]["holds"]:
                raise ValueError(f"`holds` is {str(holds).lower()} for the same answer in line {earlier}")
            yield read
        except ValueError as error:
            raise UsageError(f"{place}: {error}") from error


def _read_line(place: str, line: str, question: str | None) -> Line:
    """Raises ValueError."""
    from runner.did_you_mean import suggest

    try:
        said = json.loads(line, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    if not isinstance(said, dict):
        raise ValueError("is no JSON object")
    if unknown := next((key for key in said if key not in KEYS), None):
        raise ValueError(f"unknown key {quote(unknown)}; {suggest(unknown, KEYS, kind='known are')}")
    if not isinstance(said.get("answer"), str) or not isinstance(said.get("question", ""), str):
        raise ValueError("`answer` has to be a text, and so has `question`")
    if not isinstance(said.get("holds"), bool):
        raise ValueError("`holds` has to be true or false")
    named = [name for name in CHECKS if name in said] or (["judge"] if question else [])
    if len(named) != 1:
        raise ValueError(f"name what is asked, by one of {', '.join(CHECKS)}, or for all lines by --judge")
    return place, said, _build(named[0], said.get(named[0], question))


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Raises ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("has a key twice in one object")
    return found


def _build(name: str, written: object) -> Part:
    """The check as it would stand under `expect`. Raises ValueError."""
    from runner.checks import build_part
    from runner.checks._packages import load_check
    from runner.domain.scenario import Expectation
    from runner.errors import Location
    from runner.json_schema import find_mismatch

    module = load_check(name)
    parameters = written if isinstance(written, dict) else {module.MAIN_FIELD: written}
    if mismatch := find_mismatch(parameters, module.SCHEMA):
        raise ValueError(f"{name}: {mismatch}")
    # What is undecided is what is looked for: it is not asked again.
    parameters = {**parameters, "votes": 1}
    return build_part(Expectation(check=name, parameters=parameters, location=Location("", 1, 1)))


async def _ask_all(session: Session, lines: Sequence[Line], verdicts: list[Verdict | None], kept: Path) -> None:
    """Put what is told to its place, as it comes, and into the file."""
    import asyncio

    from runner.domain.result_json import verdict_as_json

    judge = session.configuration.project.judge
    assert judge is not None, "the verb has seen to that"
    on_judge = session.on_target(judge.target)
    with on_judge.open_verb_journal("calibrate") as journal, on_judge.open_journal(kept) as told:
        async with on_judge.open_judge(journal) as ask:

            async def put(number: int) -> None:
                place, said, part = lines[number]
                verdict = await part.judge_asking(_as_exchange(place, said, part), ask)
                verdicts[number] = verdict
                if "criteria" in verdict.details:
                    told.note("judged", key=_key(session, said, part), verdict=verdict_as_json(verdict))

            await asyncio.gather(*(put(number) for number, verdict in enumerate(verdicts) if verdict is None))


def _as_exchange(place: str, said: Mapping[str, Any], part: Part) -> Exchange:
    from runner.checks import Exchange, an_answer
    from runner.domain.assistant import Address
    from runner.domain.scenario import Scenario, Turn

    location = part.expectation.location
    turn = Turn(ask=said.get("question", ""), location=location)
    scenario = Scenario(name=place, assistant=Address(""), turns=(turn,), location=location)
    return Exchange(scenario=scenario, turns=((turn, an_answer(said["answer"])),), target="", api="", model="")


def _label(place: str, said: Mapping[str, Any], verdict: Verdict) -> Labelled:
    from runner.domain.calibration import Labelled

    criteria: Any = verdict.details.get("criteria", ())
    shares = [one["probability"] for one in criteria]
    # All criteria have to hold: the one that holds least decides.
    probability = min(shares) if shares and None not in shares else None
    reasons = "; ".join(one["reason"] for one in criteria if one["reason"])
    return Labelled(
        place=place,
        holds=said["holds"],
        probability=probability,
        question=said.get("question", ""),
        answer=said["answer"],
        reason=verdict.reason if probability is None else reasons,
    )


def _find_bounds_in_use(parts: Sequence[Part]) -> tuple[float, float]:
    """`fails_at` and `passes_at` of the lines where they have the same, or else those of checks that name none."""
    from runner.checks._judging import LOWER, UPPER

    checks: list[Any] = [part.check for part in parts]
    written = {(check.fails_at, check.passes_at) for check in checks}
    low, high = written.pop() if len(written) == 1 else (LOWER, UPPER)
    return float(low), float(high)


def _describe(answers: Sequence[Labelled], used: Judging, wanted: float, bounds: tuple[float, float]) -> Iterator[str]:
    from runner.domain.calibration import find_disagreements, measure_agreement
    from runner.reporting import describe_judging

    low, high = bounds
    right = sum(one.holds for one in answers)
    people = f"people ({right:,} right, {len(answers) - right:,} wrong)"
    yield f"{count(len(answers), 'answer')}, judged by {people} and by the judge"
    yield _describe_agreement(measure_agreement(answers, fails_at=low, passes_at=high), low, high)
    yield from _describe_bounds(answers, wanted)
    yield from _list("the judge gave no answer to", [one for one in answers if one.probability is None])
    yield from _list("disagreements to read", find_disagreements(answers, fails_at=low, passes_at=high))
    yield from describe_judging(used)


def _describe_bounds(answers: Sequence[Labelled], wanted: float) -> Iterator[str]:
    from runner.domain.calibration import LEAST_ON_A_SIDE, find_bounds, measure_agreement

    low, high = find_bounds(answers, agreement=wanted)
    if low is not None and high is not None:
        yield f"for {wanted:.0%} on each side: `fails_at: {low:.6g}, passes_at: {high:.6g}`"
        yield _describe_agreement(measure_agreement(answers, fails_at=low, passes_at=high), low, high)
        return
    for name, at in (("fails_at", low), ("passes_at", high)):
        side = "below" if name == "fails_at" else "above"
        why = f"wherever it is set, people and the judge agree on fewer of the answers at it or {side}"
        none = f"no `{name}` gives {wanted:.0%}: {why}, or fewer than {LEAST_ON_A_SIDE} answers are there"
        yield none if at is None else f"for {wanted:.0%}: `{name}: {at:.6g}`"


def _describe_agreement(agreement: Agreement, low: float, high: float) -> str:
    least, most = agreement.interval
    rate = f"{agreement.agreed / agreement.decided:.0%}" if agreement.decided else "none"
    kappa = "no kappa" if agreement.kappa is None else f"kappa {agreement.kappa:.2f}"
    return (
        f"between {low:.6g} and {high:.6g}: agrees on {agreement.agreed:,} of {agreement.decided:,} ({rate}, true rate "
        f"{least:.0%} to {most:.0%}, {kappa}), {agreement.undecided:,} undecided"
    )


def _list(title: str, answers: Sequence[Labelled]) -> Iterator[str]:
    if answers:
        yield f"{title}: {len(answers)}"
    for one in answers[:MOST_SHOWN]:
        judged = "" if one.probability is None else f", judge {one.probability:.2f}"
        people = "right" if one.holds else "wrong"
        asked = f"{_cut(one.question)} - " if one.question else ""
        yield f"  {one.place}: people say {people}{judged}: {asked}{_cut(one.answer)}"
        if one.reason:
            yield f"    {_cut(one.reason)}"
    if len(answers) > MOST_SHOWN:
        yield f"  and {len(answers) - MOST_SHOWN} more"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:160]}…"
