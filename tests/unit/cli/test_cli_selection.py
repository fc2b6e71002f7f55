"""Which scenarios an expression means."""

from dataclasses import replace
from pathlib import Path

import pytest

from runner.cli._selection import parse_expression, select_scenarios
from runner.cli.compare import make_cover
from runner.domain.assistant import Address
from runner.domain.scenario import Scenario, Turn
from runner.errors import Location, NothingFound, UsageError

PLACE = Location("x.yaml", 1, 1)


def scenario(name: str, *tags: str) -> Scenario:
    return Scenario(
        name=name, assistant=Address("a"), turns=(Turn(ask="?", location=PLACE),), tags=tags, location=PLACE
    )


SCENARIOS = (
    scenario("hotel bill", "billing", "slow"),
    scenario("refund of a ticket", "refunds"),
    scenario("Receipt", "billing"),
    scenario("opening hours"),
)


def chosen(**wanted: object) -> list[str]:
    found = select_scenarios(SCENARIOS, lambda: {"Receipt": True, "hotel bill": False}, **wanted)  # type: ignore[arg-type]
    return [one.name for one in found]


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ("billing", ["hotel bill", "Receipt"]),
        ("not slow and (billing or refunds)", ["refund of a ticket", "Receipt"]),
        ("not (billing or refunds)", ["opening hours"]),
        ("not not slow", ["hotel bill"]),
        ("billing and slow or refunds", ["hotel bill", "refund of a ticket"]),
    ],
)
def test_tags_are_whole_words(tags: str, names: list[str]) -> None:
    assert chosen(tags=tags) == names


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("receipt", ["Receipt"]),
        ("hotel bill", ["hotel bill"]),
        ("bill or opening hours", ["hotel bill", "opening hours"]),
        ("not receipt and not refund", ["hotel bill", "opening hours"]),
    ],
)
def test_names_are_parts_whatever_their_case(expression: str, names: list[str]) -> None:
    assert chosen(names=expression) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "and",
        "a and",
        "a or or b",
        "(a",
        "a)",
        "not",
        "()",
        "a (b)",
        "not " * 5000 + "a",
        "(" * 5000 + "a" + ")" * 5000,
    ],
)
def test_what_is_no_expression_is_a_mistake_that_names_its_option(text: str) -> None:
    with pytest.raises(UsageError, match="^-k "):
        parse_expression("-k", text)


def test_nothing_found_names_the_tags_that_there_are() -> None:
    with pytest.raises(NothingFound, match="the tags are billing, refunds, slow"):
        chosen(tags="biling")


def test_what_did_not_pass_last_comes_alone_or_first() -> None:
    assert chosen(last_failed=True) == ["Receipt"]
    assert chosen(failed_first=True) == ["Receipt", "hotel bill", "refund of a ticket", "opening hours"]
    assert chosen(last_failed=True, tags="refunds") == ["refund of a ticket"], "as in pytest: none failed, so all"


@pytest.mark.parametrize(
    ("asked", "is_meant"),
    [
        ([], True),
        (["scenarios"], True),
        (["scenarios/"], True),
        (["scenarios/sums.yaml"], True),
        (["scenarios/*.yaml"], True),
        (["s*"], True),
        (["**/s*.yaml"], True),
        (["scenarios/sums.yaml:3"], False),
        (["scenarios/sums.yaml::gone"], False),
        (["scenarios/others", "scenarios/a*.yaml", "**/*.yml", "scenarios/*/*.yaml"], False),
    ],
)
def test_what_is_gone_would_have_been_played_where_a_path_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], is_meant: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        make_cover(asked, tmp_path)(replace(scenario("gone"), location=Location("scenarios/sums.yaml", 3, 1)))
        is is_meant
    )
