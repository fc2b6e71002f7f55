"""Parts of the scenarios: each in one part, balanced, the same wherever it is worked out; and put together again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli._selection import Shard
from runner.cli.merge import merge_reports
from runner.domain.assistant import Address
from runner.domain.comparison import describe_doubts
from runner.domain.report import Attempt, Outcome, Report, ScenarioResult, Variant
from runner.domain.scenario import Scenario, Turn
from runner.errors import Location, UsageError

VARIANT = Variant(target="t", api="responses")


def scenario(name: str, line: int = 1) -> Scenario:
    place = Location("s.yaml", line, 1)
    return Scenario(name=name, assistant=Address("a"), turns=(Turn(ask="?", location=place),), location=place)


@given(
    names=st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=40),
    of=st.integers(1, 6),
    known=st.dictionaries(st.text(min_size=1, max_size=2), st.floats(0, 100)),
)
def test_every_scenario_is_in_one_part_and_all_parts_are_of_one_division(
    names: list[str], of: int, known: dict[str, float]
) -> None:
    scenarios = [scenario(name) for name in names]
    parts = [Shard(number=number, of=of).choose(scenarios, known) for number in range(1, of + 1)]
    assert sorted(one.name for chosen, _ in parts for one in chosen) == sorted(names)
    assert len({label.partition("/")[2] for _, label in parts}) == 1


def test_it_does_not_depend_on_the_order_and_is_balanced_by_the_last_durations() -> None:
    scenarios = [scenario(f"s{number}") for number in range(20)]
    durations_s = {f"s{number}": 1.0 + number for number in range(20)}
    parts = [Shard(number=number, of=4).choose(scenarios, durations_s)[0] for number in range(1, 5)]
    again = [Shard(number=number, of=4).choose(scenarios[::-1], durations_s)[0] for number in range(1, 5)]
    assert [{one.name for one in part} for part in parts] == [{one.name for one in part} for part in again]
    loads = [sum(durations_s[one.name] for one in part) for part in parts]
    assert max(loads) <= 1.05 * sum(loads) / 4


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "a/b", "1/0", "-1/3", "1/100000", "1/2/3", "½/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write NUMBER/OF, like 2/8"):
        Shard.parse(text)


def report(shard: str, *names: str) -> Report:
    results = tuple(
        ScenarioResult(
            scenario=scenario(name, line=int(name[1:])),
            outcome=Outcome.PASSED,
            attempts=(Attempt(outcome=Outcome.PASSED),),
            variant=VARIANT,
        )
        for name in names
    )
    return Report(variants=(VARIANT,), planned=len(names), results=results, shard=shard)


def test_the_parts_together_are_in_the_order_of_one_play() -> None:
    merged = merge_reports(
        [("b", report("2/2 of division x", "s2", "s4")), ("a", report("1/2 of division x", "s1", "s3"))]
    )
    assert [one.scenario.name for one in merged.results] == ["s1", "s2", "s3", "s4"]
    assert (merged.planned, merged.exit_code, merged.variants) == (4, 0, (VARIANT,))


def test_each_part_s_own_comparison_is_kept() -> None:
    parts = [report("1/2 of division x", "s1"), report("2/2 of division x", "s2")]
    compared = [replace(one, comparison=("compared with b.json:", f"{at} same")) for at, one in enumerate(parts)]
    merged = merge_reports([("a", compared[0]), ("b", compared[1])])
    assert merged.comparison == (
        *("shard 1/2: compared with b.json:", "shard 1/2: 0 same"),
        *("shard 2/2: compared with b.json:", "shard 2/2: 1 same"),
    )


def test_a_part_that_was_killed_is_no_part_that_passed() -> None:
    killed = replace(report("2/2 of division x", "s2"), planned=5, tier="batch")

    merged = merge_reports([("a", report("1/2 of division x", "s1")), ("b", killed)])

    assert (merged.exit_code, merged.cut_off, merged.tier) == (3, 4, "batch")
    assert describe_doubts(merged, merged)[0].endswith("(it was cut off): 4 of 6 are missing")


def test_parts_that_were_played_with_different_definitions_are_not_one_play() -> None:
    parts = [report("1/2 of division x", "s1"), report("2/2 of division x", "s2")]
    changed = [
        replace(one, results=tuple(replace(result, definition=definition) for result in one.results))
        for one, definition in zip(parts, ("abc", "def"), strict=True)
    ]
    with pytest.raises(UsageError, match="'a' was played with another definition in each"):
        merge_reports([("a", changed[0]), ("b", changed[1])])
    assert merge_reports([("a", changed[0]), ("b", parts[1])]).exit_code == 0


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ([report("", "s1"), report("", "s1")], "played in more than one of these: s1 on t"),
        ([report("1/3 of division x", "s1")], r"2 shards of 3 missing: 2/3, 3/3$"),
        ([report("2/200 of division x", "s1")], r"199 shards of 200 missing: 1/200, 3/200, 4/200, 5/200 and 195 more$"),
        ([report("1/2 of division x", "s1"), report("2/2 of division y", "s2")], "not shards of one division"),
        ([report("1/2 of division x", "s1"), report("", "s2")], "not shards of one division"),
    ],
)
def test_what_is_not_the_parts_of_one_whole_is_refused(reports: list[Report], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        merge_reports([(str(number), one) for number, one in enumerate(reports)])
