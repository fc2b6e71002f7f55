"""Two plays side by side: what became of each scenario, and how far chance could be the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from runner.domain.report import DECLINED, NOT_STARTED, Outcome, Report, ScenarioResult
from runner.domain.result_json import as_plain
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
    """What a play says of a scenario; `judged` attempts have passed or failed.

    `selector` is what `play` takes for it; `template` where its cases are written, "" for no case of a template.
    """

    outcome: Outcome
    counted_as: str
    passes: int
    judged: int
    golden: bool
    definition: str
    location: str
    selector: str
    script: int
    template: str = ""

    @property
    def rate(self) -> float:
        return self.passes / self.judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One scenario. `p` is Fisher's, adjusted (Holm) for all that were tested; None where nothing was.

    With INCONCLUSIVE, so many `more` attempts on each side would decide, if the rates stay as they are.
    """

    name: str
    change: Change
    old: Standing | None = None
    new: Standing | None = None
    verdict: Verdict = Verdict.NO_EVIDENCE
    p: float | None = None
    more: int | None = None

    @property
    def pair(self) -> tuple[Standing, Standing] | None:
        """The old and the new, where both came to a verdict."""
        if self.old is None or self.new is None or self.change is Change.UNJUDGED:
            return None
        return self.old, self.new

    @property
    def breaks_gold(self) -> bool:
        """A golden scenario that passed each time, and does not now, as it is skipped or gone, too."""
        if self.old is None or self.old.outcome is not Outcome.PASSED:
            return False
        if self.new is None:
            return self.old.golden
        is_skipped = self.new.counted_as == Outcome.SKIPPED.value
        return self.new.golden and (is_skipped or self.change in (Change.BROKEN, Change.FLAKY))

    @property
    def doubt(self) -> str:
        """Why it can't be said that it did not get worse; "" if it can, or if it is proven that it did."""
        if self.old is None or self.new is None or self.old.outcome not in _GOOD or self.verdict is Verdict.BROKEN:
            return ""
        if self.change is Change.BROKEN:
            repeats = f"{self.more} more repeat{'s' if self.more != 1 else ''} would" if self.more else "no repeats"
            return f"{self.name} is broken, which may be chance: {repeats} decide"
        no_verdict = self.new.counted_as in ("errored", DECLINED, NOT_STARTED)
        return f"{self.name} passed, and came to no verdict now" if no_verdict else ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Why the two may not be alike."""
        if self.old is None or self.new is None:
            return ()
        remarks = ["its questions or checks were changed"] if self.old.script != self.new.script else []
        if self.old.definition and self.new.definition and self.old.definition != self.new.definition:
            remarks.append("the assistant's definition was changed")
        return tuple(remarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All scenarios; `p` is for all of them together, by the test of this name."""

    scenarios: tuple[Compared, ...]
    verdict: Verdict
    p: float
    test: str
    more: int | None = None

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
        return tuple(one.doubt for one in self.scenarios if one.doubt)


def compare(old: Iterable[ScenarioResult], new: Iterable[ScenarioResult]) -> Comparison:
    """Scenarios are matched by name and variant; where both plays have one variant only, by name alone."""
    before, after = dict(_stand(old)), dict(_stand(new))
    if len({label for _, label in before}) <= 1 and len({label for _, label in after}) <= 1:
        before = {(name, ""): one for (name, _), one in before.items()}
        after = {(name, ""): one for (name, _), one in after.items()}
    shows_variants = any(label for _, label in (*before, *after))
    keys = dict.fromkeys((*after, *before))
    scenarios = [
        Compared(
            name=f"{name} on {label}" if shows_variants else name,
            change=_see(before.get((name, label)), after.get((name, label))),
            old=before.get((name, label)),
            new=after.get((name, label)),
        )
        for name, label in keys
    ]
    judged = tuple(_judge(scenarios))
    verdict, p, test, more = _judge_together(judged)
    return Comparison(scenarios=judged, verdict=verdict, p=p, test=test, more=more)


def describe_doubts(old: Report, new: Report) -> list[str]:
    """Why the two plays as wholes may not be alike: one line each."""
    doubts = []
    for word, one in (("old", old), ("new", new)):
        if one.signal is not None or one.stopped or one.cut_off:
            signal = "it was cut off" if one.signal is None else f"it was interrupted by signal {one.signal}"
            reason = one.stopped or signal
            missing = one.cut_off + one.counts[NOT_STARTED]
            doubts.append(f"the {word} play did not come to its end ({reason}): {missing} of {one.planned} are missing")
        if one.shard:
            doubts.append(f"the {word} play is a shard ({one.shard})")
    before, after = ({one.label for one in report.variants} for report in (old, new))
    if before != after:
        doubts.append(f"the old was played on {', '.join(sorted(before))}, the new on {', '.join(sorted(after))}")
    names = [{one.scenario.name for one in report.results} for report in (old, new)]
    if names[0] and names[1] and not names[0] & names[1]:
        doubts.append("they have no scenario in common")
    return doubts


def _stand(results: Iterable[ScenarioResult]) -> Iterator[tuple[tuple[str, str], Standing]]:
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
                judged=sum(one.outcome in (Outcome.PASSED, Outcome.FAILED) for one in result.attempts),
                golden=scenario.golden,
                definition=result.definition,
                location=f"{scenario.location.file}:{scenario.location.line}",
                selector=f"{(scenario.declared_at or scenario.location).file}::{scenario.name}",
                script=hash(repr(_script_of(result))),
                template=str(scenario.declared_at) if scenario.declared_at else "",
            ),
        )


def _script_of(result: ScenarioResult) -> list[Any]:
    scenario = result.scenario
    return [
        [[turn.ask, [(one.check, as_plain(one.parameters)) for one in turn.expectations]] for turn in scenario.turns],
        [(one.check, as_plain(one.parameters)) for one in scenario.expectations],
    ]


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
    if all(old.judged == new.judged == 1 for old, new in pairs):
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
    for number, (old, new) in enumerate(pairs):
        key = new.template or number
        sums[key] = sums.get(key, 0.0) + new.rate - old.rate
    return list(sums.values())


def _more_of_all(broken: int, fixed: int, *, most: int = 10) -> int | None:
    """How many more times all would have to be played, if as many went each way every time."""
    return next(
        (more for more in range(1, most + 1) if mcnemar_mid_p(broken * (1 + more), fixed * (1 + more)) < ALPHA), None
    )
