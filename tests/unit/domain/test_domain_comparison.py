"""Two plays are compared as the figures say, and chance is never taken for a cause."""

from collections.abc import Iterator
from dataclasses import replace

from played_results import OTHER, VARIANT, played, report_of, scenario

from runner.domain.comparison import Change, Compared, Comparison, Verdict, compare, describe_doubts
from runner.domain.report import Outcome, ScenarioResult
from runner.errors import Location

PASSED, FAILED, ERRORED = Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED


def times(name: str, passes: int, attempts: int) -> ScenarioResult:
    outcomes = (*[PASSED] * passes, *[FAILED] * (attempts - passes))
    outcome = PASSED if passes == attempts else FAILED if passes * 2 < attempts else Outcome.FLAKY
    return played(name, *outcomes, outcome=outcome)


def suite(passed: int, failed: int, *, start: int = 0) -> Iterator[ScenarioResult]:
    for number in range(start, start + passed + failed):
        yield played(f"s{number}", PASSED if number < start + passed else FAILED)


def only(comparison: Comparison) -> Compared:
    (one,) = comparison.scenarios
    return one


def test_what_is_seen_is_told_for_each_scenario() -> None:
    old = [played(name, PASSED) for name in ("same", "breaks", "wavers", "goes", "errors")]
    old += [played("mends", FAILED)]
    new = [played("same", PASSED), played("breaks", FAILED), times("wavers", 2, 3), played("comes", PASSED)]
    new += [played("errors", ERRORED), played("mends", PASSED)]
    seen = {one.name: one.change.value for one in compare(old, new).scenarios}
    assert seen == {
        "same": "same", "breaks": "broken", "wavers": "flaky", "goes": "gone", "comes": "new", "errors": "unjudged",
        "mends": "fixed",
    }  # fmt: skip


def test_one_failure_is_no_proof_and_the_number_of_repeats_that_would_be_is_told() -> None:
    one = only(compare([played("a", PASSED)], [played("a", FAILED)]))
    assert (one.change, one.verdict, one.more) == (Change.BROKEN, Verdict.INCONCLUSIVE, 3)


def test_repeats_decide() -> None:
    proven = only(compare([times("a", 5, 5)], [times("a", 1, 5)]))
    assert (proven.verdict, round(proven.p or 0, 3)) == (Verdict.BROKEN, 0.048)
    mended = only(compare([times("a", 1, 5)], [times("a", 5, 5)]))
    assert mended.verdict is Verdict.FIXED
    open_ = only(compare([times("a", 5, 5)], [times("a", 2, 5)]))
    assert (open_.verdict, open_.more) == (Verdict.INCONCLUSIVE, 3)
    assert only(compare([times("a", 5, 5)], [times("a", 5, 5)])).verdict is Verdict.NO_EVIDENCE


def test_among_many_that_were_tested_one_has_to_be_clearer() -> None:
    old = [times(f"a{number}", 5, 5) for number in range(5)]
    new = [times(f"a{number}", 1, 5) for number in range(2)] + [times(f"a{number}", 4, 5) for number in range(2, 5)]
    first, *_ = compare(old, new).scenarios
    assert first.verdict is Verdict.INCONCLUSIVE
    steady = [times(f"b{number}", 5, 5) for number in range(50)]
    first, *_ = compare([times("a", 5, 5), *steady], [times("a", 1, 5), *steady]).scenarios
    assert first.verdict is Verdict.BROKEN  # those that passed always on both sides could have shown nothing


def test_ten_fixed_are_as_significant_as_ten_broken() -> None:
    worse, better = compare(suite(10, 0), suite(0, 10)), compare(suite(0, 10), suite(10, 0))
    assert (worse.verdict, better.verdict) == (Verdict.BROKEN, Verdict.FIXED)
    assert worse.p == better.p < 0.001
    assert worse.test == "McNemar, mid-p"
    assert compare(suite(5, 0), suite(0, 5)).verdict is Verdict.BROKEN
    three = compare(suite(3, 0), suite(0, 3))
    assert (three.verdict, three.more) == (Verdict.INCONCLUSIVE, 1)
    even = compare([*suite(3, 3)], [*suite(0, 3), *suite(3, 0, start=3)])
    assert even.verdict is Verdict.NO_EVIDENCE


def test_repeats_of_all_are_compared_by_their_rates() -> None:
    old = [times(f"s{number}", 5, 5) for number in range(8)]
    new = [times(f"s{number}", 4, 5) for number in range(8)]
    together = compare(old, new)
    assert (together.test, together.verdict, together.p) == ("sign-flip permutation", Verdict.BROKEN, 2 / 256)


def test_cases_of_one_template_are_one_piece_of_evidence() -> None:
    def case_of(result: ScenarioResult) -> ScenarioResult:
        return replace(result, scenario=replace(result.scenario, declared_at=Location("scenarios/sums.yaml", 3, 3)))

    old = [case_of(times(f"s{number}", 5, 5)) for number in range(8)]
    new = [case_of(times(f"s{number}", 4, 5)) for number in range(8)]
    assert compare(old, new).p == 1.0
    apart = [times(f"t{number}", 5, 5) for number in range(8)], [times(f"t{number}", 4, 5) for number in range(8)]
    assert compare([*old, *apart[0]], [*new, *apart[1]]).p == 2 / 2**9


def test_what_makes_two_plays_unlike_is_told() -> None:
    full = report_of([played("a", PASSED), played("b", PASSED)])
    assert describe_doubts(full, full) == []
    cut = replace(report_of([played("a", PASSED)], variants=(OTHER,)), planned=3, signal=2, shard="1/2 of x")
    assert describe_doubts(full, cut) == [
        "the new play did not come to its end (it was interrupted by signal 2): 2 of 3 are missing",
        "the new play is a shard (1/2 of x)",
        "the old was played on embedded, the new on embedded/other",
    ]
    stopped = replace(full, stopped="--max-cost is reached")
    assert describe_doubts(stopped, report_of([played("c", PASSED)])) == [
        "the old play did not come to its end (--max-cost is reached): 0 of 2 are missing",
        "they have no scenario in common",
    ]


def test_gold_breaks_without_any_proof() -> None:
    def golden(result: ScenarioResult) -> ScenarioResult:
        return replace(result, scenario=replace(result.scenario, golden=True))

    comparison = compare([golden(played("a", PASSED))], [golden(played("a", FAILED))])
    assert comparison.regressions == ("golden scenario a does not pass any more",)
    assert compare([golden(played("a", PASSED))], [golden(times("a", 2, 3))]).regressions
    assert not compare([golden(played("a", FAILED))], [golden(played("a", FAILED))]).regressions
    assert compare([golden(played("a", PASSED))], []).regressions == ("golden scenario a is gone",)
    assert not compare([golden(played("a", FAILED))], []).regressions
    skipped = golden(played("a", outcome=Outcome.SKIPPED))
    skipped = replace(skipped, scenario=replace(skipped.scenario, skip="later"))
    assert compare([golden(played("a", PASSED))], [skipped]).regressions
    assert not compare([played("a", PASSED)], [played("a", FAILED)]).regressions
    assert compare([golden(times("a", 4, 5))], [golden(played("a", FAILED))]).regressions, "however weak the evidence"
    disguised = replace(skipped, scenario=replace(skipped.scenario, golden=False))
    assert compare([golden(played("a", PASSED))], [disguised]).regressions, "the word was taken out, too"


def test_one_column_is_held_against_each_of_others_and_a_column_that_was_not_played_is_not_gone() -> None:
    old = [replace(one, scenario=replace(one.scenario, golden=True)) for one in suite(3, 0)]
    columns = (replace(OTHER, model="b"), OTHER)
    new = [replace(one, variant=column) for one in suite(0, 3) for column in columns]
    comparison = compare(old, new)
    assert (comparison.counts["broken"], comparison.counts["gone"], comparison.verdict.value) == (6, 0, "inconclusive")
    assert len(comparison.regressions) == 6
    both = [replace(one, variant=column) for one in old for column in (VARIANT, OTHER)]
    left = compare(both, old)
    assert (left.counts["gone"], left.regressions, left.undecided) == (3, (), ())
    others = compare(both, [replace(one, variant=columns[0]) for one in old])
    assert (others.regressions, others.undecided) == ((), ("of 6 that passed none was played now",))


def test_what_broke_without_a_proof_is_undecided_and_what_a_rate_allows_is_not() -> None:
    old = [played("a", PASSED), times("b", 5, 5), played("c", PASSED), played("d", PASSED), played("e", FAILED)]
    new = [played("a", FAILED), times("b", 4, 5), played("c", ERRORED), played("d"), played("e", ERRORED)]
    assert compare(old, new).undecided == (
        "a is broken, which may be chance: 3 more repeats would decide",
        "c passed, and came to no verdict now",
        "d passed, and came to no verdict now",
    )
    assert compare([times("a", 5, 5)], [times("a", 1, 5)]).undecided == (), "proven"
    skipped = replace(played("a"), scenario=replace(played("a").scenario, skip="not now"))
    assert compare([played("a", PASSED)], [skipped]).undecided == ("a passed, and is skipped now: not now",)


def test_plays_on_one_variant_each_are_matched_by_name_and_others_by_both() -> None:
    assert only(compare([played("a", PASSED)], [played("a", FAILED, variant=OTHER)])).change is Change.BROKEN
    both = [played("a", PASSED), played("a", PASSED, variant=OTHER)]
    seen = {one.name: one.change for one in compare(both, [both[0]]).scenarios}
    assert seen == {"a on embedded": Change.SAME, "a on embedded/other": Change.GONE}


def test_what_was_changed_between_the_plays_is_told() -> None:
    old = played("a", PASSED)
    asked = played("a", PASSED, words="Another question?")
    assert only(compare([old], [asked])).remarks == ("questions changed", "checks changed")
    other = replace(old, definition="fedcba987654")
    assert only(compare([old], [other])).remarks == ("the assistant's definition changed",)
    file = {"name": "a.pdf", "for": "file_search", "sha256": "1"}
    before = {"model": "m", "instructions": "Hi.", "files": (file, file | {"name": "b.pdf"})}
    now = {"model": "n", "instructions": "Hi.", "files": [file | {"sha256": "2"}, file | {"name": "b.pdf"}]}
    told = only(compare([old], [other], ({old.definition: before}, {other.definition: now}))).remarks
    assert told == ("the assistant's definition changed (model, a.pdf)",)
    hangs = [replace(old, inputs={"code": one, "judge": "j", f"target {one}": one}) for one in "xy"]
    assert only(compare(hangs[:1], hangs[1:])).remarks == ("code changed",)
    lax = replace(times("a", 1, 2), scenario=replace(scenario("a", repeat=5), pass_at_least=1))
    assert only(compare([old], [lax])).remarks == ("passes with 1 of 5 now, before with 1 of 1",)


def test_nothing_in_common_is_no_evidence() -> None:
    comparison = compare([], [])
    assert (comparison.verdict, comparison.p, comparison.regressions) == (Verdict.NO_EVIDENCE, 1.0, ())
