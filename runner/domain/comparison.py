"""Two plays side by side: what became of each scenario, and how far chance could be the reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from runner.domain.report import DECLINED, NOT_STARTED, Outcome, Report, ScenarioResult
from runner.domain.result_json import as_plain
from runner.domain.scenario import Scenario
from runner.domain.statistics import (
    CONFIDENCE,
    fisher_exact,
    fisher_least,
    holm,
    mcnemar_mid_p,
    repeats_to_decide,
    sign_flip_p,
)

ALPHA = 1 - CONFIDENCE
_GOOD = (Outcome.PASSED, Outcome.FLAKY)


class Change(Enum):
    """What is seen. UNJUDGED: one of the plays came to no verdict on it."""

    BROKEN = "broken"
    FLAKY = "flaky"
    FIXED = "fixed"
    NEW = "new"
    GONE = "gone"
    UNJUDGED = "unjudged"
    SAME = "same"


class Verdict(Enum):
    """What is proven."""

    BROKEN = "broken"
    FIXED = "fixed"
    NO_EVIDENCE = "no evidence"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a play says of a scenario; `judged` attempts have passed or failed, `needed` of `repeat` have to pass.

    `selector` is what `play` takes for it; `template` where its cases are written, "" for no case of a template.
    `said` has hashes of what else the result hangs on, by what that is; they mean something within one process only.
    """

    outcome: Outcome
    counted_as: str
    passes: int
    judged: int
    needed: int
    repeat: int
    golden: bool
    skip: str
    assistant: str
    definition: str
    location: str
    selector: str
    said: Mapping[str, object]
    template: str = ""

    @property
    def rate(self) -> float:
        return self.passes / self.judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One scenario. `p` is Fisher's, adjusted (Holm) for all that were tested; None where nothing was.

    With INCONCLUSIVE, so many `more` attempts on each side would decide, if the rates stay as they are. `remarks` say
    why the two may not be alike. Where `is_elsewhere`, nothing at all was played on its variant now.
    """

    name: str
    change: Change
    old: Standing | None = None
    new: Standing | None = None
    verdict: Verdict = Verdict.NO_EVIDENCE
    p: float | None = None
    more: int | None = None
    remarks: tuple[str, ...] = ()
    is_elsewhere: bool = False

    @property
    def pair(self) -> tuple[Standing, Standing] | None:
        """The old and the new, where both came to a verdict."""
        if self.old is None or self.new is None or self.change is Change.UNJUDGED:
            return None
        return self.old, self.new

    @property
    def is_golden(self) -> bool:
        """Whether a file says so, of then or of now: who breaks it may have taken the word out, too."""
        return any(one.golden for one in (self.old, self.new) if one)

    @property
    def breaks_gold(self) -> bool:
        """A golden scenario that passed, and does not now, or less reliably; as it is skipped or gone, too."""
        if self.old is None or self.old.outcome not in _GOOD or not self.is_golden:
            return False
        if self.new is None:
            return not self.is_elsewhere
        is_skipped = self.new.counted_as == Outcome.SKIPPED.value
        return is_skipped or self.change in (Change.BROKEN, Change.FLAKY)

    @property
    def doubt(self) -> str:
        """Why it can't be said that it did not get worse; "" if it can, or if it is proven that it did."""
        if self.old is None or self.new is None or self.old.outcome not in _GOOD or self.verdict is Verdict.BROKEN:
            return ""
        if self.change is Change.BROKEN:
            repeats = f"{self.more} more repeat{'s' if self.more != 1 else ''} would" if self.more else "no repeats"
            return f"{self.name} is broken, which may be chance: {repeats} decide"
        if self.new.counted_as == Outcome.SKIPPED.value:
            reason = f"is skipped now: {self.new.skip}" if self.new.skip else "was declined now, which is skipped"
            return f"{self.name} passed, and {reason}"
        no_verdict = self.new.counted_as in ("errored", DECLINED, NOT_STARTED)
        return f"{self.name} passed, and came to no verdict now" if no_verdict else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All scenarios; `p` is for all of them together, by the test of this name.

    `left_out` counts what the old play has and the new one was not to play, `cut_off` what that did not come to.
    """

    scenarios: tuple[Compared, ...]
    verdict: Verdict
    p: float
    test: str
    more: int | None = None
    left_out: int = 0
    cut_off: int = 0

    @property
    def counts(self) -> dict[str, int]:
        counts = Counter(one.change for one in self.scenarios)
        return {change.value: counts[change] for change in Change}

    @property
    def regressions(self) -> tuple[str, ...]:
        """Why a gate closes, in words: what is proven to be broken, and golden scenarios without any proof."""
        proven = [f"{one.name} is broken" for one in self.scenarios if one.verdict is Verdict.BROKEN]
        golden = [one for one in self.scenarios if one.breaks_gold]
        gold = [f"golden scenario {one.name} {'does not pass any more' if one.new else 'is gone'}" for one in golden]
        whole = [f"all together are worse (p = {self.p:.3g})"] if self.verdict is Verdict.BROKEN else []
        return (*gold, *proven, *whole)

    @property
    def undecided(self) -> tuple[str, ...]:
        """What got worse, or may have, without a proof, in words."""
        doubts = [one.doubt for one in self.scenarios if one.doubt]
        if not doubts and not any(one.old and one.new for one in self.scenarios):
            passed = sum(one.old is not None and one.old.outcome in _GOOD for one in self.scenarios)
            doubts = [f"of {passed} that passed none was played now"] if passed else []
        if self.cut_off:
            doubts.append(f"the new play has no result of {self.cut_off} scenario{'s' if self.cut_off > 1 else ''}")
        return tuple(doubts)


_Key = tuple[str, str]
_Definitions = Mapping[str, Mapping[str, object]]


def compare(
    old: Iterable[ScenarioResult],
    new: Iterable[ScenarioResult],
    definitions: tuple[_Definitions, _Definitions] = ({}, {}),
) -> Comparison:
    """Scenarios are matched by name and variant; where both plays have one variant only, by name alone.

    Where only the old has one, and it is none of the new's, each of these is held against it. `definitions` are those
    of both plays by their hash.
    """
    before, after = _match(dict(_stand(old)), dict(_stand(new)))
    labels = {label for _, label in after}
    shows_variants = any(label for _, label in (*before, *after))
    keys = dict.fromkeys((*after, *before))
    scenarios = [
        Compared(
            name=f"{key[0]} on {key[1]}" if shows_variants else key[0],
            change=_see(before.get(key), after.get(key)),
            old=before.get(key),
            new=after.get(key),
            remarks=tuple(_find_changes(before.get(key), after.get(key), definitions)),
            is_elsewhere=bool(labels) and key[1] not in labels,
        )
        for key in keys
    ]
    judged = tuple(_judge(scenarios))
    verdict, p, test, more = _judge_together(judged)
    return Comparison(scenarios=judged, verdict=verdict, p=p, test=test, more=more)


def compare_reports(old: Report, new: Report, is_left_out: Callable[[Scenario], bool]) -> Comparison:
    """All of two plays. What the new one has not is gone, unless it was not to be played."""
    played = {one.scenario.name for one in new.results}
    left_out = []

    def choose() -> Iterator[ScenarioResult]:
        for one in old.results:
            if one.scenario.name in played or not is_left_out(one.scenario):
                yield one
            else:
                left_out.append(one.scenario.name)

    comparison = compare(choose(), new.results, (old.definitions, new.definitions))
    return replace(comparison, left_out=len(left_out), cut_off=new.cut_off)


def _match(
    before: dict[_Key, Standing], after: dict[_Key, Standing]
) -> tuple[dict[_Key, Standing], dict[_Key, Standing]]:
    """The same, under keys by which like is held against like."""
    olds, news = {label for _, label in before}, {label for _, label in after}
    if len(olds) <= 1 and len(news) <= 1:
        before, after = ({(name, ""): one for (name, _), one in side.items()} for side in (before, after))
    elif len(olds) == 1 and not olds & news:
        before = {(name, label): one for (name, _), one in before.items() for label in news}
    return before, after


def _find_changes(
    old: Standing | None, new: Standing | None, definitions: tuple[_Definitions, _Definitions]
) -> Iterator[str]:
    """What makes the two unlike beside their outcomes, in words."""
    if old is None or new is None:
        return
    yield from (f"{word} changed" for word, said in new.said.items() if old.said.get(word, said) != said)
    if new.needed / new.repeat < old.needed / old.repeat:
        yield f"passes with {new.needed} of {new.repeat} now, before with {old.needed} of {old.repeat}"
    if old.assistant != new.assistant:
        yield f"asks '{new.assistant}' now, before '{old.assistant}'"
    if old.golden and not new.golden:
        yield "not golden any more"
    if old.definition and new.definition and old.definition != new.definition:
        parts = _differing(*(known.get(one.definition, {}) for known, one in zip(definitions, (old, new), strict=True)))
        named = f" ({', '.join(parts)})" if parts else ""
        yield f"the assistant's definition changed{named}"


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """The keys of a definition that differ; of its files, which."""
    if not (old and new):
        return []
    told, tells = ({key: _as_text(one[key]) for key in one if key != "files"} for one in (old, new))
    keys = [key for key in dict.fromkeys((*told, *tells)) if told.get(key) != tells.get(key)]
    return keys + sorted({name for name, _ in _files_of(old) ^ _files_of(new)})


def _as_text(value: object) -> str:
    # What was read is in lists where what was played is in tuples.
    return json.dumps(value, sort_keys=True, default=str)


def _files_of(definition: Mapping[str, object]) -> set[tuple[str, str]]:
    files = definition.get("files")
    listed = files if isinstance(files, (list, tuple)) else ()
    return {(str(one.get("name")), _as_text(one)) for one in listed if isinstance(one, Mapping)}


def describe_doubts(old: Report, new: Report) -> list[str]:
    """Why the two plays as wholes may not be alike: one line each."""
    doubts = []
    for word, one in (("old", old), ("new", new)):
        if one.signal is not None or one.stopped or one.cut_off:
            signal = "it was cut off" if one.signal is None else f"it was interrupted by signal {one.signal}"
            reason = one.stopped or signal
            missing = one.cut_off + one.counts[NOT_STARTED]
            doubts.append(f"the {word} play did not come to its end ({reason}): {missing} of {one.planned} are missing")
        if one.selection:
            doubts.append(f"the {word} play is a selection ({one.selection})")
        if one.shard:
            doubts.append(f"the {word} play is a shard ({one.shard})")
    before, after = ({one.label for one in report.variants} for report in (old, new))
    if before != after:
        doubts.append(f"the old was played on {', '.join(sorted(before))}, the new on {', '.join(sorted(after))}")
    names = [{one.scenario.name for one in report.results} for report in (old, new)]
    if names[0] and names[1] and not names[0] & names[1]:
        doubts.append("they have no scenario in common")
    return doubts


def _stand(results: Iterable[ScenarioResult]) -> Iterator[tuple[_Key, Standing]]:
    """Only what is compared is kept: the plays may be large."""
    for result in results:
        scenario = result.scenario
        label = result.variant.label if result.variant else ""
        yield (
            (scenario.name, label),
            Standing(
                outcome=result.outcome,
                counted_as=result.counted_as,
                passes=result.passes,
                judged=result.judged,
                needed=scenario.passes_needed,
                repeat=scenario.repeat,
                golden=scenario.golden,
                skip=scenario.skip,
                assistant=scenario.assistant,
                definition=result.definition,
                location=f"{scenario.location.file}:{scenario.location.line}",
                selector=f"{(scenario.declared_at or scenario.location).file}::{scenario.name}",
                said={**_hash_script(scenario), **result.inputs},
                template=str(scenario.declared_at) if scenario.declared_at else "",
            ),
        )


def _hash_script(scenario: Scenario) -> dict[str, object]:
    asked = [(turn.ask, [file.name for file in turn.attachments]) for turn in scenario.turns]
    expected = [*(turn.expectations for turn in scenario.turns), scenario.expectations]
    checks = [[(one.check, as_plain(one.parameters)) for one in each] for each in expected]
    return {"questions": hash(repr(asked)), "checks": hash(repr(checks))}


def _see(old: Standing | None, new: Standing | None) -> Change:
    if old is None or new is None:
        return Change.NEW if old is None else Change.GONE
    if not (old.judged and new.judged) or Outcome.ERRORED in (old.outcome, new.outcome):
        return Change.UNJUDGED
    if old.outcome in _GOOD and new.outcome is Outcome.FAILED:
        return Change.BROKEN
    if new.outcome in _GOOD and old.outcome is Outcome.FAILED:
        return Change.FIXED
    if old.outcome is Outcome.PASSED and new.outcome is Outcome.FLAKY:
        return Change.FLAKY
    return Change.FIXED if old.outcome is Outcome.FLAKY and new.outcome is Outcome.PASSED else Change.SAME


def _judge(scenarios: list[Compared]) -> Iterator[Compared]:
    """Each one's rates by themselves; those that could not be told apart whatever came out are not among the tested."""
    tables = {one.name: _table(one.pair) for one in scenarios if one.pair}
    tested = {name: fisher_exact(*table) for name, table in tables.items() if fisher_least(*table) < ALPHA}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    for one in scenarios:
        if one.pair is None:
            yield one
            continue
        p, (old, new) = adjusted.get(one.name), one.pair
        if p is not None and p < ALPHA:
            yield replace(one, p=p, verdict=Verdict.FIXED if new.rate > old.rate else Verdict.BROKEN)
            continue
        more = repeats_to_decide(*tables[one.name]) if old.rate != new.rate else None
        yield replace(one, p=p, verdict=Verdict.NO_EVIDENCE if more is None else Verdict.INCONCLUSIVE, more=more)


def _table(pair: tuple[Standing, Standing]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Passes and judged attempts, of the old play and the new one."""
    old, new = pair
    return (old.passes, new.passes), (old.judged, new.judged)


def _judge_together(scenarios: tuple[Compared, ...]) -> tuple[Verdict, float, str, int | None]:
    pairs = [one.pair for one in scenarios if one.pair]
    differences = [new.rate - old.rate for old, new in pairs]
    fixed, broken = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    total = sum(differences)
    # One that several were held against is one piece of evidence.
    is_shared = len({id(old) for old, _ in pairs}) < len(pairs)
    if all(old.judged == new.judged == 1 for old, new in pairs) and not is_shared:
        p, test = mcnemar_mid_p(broken, fixed), "McNemar, mid-p"
    else:
        p, test = sign_flip_p(_sum_templates(pairs)), "sign-flip permutation"
    if p < ALPHA and total:
        return (Verdict.FIXED if total > 0 else Verdict.BROKEN), p, test, None
    passes = sum(old.passes for old, _ in pairs), sum(new.passes for _, new in pairs)
    more = _more_of_all(broken, fixed) if total and passes[0] != passes[1] else None
    return (Verdict.NO_EVIDENCE if more is None else Verdict.INCONCLUSIVE), p, test, more


def _sum_templates(pairs: list[tuple[Standing, Standing]]) -> list[float]:
    """The difference of each scenario; cases of one template go up and down together, and are one difference."""
    sums: dict[object, float] = {}
    for old, new in pairs:
        key = new.template or id(old)
        sums[key] = sums.get(key, 0.0) + new.rate - old.rate
    return list(sums.values())


def _more_of_all(broken: int, fixed: int, *, most: int = 10) -> int | None:
    """How many more times all would have to be played, if as many went each way every time."""
    return next(
        (more for more in range(1, most + 1) if mcnemar_mid_p(broken * (1 + more), fixed * (1 + more)) < ALPHA), None
    )
