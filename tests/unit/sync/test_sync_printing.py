"""Plans for people: a line of the file is one line of the plan, and what is new is shown whole."""

from dataclasses import replace

import pytest
from sync_memory import NAMESPACE, MemoryBackend, make_assistant, sync

from runner.domain.assistant import Address
from runner.domain.plan import Action, Change, FieldChange, Kind, Plan
from runner.sync import RemoteState, decide, plan_sync
from runner.sync.desired import describe
from runner.sync.printing import PrintedPlan, diff_texts, markdown, print_plan, text

LONG = " ".join(f"This is sentence number {number} of many." for number in range(60))


async def show_change(backend: MemoryBackend, before: str, after: str) -> list[str]:
    await sync(backend, make_assistant(instructions=before))
    desired = describe(make_assistant(instructions=after))
    plan, _ = await decide([desired], NAMESPACE, backend, now_s=lambda: 1e10)
    return text.render(print_plan(plan, target="there")).splitlines()


async def test_a_long_line_that_changed_is_one_line_on_each_side(backend: MemoryBackend) -> None:
    lines = await show_change(backend, LONG, LONG.replace("number 30 of", "number XXX of").replace("number 50 ", "50 "))
    gone = [line.strip() for line in lines if line.strip().startswith("-")]
    come = [line.strip() for line in lines if line.strip().startswith("+")]
    assert (len(gone), len(come)) == (1, 1)
    assert "sentence number XXX of many." in come[0]
    assert "sentence 50 of many." in come[0]
    assert "sentence number 30 of many." in gone[0]
    assert len(come[0]) < 250
    assert come[0].startswith("+... ")


async def test_a_line_of_moderate_length_is_shown_whole(backend: MemoryBackend) -> None:
    before = "You guide travellers through " + "the old and the new town, " * 5
    lines = await show_change(backend, before, before + "and home.")
    assert f"      -{before.strip()}" in lines
    assert f"      +{before}and home." in lines


def test_an_unchanged_long_line_beside_a_change_is_cut() -> None:
    lines = diff_texts(f"{LONG}\nold", f"{LONG}\nnew", context=2, longest=10)
    assert lines[-2:] == ("-old", "+new")
    assert all(len(line) < 210 for line in lines)


def test_a_long_line_among_others_that_changed_is_cut_to_what_changed_in_it() -> None:
    after = LONG.replace("number 30 of", "number XXX of")
    lines = diff_texts(f"{LONG}\nBe kind.", f"{after}\nBe brief.\nNever guess.", context=0, longest=10)
    assert [line for line in lines if len(line) > 120] == []
    assert "sentence number XXX of many." in lines[2]
    assert lines[3:] == ("+Be brief.", "+Never guess.")


def test_what_several_assistants_have_in_common_is_shown_once_in_a_comment() -> None:
    field = FieldChange(field="file tips.md (file_search), 2 -> 4 bytes", before="a\n", after="b\nc\n")
    changes = tuple(
        Change(action=Action.UPDATE, kind=Kind.ASSISTANT, address=Address(name), fields=(field,)) for name in "ab"
    )
    shown = markdown.render(PrintedPlan(target="", namespace="n", plan=Plan(changes=changes), since="main"))
    assert shown.count("```diff") == 1
    assert "**assistant a, assistant b: file tips" in shown
    assert "characters" not in shown


def test_lines_that_are_only_new_are_shown_whole() -> None:
    assert diff_texts("a", f"a\n{LONG}", context=0, longest=10) == (f"+{LONG}",)


def test_more_lines_than_fit_are_counted() -> None:
    assert diff_texts("", "a\nb\nc", context=0, longest=2) == ("+a", "+b", "... 1 more line")


@pytest.mark.parametrize("instructions", [LONG, "Be short.\n\n  - Say where it stands.\n  - Never guess.\n" * 9])
def test_the_instructions_of_a_new_assistant_are_shown_whole(instructions: str) -> None:
    plan = plan_sync([describe(make_assistant(instructions=instructions))], NAMESPACE, RemoteState())
    for format_ in (text, markdown):
        shown = format_.render(print_plan(plan, target="there"))
        lines = [line for line in instructions.strip().splitlines() if line]
        assert [line for line in lines if f"{line}\n" not in shown] == []
        assert "..." not in shown


def test_a_hostile_line_of_new_instructions_is_harmless() -> None:
    hostile = "\x1b[2J```\n::set-output name=x::y\n" + LONG
    plan = plan_sync([describe(make_assistant(instructions=hostile))], NAMESPACE, RemoteState())
    for format_ in (text, markdown):
        shown = format_.render(print_plan(plan, target="there"))
        assert "\x1b" not in shown
        assert "\n::set" not in shown.replace(" ", "")
    assert "````" in markdown.render(print_plan(plan, target="there"))


def test_a_plan_without_a_default_says_nothing_of_it() -> None:
    plan = plan_sync([describe(replace(make_assistant(), top_p=None))], NAMESPACE, RemoteState())
    assert "1.0" not in text.render(print_plan(plan, target="there"))
